"""A participant goes on at another hospital of the same study: one participant, counted once.

The hospital that has the participant offers, the other takes over or not: nobody puts a participant
on another's list. Recruitment stays credited to the hospital where they came on study; from the
day of taking over the other one is responsible. Data there count by the choices known at that
hospital, as for all its patients: a hand-over carries no consent along.
"""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.participants.history import Writing
from studies.participants.models import Participant
from studies.participants.states import ENDED
from studies.reading import get_participation

TAKING: Final = frozenset({"open", "on_hold", "closed_to_accrual"})
"""States of a hospital's part in which it can go on with somebody else's participant."""


def offer(
    session: Session,
    participant: Participant,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Offer a participant to another hospital of the study; a later offer takes its place.

    Raises StudiesError `not_found` (no part in the study), `not_enrolling` (it cannot go on with
    participants now), `step_not_allowed` (it is there already), `has_left`, `changed_meanwhile`.
    """
    part = get_participation(session, participant.study, to)
    writing = Writing.on(session, participant, actor, now, expected)
    if participant.state in ENDED:
        raise StudiesError("has_left")
    if to == participant.site:
        raise StudiesError("step_not_allowed")
    if part.state not in TAKING:
        raise StudiesError("not_enrolling")
    writing.write("offered", to, now)
    return writing.done("participant.offered")


def take_over(
    session: Session,
    participant: Participant,
    site: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> Participant:
    """The hospital to which a participant was offered goes on with them, from `at` on.

    Raises StudiesError `no_handover` (it was not offered there), `has_left`, `in_the_future`,
    `before_last_step`, `reason_needed`, `unknown_code`, `changed_meanwhile`.
    """
    writing = Writing.on(session, participant, actor, now, expected)
    if participant.offered_to != site:
        raise StudiesError("no_handover")
    if participant.state in ENDED:
        raise StudiesError("has_left")
    moment = writing.moment(at, reason, ordered=True)
    writing.write("taken_over", site, moment, reason=reason)
    return writing.done("participant.taken_over")


def do_not_take(
    session: Session,
    participant: Participant,
    site: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """The offer ends: the other hospital does not go on, or the first one takes it back.

    Raises StudiesError `no_handover`, `changed_meanwhile`.
    """
    writing = Writing.on(session, participant, actor, now, expected)
    if participant.offered_to is None or site not in (participant.offered_to, participant.site):
        raise StudiesError("no_handover")
    writing.write("not_taken", participant.offered_to, now)
    return writing.done("participant.not_taken")
