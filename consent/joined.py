"""Who of a study's participants is which opaque subject, and whether they still agree.

Nothing here writes. Whether somebody agrees is always worked out by the decision rule when it is
asked, never kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import standing
from consent.errors import ConsentError
from consent.items import with_parents
from consent.links import linked
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_joining import ParticipantLink
from consent.nothing_new import COLLECT_NEW
from consent.reading import request_for
from consent.recording import as_of
from consent.rule import ANY, decide
from consent.standing import Standing
from consent.texts import text_for, versions
from studies.days import local_day
from studies.hospitals.versions import in_use, version_lines
from studies.models import Participation, Study
from studies.participants.models import Participant, ParticipantEvent
from studies.participants.states import ENDED, LEAVINGS
from studies.reading import get_study

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


def check_agrees(
    session: Session, participant: Participant, now: datetime, at: datetime | None = None
) -> None:
    """Raise ConsentError `not_agreed` when a linked participant does not agree any more, and
    `letter_unlinked` while the right letter of a hospital must still be linked.

    at: when what is to be written down happened. It may have while the yes still stood.
    """
    if unlinked(participant):
        raise ConsentError("letter_unlinked")
    found = subjects(session, participant)
    study = get_study(session, participant.study)
    if not found or stands(word(session, one, study, now) for one in found):
        return
    if at is None or not at < now or not stands(_words_on(session, found, study, at)):
        raise ConsentError("not_agreed")


def unlinked(participant: Participant) -> tuple[str, ...]:
    """Hospitals whose letter was unlinked from this participant, and no other linked since."""
    last = {
        event.value: event.kind
        for event in participant.events
        if event.kind in ("linked", "unlinked")
    }
    return tuple(site for site, kind in last.items() if kind == "unlinked")


def open_again(session: Session, found: Sequence[Subject], study: str, level: str) -> list[Subject]:
    """Of these subjects those with a yes in this study that is later than their last stop at this
    level or a higher one, whoever wrote that stop down."""
    stops = (ANY, COLLECT_NEW) if level == "W2" else (ANY,)
    about = ConsentEvent.study.in_((study, ANY))
    opened = []
    for subject in found:
        of = select(func.max(ConsentEvent.leaf)).where(ConsentEvent.subject_id == subject.id, about)
        yes = session.scalar(of.where(ConsentEvent.kind == "granted"))
        stop = session.scalar(
            of.where(ConsentEvent.kind == "withdrawn", ConsentEvent.item.in_(stops))
        )
        if yes is not None and (stop is None or stop < yes):
            opened.append(subject)
    return opened


def stops_again(session: Session, participant: Participant) -> bool:
    """Whether a patient who had stopped all use of their data said yes since, so that they can be
    stopped once more."""
    found = everywhere(session, subjects(session, participant))
    return bool(open_again(session, found, participant.study, "W3"))


def removable(session: Session, participant: Participant) -> dict[str, Subject]:
    """Hospitals whose letter can be unlinked from this participant: not that of coming in."""
    first = participant.events[0]
    kept = first.site if (first.evidence or {}).get("shown") == "letter" else None
    return {one.site: one for one in subjects(session, participant) if one.site != kept}


def reached(session: Session, participant: Participant) -> tuple[str, ...]:
    """Hospitals to which the stop of the last leaving went, from what is in the log."""
    last = max((one for one in participant.events if one.kind == "left"), key=_number, default=None)
    if last is None:
        return ()
    found = [one.id for one in everywhere(session, subjects(session, participant))]
    rows = session.scalars(
        select(Subject.site)
        .join(Receipt, Receipt.subject_id == Subject.id)
        .where(
            Subject.id.in_(found),
            Receipt.form_key.startswith(f"left-{participant.id}-"),
            Receipt.recorded_at >= last.recorded_at,
        )
    )
    return tuple(sorted(set(rows)))


def _number(event: ParticipantEvent) -> int:
    return event.number


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
    then = [text for text in texts if local_day(text.valid_from) <= day]
    return (str(then[-1].number),) if then else ()


def everywhere(session: Session, found: Sequence[Subject]) -> list[Subject]:
    """These subjects and those at other hospitals that the patient said are the same person."""
    everyone = {one.id: one for each in found for one in (each, *linked(session, each))}
    return list(everyone.values())


def _asked(session: Session, study: Study, now: datetime) -> tuple[str, ...]:
    asked = text_for(session, study.slug, now).content["items"]
    return with_parents([JOIN] if JOIN in asked else study.requires)


def _words_on(session: Session, found: Sequence[Subject], study: Study, at: datetime) -> list[Word]:
    """What these subjects said at a moment that has passed."""
    said = standing.of_subjects(session, [one.id for one in found], at)
    asked = _asked(session, study, at)
    return [_word(one, study, asked, said.get(one.id, Standing()), at) for one in found]


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
