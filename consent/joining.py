"""Coming into a study, and leaving it, where that touches consent (docs/adr/0030).

Nobody is entered before they agreed, and nobody at the hub can make a yes. There are two ways in:

- by the number of the hospital's letter: then the hub knows the opaque subject, and the decision
  rule says whether they agreed. The participant is linked to that subject.
- by a signed form that the hospital keeps: its date, the version of the text that was in use there,
  and who checked it. That is a milestone of the study's administration and no choice in the log: it
  opens no data to any query.

Leaving with a stop of the use of data is written into the log as a withdrawal of every linked
subject, so that every hospital's program gets it with the next list. The hospital's staff write
down what the participant said; only a "no" can be said so, only in this study, and only of who is
linked. The patient sees it, and who wrote it down, and can say yes again.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.joined import check_agrees, everywhere, open_again, subjects, texts_on, word
from consent.joining_letters import check_not_in, link, subject_of
from consent.joining_stops import withdraw
from consent.models import Subject
from consent.models_joining import ParticipantLink
from consent.texts import text_for
from studies.actor import Actor
from studies.days import beginning
from studies.errors import StudiesError
from studies.hospitals import open_time
from studies.hospitals.amendments import may_enrol
from studies.models import Participation, Study
from studies.participants import entering as participants
from studies.participants import handover, milestones
from studies.participants.entering import Consented
from studies.participants.history import fold
from studies.participants.models import Participant
from studies.participants.states import CLOSING, ENDED, LEAVINGS
from studies.reading import get_participation

_ACCOUNT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Letter:
    """The number of the patient's letter: its first six signs, which are no secret."""

    number: str


@dataclass(frozen=True)
class SignedForm:
    """A form that the hospital keeps. text: the version in use there that day. checked_by: the
    account of who looked at it, None for who enters it."""

    signed_on: date
    text: str
    checked_by: str | None = None


@dataclass(frozen=True)
class Left:
    """What came of leaving. sites: hospitals to which the stop that was written now goes with their
    next list; none when it stood there already.

    unreached: the use of data was stopped, and no letter is linked: the hospital has to write the
    stop down at its own desk, since the hub knows no subject of this participant.
    """

    participant: Participant
    sites: tuple[str, ...] = ()
    unreached: bool = False


def enter(
    session: Session,
    study: str,
    institution: str,
    pseudonym: str,
    shown: Letter | SignedForm,
    *,
    actor: Actor,
    now: datetime,
    state: str = "screening",
    at: datetime | None = None,
    reason: str | None = None,
) -> Participant:
    """Enter a participant who agreed, at a hospital that may enrol.

    at: when they came in, back to the yes. Raises StudiesError `not_found`, `not_enrolling`,
    `consent_needed`, `consent_text_differs`, and what `participants.enter` raises; ConsentError
    `letter_not_found`, `not_agreed`, `joined_already`, `text_not_found`.
    """
    part = get_participation(session, study, institution)
    moment = now if at is None else at
    if not may_enrol(session, part, now) or not _was_open(part, moment, now):
        raise StudiesError("not_enrolling")
    if isinstance(shown, SignedForm):
        consented = _by_form(session, part, shown, actor, now)
        return participants.enter(
            session, part, pseudonym, consented, actor=actor, now=now, state=state, at=at,
            reason=reason,
        )  # fmt: skip
    subject = subject_of(session, part, shown.number)
    check_not_in(session, subject, study)
    participant = participants.enter(
        session,
        part,
        pseudonym,
        _by_letter(session, subject, part.of_study, now),
        actor=actor,
        now=now,
        state=state,
        at=at,
        reason=reason,
    )
    link(session, participant, subject, now)
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
    """Take a participant to the next state; further into the study only while the yes stands.

    Raises ConsentError `not_agreed` when a linked patient does not agree any more (write down how
    they left), `letter_unlinked` (link the right one first), and what `participants.move` raises.
    """
    if to not in ENDED:
        check_agrees(session, participant, now)
    return participants.move(
        session,
        participant,
        to,
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
    )


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
) -> Participant:
    """Write down a milestone; one that goes further into the study only while the yes stood.

    What happened before a patient stopped may still be written down, with its own day. Raises
    ConsentError as :func:`move`, and what `milestones.reach` raises.
    """
    if milestone not in CLOSING:
        check_agrees(session, participant, now, at)
    return milestones.reach(
        session,
        participant,
        milestone,
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
    )


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
    """Allocate a participant to an arm while the yes stood. Raises as :func:`reach`, and what
    `milestones.allocate` raises."""
    check_agrees(session, participant, now, at)
    return milestones.allocate(
        session,
        participant,
        arm,
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
    )


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
    """A hospital goes on with a participant whose yes stood. Raises ConsentError as :func:`move`,
    and what `handover.take_over` raises."""
    check_agrees(session, participant, now, at)
    return handover.take_over(
        session,
        participant,
        site,
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
    )


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
) -> Left:
    """Write down how a participant leaves; a stop of the use of data reaches every hospital.

    The stop holds from now on, whatever `at` says of the past, and is never held up: without a
    linked letter it is written down all the same and told in :class:`Left`. The same way again
    writes nothing new, unless the patient said yes since: then they are stopped once more. Raises
    what `participants.leave` raises.
    """
    level = LEAVINGS[way].level if way in LEAVINGS else None
    linked = everywhere(session, subjects(session, participant))
    opened = [] if level is None else open_again(session, linked, participant.study, level)
    done = [said for said, _ in fold(participant.events).left]
    again = bool(opened) and (way in done or "data_all" in done)
    before = participant.version
    participants.leave(
        session,
        participant,
        way,
        actor=actor,
        now=now,
        at=at,
        reason=reason,
        expected=expected,
        again=again,
    )
    if level is None:
        return Left(participant)
    written = opened if again else linked if participant.version != before else []
    for subject in written:
        withdraw(session, subject, participant, level, actor, now)
    sites = tuple(sorted({subject.site for subject in written}))
    return Left(participant, sites, unreached=not linked)


def enter_wrongly(
    session: Session,
    participant: Participant,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Say that a participant should never have been entered; the link to a letter goes.

    Raises StudiesError `has_left`, `changed_meanwhile`.
    """
    participants.enter_wrongly(session, participant, actor=actor, now=now, expected=expected)
    session.execute(delete(ParticipantLink).where(ParticipantLink.participant_id == participant.id))
    return participant


# -- the yes ---------------------------------------------------------------------------------------


def _by_letter(session: Session, subject: Subject, study: Study, now: datetime) -> Consented:
    since = word(session, subject, study, now).since
    if since is None:
        raise ConsentError("not_agreed")
    return Consented(since, {"shown": "letter", "text": text_for(session, study.slug, now).id})


def _by_form(
    session: Session, part: Participation, form: SignedForm, actor: Actor, now: datetime
) -> Consented:
    by = actor.id if form.checked_by is None else form.checked_by
    if form.checked_by is not None and not _ACCOUNT.fullmatch(by):
        raise StudiesError("consent_needed")
    signed = beginning(form.signed_on)
    if signed > now:
        raise StudiesError("in_the_future")
    if form.text not in texts_on(session, part, form.signed_on):
        raise StudiesError("consent_text_differs")
    return Consented(signed, {"shown": "form", "text": form.text, "checked_by": by})


def _was_open(part: Participation, moment: datetime, now: datetime) -> bool:
    """Whether the hospital was open on the day that somebody came in."""
    return any(
        stay.since - _DAY < moment and (stay.until is None or moment < stay.until + _DAY)
        for stay in open_time.open_stays(part, now)
    )
