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

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from consent.acts import Act, Circumstances, locked_head, write
from consent.errors import ConsentError
from consent.joined import everywhere, stands, subjects, texts_on, word
from consent.letters import ID_LENGTH, read_plain
from consent.models import Invitation, Receipt, Subject
from consent.models_joining import ParticipantLink
from consent.texts import text_for
from consent.withdrawing import said_at
from studies.actor import Actor
from studies.base import canonical_json
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals import open_time
from studies.hospitals.amendments import may_enrol
from studies.models import Participation, Study
from studies.participants import entering as participants
from studies.participants.entering import Consented
from studies.participants.history import fold
from studies.participants.models import Participant
from studies.participants.states import ENDED, LEAVINGS
from studies.reading import get_participation, get_study

CHANNEL: Final = "study"
LEVEL: Final = "desk"
STAFF: Final = "staff"
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
    """What came of leaving. sites: hospitals to which the stop goes with their next list.

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
    subject = _subject_of(session, part, shown.number)
    _check_not_in(session, subject, study)
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
    _link(session, participant, subject, now)
    return participant


def link_letter(
    session: Session, participant: Participant, number: str, *, actor: Actor, now: datetime
) -> Participant:
    """Link a participant to a letter of the hospital where they are now; a second time changes
    nothing.

    For who came in by a form, and after a hand-over. It says nothing about what was agreed to. Who
    stopped the use of their data before is stopped there too, unless they said yes since.
    Raises ConsentError `letter_not_found`, `joined_already`.
    """
    part = get_participation(session, participant.study, participant.site)
    subject = _subject_of(session, part, number)
    if subject.id in {one.id for one in subjects(session, participant)}:
        return participant
    _check_not_in(session, subject, participant.study, besides=participant.id)
    _link(session, participant, subject, now)
    yes = word(session, subject, part.of_study, now).since
    for way, at in fold(participant.events).left:
        level = LEAVINGS[way].level
        if level is not None and (yes is None or yes <= at):
            _withdraw(session, subject, participant, level, actor, now)
    about = f"participant:{participant.id}"
    announce(session, actor=actor, action="participant.linked", about=about)
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
    they left), and what `participants.move` raises.
    """
    if to not in ENDED and _stopped(session, participant, now):
        raise ConsentError("not_agreed")
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
    writes nothing new. Raises what `participants.leave` raises.
    """
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
    )
    level = LEAVINGS[way].level
    if level is None:
        return Left(participant)
    reached = everywhere(session, subjects(session, participant))
    if participant.version != before:
        for subject in reached:
            _withdraw(session, subject, participant, level, actor, now)
    sites = tuple(sorted({subject.site for subject in reached}))
    return Left(participant, sites, unreached=not sites)


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
    signed = datetime.combine(form.signed_on, datetime.min.time(), now.tzinfo)
    if signed > now:
        raise StudiesError("in_the_future")
    if form.text not in texts_on(session, part, form.signed_on):
        raise StudiesError("consent_text_differs")
    return Consented(signed, {"shown": "form", "text": form.text, "checked_by": by})


def _stopped(session: Session, participant: Participant, now: datetime) -> bool:
    """Whether a participant is linked, and their yes does not stand any more."""
    found = subjects(session, participant)
    study = get_study(session, participant.study)
    return bool(found) and not stands(word(session, one, study, now) for one in found)


# -- the letter ------------------------------------------------------------------------------------


def _subject_of(session: Session, part: Participation, number: str) -> Subject:
    """The subject of a letter of this hospital about this study; `letter_not_found` for no letter
    as for one of another hospital, study or representative."""
    typed = read_plain(number, ID_LENGTH)
    invitation = None if typed is None else session.get(Invitation, typed)
    subject = None if invitation is None else invitation.subject
    if (
        invitation is None
        or subject is None
        or subject.site != part.institution
        or part.study not in invitation.studies
        or invitation.party != "self"
    ):
        raise ConsentError("letter_not_found")
    return subject


def _check_not_in(
    session: Session, subject: Subject, study: str, besides: str | None = None
) -> None:
    """Raise `joined_already` when this patient is in the study: with this letter, or with that of
    another hospital which they themselves linked to it."""
    everyone = [one.id for one in everywhere(session, [subject])]
    there = session.scalars(
        select(ParticipantLink.participant_id)
        .join(Participant, Participant.id == ParticipantLink.participant_id)
        .where(
            ParticipantLink.study == study,
            ParticipantLink.subject_id.in_(everyone),
            Participant.entered_wrongly.is_(False),
        )
    )
    if set(there) - {besides}:
        raise ConsentError("joined_already")


def _link(session: Session, participant: Participant, subject: Subject, now: datetime) -> None:
    session.add(
        ParticipantLink(
            participant_id=participant.id,
            subject_id=subject.id,
            study=participant.study,
            linked_at=now,
        )
    )
    session.flush()


# -- the no ----------------------------------------------------------------------------------------


def _withdraw(
    session: Session,
    subject: Subject,
    participant: Participant,
    level: str,
    actor: Actor,
    now: datetime,
) -> Receipt:
    """Write down in the log that this subject stopped: as at their own page, without a form."""
    study = participant.study
    said = said_at(level, study)
    if any(one.kind != "withdrawn" for one in said):
        raise ValueError("a stop only stops")
    key = f"left-{participant.id}-{level}"
    act = Act(
        name="withdraw",
        study=study,
        form_key=key,
        form=canonical_json({"level": level, "study": study, "key": key}),
        text_version=None,
        language="nl",
        circumstances=Circumstances(
            login_level=LEVEL, channel=CHANNEL, role=STAFF, more={"level": level}
        ),
        evidence={"page_sha256": ""},
    )
    head = locked_head(session, subject.network, now)
    return write(session, subject, actor, head, act, said, now)


def _was_open(part: Participation, moment: datetime, now: datetime) -> bool:
    """Whether the hospital was open on the day that somebody came in."""
    return any(
        stay.since - _DAY < moment and (stay.until is None or moment < stay.until + _DAY)
        for stay in open_time.open_stays(part, now)
    )
