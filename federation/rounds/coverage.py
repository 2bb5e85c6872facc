"""Who can answer what, from what hospitals said of their data before anybody asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from federation.indicators.asking import Period, questions
from federation.indicators.definition import Indicator
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.coverage import ABSENT, NONE
from federation.runs.coverage import coverage_of
from studies.models import Study


@dataclass(frozen=True)
class Covers:
    """Whether a hospital can answer an indicator. ``can``: None while it has not said; ``missing``:
    the variables that it does not have, or has for too few patients."""

    indicator: str
    site: str
    name: str
    can: bool | None
    missing: tuple[str, ...] = ()


def coverage(
    session: Session, study: Study, indicators: Sequence[Indicator], sites: Iterable[str]
) -> list[Covers]:
    """One entry per indicator and hospital, in the order of the indicators and by name."""
    told = coverage_of(session, study, sites)
    codebook = Codebook.from_dict(study.codebook)
    found = []
    for indicator in indicators:
        wanted = needed(indicator, codebook)
        for one in told:
            if one.coverage is None:
                found.append(Covers(indicator.id, one.site, one.name, None))
                continue
            words = one.coverage.variables
            missing = tuple(name for name in wanted if words.get(name, ABSENT) in (ABSENT, NONE))
            found.append(Covers(indicator.id, one.site, one.name, not missing, missing))
    return found


def needed(
    indicator: Indicator, codebook: Codebook, roles: Collection[str] = ("main", "trend")
) -> list[str]:
    """The variables of its questions in these roles, sorted: exactly what will be asked."""
    made = questions(
        indicator,
        codebook,
        study="",
        period=Period("2024-01", "2024-12"),
        sites="all",
        purpose_text="",
    )
    wanted = (parse(each.query, codebook) for each in made if each.role in roles)
    return sorted({name for query in wanted for name in query.variables()})


def able(session: Session, study: Study, indicator: Indicator, sites: Iterable[str]) -> list[str]:
    """Those of the hospitals that can answer the indicator, or have not said that they cannot."""
    return sorted(
        one.site for one in coverage(session, study, [indicator], sites) if one.can is not False
    )
