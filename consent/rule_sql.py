"""The decision rule of consent/rule.py as one SELECT, for SQLite and PostgreSQL alike.

Written a second time on purpose: a property test compares both on random histories. The rows come
from `said`, which puts an event and all that may take its force together (consent/standing.py is
the same in Python); nothing here is built from text.
"""

from collections.abc import Sequence
from datetime import datetime

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
)
from sqlalchemy.orm import aliased

from consent.models import ConsentEvent, ConsentMark, TextEnd, TextVersion
from consent.models_people import Fact, Party
from consent.rule import ANY, SELF, Scope
from consent.standing import PAPER

_FIELDS = ("network", "site", "item", "study", "category")


def permitted(
    request: Scope, now: datetime, known_at: datetime | None = None
) -> Select[tuple[str]]:
    """The ids of all subjects for whom `request` (fully valued) is permitted at `now`, each once.

    known_at: by what was written down until then; None for everything. Raises ValueError for a
    request with "*".
    """
    if ANY in request.values():
        raise ValueError("a request names every field; '*' is for choices only")
    standing = _standing(request, now, known_at)
    told, needed = aliased(Party), aliased(Party)
    anything_told = exists().where(
        told.subject_id == standing.c.subject_id, *_known(told, known_at)
    )
    somebody = exists().where(
        needed.subject_id == standing.c.subject_id, *_in_force(needed, now, known_at)
    )
    missing = aliased(Party)
    agreed = standing.alias("agreed")
    lacking = exists().where(
        missing.subject_id == standing.c.subject_id,
        *_in_force(missing, now, known_at),
        ~exists().where(agreed.c.subject_id == missing.subject_id, agreed.c.party == missing.party),
    )
    return (
        select(standing.c.subject_id)
        .where(
            or_(
                and_(~anything_told, standing.c.party == SELF),
                and_(somebody, ~lacking),
            )
        )
        .distinct()
    )


def _standing(request: Scope, now: datetime, known_at: datetime | None) -> CTE:
    grant, denial = said("g", now, known_at), said("d", now, known_at)
    counts = and_(
        grant.c.grants,
        grant.c.complete,
        grant.c.starts <= now,
        or_(grant.c.until.is_(None), grant.c.until > now),
        *_covers(grant, request.values()),
    )
    return (
        select(grant.c.subject_id, grant.c.party)
        .where(counts, ~_blocked(grant, denial, request, now))
        .distinct()
        .cte("standing")
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
        return exists().where(
            mark.event_id == event.id, mark.kind == kind, mark.recorded_at <= now, *seen
        )

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
    shut = exists().where(
        Fact.subject_id == event.subject_id,
        Fact.kind == "closed",
        Fact.effective_at <= event.recorded_at,
        Fact.recorded_at <= (now if known_at is None else min(now, known_at)),
    )
    return [
        event.proof.is_not(None),
        TextVersion.id.is_not(None),
        TextVersion.suspended_at.is_(None),
        ~marked("invalidated"),
        ~doubted,
        ~ended,
        or_(event.channel != PAPER, marked("confirmed")),
        ~shut,
    ]


def _known(party: type[Party], known_at: datetime | None) -> list[ColumnElement[bool]]:
    return [] if known_at is None else [party.recorded_at <= known_at]


def _in_force(
    party: type[Party], now: datetime, known_at: datetime | None
) -> list[ColumnElement[bool]]:
    newer = aliased(Party)
    return [
        *_known(party, known_at),
        party.valid_from <= now,
        or_(party.valid_until.is_(None), party.valid_until > now),
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
    same_or_broader = and_(
        *(or_(denial.c[name] == literal(ANY), denial.c[name] == grant.c[name]) for name in _FIELDS)
    )
    return (
        select(literal(1))
        .select_from(denial)
        .where(
            denial.c.subject_id == grant.c.subject_id,
            denial.c.grants == false(),
            denial.c.starts <= now,
            *_covers(denial, request.values()),
            ~and_(same_or_broader, denial.c.time < grant.c.time),
        )
        .exists()
    )


def _covers(rows: Subquery, values: Sequence[str]) -> list[ColumnElement[bool]]:
    return [rows.c[name].in_((ANY, value)) for name, value in zip(_FIELDS, values, strict=True)]
