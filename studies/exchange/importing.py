"""A coordinator's spreadsheet: a CSV file with a line per step of a hospital in a study.

Reading and judging come first and write nothing: :func:`read_file` makes rows of bytes, and
:func:`plan` says of every row what it would do, or what is wrong with it and where. Only
:func:`write` writes, what the plan said and nothing else. What happened before is taken over as it
is told (studies.hospitals.moving.take_over): the order of steps is checked, what a step asks for is
not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.actor import Actor
from studies.days import ZONE, local_day
from studies.errors import StudiesError
from studies.exchange.reading_csv import Row
from studies.free_text import optional_line
from studies.hospitals.facts import road_of_study
from studies.hospitals.models import StudyEvent
from studies.hospitals.moving import LONGEST_CONTACT, take_over, take_over_step
from studies.hospitals.pathway import STEPS, Pathway
from studies.hospitals.steps import taken
from studies.models import Institution, Membership, Participation, Study
from studies.reading import get_participation

#: So many hospitals' parts are written at once; the rest of a file comes when it is sent again.
AT_ONCE: Final = 2_000
_EARLIEST, _LATEST = date(1990, 1, 1), date(2100, 1, 1)
_FORMATS: Final = ("%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y")
#: The road has gone too far for a file to say so, but for what happened before the study was here:
#: whoever decides, writes it down in person.
_DECIDED: Final = frozenset({"approved", "initiated", "open", "on_hold"})
_STATES: Final[Mapping[str, str]] = {
    words.casefold(): step.code
    for step in STEPS
    for words in (step.code, step.name_nl, step.name_en)
}

Step = tuple[str, date]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a line of the file; `code` names it, `value` is what stood there."""

    line: int
    code: str
    value: str = ""


@dataclass(frozen=True)
class Part:
    """A hospital's part that would be written: its steps in order. `there`: it is in the study
    already, and these come after what is known."""

    line: int
    study: str
    institution: str
    steps: tuple[Step, ...]
    contact: str = ""
    there: bool = False


@dataclass(frozen=True)
class Plan:
    """What a file would do. `same`: lines that say what is known already."""

    rows: int
    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    same: int


def digest(found: Plan) -> str:
    """A fingerprint of everything that a plan would write."""
    told = [
        [part.study, part.institution, part.contact, part.there]
        + [[state, day.isoformat()] for state, day in part.steps]
        for part in found.parts
    ]
    return sha256(json.dumps(told).encode()).hexdigest()


@dataclass
class _Told:
    """The lines about one hospital in one study."""

    line: int
    steps: list[tuple[int, str, date]] = field(default_factory=list)
    contact: str = ""
    wrong: bool = False


def read_day(text: str) -> date | None:
    """A day written as 2026-11-23, 23-11-2026, 23/11/2026 or 23.11.2026; None when it is none.

    Years outside 1990-2100 are typing mistakes here.
    """
    cleaned = text.strip()
    if not cleaned.isascii() or len(cleaned) > 10:
        return None
    for pattern in _FORMATS:
        try:
            found = datetime.strptime(cleaned, pattern).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
        return found if _EARLIEST <= found < _LATEST else None
    return None


def moment_of(day: date, now: datetime) -> datetime:
    """The moment that stands for a day: its noon here, or now when that is still to come."""
    noon = datetime.combine(day, time(12), ZONE).astimezone(UTC)
    return min(noon, now) if day <= local_day(now) else noon


def plan(
    session: Session,
    rows: Iterable[Row],
    now: datetime,
    *,
    reach: frozenset[str] | None = None,
    by: str | None = None,
) -> Plan:
    """What the rows would do, and what is wrong with which line. Nothing is written.

    reach: the studies that the person may change, None for all; by: who they are. Steps that the
    file leaves out are not invented: the order of those that it has is what is checked. That a
    hospital was let in, a file says only of days before the study was made here, never where data
    could be asked at once, and never the file of whoever proposed the study.
    """
    names = _Names(session, now, reach, by)
    told: dict[tuple[str, str], _Told] = {}
    problems: list[Problem] = []
    seen: dict[tuple[str, str, str, date], int] = {}
    typed: dict[int, str] = {}
    today = local_day(now)
    count = 0
    for row in rows:
        count += 1
        study, place = names.study(row.study), names.hospital(row.hospital)
        state, day = _STATES.get(row.state.casefold()), read_day(row.date)
        if study is not None and place is not None:
            mine = told.setdefault((study, place), _Told(row.line))
            mine.contact = row.contact or mine.contact
        wrong = _wrong(row, study, place, state, day, today, now)
        if wrong is None and study and place and state and day:
            first = seen.setdefault((study, place, state, day), row.line)
            if first != row.line:
                wrong = Problem(row.line, "twice", str(first))
            elif place not in names.members(study):
                wrong = Problem(row.line, "not_a_member", row.hospital)
            else:
                typed[row.line] = row.state
                mine.steps.append((row.line, state, day))
        if wrong is not None:
            problems.append(wrong)
            if study is not None and place is not None:
                mine.wrong = True
    known = _known(session, {study for study, _ in told})
    parts: list[Part] = []
    same = 0
    for (study, place), each in told.items():
        there = known.get((study, place), ())
        fresh = [told_ for told_ in each.steps if told_[1:] not in there]
        let_in = [
            Problem(line, "decided_in_person", typed[line])
            for line, state, day in fresh
            if state in _DECIDED and not names.tells_of_the_past(study, day)
        ]
        problems += let_in
        if each.wrong or let_in or not each.steps:
            continue
        same += len(each.steps) - len(fresh)
        if not fresh:
            continue
        made = _part(study, place, replace(each, steps=fresh), names.road(study), there)
        if isinstance(made, Problem):
            problems.append(made)
        else:
            parts.append(made)
    parts.sort(key=lambda part: part.line)
    return Plan(count, tuple(parts), tuple(sorted(problems, key=lambda p: p.line)), same)


def write(
    session: Session, found: Plan, *, actor: Actor, now: datetime, most: int = AT_ONCE
) -> tuple[int, int]:
    """Write the first `most` parts of a plan. Returns how many, and how many are left."""
    parts = found.parts[:most]
    fresh: dict[str, list[Part]] = {}
    for part in parts:
        if not part.there:
            fresh.setdefault(part.study, []).append(part)
            continue
        known = get_participation(session, part.study, part.institution)
        for state, day in part.steps:
            take_over_step(session, known, state, actor=actor, now=now, at=moment_of(day, now))
    for slug, mine in fresh.items():
        take_over(
            session,
            session.get_one(Study, slug),
            {
                part.institution: [(state, moment_of(day, now)) for state, day in part.steps]
                for part in mine
            },
            actor=actor,
            now=now,
            contacts={part.institution: part.contact for part in mine if part.contact},
        )
    return len(parts), len(found.parts) - len(parts)


def _wrong(
    row: Row,
    study: str | None,
    place: str | None,
    state: str | None,
    day: date | None,
    today: date,
    now: datetime,
) -> Problem | None:
    if row.short:
        return Problem(row.line, "too_few_columns")
    if study is None:
        return Problem(row.line, "unknown_study", row.study)
    if place is None:
        return Problem(row.line, "unknown_hospital", row.hospital)
    if state is None:
        return Problem(row.line, "unknown_state", row.state)
    if day is None:
        return Problem(row.line, "wrong_date", row.date)
    try:
        optional_line(row.contact, LONGEST_CONTACT, now)
    except StudiesError:
        return Problem(row.line, "bad_contact")
    return Problem(row.line, "in_the_future", row.date) if day > today else None


def _part(
    study: str, place: str, told: _Told, road: Pathway, there: Sequence[Step]
) -> Part | Problem:
    """The steps in the order of their days, each able to follow the one before."""
    rank = {step.code: step.number for step in STEPS}
    before = there[-1] if there else None
    steps: list[Step] = []
    for line, state, day in sorted(told.steps, key=lambda each: (each[2], rank[each[1]])):
        if before is not None and day < before[1]:
            return Problem(line, "before_last_step", before[1].isoformat())
        if not road.has(state):
            return Problem(line, "not_on_road", state)
        if before is not None and not road.leads(before[0], state):
            return Problem(line, "cannot_follow", before[0])
        before = (state, day)
        steps.append(before)
    return Part(told.line, study, place, tuple(steps), told.contact, bool(there))


def _known(session: Session, studies: set[str]) -> dict[tuple[str, str], tuple[Step, ...]]:
    """What is written down already: per study and hospital its steps with their days."""
    found: dict[tuple[str, str], tuple[Step, ...]] = {}
    slugs = sorted(studies)
    for begin in range(0, len(slugs), 500):
        parts = session.scalars(
            select(Participation)
            .where(Participation.study.in_(slugs[begin : begin + 500]))
            .options(selectinload(Participation.steps))
        )
        for part in parts:
            found[part.study, part.institution] = tuple(
                (step.state, local_day(step.at)) for step in taken(part.steps)
            ) or ((part.state, local_day(part.since)),)
    return found


class _Names:
    """What people call studies and hospitals: short name, title, number in a register, AGB code."""

    def __init__(
        self, session: Session, now: datetime, reach: frozenset[str] | None, by: str | None
    ) -> None:
        self._session = session
        self._now = now
        wanted = select(
            Study.slug,
            Study.title_nl,
            Study.title_en,
            Study.identifiers,
            Study.network,
            Study.asks_data,
            Study.created_at,
        )
        if reach is not None:
            wanted = wanted.where(Study.slug.in_(reach))
        rows = session.execute(wanted).all()
        self._studies = _by_name(
            (row.slug, (row.slug, row.title_nl, row.title_en, *row.identifiers.values()))
            for row in rows
        )
        self._network = {row.slug: row.network for row in rows}
        mine = set(
            session.scalars(
                select(StudyEvent.study).where(StudyEvent.kind == "proposed", StudyEvent.by == by)
            )
        )
        # Study -> the day from which it was here; those of which no file tells are left out.
        self._here_from = {
            row.slug: local_day(row.created_at)
            for row in rows
            if not row.asks_data and row.slug not in mine
        }
        places = session.execute(select(Institution.slug, Institution.name, Institution.agb))
        self._places = _by_name((row.slug, (row.slug, row.name, row.agb or "")) for row in places)
        self._members: dict[str, frozenset[str]] = {}
        self._roads: dict[str, Pathway] = {}

    def study(self, name: str) -> str | None:
        return self._studies.get(name.casefold())

    def hospital(self, name: str) -> str | None:
        return self._places.get(name.casefold())

    def tells_of_the_past(self, study: str, day: date) -> bool:
        return study in self._here_from and day < self._here_from[study]

    def members(self, study: str) -> frozenset[str]:
        network = self._network[study]
        if network not in self._members:
            rows = self._session.scalars(
                select(Membership.institution).where(
                    Membership.network == network,
                    Membership.since <= self._now,
                    Membership.until.is_(None) | (Membership.until > self._now),
                )
            )
            self._members[network] = frozenset(rows)
        return self._members[network]

    def road(self, study: str) -> Pathway:
        if study not in self._roads:
            self._roads[study] = road_of_study(self._session, self._session.get_one(Study, study))
        return self._roads[study]


def _by_name(named: Iterable[tuple[str, Sequence[str]]]) -> dict[str, str]:
    """Name -> slug; a name that two have means neither."""
    found: dict[str, str] = {}
    double: set[str] = set()
    for slug, names in named:
        for name in {name.casefold() for name in names if name}:
            if found.setdefault(name, slug) != slug:
                double.add(name)
    return {name: slug for name, slug in found.items() if name not in double}
