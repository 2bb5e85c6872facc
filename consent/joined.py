"""Who of a study's participants is which opaque subject, and whether they still agree.

Nothing here writes. Whether somebody agrees is always worked out by the decision rule when it is
asked, never kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import standing
from consent.items import with_parents
from consent.links import linked
from consent.models import Subject
from consent.models_joining import ParticipantLink
from consent.reading import request_for
from consent.recording import as_of
from consent.rule import decide
from consent.standing import Standing
from consent.texts import text_for, versions
from studies.hospitals.versions import in_use, version_lines
from studies.models import Participation, Study
from studies.participants.models import Participant, ParticipantEvent
from studies.participants.states import ENDED, LEAVINGS

JOIN: Final = "study.join"


def subjects(session: Session, participant: Participant) -> list[Subject]:
    """The opaque subjects that this participant is linked to, by hospital."""
    return list(
        session.scalars(
            select(Subject)
            .join(ParticipantLink, ParticipantLink.subject_id == Subject.id)
            .where(ParticipantLink.participant_id == participant.id)
            .order_by(Subject.site)
        )
    )


@dataclass(frozen=True)
class Word:
    """What a subject says about taking part: `since` when they agree, or None; `no`: they said so.

    Neither: they said nothing that counts, or not any more.
    """

    since: datetime | None = None
    no: bool = False


def word(session: Session, subject: Subject, study: Study, now: datetime) -> Word:
    """What this subject says now about taking part in a study.

    Asked is `study.join` where the study's text in force has that question, and else what the study
    requires of everybody in it. Raises ConsentError `text_not_found` without a text in force.
    """
    moment = as_of(session, subject.network, now)
    said = standing.of_subjects(session, [subject.id], moment).get(subject.id, Standing())
    return _word(subject, study, _asked(session, study, now), said, moment)


def stands(words: Iterable[Word]) -> bool:
    """Whether somebody still agrees who is linked at one hospital or, after a hand-over, at more:
    one yes is needed, and a "no" at any of them ends it."""
    said = list(words)
    return any(one.since is not None for one in said) and not any(one.no for one in said)


def without_consent(session: Session, study: Study, now: datetime) -> tuple[Participant, ...]:
    """Linked participants who have not left, and whose yes does not stand any more, by number.

    Worked out when it is asked: a patient who stops on their own page is here at once, so that the
    hospital writes down how they left.
    """
    rows = session.execute(
        select(Participant, Subject)
        .join(ParticipantLink, ParticipantLink.participant_id == Participant.id)
        .join(Subject, Subject.id == ParticipantLink.subject_id)
        .where(
            Participant.study == study.slug,
            Participant.entered_wrongly.is_(False),
            Participant.state.not_in(ENDED),
        )
        .order_by(Participant.pseudonym)
    ).all()
    if not rows:
        return ()
    asked = _asked(session, study, now)
    moment = as_of(session, study.network, now)
    said = standing.of_subjects(session, [subject.id for _, subject in rows], moment)
    words: dict[str, list[Word]] = {}
    found: dict[str, Participant] = {}
    for participant, subject in rows:
        choices = said.get(subject.id, Standing())
        words.setdefault(participant.id, []).append(_word(subject, study, asked, choices, moment))
        found[participant.id] = participant
    return tuple(found[each] for each, theirs in words.items() if not stands(theirs))


def unreached(session: Session, study: str) -> tuple[Participant, ...]:
    """Participants who stopped the use of their data and have no linked letter, by number: their
    hospital has to write the stop down at its own desk."""
    stops = [code for code, way in LEAVINGS.items() if way.level is not None]
    stopped = select(ParticipantEvent.id).where(
        ParticipantEvent.participant_id == Participant.id,
        ParticipantEvent.kind == "left",
        ParticipantEvent.value.in_(stops),
    )
    letter = select(ParticipantLink.id).where(ParticipantLink.participant_id == Participant.id)
    rows = session.scalars(
        select(Participant)
        .where(
            Participant.study == study,
            Participant.entered_wrongly.is_(False),
            stopped.exists(),
            ~letter.exists(),
        )
        .order_by(Participant.pseudonym)
    )
    return tuple(rows)


def texts_on(session: Session, part: Participation, day: date) -> tuple[str, ...]:
    """What a form signed at this hospital on a day may be on: the version of the consent form that
    was in use there; where the study keeps no versions, the number of the text in force then."""
    used = in_use(version_lines(session, part, day)).get("consent")
    if used is not None:
        return (used,)
    if any(line.kind == "consent" for line in version_lines(session, part, date.max)):
        return ()
    texts = versions(session, part.study)
    then = [text for text in texts if text.valid_from.date() <= day]
    return (str(then[-1].number),) if then else ()


def everywhere(session: Session, found: Sequence[Subject]) -> list[Subject]:
    """These subjects and those at other hospitals that the patient said are the same person."""
    everyone = {one.id: one for each in found for one in (each, *linked(session, each))}
    return list(everyone.values())


def _asked(session: Session, study: Study, now: datetime) -> tuple[str, ...]:
    asked = text_for(session, study.slug, now).content["items"]
    return with_parents([JOIN] if JOIN in asked else study.requires)


def _word(
    subject: Subject, study: Study, items: Iterable[str], said: Standing, moment: datetime
) -> Word:
    since: list[datetime] = []
    for item in items:
        request = request_for(subject, study.slug, item)
        decided = decide(request, said.choices, moment, needs=said.needs)
        if not decided.permit:
            return Word(
                no=any(
                    one.kind == "denial"
                    and one.scope.covers(request)
                    and max(one.effective_at, one.recorded_at) <= moment
                    for one in said.choices
                )
            )
        since += [max(one.effective_at, one.recorded_at) for one in decided.grounds]
    return Word(since=max(since, default=None))
