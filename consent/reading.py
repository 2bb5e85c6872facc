"""What a patient's choices are now, what they were, and which hospital has received them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import standing
from consent.errors import ConsentError
from consent.items import ITEMS, with_parents
from consent.models import (
    Ack,
    ConsentEvent,
    Invitation,
    Receipt,
    SnapshotRecord,
    Subject,
    TextVersion,
)
from consent.recording import as_of
from consent.renewing import periods_of
from consent.rule import ANY, Scope, decide, nothing_new_since, renewed_until, window
from consent.standing import Standing
from studies.models import Institution, Participation, Study

ItemStateName = Literal[
    "not_asked", "deferred", "granted", "refused", "withdrawn", "expired", "suspended"
]


@dataclass(frozen=True)
class ItemState:
    """One item in one study: the last word on it, when, and whether it counts now."""

    item: str
    state: ItemStateName
    since: datetime | None
    counts: bool
    text_version: str | None


@dataclass(frozen=True)
class StudyChoices:
    """What the study needs, then what else was answered. `counts`: is the patient counted now.

    `open` is whether the study runs at this hospital; `receipt_id` the last receipt about it.
    `nothing_new`: since when the patient wants nothing new to be used. `data_since`: who did not
    allow older data, from which moment on data count. A hospital judges both by the dates in its
    records; a record without a date does not count then. `ask_again`: from when new data do not
    count without another yes; it may have passed. `own_due`: whether it is this speaker's yes that
    has to be said again. `ends`: when a yes that counts now ends.
    """

    study: Study
    items: tuple[ItemState, ...]
    counts: bool
    answered: bool
    open: bool
    receipt_id: str | None
    nothing_new: datetime | None = None
    data_since: datetime | None = None
    ask_again: datetime | None = None
    own_due: bool = False
    ends: datetime | None = None


@dataclass(frozen=True)
class HistoryLine:
    """One thing said: about `item` and `study`, "*" for all. `role`: who said it."""

    at: datetime
    kind: str
    item: str
    study: str
    language: str
    text_number: int | None
    receipt_id: str
    leaf: int
    act: str
    party: str
    role: str


@dataclass(frozen=True)
class Delivery:
    """Whether a hospital has a choice. `received_at` is when it said so, None while waiting.

    `counts_nobody_from`: the end of the last state the hospital is known to have; from then on
    it counts nobody until it gets a newer one. None when it has none: it counts nobody now.
    `notice_days`: a yes counts there so many days after the hospital told the person of it; None:
    at once.
    """

    site: str
    name: str
    received_at: datetime | None
    counts_nobody_from: datetime | None
    notice_days: int | None = None


def request_for(subject: Subject, study: str, item: str) -> Scope:
    """The fully valued question whether this subject's data count for `item` of `study`."""
    return Scope(
        network=subject.network,
        site=subject.site,
        item=item,
        study=study,
        category=ITEMS[item].category,
    )


def choices(
    session: Session, subject: Subject, now: datetime, *, party: str | None = None
) -> tuple[StudyChoices, ...]:
    """Each study this patient was asked about or said something about, by title.

    party: the states are what this speaker said, and nobody else; whether the patient is counted
    takes everybody's word.
    """
    moment = as_of(session, subject.network, now)
    renewal = periods_of(session, subject.network).renewal
    said = standing.of_subjects(session, [subject.id], moment).get(subject.id, Standing())
    events = _events(session, subject)
    heard = [event for event in events if party in (None, event.party)]
    return tuple(
        _study_choices(
            subject,
            study,
            part,
            said,
            heard,
            moment,
            renewal,
            party,
        )
        for study, part in _studies(session, subject, events)
    )


def _events(session: Session, subject: Subject) -> Sequence[ConsentEvent]:
    return session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.subject_id == subject.id)
        .order_by(ConsentEvent.leaf)
    ).all()


def _studies(
    session: Session, subject: Subject, events: Sequence[ConsentEvent]
) -> list[tuple[Study, Participation]]:
    letters = session.scalars(select(Invitation.studies).where(Invitation.subject_id == subject.id))
    slugs = {slug for letter in letters for slug in letter} | {event.study for event in events}
    rows = session.execute(
        select(Study, Participation)
        .join(Participation, Participation.study == Study.slug)
        .where(Study.slug.in_(slugs), Participation.institution == subject.site)
    )
    return sorted(((study, part) for study, part in rows), key=lambda row: row[0].title_nl)


def _study_choices(
    subject: Subject,
    study: Study,
    part: Participation,
    said: Standing,
    events: Sequence[ConsentEvent],
    moment: datetime,
    renewal: timedelta,
    party: str | None,
) -> StudyChoices:
    # An objection to use without being asked answers no question of a study.
    about = [
        event
        for event in events
        if event.study in (study.slug, ANY) and event.item != "object.reuse"
    ]
    needed = with_parents(study.requires)
    further = {event.item for event in about if event.item in ITEMS} - set(needed)
    codes = (*needed, *(code for code in ITEMS if code in further))
    states = tuple(_item_state(subject, study.slug, code, said, about, moment) for code in codes)
    requests = [request_for(subject, study.slug, code) for code in needed]
    found = [
        window(each, said.choices, moment, needs=said.needs, renewal=renewal) for each in requests
    ]
    decided = [decide(each, said.choices, moment, needs=said.needs) for each in requests]
    renewed = [renewed_until(each, renewal) for each in decided]
    speaking = said.needs if party is None else frozenset({party})
    own = [
        renewed_until(decide(each, said.choices, moment, needs=speaking), renewal)
        for each in requests
    ]
    since = [each.since for each in found if each is not None and each.since is not None]
    runs = study.state == "open" and part.state == "open"
    return StudyChoices(
        study=study,
        items=states,
        counts=runs and all(state.counts for state in states[: len(needed)]),
        answered=bool(about),
        open=runs,
        receipt_id=about[-1].receipt_id if about else None,
        nothing_new=nothing_new_since(requests[0], said.choices, moment, needs=said.needs),
        data_since=max(since, default=None) if None not in found else None,
        ask_again=_first(renewed) if None not in renewed else None,
        own_due=any(each is not None and each <= moment for each in own),
        ends=_first([each.until for each in decided]) if None not in renewed else None,
    )


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def _item_state(
    subject: Subject,
    study: str,
    item: str,
    said: Standing,
    about: Sequence[ConsentEvent],
    moment: datetime,
) -> ItemState:
    permits = {
        code: decide(
            request_for(subject, study, code), said.choices, moment, needs=said.needs
        ).permit
        for code in with_parents([item])
    }
    counts = all(permits.values())
    last = next((event for event in reversed(about) if event.item in (item, ANY)), None)
    if last is None:
        return ItemState(item, "not_asked", None, counts, None)
    name = _name(last, moment, permits[item])
    return ItemState(item, name, last.recorded_at, counts, last.text_version)


def _name(last: ConsentEvent, moment: datetime, permitted: bool) -> ItemStateName:
    if last.kind == "granted":
        if last.until is not None and last.until <= moment:
            return "expired"
        # A yes that does not count (text suspended, or a no at the same time) is not shown as one.
        return "granted" if permitted else "suspended"
    if last.kind == "deferred":
        return "deferred"
    return "refused" if last.kind == "refused" else "withdrawn"


def history(session: Session, subject: Subject) -> tuple[HistoryLine, ...]:
    """Everything this subject ever said, newest first."""
    rows = session.execute(
        select(ConsentEvent, TextVersion.number, Receipt.act)
        .join(Receipt, Receipt.id == ConsentEvent.receipt_id)
        .join(TextVersion, TextVersion.id == ConsentEvent.text_version, isouter=True)
        .where(ConsentEvent.subject_id == subject.id)
        .order_by(ConsentEvent.leaf.desc())
    )
    return tuple(
        HistoryLine(
            at=event.recorded_at,
            kind=event.kind,
            item=event.item,
            study=event.study,
            language=event.language,
            text_number=number,
            receipt_id=event.receipt_id,
            leaf=event.leaf,
            act=act,
            party=event.party,
            role=event.actor_role,
        )
        for event, number, act in rows
    )


def receipt(session: Session, subject: Subject, receipt_id: str) -> Receipt:
    """One receipt of this subject; `receipt_not_found` for anyone else's as for none at all."""
    found = session.get(Receipt, receipt_id)
    if found is None or found.subject_id != subject.id:
        raise ConsentError("receipt_not_found")
    return found


def said_in(session: Session, of: Receipt) -> tuple[ConsentEvent, ...]:
    """What was said in the act of this receipt, in the order of the form."""
    return tuple(
        session.scalars(
            select(ConsentEvent).where(ConsentEvent.receipt_id == of.id).order_by(ConsentEvent.leaf)
        )
    )


def deliveries(session: Session, subject: Subject, of: Receipt) -> tuple[Delivery, ...]:
    """Per hospital of this patient: when it received the choices of this receipt."""
    received = session.scalar(
        select(func.min(Ack.applied_at))
        .join(SnapshotRecord, (SnapshotRecord.site == Ack.site) & (SnapshotRecord.seq == Ack.seq))
        .where(
            Ack.site == subject.site,
            Ack.status == "applied",
            SnapshotRecord.log_size >= of.first_leaf + of.leaves,
        )
    )
    last_valid = session.scalar(
        select(func.max(SnapshotRecord.valid_until))
        .join(Ack, (SnapshotRecord.site == Ack.site) & (SnapshotRecord.seq == Ack.seq))
        .where(Ack.site == subject.site, Ack.status == "applied")
    )
    days = session.scalar(
        select(Ack.notice_days)
        .where(Ack.site == subject.site, Ack.status == "applied")
        .order_by(Ack.seq.desc())
        .limit(1)
    )
    hospital = session.get_one(Institution, subject.site)
    return (Delivery(subject.site, hospital.name, received, last_valid, days),)
