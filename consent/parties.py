"""Whose yes is needed, from when until when (design: consent.md 3.6, 16-18). Pure; hub and site.

The hospital says in which age class a patient is, in which month that changes, and who may speak
for the patient. From these facts the spans follow; nobody ever has to run a job on a birthday.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

SELF: Final = "self"
NOBODY: Final = "nobody"
"""Stands where somebody's yes is needed and the hospital has named no one who could give it."""

UNDER_12, FROM_12, ADULT = "<12", "12-15", "16+"
AGE_CLASSES: Final = (UNDER_12, FROM_12, ADULT)
HOLDERS: Final = frozenset({"parent", "guardian"})
ROLES: Final = HOLDERS | {"curator", "mentor", "authorised", "partner"}
"""Who may speak for somebody else: for a child its holders of authority, for an adult the rest."""

BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
_PARTY: Final = re.compile(r"p-[0-9a-f]{16}")
# The Netherlands are at most two hours ahead of UTC: so this is never after midnight there.
_AHEAD: Final = timedelta(hours=2)


@dataclass(frozen=True)
class Age:
    """The newest word about a patient's age. `month`: "2031-05", when a child leaves the class."""

    age_class: str
    month: str | None
    since: datetime


@dataclass(frozen=True)
class Speaker:
    """The newest word about somebody who may speak for a patient."""

    party: str
    role: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Span:
    """The yes of `party` is needed from `start` until `end` (None: no end). Empty when they are
    the same."""

    party: str
    role: str
    start: datetime
    end: datetime | None


def is_party(text: object) -> bool:
    """Whether `text` names a representative as a hospital makes such names: p- and 16 hex."""
    return isinstance(text, str) and _PARTY.fullmatch(text) is not None


def month_start(month: str, years: int = 0) -> datetime:
    """The moment at which a month begins in the Netherlands or up to two hours earlier.

    Raises ValueError for anything but "2031-05".
    """
    found = _MONTH.fullmatch(month)
    if found is None:
        raise ValueError("a month is written as 2031-05")
    return datetime(int(found[1]) + years, int(found[2]), 1, tzinfo=UTC) - _AHEAD


def check_age(age_class: str, month: str | None) -> None:
    """Raise ValueError unless a child has a month in which it leaves its class, and an adult has
    none."""
    if age_class not in AGE_CLASSES or (age_class == ADULT) != (month is None):
        raise ValueError("a child has a month in which it leaves its age class, an adult has none")
    if month is not None:
        month_start(month)


def spans(age: Age | None, speakers: Iterable[Speaker]) -> list[Span]:
    """Whose yes is needed when; [] where the hospital said nothing: then the patient alone.

    Under 12 every holder of authority; from 12 they and the patient; from the first day of the
    month in which the patient turns 16 the patient alone, or who represents an adult that cannot
    decide. Where a holder is needed and none is known, NOBODY is: nothing counts until the
    hospital names one.
    """
    known = sorted(speakers, key=lambda each: (each.start, each.party))
    if age is None and not known:
        return []
    if age is None or age.age_class == ADULT:
        return _adult(known, BEGIN if age is None else age.since, BEGIN)
    assert age.month is not None  # noqa: S101  check_age
    under_12 = age.age_class == UNDER_12
    twelve = month_start(age.month) if under_12 else BEGIN
    sixteen = month_start(age.month, 4 if under_12 else 0)
    grown = _adult(known, sixteen, sixteen)
    holders = [
        Span(each.party, each.role, each.start, _earlier(each.end, sixteen))
        for each in known
        if each.role in HOLDERS and each.start < sixteen
    ]
    own = [
        Span(SELF, "self", min(twelve, sixteen), each.end) for each in grown if each.party == SELF
    ]
    others = [each for each in grown if each.party != SELF]
    return [*holders, *_gaps(holders, sixteen), *own, *others]


def _adult(known: Iterable[Speaker], since: datetime, start: datetime) -> list[Span]:
    """The patient from `start`, until somebody represents them. Whoever stopped before `since`,
    when the hospital last said that the patient decides, plays no part."""
    speaking = [
        Span(each.party, each.role, max(each.start, start), each.end)
        for each in known
        if each.role not in HOLDERS and (each.end is None or each.end > max(since, each.start))
    ]
    first = min((each.start for each in speaking), default=None)
    return [Span(SELF, "self", start, first), *speaking]


def _gaps(holders: Iterable[Span], end: datetime) -> list[Span]:
    """Where no holder of authority is known before `end`."""
    found, covered = [], BEGIN
    for each in sorted(holders, key=lambda span: span.start):
        if each.start > covered:
            found.append((covered, each.start))
        covered = max(covered, each.end or end)
    if covered < end:
        found.append((covered, end))
    return [
        Span(NOBODY if number == 0 else f"{NOBODY}-{number}", "parent", *gap)
        for number, gap in enumerate(found)
    ]


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def needed(found: Iterable[Span], now: datetime) -> frozenset[str]:
    """The parties whose yes is needed at `now`."""
    return frozenset(
        span.party for span in found if span.start <= now and (span.end is None or now < span.end)
    )
