"""The decision rule of consent/rule.py as one SELECT, for SQLite and PostgreSQL alike.

Written a second time on purpose: a property test compares both on random histories. The rows come
from `said`, which puts an event and its text together; nothing here is built from text.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Exists,
    Select,
    Subquery,
    and_,
    case,
    false,
    literal,
    or_,
    select,
)

from consent.models import ConsentEvent, TextVersion
from consent.rule import ANY, Scope

_FIELDS = ("network", "site", "item", "study", "category")


def said(name: str) -> Subquery:
    """Every event as the rule sees it: whether it grants, its scope and its times.

    A grant without a text, or on a text that was suspended, is not complete. What is not
    `granted` is a denial.
    """
    event = ConsentEvent
    earlier = event.effective_at <= event.recorded_at
    grants = event.kind == "granted"
    return (
        select(
            event.subject_id,
            grants.label("grants"),
            and_(
                event.complete, TextVersion.id.is_not(None), TextVersion.suspended_at.is_(None)
            ).label("complete"),
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
        .subquery(name)
    )


def permitted(request: Scope, now: datetime) -> Select[tuple[str]]:
    """The ids of all subjects for whom `request` (fully valued) is permitted at `now`, each once.

    Raises ValueError for a request with "*".
    """
    if ANY in request.values():
        raise ValueError("a request names every field; '*' is for choices only")
    grant, denial = said("g"), said("d")
    counts = and_(
        grant.c.grants,
        grant.c.complete,
        grant.c.starts <= now,
        or_(grant.c.until.is_(None), grant.c.until > now),
        *_covers(grant, request.values()),
    )
    return (
        select(grant.c.subject_id).where(counts, ~_blocked(grant, denial, request, now)).distinct()
    )


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
