"""What the worker does for rounds by itself, each time it comes by: begin at the freeze date, put
questions, take answers in, release at the agreed moment, begin the next of a series, measure again.

One transaction per round or action, so that one that cannot go on stops no other. Two workers at
once, or one that was killed between two transactions, come to the same: every step is decided by
what is stored, and written once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from federation.query.errors import QueryError
from federation.rounds import states
from federation.rounds.discussing import (
    after_measuring,
    begin_measuring,
    due_actions,
    put_off,
)
from federation.rounds.errors import RoundError
from federation.rounds.following import go_on, waiting_series
from federation.rounds.models import EvaluationRound, RoundAction
from federation.rounds.releasing import due, release
from federation.rounds.running import drive, start
from federation.rounds.turns import BATCH, Batch, stirring
from federation.runs.embargo import seeing
from federation.runs.faults import point

log = logging.getLogger("oncokring.rounds")
_SAID: set[tuple[str, str]] = set()
Unit = Callable[[], AbstractContextManager[Session]]


def tick(look: Unit, unit: Unit, now: datetime, batch: Batch = BATCH) -> bool:
    """One look at all rounds; whether one of them moved on. ``look`` opens a reading transaction,
    ``unit`` a writing one that commits once at its end."""
    moved = False
    for round_id in _waiting(look, now, batch):
        moved |= _guarded(unit, partial(advance, round_id=round_id, now=now, batch=batch))
    measured, series = _left_to_do(look, now)
    for action_id in measured:
        moved |= _guarded(unit, partial(_measure, action_id=action_id, now=now))
    for round_id in series:
        moved |= _guarded(unit, partial(_go_on, round_id=round_id, now=now))
    return moved


def advance(session: Session, round_id: str, now: datetime, batch: Batch = BATCH) -> bool:
    """Bring one round as far as it goes now; whether it changed."""
    seeing(session)
    row = session.get(EvaluationRound, round_id, with_for_update={"skip_locked": True})
    if row is None or row.state not in states.UNDER_EMBARGO:
        return False
    before = row.state
    if row.state == states.APPROVED:
        if row.freeze_at > now:
            return False
        start(session, row, now)
    moved = drive(session, row, now, batch)
    point("R1")
    if due(row, now):
        release(session, row, now)
        point("R2")
        after_measuring(session, row, now)
        go_on(session, row, now)
    return moved or row.state != before


def _go_on(session: Session, round_id: str, now: datetime) -> bool:
    seeing(session)
    row = session.get(EvaluationRound, round_id, with_for_update={"skip_locked": True})
    if row is None or row.id not in waiting_series(session, now):
        return False
    go_on(session, row, now)
    return True


def _measure(session: Session, action_id: str, now: datetime) -> bool:
    seeing(session)
    action = session.get(RoundAction, action_id, with_for_update={"skip_locked": True})
    if action is None or action.state != "open":
        return False
    try:
        with session.begin_nested():
            begin_measuring(session, action, now)
    except (RoundError, QueryError) as error:
        # A hospital that left, somebody who asks the same now, a round that is not released: tried
        # again for a while; its history says why it waits.
        put_off(session, action, error, now)
    return True


def _waiting(look: Unit, now: datetime, batch: Batch) -> list[str]:
    """The rounds that can go on. Looked at in a transaction that only reads: a round may wait for
    weeks, and who writes must not wait for it every second."""
    with look() as session:
        seeing(session)
        wanted = select(EvaluationRound).where(
            EvaluationRound.state.in_((states.RUNNING, states.READY))
            | ((EvaluationRound.state == states.APPROVED) & (EvaluationRound.freeze_at <= now))
        )
        wanted = wanted.order_by(EvaluationRound.freeze_at, EvaluationRound.id)
        found = session.scalars(wanted).all()
        asking = [row for row in found if row.state != states.APPROVED]
        stir = stirring(session, asking, now, batch)
        return [
            row.id
            for row in found
            if row.state == states.APPROVED or due(row, now) or row.id in stir
        ]


def _left_to_do(look: Unit, now: datetime) -> tuple[list[str], list[str]]:
    """What is to be measured again, and the rounds whose next one waited until now."""
    with look() as session:
        return [action.id for action in due_actions(session, now)], waiting_series(session, now)


def _guarded(unit: Unit, act: Callable[[Session], bool]) -> bool:
    try:
        with unit() as session:
            return act(session)
    except IntegrityError:
        # Another worker wrote the same at this moment: it is there.
        return False
    except (RoundError, QueryError) as error:
        _say("a round or action cannot go on", error.code)
    except (ArithmeticError, ValueError, LookupError, TypeError, AttributeError) as error:
        # An answer that makes no sense must not stop the other rounds, nor the worker.
        _say("a round or action failed", type(error).__name__)
    return False


def _say(what: str, code: str) -> None:
    """Once in the life of a worker, not once a second. The code only: a message could name what
    nobody may know yet. Nothing was written."""
    if (what, code) not in _SAID:
        _SAID.add((what, code))
        log.error("%s: %s", what, code)
