"""Who is in a study, by study number only: entering, moving on, leaving, putting right.

A participant comes in only through consent/joining.py, which knows whether there is a yes. Nothing
here holds a name, a date of birth or a hospital's handle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.models import Participation
from studies.participants.history import MOVES, UNDATED, Writing, check_moment, dated, fold
from studies.participants.models import Participant, StudyEnrolment
from studies.participants.numbers import check_pseudonym
from studies.participants.states import (
    ENDED,
    ENTRY,
    LEAVINGS,
    ONLY_BY_LEAVING,
    STATES,
    after_leaving,
)


@dataclass(frozen=True)
class Consented:
    """That there was a yes before: when, and how it was shown. Made by consent/joining.py only.

    evidence: codes and ids, never a person.
    """

    at: datetime
    evidence: Mapping[str, Any]


# -- questions -----------------------------------------------------------------------------------


def get_participant(session: Session, study: str, pseudonym: str) -> Participant:
    """One participant. Raises StudiesError `not_found`."""
    found = session.scalars(
        select(Participant).where(Participant.study == study, Participant.pseudonym == pseudonym)
    ).first()
    if found is None:
        raise StudiesError("not_found")
    return found


def list_participants(
    session: Session, study: str, *, site: str | None = None, wrong: bool = False
) -> list[Participant]:
    """The participants of a study by number; of a hospital: those with it now or offered to it.

    wrong: also those entered wrongly.
    """
    query = select(Participant).where(Participant.study == study)
    if site is not None:
        query = query.where((Participant.site == site) | (Participant.offered_to == site))
    if not wrong:
        query = query.where(Participant.entered_wrongly.is_(False))
    return list(session.scalars(query.order_by(Participant.pseudonym)))


# -- commands ------------------------------------------------------------------------------------


def enter(
    session: Session,
    part: Participation,
    pseudonym: str,
    consented: Consented,
    *,
    actor: Actor,
    now: datetime,
    state: str = "screening",
    at: datetime | None = None,
    reason: str | None = None,
) -> Participant:
    """A new participant at a hospital, with the yes as the first milestone.

    Called by consent/joining.py, which makes `consented`; a test holds that nothing else calls it.
    Raises StudiesError `no_prefix`, `bad_pseudonym`, `pseudonym_taken`, `step_not_allowed`,
    `consent_needed` (the yes is of later), `in_the_future`, `reason_needed`, `unknown_code`.
    """
    moment = now if at is None else at
    enrolment = session.get(StudyEnrolment, part.study)
    if enrolment is None:
        raise StudiesError("no_prefix")
    check_pseudonym(enrolment.prefix, pseudonym)
    if ENTRY not in STATES[state].follows if state in STATES else True:
        raise StudiesError("step_not_allowed")
    if consented.at > moment:
        raise StudiesError("consent_needed")
    check_moment(moment, now, reason)
    there = select(Participant.id).where(
        Participant.study == part.study, Participant.pseudonym == pseudonym
    )
    if session.scalar(there) is not None:
        raise StudiesError("pseudonym_taken")
    participant = Participant(
        study=part.study, pseudonym=pseudonym, site=part.institution, state=state, since=moment
    )
    session.add(participant)
    session.flush()
    who = Writing(session, participant, actor, now)
    who.write("milestone", "consented", consented.at, evidence=consented.evidence)
    who.write("state", state, moment, reason=reason)
    who.done("participant.entered")
    return participant


def move(
    session: Session,
    participant: Participant,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> Participant:
    """Take a participant to the next state. Pages call consent.joining.move, which looks whether
    the yes still stands.

    Raises StudiesError `step_not_allowed`, `before_last_step`, `in_the_future`, `reason_needed`,
    `unknown_code`, `changed_meanwhile`, `has_left`.
    """
    writing = Writing.on(session, participant, actor, now, expected)
    known = STATES.get(to)
    if known is None or participant.state not in known.follows or to in ONLY_BY_LEAVING:
        raise StudiesError("has_left" if participant.state in ENDED else "step_not_allowed")
    moment = writing.moment(at, reason, ordered=True)
    writing.write("state", to, moment, reason=reason)
    return writing.done("participant.moved")


def leave(
    session: Session,
    participant: Participant,
    way: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
    evidence: Mapping[str, Any] | None = None,
    again: bool = False,
) -> Participant:
    """Write down that a participant left (participant_states.LEAVINGS). Pages call
    consent.joining.leave, which carries a stop of the use of data into consent.

    Leaving the same way twice changes nothing, unless `again`: the patient said yes since. Raises
    StudiesError as :func:`move`.
    """
    writing = Writing.on(session, participant, actor, now, expected)
    ways = [done for done, _ in fold(participant.events).left]
    if not again and (way in ways or "data_all" in ways):
        return participant
    if way not in LEAVINGS or after_leaving(participant.state, way) is None:
        raise StudiesError("has_left" if participant.state in ENDED else "step_not_allowed")
    moment = writing.moment(at, reason, ordered=True)
    writing.write("left", way, moment, reason=reason, evidence=evidence)
    return writing.done("participant.left")


def redate(
    session: Session,
    participant: Participant,
    number: int,
    at: datetime,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Put the date of an earlier event right; the old date stays in the history.

    The order of the states does not change by it, and nobody came in before their yes. Raises
    StudiesError `not_found`, `reason_needed`, `unknown_code`, `in_the_future`, `before_last_step`,
    `consent_needed`, `changed_meanwhile`.
    """
    writing = Writing.on(session, participant, actor, now, expected)
    events = {one.number: one for one in participant.events}
    if number not in events or events[number].kind in UNDATED:
        raise StudiesError("not_found")
    if not reason:
        raise StudiesError("reason_needed")
    moment = writing.moment(at, reason)
    writing.write("redated", events[number].value, moment, reason=reason, refers=number)
    told = dated(participant.events)
    moves = [one.number for _, one in told if one.kind in MOVES]
    if moves != sorted(moves):
        raise StudiesError("before_last_step")
    first = next(at for at, one in told if one.kind == "state")
    if any(at > first for at, one in told if (one.kind, one.value) == ("milestone", "consented")):
        raise StudiesError("consent_needed")
    return writing.done("participant.redated")


def enter_wrongly(
    session: Session,
    participant: Participant,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Say that this one should never have been entered: counted nowhere, kept in the history."""
    writing = Writing.on(session, participant, actor, now, expected)
    writing.write("entered_wrongly", "mistake", now, reason="mistake")
    return writing.done("participant.entered_wrongly")
