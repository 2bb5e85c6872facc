"""Who must say yes for a patient, and who has answered. What others said is not told here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.models import ConsentEvent, Subject
from consent.models_people import Party
from consent.rule import ALONE, ANY, SELF
from consent.standing import needs_of


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
    if party == SELF:
        return False
    newest = session.scalars(
        select(Party)
        .where(Party.subject_id == subject_id, Party.party == party)
        .order_by(Party.recorded_at.desc(), Party.id.desc())
        .limit(1)
    ).first()
    return newest is not None and newest.valid_until is not None and newest.valid_until <= now


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
