"""The data window of consent/rule.py as one SELECT, for SQLite and PostgreSQL alike.

Written a second time on purpose, as the rule itself (consent/rule_sql.py); a property test compares
both on random histories.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)

from consent.rule import ANY, COLLECT_NEW, OLDER_DATA, RECORD, Scope
from consent.rule_sql import (
    FIELDS,
    agreed,
    covers,
    needed_people,
    said,
    same_or_broader,
    same_person,
    standing_yes,
)
from studies.base import UtcTime, to_ms


def windows(
    request: Scope,
    now: datetime,
    known_at: datetime | None = None,
    asking: Collection[str] = (),
    renewal: timedelta | None = None,
) -> Select[tuple[str, datetime | None, datetime | None]]:
    """The data window of everyone for whom `request` is permitted: subject, since, until.

    `consent.rule.window` once more. asking: ids of the texts that ask about older data. renewal:
    so long after the newest yes new data count, None for always.
    Raises ValueError for a request with "*".
    """
    if ANY in request.values():
        raise ValueError("a request names every field; '*' is for choices only")
    older = replace(request, item=OLDER_DATA, category=RECORD)
    fresh = replace(request, item=COLLECT_NEW, category=RECORD)
    standing, needed = standing_yes(request, now, known_at), needed_people(request, now, known_at)
    permitted_here = agreed(standing, needed).subquery("permitted_here")
    subject = permitted_here.c.subject_id
    older_standing = standing_yes(older, now, known_at, "older")
    unbroken = _unbroken(standing, renewal)
    limited = and_(
        _was_asked(subject, older, now, known_at, asking),
        subject.not_in(agreed(older_standing, needed_people(older, now, known_at, "older_needed"))),
    )
    first = (
        select(func.max(unbroken.c.since))
        .join(needed, same_person(needed, unbroken))
        .where(unbroken.c.subject_id == subject)
        .scalar_subquery()
    )
    no, again = said("no", now, known_at), said("again", now, known_at)
    noes = and_(
        no.c.subject_id == subject,
        ~no.c.grants,
        no.c.item == COLLECT_NEW,
        no.c.starts <= now,
        *covers(no, fresh.values()),
    )
    for_new = needed_people(fresh, now, known_at, "new_needed", COLLECT_NEW)
    unanswered = _unanswered(no, fresh, for_new, now, known_at)
    ended = select(func.min(no.c.time)).where(noes, unanswered).scalar_subquery()
    until = _earlier(ended, _not_renewed(subject, unbroken, needed, now, renewal))
    reopened = (
        select(func.max(again.c.time))
        .join(for_new, same_person(for_new, again))
        .where(again.c.subject_id == subject, *_counts_again(again, fresh, now))
        .scalar_subquery()
    )
    answered = select(literal(1)).select_from(no).where(noes, ~unanswered).exists()
    since = case(
        (~limited, null()),
        (and_(answered, reopened > first), reopened),
        else_=first,
    )
    return select(subject, type_coerce(since, UtcTime), type_coerce(until, UtcTime))


def _unbroken(standing: CTE, renewal: timedelta | None) -> CTE:
    """Per person since when their yes holds without a gap of `renewal`, and the newest one."""
    before = func.lag(standing.c.time).over(
        partition_by=(standing.c.subject_id, standing.c.party), order_by=standing.c.time
    )
    gap = type_coerce(standing.c.time, BigInteger) - type_coerce(before, BigInteger)
    # The first one has none before it; the others begin anew where a renewal was missed.
    anew = case((before.is_(None), standing.c.time), (_passed(gap, renewal), standing.c.time))
    each = select(standing.c.subject_id, standing.c.party, standing.c.time, anew.label("anew"))
    rows = each.subquery("each_yes")
    return (
        select(
            rows.c.subject_id,
            rows.c.party,
            func.max(rows.c.anew).label("since"),
            func.max(rows.c.time).label("newest"),
        )
        .group_by(rows.c.subject_id, rows.c.party)
        .cte("unbroken")
    )


def _passed(gap: ColumnElement[int], renewal: timedelta | None) -> ColumnElement[bool]:
    return false() if renewal is None else gap >= _ms(renewal)


def _not_renewed(
    subject: ColumnElement[str],
    unbroken: CTE,
    needed: CTE,
    now: datetime,
    renewal: timedelta | None,
) -> ColumnElement[Any]:
    """When new data stopped counting for want of another yes; null where that has not passed."""
    if renewal is None:
        return null()
    newest = type_coerce(func.min(unbroken.c.newest), BigInteger)
    passed = newest <= to_ms(now) - _ms(renewal)
    return (
        select(case((passed, newest + _ms(renewal))))
        .select_from(unbroken)
        .join(needed, same_person(needed, unbroken))
        .where(unbroken.c.subject_id == subject)
        .scalar_subquery()
    )


def _earlier(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The earlier of two moments, of which either may be null."""
    one, other = (type_coerce(each, BigInteger) for each in (one, other))
    return case((one.is_(None), other), (other < one, other), else_=one)


def _ms(period: timedelta) -> int:
    return period // timedelta(milliseconds=1)


def _was_asked(
    subject: ColumnElement[str],
    older: Scope,
    now: datetime,
    known_at: datetime | None,
    asking: Collection[str],
) -> ColumnElement[bool]:
    """Whether this subject was asked about older data in this study, or said anything of it."""
    heard = said("heard", now, known_at)
    where = {name: value for name, value in zip(FIELDS, older.values(), strict=True)}
    return (
        select(literal(1))
        .select_from(heard)
        .where(
            heard.c.subject_id == subject,
            heard.c.starts <= now,
            or_(
                heard.c.item == OLDER_DATA,
                and_(heard.c.grants, heard.c.text_version.in_(list(asking))),
            ),
            *(heard.c[name].in_((ANY, where[name])) for name in ("network", "site", "study")),
        )
        .exists()
    )


def _counts_again(again: Subquery, fresh: Scope, now: datetime) -> list[ColumnElement[bool]]:
    return [
        again.c.grants,
        again.c.complete,
        again.c.item == COLLECT_NEW,
        again.c.starts <= now,
        or_(again.c.until.is_(None), again.c.until > now),
        *covers(again, fresh.values()),
    ]


def _unanswered(
    no: Subquery, fresh: Scope, needed: CTE, now: datetime, known_at: datetime | None
) -> ColumnElement[bool]:
    """Whether somebody who is needed did not say yes again after this "no"."""
    person, yes = needed.alias("person"), said("yes", now, known_at)
    said_again = (
        select(literal(1))
        .select_from(yes)
        .where(
            yes.c.subject_id == person.c.subject_id,
            yes.c.party == person.c.party,
            *_counts_again(yes, fresh, now),
            *same_or_broader(no, yes),
            no.c.time < yes.c.time,
        )
        .exists()
    )
    return (
        select(literal(1))
        .select_from(person)
        .where(person.c.subject_id == no.c.subject_id, ~said_again)
        .exists()
    )
