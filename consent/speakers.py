"""Who must say yes for a patient, and who has answered. What others said is not told here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.models import ConsentEvent, Subject
from consent.models_people import Party
from consent.parties import HOLDERS
from consent.rule import ALONE, ANY, SELF
from consent.standing import needs_of

SOON: Final = timedelta(days=92)
"""How long before somebody decides alone they are told (consent.md 3.7: three months)."""


@dataclass(frozen=True)
class Speaker:
    """Somebody whose yes is needed now; `answered_at` is when they last said anything, or None."""

    party: str
    role: str
    answered_at: datetime | None


def needed(session: Session, subject: Subject, now: datetime) -> frozenset[str]:
    """Whose yes is needed at this moment: the patient alone, unless the hospital said otherwise."""
    return needs_of(session, [subject.id], now, None).get(subject.id, ALONE)


def has_ended(session: Session, subject_id: str, party: str, now: datetime) -> bool:
    """Whether the hospital said that this representative may no longer speak for the patient.

    Then nothing is shown to them and nothing is taken from them, a "no" neither: it would close, or
    have destroyed, what is the patient's own. The patient always speaks.
    """
    newest = _newest(session, subject_id, party)
    return newest is not None and newest.valid_until is not None and newest.valid_until <= now


def has_begun(session: Session, subject_id: str, party: str, now: datetime) -> bool:
    """Whether this representative may speak for the patient already. Before the appointment begins
    nothing is shown to them and nothing is taken from them. The patient always speaks."""
    newest = _newest(session, subject_id, party)
    return newest is None or newest.valid_from <= now


def may_speak(session: Session, subject_id: str, party: str, now: datetime) -> bool:
    """Whether the appointment of this representative has begun and has not ended."""
    return has_begun(session, subject_id, party, now) and not has_ended(
        session, subject_id, party, now
    )


def comes_of_age(session: Session, subject: Subject, now: datetime) -> datetime | None:
    """When the patient decides alone, where others have to agree for now; None where that is
    further away than `SOON`, or not known."""
    newest: dict[str, Party] = {}
    for row in session.scalars(
        select(Party).where(Party.subject_id == subject.id).order_by(Party.recorded_at, Party.id)
    ):
        newest[row.party] = row
    ends = [
        row.valid_until
        for row in newest.values()
        if row.role in HOLDERS and row.valid_from <= now and row.valid_until is not None
    ]
    day = max((each for each in ends if each > now), default=None)
    if day is None or day > now + SOON:
        return None
    alone = needs_of(session, [subject.id], day, None).get(subject.id, ALONE) == ALONE
    return day if alone else None


def _newest(session: Session, subject_id: str, party: str) -> Party | None:
    """The hospital's newest word about a representative; None for the patient."""
    if party == SELF:
        return None
    return session.scalars(
        select(Party)
        .where(Party.subject_id == subject_id, Party.party == party)
        .order_by(Party.recorded_at.desc(), Party.id.desc())
        .limit(1)
    ).first()


def speakers(session: Session, subject: Subject, study: str, now: datetime) -> tuple[Speaker, ...]:
    """Everybody whose yes about this study is needed, the patient first."""
    known = session.execute(
        select(Party.party, Party.role)
        .where(Party.subject_id == subject.id)
        .order_by(Party.recorded_at)
    )
    roles = {party: role for party, role in known}
    said = session.execute(
        select(ConsentEvent.party, func.max(ConsentEvent.recorded_at))
        .where(ConsentEvent.subject_id == subject.id, ConsentEvent.study.in_((study, ANY)))
        .group_by(ConsentEvent.party)
    )
    answered = {party: at for party, at in said}
    return tuple(
        Speaker(party, roles.get(party, SELF), answered.get(party))
        for party in sorted(needed(session, subject, now), key=lambda code: (code != SELF, code))
    )


def only(session: Session, subject: Subject, reader: str, now: datetime) -> str | None:
    """Of whom `reader` may see what was said; None for everybody's."""
    return None if may_read(session, subject, reader, "another", now) else reader


def may_read(session: Session, subject: Subject, reader: str, party: str, now: datetime) -> bool:
    """Whether `reader` may see what `party` said: their own words; and who decides alone, all."""
    return reader == party or (reader == SELF and needed(session, subject, now) == ALONE)
