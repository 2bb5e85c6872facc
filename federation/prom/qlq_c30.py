"""EORTC QLQ-C30 version 3: from item answers to scores. Numbers and codes only.

Rules: EORTC QLQ-C30 Scoring Manual, 3rd edition (2001); summary score: Giesinger 2016
(doi:10.1016/j.jclinepi.2015.08.007). The questions themselves belong to the EORTC and are not here:
an item is known by its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["function", "symptom", "global"]

INSTRUMENT: Final = "QLQ-C30"
VERSION: Final = "3.0"
ITEMS: Final = tuple(range(1, 31))
SUMMARY: Final = "SUM"


@dataclass(frozen=True)
class Scale:
    """items: their numbers. A `function` scale and `global` health are better when higher, a
    `symptom` is worse when higher."""

    code: str
    items: tuple[int, ...]
    kind: Kind

    @property
    def span(self) -> int:
        """The highest answer minus the lowest."""
        return 6 if self.kind == "global" else 3


def _scales() -> Mapping[str, Scale]:
    rows: tuple[tuple[str, Kind, tuple[int, ...]], ...] = (
        ("QL", "global", (29, 30)),
        ("PF", "function", (1, 2, 3, 4, 5)),
        ("RF", "function", (6, 7)),
        ("EF", "function", (21, 22, 23, 24)),
        ("CF", "function", (20, 25)),
        ("SF", "function", (26, 27)),
        ("FA", "symptom", (10, 12, 18)),
        ("NV", "symptom", (14, 15)),
        ("PA", "symptom", (9, 19)),
        ("DY", "symptom", (8,)),
        ("SL", "symptom", (11,)),
        ("AP", "symptom", (13,)),
        ("CO", "symptom", (16,)),
        ("DI", "symptom", (17,)),
        ("FI", "symptom", (28,)),
    )
    return MappingProxyType({code: Scale(code, items, kind) for code, kind, items in rows})


SCALES: Final = _scales()
IN_SUMMARY: Final = tuple(code for code in SCALES if code not in ("QL", "FI"))
"""The thirteen scales of the summary score: all but global health and financial difficulties."""


def highest(item: int) -> int:
    """The highest answer to an item; the lowest is 1. KeyError for no item of this list."""
    if item not in ITEMS:
        raise KeyError(item)
    return 7 if item in (29, 30) else 4


def scale(code: str, answers: Sequence[Floats]) -> Floats:
    """The scores, 0 to 100, of one scale for n people.

    answers: one array (n,) per item in the order of the scale; nan is no answer. nan where fewer
    than half of the items have an answer. inf where an answer is none that can be given: nothing
    is made of it.
    """
    found = SCALES[code]
    given = np.stack([np.asarray(each, np.float64) for each in answers])
    if len(given) != len(found.items):
        raise ValueError(f"{code} has {len(found.items)} items")
    missing = np.isnan(given)
    with np.errstate(invalid="ignore"):
        wrong = ~missing & ~(np.isin(given, np.arange(1.0, found.span + 2.0)))
    n = (~missing).sum(axis=0)
    total = np.where(missing | wrong, 0.0, given).sum(axis=0)
    enough = 2 * n >= len(found.items)
    part = (total / np.maximum(n, 1) - 1.0) / found.span
    score = 100.0 * (1.0 - part if found.kind == "function" else part)
    return np.where(wrong.any(axis=0), np.inf, np.where(enough, score, np.nan))


def summary(scores: Sequence[Floats]) -> Floats:
    """The summary score of n people: the mean of thirteen scales, symptoms turned round.

    scores: one array (n,) per code of IN_SUMMARY, in that order. nan unless all thirteen are there;
    inf where one of them is no number from 0 to 100.
    """
    given = np.stack([np.asarray(each, np.float64) for each in scores])
    if len(given) != len(IN_SUMMARY):
        raise ValueError(f"the summary is made of {len(IN_SUMMARY)} scales")
    missing = np.isnan(given)
    with np.errstate(invalid="ignore"):
        wrong = ~missing & ~((given >= 0.0) & (given <= 100.0))
    turned = np.array([[SCALES[code].kind == "symptom"] for code in IN_SUMMARY])
    # What is missing or wrong stands as 0 only until the last line leaves it out.
    known = np.where(missing | wrong, 0.0, given)
    mean = np.where(turned, 100.0 - known, known).mean(axis=0)
    return np.where(wrong.any(axis=0), np.inf, np.where(missing.any(axis=0), np.nan, mean))


def scores(answers: Mapping[int, int | None]) -> dict[str, float | None]:
    """All scores of one person, SUMMARY among them; None where there are too few answers.

    answers: by item number; what is left out was not answered. ValueError for an item or an answer
    that the list does not have.
    """
    for item, answer in answers.items():
        if item not in ITEMS:
            raise ValueError(f"QLQ-C30 has no item {item}")
        if answer is not None and (type(answer) is not int or not 1 <= answer <= highest(item)):
            raise ValueError(f"item {item} is answered with 1 to {highest(item)}")

    def column(item: int) -> Floats:
        answer = answers.get(item)
        return np.array([np.nan if answer is None else float(answer)])

    found = {
        code: scale(code, [column(item) for item in each.items]) for code, each in SCALES.items()
    }
    found[SUMMARY] = summary([found[code] for code in IN_SUMMARY])
    return {code: None if np.isnan(each[0]) else float(each[0]) for code, each in found.items()}
