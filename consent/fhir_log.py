"""Reads from the hub's database what a FHIR export of one patient needs. Never of several."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import standing
from consent.errors import ConsentError
from consent.fhir_codes import Surroundings
from consent.fhir_model import Asked, Patient, Spoken
from consent.models import ConsentEvent, ConsentMark, Invitation, Subject
from consent.renewing import periods_of
from consent.standing import Standing
from consent.texts import text_for
from studies.models import Institution, Network, Participation, Study


def patient(
    session: Session, subject: Subject, now: datetime, known_at: datetime | None = None
) -> Patient:
    """Everything this patient said and was asked, for judging it at `now`.

    known_at: with what was written down until then; None for everything.
    """
    found = standing.of_subjects(session, [subject.id], now, known_at)
    said = found.get(subject.id, Standing())
    marks = _marks(session, subject, known_at)
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.subject_id == subject.id)
        .order_by(ConsentEvent.leaf)
    )
    choices = dict(zip(said.events, said.choices, strict=True))
    spoken = [
        Spoken(
            receipt=event.receipt_id,
            kind=event.kind,
            choice=choices[event.id],
            role=event.actor_role,
            text_version=event.text_version,
            language=event.language,
            channel=event.channel,
            marks=tuple(marks.get(event.id, ())),
        )
        for event in events
        if known_at is None or event.recorded_at <= known_at
    ]
    return Patient(
        key=subject.id,
        network=subject.network,
        site=subject.site,
        spoken=spoken,
        asked=_asked(session, subject, now),
        needs=said.needs,
        renewal=periods_of(session, subject.network).renewal,
    )


def surroundings(
    session: Session, subject: Subject, base: str, receipts: Mapping[str, str]
) -> Surroundings:
    """Names of network, hospital and studies; the handle; nothing else about the patient."""
    here = select(Participation.study).where(Participation.institution == subject.site)
    titles = session.execute(select(Study.slug, Study.title_en).where(Study.slug.in_(here)))
    return Surroundings(
        base=base,
        network=subject.network,
        network_name=session.get_one(Network, subject.network).name,
        site=subject.site,
        site_name=session.get_one(Institution, subject.site).name,
        handle=subject.handle,
        receipts=receipts,
        titles={slug: title for slug, title in titles},
    )


def _marks(
    session: Session, subject: Subject, known_at: datetime | None
) -> dict[str, list[tuple[str, str, datetime]]]:
    own = select(ConsentEvent.id).where(ConsentEvent.subject_id == subject.id)
    found: dict[str, list[tuple[str, str, datetime]]] = {}
    for mark in session.scalars(
        select(ConsentMark).where(ConsentMark.event_id.in_(own)).order_by(ConsentMark.leaf)
    ):
        if known_at is None or mark.recorded_at <= known_at:
            told = (mark.kind, mark.reason, mark.recorded_at)
            found.setdefault(mark.event_id, []).append(told)
    return found


def _asked(session: Session, subject: Subject, now: datetime) -> dict[str, Asked]:
    letters = session.scalars(
        select(Invitation.studies).where(
            Invitation.subject_id == subject.id, Invitation.created_at <= now
        )
    )
    here = session.scalars(
        select(Participation.study).where(Participation.institution == subject.site)
    )
    found: dict[str, Asked] = {}
    for study in sorted({slug for letter in letters for slug in letter} & set(here)):
        try:
            text = text_for(session, study, now)
        except ConsentError:
            continue  # nothing can be asked without a text
        found[study] = Asked(text.id, tuple(text.content["items"]))
    return found
