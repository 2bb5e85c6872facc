"""Milestones of a participant: what happened once and stays true, apart from the state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.participants.history import Writing, fold
from studies.participants.models import Participant, StudyArm
from studies.participants.states import MILESTONES


def reach(
    session: Session,
    participant: Participant,
    milestone: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Participant:
    """Write down a milestone. It may lie before the last change of state, and after leaving too.

    Once reached it is never taken back; a wrong date is put right (participants.redate). Raises
    StudiesError `unknown_milestone`, `milestone_reached`, `in_the_future`, `reason_needed`,
    `unknown_code`, `changed_meanwhile`, `consent_needed` (it lies before the yes).
    """
    if milestone not in MILESTONES or milestone == "consented":
        raise StudiesError("unknown_milestone")
    writing = Writing.on(session, participant, actor, now, expected)
    reached = fold(participant.events).milestones
    if milestone in reached:
        raise StudiesError("milestone_reached")
    moment = writing.moment(at, reason)
    if moment < reached["consented"] and milestone != "screened":
        raise StudiesError("consent_needed")
    writing.write("milestone", milestone, moment, reason=reason, evidence=evidence)
    return writing.done("participant.milestone")


def allocate(
    session: Session,
    participant: Participant,
    arm: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> Participant:
    """Allocate a participant to an arm: a milestone, and the arm, once.

    Raises StudiesError `unknown_arm`, and as :func:`reach`.
    """
    if session.get(StudyArm, (participant.study, arm)) is None:
        raise StudiesError("unknown_arm")
    reach(
        session,
        participant,
        "randomised",
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
    )
    writing = Writing.on(session, participant, actor, now, None)
    writing.write("arm", arm, writing.moment(at, reason), reason=reason)
    return writing.done("participant.allocated")
