"""One way to say what happened to a round: an event that stays, and a line of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from federation.rounds.errors import RoundError
from federation.rounds.models import EvaluationRound, RoundEvent
from federation.rounds.states import may_become
from studies.actor import Actor
from studies.events import Fact, account_later, announce


def happened(
    session: Session,
    row: EvaluationRound,
    what: str,
    actor: Actor,
    now: datetime,
    /,
    **facts: Fact,
) -> None:
    """Write the event ``what`` of a round and announce it as ``round.<what>``."""
    last = session.scalar(select(func.max(RoundEvent.number)).where(RoundEvent.round_id == row.id))
    session.add(
        RoundEvent(
            round_id=row.id,
            number=(last or 0) + 1,
            kind=what,
            at=now,
            by=actor.id,
            by_name=actor.name,
            facts=dict(facts),
        )
    )
    session.flush()
    announce(session, actor=actor, action=f"round.{what}", about=f"round:{row.id}", facts=facts)


def move(session: Session, row: EvaluationRound, to: str, **values: Any) -> None:
    """Put a round into state ``to`` if that may follow; of two workers exactly one succeeds.

    RoundError ROUND_MOVED_ON for the other. Says nothing: the caller does, or may not.
    """
    if not may_become(row.state, to):
        raise RoundError("ROUND_MOVED_ON")
    done = session.execute(
        update(EvaluationRound)
        .where(EvaluationRound.id == row.id, EvaluationRound.state == row.state)
        .values(state=to, **values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise RoundError("ROUND_MOVED_ON")
    session.refresh(row)


def silently(session: Session) -> None:
    """Nobody may know when the last answer of a round came: the release accounts for it."""
    account_later(session, "evaluation_round")
