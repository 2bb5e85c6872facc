"""Which changed texts a patient has read that ask nothing again: told once, and written down."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.models import Subject, TextVersion
from consent.models_people import TextSeen
from studies.actor import Actor
from studies.events import announce


def note_seen(
    session: Session,
    subject: Subject,
    text: TextVersion,
    *,
    party: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Write down that this speaker read the text, once. It is no answer: no choice changes.

    Raises ConsentError `not_your_own`.
    """
    if actor.kind != "patient" or actor.id != subject.id:
        raise ConsentError("not_your_own")
    if session.get(TextSeen, (subject.id, party, text.id)) is not None:
        return
    session.add(TextSeen(subject_id=subject.id, party=party, text_version=text.id, at=now))
    session.flush()
    announce(
        session,
        actor=actor,
        action="consent.text_seen",
        about=f"study:{text.study}",
        facts={"number": text.number, "text": text.id},
    )


def newest_seen(session: Session, subject: Subject, study: str, party: str) -> int:
    """The number of the newest text of a study that this speaker said to have read; 0 for none."""
    found = session.scalar(
        select(func.max(TextVersion.number))
        .join(TextSeen, TextSeen.text_version == TextVersion.id)
        .where(
            TextSeen.subject_id == subject.id, TextSeen.party == party, TextVersion.study == study
        )
    )
    return found or 0
