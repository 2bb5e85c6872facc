"""Rounds that follow from an approved one, under its approval: the next of a series, a cause
analysis by groups, and measuring again after an action.

The committee's plan says so: its definitions, their groups, the hospitals and, for a series, how
often and until when. Nothing beyond that is asked without a new approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.indicators.asking import Period
from federation.query.errors import QueryError
from federation.rounds import states
from federation.rounds.errors import RoundError
from federation.rounds.events import happened
from federation.rounds.models import EvaluationRound, RoundEvent, RoundPart
from federation.rounds.plan import Plan, iso, moment
from federation.rounds.planning import draw_letters, hold_questions, next_number, plan_of
from federation.rounds.running import parts_of
from studies.actor import SYSTEM, Actor
from studies.reading import open_sites

#: When what cannot be asked now is tried again.
AGAIN: Final = timedelta(days=1)
#: It would tell another round before its moment: it waits for that moment, and does not fail.
UNTIL_RELEASED: Final = "SAME_UNDER_EMBARGO"
#: What the history of a round says of its series.
WAITS, ENDED = "series_waits", "series_ended"


def again_at(error: RoundError | QueryError, now: datetime) -> datetime:
    """When to try again: in a day, or at the release that is in the way where that is later."""
    until = error.until if isinstance(error, RoundError) else None
    return now + AGAIN if until is None else max(now + AGAIN, until)


def next_of_series(session: Session, row: EvaluationRound, now: datetime) -> EvaluationRound | None:
    """The next round, when the approval of this one stands for it; once."""
    if row.kind != "round":
        return None
    later = plan_of(session, row).later()
    if later is None or _has_next(session, row):
        return None
    return _begin(session, row, later, "round", SYSTEM, now, previous=row.id)


def go_on(session: Session, row: EvaluationRound, now: datetime) -> None:
    """Begin the next of a series. When it would tell a round that is not released, the series
    waits, as long as its approval stands; when it cannot be asked, it says so and ends."""
    try:
        with session.begin_nested():
            next_of_series(session, row, now)
    except (RoundError, QueryError) as error:
        again, repeats = again_at(error, now), plan_of(session, row).repeats
        if error.code == UNTIL_RELEASED and repeats is not None and again <= repeats.until:
            facts = {"code": error.code, "again": iso(again)}
            happened(session, row, WAITS, SYSTEM, now, **facts)
        else:
            happened(session, row, ENDED, SYSTEM, now, code=error.code)


def waiting_series(session: Session, now: datetime) -> list[str]:
    """The rounds whose next one waits, and is to be tried again by now."""
    found: dict[str, RoundEvent] = {}
    wanted = select(RoundEvent).where(RoundEvent.kind.in_((WAITS, ENDED)))
    for event in session.scalars(wanted.order_by(RoundEvent.number)):
        found[event.round_id] = event
    return [
        round_id
        for round_id, event in sorted(found.items())
        if event.kind == WAITS
        and moment(event.facts["again"]) <= now
        and not _has_next(session, session.get_one(EvaluationRound, round_id))
    ]


def _has_next(session: Session, row: EvaluationRound) -> bool:
    there = select(EvaluationRound.id).where(
        EvaluationRound.previous == row.id, EvaluationRound.kind == "round"
    )
    return session.scalar(there.limit(1)) is not None


def ask_cause(
    session: Session,
    row: EvaluationRound,
    *,
    indicator: str,
    variables: Sequence[str],
    release_at: datetime,
    actor: Actor,
    now: datetime,
) -> EvaluationRound:
    """Ask one indicator by the groups that its definition names, to find where a difference is.

    What comes back is released to everybody at ``release_at``, as an addition to the round. Raises
    RoundError NOT_RELEASED, NOT_OF_THIS_ROUND, NO_STRATA, BAD_MOMENTS, SAME_UNDER_EMBARGO,
    BEING_ASKED.
    """
    if row.state not in states.READABLE:
        raise RoundError("NOT_RELEASED")
    made = plan_of(session, row)
    found = [each for each in made.indicators if each.id == indicator]
    if not found:
        raise RoundError("NOT_OF_THIS_ROUND")
    wanted = tuple(dict.fromkeys(variables))
    if not wanted or not set(wanted) <= set(found[0].strata):
        raise RoundError("NO_STRATA")
    if release_at <= now:
        raise RoundError("BAD_MOMENTS")
    plan = replace(
        made,
        indicators=tuple(found),
        strata=wanted,
        freeze_at=now,
        release_at=release_at,
        repeats=None,
        under=made.under or made.sha256,
    )
    return _begin(session, row, plan, "strata", actor, now, parent=row.id)


def remeasure(
    session: Session,
    row: EvaluationRound,
    *,
    indicator: str,
    period: Period,
    now: datetime,
) -> EvaluationRound:
    """Measure one indicator again by the same definition over a new period; released as soon as
    all answers are in. Raises RoundError as ``ask_cause``."""
    made = plan_of(session, row)
    found = tuple(each for each in made.indicators if each.id == indicator)
    if not found:
        raise RoundError("NOT_OF_THIS_ROUND")
    plan = replace(
        made,
        indicators=found,
        period=period,
        freeze_at=now,
        release_at=now,
        repeats=None,
        under=made.under or made.sha256,
    )
    return _begin(session, row, plan, "remeasure", SYSTEM, now, parent=row.id, previous=row.id)


def _begin(
    session: Session,
    row: EvaluationRound,
    plan: Plan,
    kind: str,
    actor: Actor,
    now: datetime,
    *,
    parent: str | None = None,
    previous: str | None = None,
) -> EvaluationRound:
    """An approved round under the approval of ``row``, of the hospitals that still take part."""
    taking_part = set(open_sites(session, row.study, now))
    plan = replace(plan, sites=tuple(site for site in plan.sites if site in taking_part))
    if not plan.sites:
        raise RoundError("TOO_FEW_HOSPITALS")
    made = EvaluationRound(
        group_id=row.group_id,
        number=next_number(session, row.group_id),
        network=row.network,
        study=row.study,
        kind=kind,
        parent=parent,
        previous=previous,
        state=states.APPROVED,
        plan=plan.to_dict(),
        plan_sha256=plan.sha256,
        freeze_at=plan.freeze_at,
        release_at=plan.release_at,
        planned_by=row.planned_by,
        planned_by_name=row.planned_by_name,
        created_at=now,
        decided_by=row.decided_by,
        decided_by_name=row.decided_by_name,
        decided_at=row.decided_at,
    )
    session.add(made)
    session.flush()
    hold_questions(session, made, plan, now, beside=kind == "round")
    if kind == "round":
        draw_letters(session, made, plan.sites, now)
    else:
        _same_letters(session, row, made, plan.sites, now)
    happened(session, made, "follows", actor, now, under=plan.under or "", kind=kind, of=row.id)
    return made


def _same_letters(
    session: Session,
    old: EvaluationRound,
    new: EvaluationRound,
    sites: Sequence[str],
    now: datetime,
) -> None:
    """What belongs to a round speaks of hospitals by the letters of that round."""
    known = parts_of(session, old)
    session.add_all(
        RoundPart(round_id=new.id, site=site, letter=known[site].letter, at=now) for site in sites
    )
    session.flush()
