"""The decision rule of consent/rule.py as one SELECT, for SQLite and PostgreSQL alike.

Written a second time on purpose: a property test compares both on random histories. The rows come
from `said`, which puts an event and all that may take its force together (consent/standing.py is
the same in Python); nothing here is built from text. The data window is in consent/window_sql.py.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Exists,
    Select,
    Subquery,
    and_,
    case,
    exists,
    false,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.orm import aliased

from consent.closing import CLOSED
from consent.models import ConsentEvent, ConsentMark, Subject, TextEnd, TextVersion
from consent.models_people import Fact, FactCorrection, Party
from consent.parties import HOLDERS
from consent.rule import ANY, SELF, Scope
from consent.standing import PAPER

FIELDS = ("network", "site", "item", "study", "category")


def permitted(
    request: Scope, now: datetime, known_at: datetime | None = None
) -> Select[tuple[str]]:
    """The ids of all subjects for whom `request` (fully valued) is permitted at `now`, each once.

    known_at: by what was written down until then; None for everything. Raises ValueError for a
    request with "*".
    """
    if ANY in request.values():
        raise ValueError("a request names every field; '*' is for choices only")
    standing = standing_yes(request, now, known_at)
    return agreed(standing, needed_people(request, now, known_at))


def needed_people(
    request: Scope,
    now: datetime,
    known_at: datetime | None,
    name: str = "needed",
    item: str | None = None,
) -> CTE:
    """Whose yes is needed: of each subject their own, unless the hospital told otherwise; and
    their own too after a "no" of their own to the request (with `item`: to that item by name)."""
    told, party, other = aliased(Party), aliased(Party), aliased(Party)
    anything_told = exists().where(told.subject_id == Subject.id, *_known(told, known_at))
    own = said(f"own_{name}", now, known_at)
    anybody = exists().where(other.subject_id == own.c.subject_id, *_in_force(other, now, known_at))
    return union(
        select(Subject.id.label("subject_id"), literal(SELF).label("party")).where(~anything_told),
        select(party.subject_id, party.party).where(*_in_force(party, now, known_at)),
        select(own.c.subject_id, literal(SELF)).where(
            ~own.c.grants,
            own.c.party == SELF,
            own.c.starts <= now,
            *covers(own, request.values()),
            *([] if item is None else [own.c.item == item]),
            anybody,
        ),
    ).cte(name)


def agreed(standing: CTE, needed: CTE) -> Select[tuple[str]]:
    """The subjects of whom everyone who is needed has a yes that stands."""
    person, missing, yes = needed.alias(), needed.alias(), standing.alias()
    lacking = exists().where(
        missing.c.subject_id == standing.c.subject_id,
        ~exists().where(yes.c.subject_id == missing.c.subject_id, yes.c.party == missing.c.party),
    )
    somebody = exists().where(person.c.subject_id == standing.c.subject_id)
    return select(standing.c.subject_id).where(somebody, ~lacking).distinct()


def same_person(one: Any, other: Any) -> ColumnElement[bool]:
    return and_(one.c.subject_id == other.c.subject_id, one.c.party == other.c.party)


def standing_yes(
    request: Scope, now: datetime, known_at: datetime | None, name: str = "standing"
) -> CTE:
    """Every yes that no "no" closes: who said it, and when."""
    grant, denial = said("g", now, known_at), said("d", now, known_at)
    counts = and_(
        grant.c.grants,
        grant.c.complete,
        grant.c.starts <= now,
        or_(grant.c.until.is_(None), grant.c.until > now),
        *covers(grant, request.values()),
    )
    return (
        select(grant.c.subject_id, grant.c.party, grant.c.time)
        .where(counts, ~_blocked(grant, denial, request, now))
        .cte(name)
    )


def said(name: str, now: datetime, known_at: datetime | None = None) -> Subquery:
    """Every event as the rule sees it: whether it grants, its scope, its times, who said it.

    What is not `granted` is a denial.
    """
    event = ConsentEvent
    earlier = event.effective_at <= event.recorded_at
    grants = event.kind == "granted"
    known = [] if known_at is None else [event.recorded_at <= known_at]
    return (
        select(
            event.subject_id,
            event.party,
            event.text_version,
            grants.label("grants"),
            and_(event.complete, *_without_doubt(now, known_at)).label("complete"),
            event.network,
            event.site,
            event.item,
            event.study,
            event.category,
            event.until,
            case((earlier, event.recorded_at), else_=event.effective_at).label("starts"),
            case(
                (and_(grants, earlier), event.effective_at),
                (and_(~grants, ~earlier), event.effective_at),
                else_=event.recorded_at,
            ).label("time"),
        )
        .join(TextVersion, TextVersion.id == event.text_version, isouter=True)
        .where(*known)
        .subquery(name)
    )


def _without_doubt(now: datetime, known_at: datetime | None) -> list[ColumnElement[bool]]:
    event = ConsentEvent

    def marked(kind: str) -> Exists:
        mark = aliased(ConsentMark)
        seen = [] if known_at is None else [mark.recorded_at <= known_at]
        # What should never have counted did not count in the past either.
        then = [] if kind == "invalidated" else [mark.recorded_at <= now]
        return exists().where(mark.event_id == event.id, mark.kind == kind, *then, *seen)

    doubt, resumed = aliased(ConsentMark), aliased(ConsentMark)
    seen_doubt = [] if known_at is None else [doubt.recorded_at <= known_at]
    seen_again = [] if known_at is None else [resumed.recorded_at <= known_at]
    doubted = exists().where(
        doubt.event_id == event.id,
        doubt.kind == "suspended",
        doubt.recorded_at <= now,
        *seen_doubt,
        ~exists().where(
            resumed.event_id == doubt.event_id,
            resumed.kind == "resumed",
            resumed.leaf > doubt.leaf,
            resumed.recorded_at <= now,
            *seen_again,
        ),
    )
    ended = exists().where(
        TextEnd.text_version == event.text_version,
        TextEnd.item.in_((ANY, event.item)),
        TextEnd.at <= now,
    )
    seen = now if known_at is None else min(now, known_at)
    # Named, for the event stands two levels up: it would be taken for any event otherwise.
    corrected = (
        select(FactCorrection.fact_id)
        .where(
            FactCorrection.fact_id == Fact.id,
            FactCorrection.recorded_at <= seen,
            FactCorrection.recorded_at <= event.recorded_at,
        )
        .correlate(Fact, event)
        .exists()
    )
    shut = exists().where(
        Fact.subject_id == event.subject_id,
        Fact.kind == CLOSED,
        Fact.effective_at <= event.recorded_at,
        Fact.recorded_at <= seen,
        ~corrected,
    )
    return [
        event.proof.is_not(None),
        TextVersion.id.is_not(None),
        TextVersion.suspended_at.is_(None)
        if known_at is None
        else or_(TextVersion.suspended_at.is_(None), TextVersion.suspended_at > known_at),
        ~marked("invalidated"),
        ~doubted,
        ~ended,
        or_(event.channel != PAPER, marked("confirmed")),
        ~shut,
        ~_grown_up_since(now, known_at),
        ~_before_begun(known_at),
    ]


def _before_begun(known_at: datetime | None) -> ColumnElement[bool]:
    """Whether a representative said this before their appointment began."""
    event, person = ConsentEvent, aliased(Party)
    return and_(
        event.party != SELF,
        exists().where(
            person.subject_id == event.subject_id,
            person.party == event.party,
            person.valid_from > _said_at(),
            *_newest_word(person, known_at),
        ),
    )


def _said_at() -> ColumnElement[datetime]:
    event = ConsentEvent
    return case(
        (event.effective_at <= event.recorded_at, event.effective_at), else_=event.recorded_at
    )


def _grown_up_since(now: datetime, known_at: datetime | None) -> ColumnElement[bool]:
    """Whether a patient's own yes is of the time in which others had to agree with it."""
    event, before, holder = ConsentEvent, aliased(Party), aliased(Party)
    return and_(
        event.party == SELF,
        exists().where(
            before.subject_id == event.subject_id,
            before.role.in_(HOLDERS),
            before.valid_until <= now,
            before.valid_until > _said_at(),
            *_known(before, known_at),
        ),
        ~exists().where(
            holder.subject_id == event.subject_id,
            holder.role.in_(HOLDERS),
            *_in_force(holder, now, known_at),
        ),
    )


def _known(party: type[Party], known_at: datetime | None) -> list[ColumnElement[bool]]:
    return [] if known_at is None else [party.recorded_at <= known_at]


def _in_force(
    party: type[Party], now: datetime, known_at: datetime | None
) -> list[ColumnElement[bool]]:
    return [
        party.valid_from <= now,
        or_(party.valid_until.is_(None), party.valid_until > now),
        *_newest_word(party, known_at),
    ]


def _newest_word(party: type[Party], known_at: datetime | None) -> list[ColumnElement[bool]]:
    newer = aliased(Party)
    return [
        *_known(party, known_at),
        ~exists().where(
            newer.subject_id == party.subject_id,
            newer.party == party.party,
            or_(
                newer.recorded_at > party.recorded_at,
                and_(newer.recorded_at == party.recorded_at, newer.id > party.id),
            ),
            *_known(newer, known_at),
        ),
    ]


def _blocked(grant: Subquery, denial: Subquery, request: Scope, now: datetime) -> Exists:
    return (
        select(literal(1))
        .select_from(denial)
        .where(
            denial.c.subject_id == grant.c.subject_id,
            denial.c.grants == false(),
            denial.c.starts <= now,
            *covers(denial, request.values()),
            ~and_(*same_or_broader(denial, grant), denial.c.time < grant.c.time),
        )
        .exists()
    )


def same_or_broader(denial: Subquery, grant: Subquery) -> list[ColumnElement[bool]]:
    return [or_(denial.c[name] == literal(ANY), denial.c[name] == grant.c[name]) for name in FIELDS]


def covers(rows: Subquery, values: Sequence[str]) -> list[ColumnElement[bool]]:
    return [rows.c[name].in_((ANY, value)) for name, value in zip(FIELDS, values, strict=True)]
