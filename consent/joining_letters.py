"""Linking a participant to the letter of a hospital, and taking a wrong link away.

A participant has at most one letter of each hospital, and a letter is of at most one participant of
a study. What links them stands in a table of its own that nothing shows; that there is a link, or
no more, stands in the participant's history (docs/adr/0030, 3 and 7).
"""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.joined import everywhere, removable, subjects, word
from consent.joining_stops import withdraw
from consent.letters import ID_LENGTH, read_plain
from consent.models import Invitation, Subject
from consent.models_joining import ParticipantLink
from studies.actor import Actor
from studies.models import Participation
from studies.participants.history import Writing, fold
from studies.participants.models import Participant
from studies.participants.states import LEAVINGS
from studies.reading import get_participation


def link_letter(
    session: Session,
    participant: Participant,
    number: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Link a participant to a letter of the hospital where they are now; the same one again
    changes nothing.

    For who came in by a form, and after a hand-over. It says nothing about what was agreed to. Who
    stopped the use of their data before is stopped there too, unless they said yes since.
    Raises ConsentError `letter_linked` (they have another letter of this hospital),
    `letter_not_found`, `joined_already`; StudiesError `changed_meanwhile`, `has_left` (entered
    wrongly).
    """
    writing = Writing.on(session, participant, actor, now, expected)
    part = get_participation(session, participant.study, participant.site)
    there = [one for one in subjects(session, participant) if one.site == part.institution]
    subject = subject_of(session, part, number)
    if there:
        if subject.id == there[0].id:
            return participant
        raise ConsentError("letter_linked")
    check_not_in(session, subject, participant.study, besides=participant.id)
    link(session, participant, subject, now)
    writing.write("linked", part.institution, now)
    writing.done("participant.linked")
    yes = word(session, subject, part.of_study, now).since
    stops = {LEAVINGS[way].level: at for way, at in fold(participant.events).left}
    for level, at in stops.items():
        if level is not None and (yes is None or yes <= at):
            withdraw(session, subject, participant, level, actor, now)
    return participant


def unlink_letter(
    session: Session,
    participant: Participant,
    site: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participant:
    """Take away the link to the letter of a hospital, because it is another patient's.

    The letter with which somebody came in stays: there only "entered by mistake" helps. Until the
    right letter of that hospital is linked they go no further into the study, so that nobody's
    "no" is got round by unlinking it. A stop that was carried to the other patient's choices stays
    there; that patient sees it and can say yes again. Raises ConsentError `letter_not_found` (no
    link of that hospital), `letter_needed` (they came in with it); StudiesError
    `changed_meanwhile`, `has_left` (entered wrongly).
    """
    writing = Writing.on(session, participant, actor, now, expected)
    there = [one for one in subjects(session, participant) if one.site == site]
    if not there:
        raise ConsentError("letter_not_found")
    if site not in removable(session, participant):
        raise ConsentError("letter_needed")
    session.execute(
        delete(ParticipantLink).where(
            ParticipantLink.participant_id == participant.id,
            ParticipantLink.subject_id == there[0].id,
        )
    )
    writing.write("unlinked", site, now, reason="mistake")
    return writing.done("participant.unlinked")


def subject_of(session: Session, part: Participation, number: str) -> Subject:
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


def check_not_in(
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


def link(session: Session, participant: Participant, subject: Subject, now: datetime) -> None:
    """Write the link down; history and announcement are the caller's."""
    session.add(
        ParticipantLink(
            participant_id=participant.id,
            subject_id=subject.id,
            study=participant.study,
            linked_at=now,
        )
    )
    session.flush()
