"""Taking back the last act within a day: a new act that says again what held before. Both stay.

Nothing is held up for it: what was said works from the moment it was recorded.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.acts import Circumstances, Said, locked_head
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.models import ConsentEvent, Receipt, Subject
from consent.nothing_new import COLLECT_NEW
from consent.recording import say
from consent.renewing import periods_of
from consent.rule import ANY
from consent.texts import text_for
from consent.withdrawing import cancel_orders_of
from studies.actor import Actor

WITHIN: Final = timedelta(hours=24)
ACTS: Final = ("record", "withdraw", "undo")


def may_undo(session: Session, subject: Subject, receipt: Receipt, now: datetime) -> bool:
    """Whether this act can be taken back: the speaker's last one, of one study, of the last day.

    Not where what held before was due to be said again: a yes of now would let new data count,
    which did not. Then the patient chooses anew.
    """
    if receipt.act not in ACTS or receipt.study == ANY or now - receipt.recorded_at >= WITHIN:
        return False
    last = session.scalar(
        select(func.max(Receipt.first_leaf)).where(
            Receipt.subject_id == subject.id,
            Receipt.party == receipt.party,
            Receipt.study.in_((receipt.study, ANY)),
        )
    )
    if last != receipt.first_leaf:
        return False
    earlier = _earlier(session, receipt)
    again = [one.item for one in undoing(session, receipt) if one.kind == "granted"]
    before = [_last(earlier, item) for item in again]
    return not overdue(session, subject, [each for each in before if each is not None], now)


def overdue(
    session: Session, subject: Subject, said: Sequence[ConsentEvent], now: datetime
) -> bool:
    """Whether one of these was said so long ago that it has to be said again for new data."""
    renewal = periods_of(session, subject.network).renewal
    return any(min(each.effective_at, each.recorded_at) + renewal <= now for each in said)


def undoing(session: Session, receipt: Receipt) -> list[Said]:
    """What must be said so that what held before this act holds again.

    An item that had a yes gets one again; one that had a no, or nothing, is closed again.
    """
    earlier = _earlier(session, receipt)
    now_said = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.receipt_id == receipt.id)
        .order_by(ConsentEvent.leaf)
    ).all()
    items: dict[str, None] = {}
    for event in now_said:
        items |= dict.fromkeys(_granted(earlier) if event.item == ANY else [event.item])
    said = []
    for item in items:
        before = _last(earlier, item)
        # Collecting goes on until somebody says stop; all else is closed until somebody says yes.
        silent = "granted" if item == COLLECT_NEW else "withdrawn"
        kind = silent if before is None else before.kind
        category = ITEMS[item].category if item in ITEMS else ANY
        said.append(Said(kind, item, receipt.study, category))
    return said


def undo(
    session: Session,
    *,
    subject: Subject,
    receipt: Receipt,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """Take an act back; the receipt of the new act. An order to destroy goes with it.

    Raises ConsentError `choices_changed` when it is no longer the last act or of the last day,
    `text_version_not_current` when a yes was given on a text that has been replaced: then the new
    text must be read first; and what `consent.recording.say` raises.
    """
    # From here on nothing else is said: a "no" of this moment is seen below, and never undone.
    locked_head(session, subject.network, now)
    there = session.scalars(
        select(Receipt).where(
            Receipt.subject_id == subject.id,
            Receipt.form_key == form_key,
            Receipt.party == circumstances.party,
        )
    ).first()
    if there is not None and there.act == "undo":
        return there
    if receipt.subject_id != subject.id or not may_undo(session, subject, receipt, now):
        raise ConsentError("choices_changed")
    # Who reads what another said, says nothing in their name and takes nothing of it back.
    if receipt.party != circumstances.party:
        raise ConsentError("choices_changed")
    said = undoing(session, receipt)
    if not said:
        raise ConsentError("choices_changed")
    text = None
    if any(one.kind == "granted" for one in said):
        text = text_for(session, receipt.study, now).id
        _check_text(session, receipt, said, text)
    made = say(
        session,
        subject=subject,
        act="undo",
        study=receipt.study,
        said=said,
        form={"undo": receipt.id, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        text_version=text,
        circumstances=replace(circumstances, more={**circumstances.more, "undoes": receipt.id}),
    )
    cancel_orders_of(session, receipt, actor=actor, now=now)
    return made


def _check_text(session: Session, receipt: Receipt, said: Sequence[Said], text: str) -> None:
    earlier = _earlier(session, receipt)
    for one in said:
        before = _last(earlier, one.item)
        if one.kind == "granted" and before is not None and before.text_version != text:
            raise ConsentError("text_version_not_current")


def _earlier(session: Session, receipt: Receipt) -> Sequence[ConsentEvent]:
    """What the same speaker said about this study before the act, oldest first."""
    return session.scalars(
        select(ConsentEvent)
        .where(
            ConsentEvent.subject_id == receipt.subject_id,
            ConsentEvent.party == receipt.party,
            ConsentEvent.study.in_((receipt.study, ANY)),
            ConsentEvent.leaf < receipt.first_leaf,
        )
        .order_by(ConsentEvent.leaf)
    ).all()


def _last(events: Sequence[ConsentEvent], item: str) -> ConsentEvent | None:
    return next((event for event in reversed(events) if event.item in (item, ANY)), None)


def _granted(events: Sequence[ConsentEvent]) -> list[str]:
    named = dict.fromkeys(event.item for event in events if event.item != ANY)
    found = ((item, _last(events, item)) for item in named)
    return [item for item, last in found if last is not None and last.kind == "granted"]
