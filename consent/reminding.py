"""Reminding people of what they chose, and asking again (consent.md 3.7, renewal).

After `remind_years` the page shows what was chosen, with change and stop beside it. Saying that it
is still right is written down, so that nobody is asked twice; it is no answer and renews nothing.
No answer keeps the choice. After `renewal_years` data recorded later do not count until the patient
says yes again (consent/rule.py); nothing is written for that.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.models import ConsentEvent, Subject
from consent.models_people import ChoiceSeen
from consent.renewing import periods_of
from consent.rule import ANY
from studies.actor import Actor
from studies.events import announce

_NO_QUESTION = "object.reuse"


def remind_since(
    session: Session, subject: Subject, study: str, party: str, now: datetime
) -> datetime | None:
    """Since when this speaker said nothing about a study, when that is long enough to be reminded;
    None otherwise, also for who never said anything."""
    last = _last_word(session, subject, study, party)
    if last is None or now < last + periods_of(session, subject.network).remind:
        return None
    return last


def confirm(
    session: Session, subject: Subject, study: str, *, party: str, actor: Actor, now: datetime
) -> bool:
    """Write down that what was chosen is still right; whether there was something to confirm. Once:
    sent again it does nothing, and no choice changes.

    Raises ConsentError `not_your_own`.
    """
    if actor.kind != "patient" or actor.id != subject.id:
        raise ConsentError("not_your_own")
    if remind_since(session, subject, study, party, now) is None:
        return False
    session.add(ChoiceSeen(subject_id=subject.id, party=party, study=study, at=now))
    session.flush()
    announce(session, actor=actor, action="consent.choice_confirmed", about=f"study:{study}")
    return True


def _last_word(session: Session, subject: Subject, study: str, party: str) -> datetime | None:
    said = session.scalar(
        select(func.max(ConsentEvent.recorded_at)).where(
            ConsentEvent.subject_id == subject.id,
            ConsentEvent.party == party,
            ConsentEvent.study.in_((study, ANY)),
            ConsentEvent.item != _NO_QUESTION,
        )
    )
    if said is None:
        return None
    seen = session.scalar(
        select(func.max(ChoiceSeen.at)).where(
            ChoiceSeen.subject_id == subject.id,
            ChoiceSeen.party == party,
            ChoiceSeen.study == study,
        )
    )
    return said if seen is None else max(said, seen)
