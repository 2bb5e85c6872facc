"""An objection to use without being asked: whether it stands, and taking it back.

An objection never ends by itself (consent.md 3.6, 5). Only who made it takes it back, by an act of
their own with the proof of a yes: the same statement, over `object.reuse`, about all studies. It is
written down as a withdrawal, so that to every reader of the log it opens nothing by itself: what a
general objection closed stays closed until the patient says yes to a study again.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import levels
from consent.acts import Circumstances, Said
from consent.closing import is_closed
from consent.errors import ConsentError
from consent.models import ConsentEvent, Receipt, Subject
from consent.proof import Statement, act_of
from consent.recording import say
from consent.rule import ANY
from consent.withdrawing import OBJECT_REUSE
from studies.actor import Actor
from studies.base import to_ms

ACT: Final = "unobject"


def objected_since(session: Session, subject: Subject, party: str | None = None) -> datetime | None:
    """Since when an objection to use without being asked stands; None when there is none.

    party: by the word of this speaker; None for anybody's, of whom each takes back their own.
    """
    since: dict[str, datetime] = {}
    for event in _words(session, subject, party):
        if event.kind == "objected":
            since.setdefault(event.party, event.recorded_at)
        elif event.evidence.get("proof") is not None:
            # Without a proof nobody took anything back, whatever stands in the database.
            since.pop(event.party, None)
    return min(since.values(), default=None)


def take_back(
    session: Session,
    *,
    subject: Subject,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """Take this speaker's own objection back. The same form again gives the first receipt.

    The proof is kept with the event: a `Statement` over `object.reuse` without a text, which the
    hospital can check with the letter it made, as it checks a yes.
    Raises ConsentError `choices_changed` without an objection of this speaker, `proof_needed`
    without a proof, `closed`, `login_level_too_low`, and what `consent.recording.say` raises.
    """
    there = session.scalars(
        select(Receipt).where(
            Receipt.subject_id == subject.id,
            Receipt.form_key == form_key,
            Receipt.party == circumstances.party,
            Receipt.act == ACT,
        )
    ).first()
    if there is not None:
        return there
    if objected_since(session, subject, circumstances.party) is None:
        raise ConsentError("choices_changed")
    if is_closed(session, subject.id):
        raise ConsentError("closed")
    level, channel = circumstances.login_level, circumstances.channel
    levels.check(session, subject.network, level, channel, [OBJECT_REUSE])
    proof = _proof(subject, form_key, now, circumstances)
    return say(
        session,
        subject=subject,
        act=ACT,
        study=None,
        said=[Said("withdrawn", OBJECT_REUSE, ANY, ANY)],
        form={"unobject": OBJECT_REUSE, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        circumstances=replace(
            circumstances, prove=None, more={**circumstances.more, "proof": proof}
        ),
    )


def is_taking_back(event: ConsentEvent) -> bool:
    """Whether this takes an objection back, and not stops with something."""
    return event.item == OBJECT_REUSE and event.kind == "withdrawn"


def statement_of(subject: Subject, party: str, form_key: str, at: datetime) -> Statement:
    """What somebody states who takes an objection back."""
    return Statement(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party=party,
        study=ANY,
        text_version="",
        yes=(OBJECT_REUSE,),
        at=at,
        act=act_of(form_key),
    )


def _proof(
    subject: Subject, form_key: str, now: datetime, circumstances: Circumstances
) -> dict[str, Any]:
    prove = circumstances.prove
    statement = statement_of(subject, circumstances.party, form_key, now)
    proof = None if prove is None else prove(statement)
    if proof is None:
        raise ConsentError("proof_needed")
    return {"at": to_ms(now), **proof, "act": statement.act, "yes": list(statement.yes)}


def _words(session: Session, subject: Subject, party: str | None) -> list[ConsentEvent]:
    """Every word on objecting, oldest first: objections, and withdrawals of one."""
    about = ConsentEvent.item == OBJECT_REUSE
    general = (ConsentEvent.item == ANY) & (ConsentEvent.kind == "objected")
    rows = session.scalars(
        select(ConsentEvent)
        .where(
            ConsentEvent.subject_id == subject.id,
            ConsentEvent.kind.in_(("objected", "withdrawn")),
            about | general,
        )
        .order_by(ConsentEvent.leaf)
    )
    return [event for event in rows if party in (None, event.party)]
