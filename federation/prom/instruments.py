"""The two questionnaires as forms: which items, which answers, how many on a screen, which scores.

Codes only. Wording is somebody else's property and comes, where a network has a licence, from a
file of its own (wording.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from federation.prom import eq5d, qlq_c30

VAS: Final = "vas"


@dataclass(frozen=True)
class Item:
    """code: q12, mo, vas. number: as it stands on the paper list. An answer is a whole number from
    `low` to `high`."""

    code: str
    number: int
    low: int
    high: int

    @property
    def scored(self) -> bool:
        """Whether it is a number that is written down, not a choice of a few."""
        return self.high > 10


@dataclass(frozen=True)
class Instrument:
    """pages: the items screen by screen."""

    code: str
    version: str
    pages: tuple[tuple[Item, ...], ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for page in self.pages for item in page)

    @property
    def slug(self) -> str:
        """As it stands in an address."""
        return self.code.lower()


def _qlq() -> Instrument:
    items = [Item(f"q{number}", number, 1, qlq_c30.highest(number)) for number in qlq_c30.ITEMS]
    # The two of seven steps stand on a screen of their own; the others by five, and three.
    cuts = (0, 5, 10, 15, 20, 25, 28, 30)
    pages = tuple(tuple(items[a:b]) for a, b in pairwise(cuts))
    return Instrument(qlq_c30.INSTRUMENT, qlq_c30.VERSION, pages)


def _eq5d() -> Instrument:
    items = tuple(Item(name, at, 1, 5) for at, name in enumerate(eq5d.DIMENSIONS, 1))
    return Instrument(eq5d.INSTRUMENT, eq5d.VERSION, (items, (Item(VAS, 6, 0, 100),)))


INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType(
    {each.code: each for each in (_qlq(), _eq5d())}
)

QLQ_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "QL": "qlq_global",
        "PF": "qlq_physical",
        "RF": "qlq_role",
        "EF": "qlq_emotional",
        "CF": "qlq_cognitive",
        "SF": "qlq_social",
        "FA": "qlq_fatigue",
        "NV": "qlq_nausea",
        "PA": "qlq_pain",
        "DY": "qlq_dyspnoea",
        "SL": "qlq_insomnia",
        "AP": "qlq_appetite",
        "CO": "qlq_constipation",
        "DI": "qlq_diarrhoea",
        "FI": "qlq_finance",
        qlq_c30.SUMMARY: "qlq_summary",
    }
)
"""Scale of the QLQ-C30 -> the variable of oncomin/1 that holds its score."""
EQ_INDEX: Final = "eq5d_index"
EQ_VAS: Final = "eq_vas"


def by_slug(slug: str) -> Instrument | None:
    """The instrument of an address."""
    return next((each for each in INSTRUMENTS.values() if each.slug == slug), None)


def check_answers(instrument: str, answers: Mapping[str, int]) -> None:
    """ValueError for an instrument that is not here, and for an item or answer it does not have."""
    found = INSTRUMENTS.get(instrument)
    if found is None:
        raise ValueError("no such questionnaire")
    items = {item.code: item for item in found.items}
    for code, answer in answers.items():
        item = items.get(code)
        if item is None or type(answer) is not int or not item.low <= answer <= item.high:
            raise ValueError("an answer that this questionnaire does not have")


def scores_of(instrument: str, answers: Mapping[str, int]) -> dict[str, float]:
    """The scores of one person by variable of oncomin/1, as far as there are enough answers.

    ValueError as `check_answers`.
    """
    check_answers(instrument, answers)
    if instrument == qlq_c30.INSTRUMENT:
        made = qlq_c30.scores({int(code[1:]): answer for code, answer in answers.items()})
        return {QLQ_VARIABLES[code]: each for code, each in made.items() if each is not None}
    found: dict[str, float] = {}
    value = eq5d.score({name: answers.get(name) for name in eq5d.DIMENSIONS})
    if value is not None:
        found[EQ_INDEX] = value
    if VAS in answers:
        found[EQ_VAS] = float(answers[VAS])
    return found
