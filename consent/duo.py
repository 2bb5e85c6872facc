"""The conditions of use of a study's data as terms of the Data Use Ontology (GA4GH DUO).

DUO labels a data set. The data set of a study is the patients who said yes to everything the study
requires, so the label follows from the requirement set alone: what is required was granted by each
of them; whatever is not required is taken as refused, the strictest of all combinations the cohort
could have. No count and no patient is looked at, so the label tells nothing about any of them, and
it does not change when one of them stops (docs/adr/0019-duo-from-the-requirement-set.md).
"""

from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consent.items import ITEMS, with_parents

CANCER: Final = "MONDO:0004992"
REGION: Final = "EEA"
TIME_LIMIT: Final = "DUO:0000025"


@dataclass(frozen=True)
class Term:
    """A term of DUO. `value`: what it is limited to, where the term needs one."""

    code: str
    short: str
    label_nl: str
    label_en: str
    value: str | None = None

    def label(self, language: str) -> str:
        """The meaning: in Dutch for "nl", in English otherwise."""
        return self.label_nl if language == "nl" else self.label_en


@dataclass(frozen=True)
class Label:
    """What may be done with the data. `local`: required items for which DUO has no term."""

    terms: tuple[Term, ...]
    local: tuple[str, ...]


TERMS: Final = MappingProxyType(
    {
        term.code: term
        for term in (
            Term(
                "DUO:0000007",
                "DS",
                "alleen voor onderzoek naar kanker",
                "disease specific research: cancer only",
                CANCER,
            ),
            Term(
                "DUO:0000006",
                "HMB",
                "voor onderzoek naar gezondheid en ziekte",
                "health, medical or biomedical research",
            ),
            Term(
                "DUO:0000021",
                "IRB",
                "een ethische commissie moet het goedkeuren",
                "ethics approval required",
            ),
            Term(
                "DUO:0000027",
                "PS",
                "alleen voor een goedgekeurde studie",
                "project specific restriction",
            ),
            Term(
                "DUO:0000028",
                "IS",
                "de gegevens blijven in het ziekenhuis",
                "institution specific restriction",
            ),
            Term(
                "DUO:0000012",
                "RS",
                "alleen voor één soort onderzoek",
                "research specific restrictions",
                "trials within cohorts",
            ),
            Term(
                "DUO:0000015",
                "NMDS",
                "niet om rekenmethoden of AI te ontwikkelen",
                "no general methods research",
            ),
            Term(
                "DUO:0000022",
                "GS",
                "alleen binnen Europa (EER)",
                "geographical restriction",
                REGION,
            ),
            Term(TIME_LIMIT, "TS", "voor beperkte tijd", "time limit on use"),
            Term(
                "DUO:0000044",
                "NPOA",
                "niet voor onderzoek naar afkomst",
                "population origins or ancestry research prohibited",
            ),
            Term(
                "DUO:0000046",
                "NCU",
                "niet voor bedrijven of voor winst",
                "non-commercial use only",
            ),
        )
    }
)


def label(requires: Collection[str]) -> Label:
    """The label of a study that requires these items of each patient.

    Raises ConsentError `requirement_set_empty`, `unknown_item`: neither may mean "no condition".
    """
    granted = with_parents(requires)
    found: dict[str, None] = {}
    replaced: set[str] = set()
    for item in ITEMS.values():
        if item.code in granted:
            found.update(dict.fromkeys(item.duo_granted))
            replaced.update(item.duo_replaces)
        else:
            found.update(dict.fromkeys(item.duo_refused))
    # A limit in time without its number of months says nothing; no study has set one.
    codes = [code for code in found if code not in replaced and code != TIME_LIMIT]
    local = tuple(
        code for code in granted if not (ITEMS[code].duo_granted or ITEMS[code].duo_refused)
    )
    return Label(tuple(TERMS[code] for code in codes), local)
