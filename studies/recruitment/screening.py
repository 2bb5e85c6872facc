"""The screening log as counts (SEAR: screened, eligible, approached, registered), without people.

One set of counts per study, hospital and month; a correction is a new version beside the old one.
There is no free text: a reason is a code, so that nobody can be described in it.

Source of the stages: Wilson C. et al., "The Screened, Eligible, Approached, Randomised (SEAR)
framework", Trials 2018;19:50.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_month
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals import open_time
from studies.models import Participation, Study
from studies.participants.models import ScreeningCount
from studies.reading import get_participation

MOST: Final = 100_000
_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

Words = tuple[str, str]
"""English and Dutch."""

NOT_ELIGIBLE: Final[Mapping[str, Words]] = {
    "age": ("Age", "Leeftijd"),
    "tumour": ("Another kind or stage of tumour", "Ander soort of stadium van de tumor"),
    "condition": ("General condition not good enough", "Conditie niet goed genoeg"),
    "other_disease": ("Another disease", "Een andere ziekte"),
    "earlier_treatment": ("Treated before", "Eerder behandeld"),
    "test_result": ("A test result", "Een uitslag van een onderzoek"),
    "other_study": ("In another study", "Doet mee aan een andere studie"),
    "no_decision": ("Not able to decide", "Niet in staat om te beslissen"),
    "other": ("Another criterion", "Een ander criterium"),
}
NOT_APPROACHED: Final[Mapping[str, Words]] = {
    "no_time": ("No time to ask", "Geen tijd om het te vragen"),
    "too_late": ("Treatment had begun", "De behandeling was al begonnen"),
    "doctor_decided": ("The doctor decided not to ask", "De arts besloot niet te vragen"),
    "missed": ("Seen too late", "Te laat gezien"),
    "no_contact_wish": ("Does not want to be asked", "Wil niet gevraagd worden"),
    "language": ("No information in their language", "Geen informatie in de eigen taal"),
    "other": ("Another reason", "Een andere reden"),
}
DECLINED: Final[Mapping[str, Words]] = {
    "no_reason": ("Gave no reason", "Gaf geen reden"),
    "burden": ("Too much of a burden", "Te zwaar of te veel"),
    "prefers_treatment": ("Prefers one of the treatments", "Heeft voorkeur voor een behandeling"),
    "no_lot": ("Does not want lots to decide", "Wil niet dat er wordt geloot"),
    "side_effects": ("Fears side effects", "Is bang voor bijwerkingen"),
    "travel": ("Too far to travel", "Te ver reizen"),
    "privacy": ("Does not want data to be used", "Wil niet dat gegevens worden gebruikt"),
    "other": ("Another reason", "Een andere reden"),
}
FAULTS: Final[Mapping[str, Words]] = {
    "screened_differs": (
        "Eligible and not eligible together are not the number screened.",
        "Geschikt en niet geschikt zijn samen niet het aantal dat is bekeken.",
    ),
    "eligible_differs": (
        "Approached and not approached together are not the number eligible.",
        "Gevraagd en niet gevraagd zijn samen niet het aantal dat geschikt is.",
    ),
    "approached_differs": (
        "Consented, declined and still deciding together are not the number approached.",
        "Ja, nee en nog aan het beslissen zijn samen niet het aantal dat is gevraagd.",
    ),
    "registered_more": (
        "More were registered than consented.",
        "Er zijn er meer ingeschreven dan er ja zeiden.",
    ),
}


class CountsDiffer(StudiesError):
    """The counts do not add up; `faults` are codes of :data:`FAULTS`."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("counts_differ")


@dataclass(frozen=True)
class Counts:
    """The counts of a month, or of several together; reasons as code -> number.

    `deciding` were approached and have not answered yet: a later version moves them on.
    """

    screened: int = 0
    not_eligible: Mapping[str, int] = field(default_factory=dict)
    eligible: int = 0
    not_approached: Mapping[str, int] = field(default_factory=dict)
    approached: int = 0
    declined: Mapping[str, int] = field(default_factory=dict)
    deciding: int = 0
    consented: int = 0
    registered: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            **{
                each.name: _added(getattr(self, each.name), getattr(other, each.name))
                for each in fields(self)
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with reasons that were counted only."""
        return {
            each.name: {code: n for code, n in value.items() if n}
            if isinstance(value := getattr(self, each.name), Mapping)
            else value
            for each in fields(self)
        }


REASONS: Final[Mapping[str, Mapping[str, Words]]] = {
    "not_eligible": NOT_ELIGIBLE,
    "not_approached": NOT_APPROACHED,
    "declined": DECLINED,
}
"""Stage -> its reasons."""


@dataclass(frozen=True)
class Month:
    """The counts of a hospital in a month, and which version they are."""

    institution: str
    month: str
    version: int
    counts: Counts
    recorded_at: datetime
    by: str


@dataclass(frozen=True)
class Screening:
    """months: the newest version of each, by month and hospital. missing: months in which a
    hospital was open and of which there are no counts, the running month left out."""

    study: str
    months: tuple[Month, ...]
    total: Counts
    missing: tuple[tuple[str, str], ...]


def checks(counts: Counts) -> tuple[str, ...]:
    """What does not add up, as codes of :data:`FAULTS`."""
    found = []
    if counts.eligible + sum(counts.not_eligible.values()) != counts.screened:
        found.append("screened_differs")
    if counts.approached + sum(counts.not_approached.values()) != counts.eligible:
        found.append("eligible_differs")
    answered = counts.consented + sum(counts.declined.values()) + counts.deciding
    if answered != counts.approached:
        found.append("approached_differs")
    if counts.registered > counts.consented:
        found.append("registered_more")
    return tuple(found)


def read(data: Mapping[str, Any]) -> Counts:
    """Counts from plain data; what is not named is 0.

    Raises StudiesError `bad_count` for an unknown name or reason, or what is no number from 0 up.
    """
    known = {each.name for each in fields(Counts)}
    if not set(data) <= known:
        raise StudiesError("bad_count")
    made: dict[str, Any] = {}
    for name, value in data.items():
        if name not in REASONS:
            made[name] = _count(value)
            continue
        if not isinstance(value, Mapping) or not set(value) <= set(REASONS[name]):
            raise StudiesError("bad_count")
        made[name] = {code: _count(n) for code, n in value.items()}
    return Counts(**made)


def record(
    session: Session,
    study: Study,
    institution: str,
    month: str,
    counts: Counts,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Month:
    """Write down a month of a hospital; the same numbers again change nothing.

    month: "2026-11". expected: the version that was shown, 0 for none; None to skip that check.
    Raises StudiesError `not_found` (no part in the study), `bad_month`, `in_the_future`,
    `bad_count`, `changed_meanwhile`; :class:`CountsDiffer` when the counts do not add up.
    """
    get_participation(session, study.slug, institution)
    if not _MONTH.fullmatch(month):
        raise StudiesError("bad_month")
    if month > local_month(now):
        raise StudiesError("in_the_future")
    counts = read(counts.as_dict())
    if faults := checks(counts):
        raise CountsDiffer(faults)
    before = current(session, study.slug, institution, month)
    version = 0 if before is None else before.version
    if expected is not None and expected != version:
        raise StudiesError("changed_meanwhile", versions=(expected, version))
    if before is not None and before.counts.as_dict() == counts.as_dict():
        return before
    row = ScreeningCount(
        study=study.slug,
        institution=institution,
        month=month,
        version=version + 1,
        counts=counts.as_dict(),
        recorded_at=now,
        by=actor.id,
    )
    session.add(row)
    session.flush()
    announce(
        session,
        actor=actor,
        action="screening.counted" if version == 0 else "screening.corrected",
        about=f"study:{study.slug}",
        facts={"institution": institution, "month": month, "version": row.version},
    )
    return _month(row)


def current(session: Session, study: str, institution: str, month: str) -> Month | None:
    """The newest version of a month of a hospital."""
    found = versions(session, study, institution, month)
    return found[-1] if found else None


def versions(session: Session, study: str, institution: str, month: str) -> tuple[Month, ...]:
    """Every version of a month of a hospital, oldest first."""
    rows = session.scalars(
        select(ScreeningCount)
        .where(
            ScreeningCount.study == study,
            ScreeningCount.institution == institution,
            ScreeningCount.month == month,
        )
        .order_by(ScreeningCount.version)
    )
    return tuple(_month(row) for row in rows)


def counts(
    session: Session, study: str, now: datetime, *, institution: str | None = None
) -> Screening:
    """What was screened, per hospital and month and together; of one hospital when it is named."""
    here = () if institution is None else (ScreeningCount.institution == institution,)
    newest = (
        select(
            ScreeningCount.institution,
            ScreeningCount.month,
            func.max(ScreeningCount.version).label("version"),
        )
        .where(ScreeningCount.study == study, *here)
        .group_by(ScreeningCount.institution, ScreeningCount.month)
        .subquery()
    )
    rows = session.scalars(
        select(ScreeningCount)
        .join(
            newest,
            (ScreeningCount.institution == newest.c.institution)
            & (ScreeningCount.month == newest.c.month)
            & (ScreeningCount.version == newest.c.version),
        )
        .where(ScreeningCount.study == study)
        .order_by(ScreeningCount.month, ScreeningCount.institution)
    )
    found = tuple(_month(row) for row in rows)
    there = {(each.institution, each.month) for each in found}
    return Screening(
        study=study,
        months=found,
        total=sum((each.counts for each in found), Counts()),
        missing=tuple(
            sorted(
                set(_open_months(session, study, institution, now)) - there, key=itemgetter(1, 0)
            )
        ),
    )


def _open_months(
    session: Session, study: str, institution: str | None, now: datetime
) -> Iterable[tuple[str, str]]:
    here = () if institution is None else (Participation.institution == institution,)
    running = local_month(now)
    for part in session.scalars(select(Participation).where(Participation.study == study, *here)):
        for stay in open_time.open_stays(part, now):
            month, last = local_month(stay.since), local_month(stay.until or now)
            while month <= last and month < running:
                yield part.institution, month
                year, number = int(month[:4]), int(month[5:])
                month = f"{year + number // 12}-{number % 12 + 1:02d}"


def _month(row: ScreeningCount) -> Month:
    return Month(
        institution=row.institution,
        month=row.month,
        version=row.version,
        counts=read(row.counts),
        recorded_at=row.recorded_at,
        by=row.by,
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise StudiesError("bad_count")
    return value


def _added(mine: Any, other: Any) -> Any:
    if isinstance(mine, Mapping):
        codes = dict.fromkeys((*mine, *other))
        return {code: mine.get(code, 0) + other.get(code, 0) for code in codes}
    return mine + other
