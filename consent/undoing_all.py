"""Taking back, within a day, a stop with all studies or an objection to all use: one press, a new
act for each study.

A yes is proved per study (consent/proof.py), so what held before is said again study by study.
Nothing is guessed: where the text has changed since, the patient reads the new one first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import levels, objecting
from consent.acts import Circumstances, Said, locked_head
from consent.errors import ConsentError
from consent.items import ITEMS
from consent.models import ConsentEvent, Receipt, Subject
from consent.nothing_new import COLLECT_NEW
from consent.reading import choices
from consent.recording import say
from consent.rule import ANY
from consent.texts import text_for
from consent.undoing import WITHIN, overdue
from consent.withdrawing import OBJECT_REUSE, cancel_orders_of
from studies.actor import Actor

ACT: Final = "undo"
STOPS: Final = ("withdraw", "object")


@dataclass(frozen=True)
class Again:
    """What is said again about one study, on the text in force. `text`: None where that is another
    text than the one that was agreed to, or there is none now, or where the yes was due to be said
    again: then nothing is said."""

    study: str
    said: tuple[Said, ...]
    text: str | None


def may_undo_all(session: Session, subject: Subject, receipt: Receipt, now: datetime) -> bool:
    """Whether this act is about all studies, of the last day and the speaker's last word."""
    if receipt.act not in STOPS or receipt.study != ANY or now - receipt.recorded_at >= WITHIN:
        return False
    last = select(func.max(Receipt.first_leaf)).where(
        Receipt.subject_id == subject.id, Receipt.party == receipt.party
    )
    return session.scalar(last) == receipt.first_leaf


def brings_back(session: Session, subject: Subject, receipt: Receipt, now: datetime) -> list[str]:
    """The studies of which one press says again what held before; none where that cannot be."""
    if not may_undo_all(session, subject, receipt, now):
        return []
    return [each.study for each in again(session, subject, receipt, now) if each.text is not None]


def again(session: Session, subject: Subject, receipt: Receipt, now: datetime) -> list[Again]:
    """By study what held before this act and no longer does because of it."""
    earlier = _events(session, receipt, ConsentEvent.leaf < receipt.first_leaf)
    stopped = _events(session, receipt, ConsentEvent.receipt_id == receipt.id)
    found = []
    for choice in choices(session, subject, now, party=receipt.party):
        study = choice.study.slug
        about = [event for event in earlier if event.study in (study, ANY)]
        items = _closed(about, stopped)
        if items and choice.open:
            said = tuple(Said("granted", item, study, _category(item)) for item in items)
            long_ago = overdue(
                session, subject, [_last(about, item) for item in items if item in ITEMS], now
            )
            text = None if long_ago else _text(session, study, about, items, now)
            found.append(Again(study, said, text))
    return found


def undo_all(
    session: Session,
    *,
    subject: Subject,
    receipt: Receipt,
    language: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> list[Receipt]:
    """Say again what held before the stop; a receipt for each study. Twice gives the same ones.

    An order to destroy that came with the stop is taken back too. Studies whose text has changed
    stay as they are (`Again.text`). Raises ConsentError `choices_changed` when the stop is no
    longer the last act or of the last day, or stopped nothing; `text_version_not_current` when
    every text has changed; `proof_needed` without a proof; and what `consent.recording.say` raises.
    """
    # From here on nothing else is said: a "no" of this moment is seen below, and never undone.
    locked_head(session, subject.network, now)
    # Who reads what another said, says nothing in their name and takes nothing of it back.
    if receipt.subject_id != subject.id or receipt.party != circumstances.party:
        raise ConsentError("choices_changed")
    there = undone_by(session, receipt)
    if there:
        return there
    if not may_undo_all(session, subject, receipt, now):
        raise ConsentError("choices_changed")
    found = again(session, subject, receipt, now)
    if not found:
        raise ConsentError("choices_changed")
    ready = [each for each in found if each.text is not None]
    if not ready:
        raise ConsentError("text_version_not_current")
    if circumstances.prove is None:
        raise ConsentError("proof_needed")
    # Before anything is said, so that nothing is half undone.
    yes = [one.item for each in ready for one in each.said if one.item in ITEMS]
    objected = receipt.act == "object"
    yes += [OBJECT_REUSE] if objected else []
    levels.check(session, subject.network, circumstances.login_level, circumstances.channel, yes)
    made = [
        say(
            session,
            subject=subject,
            act=ACT,
            study=each.study,
            said=each.said,
            form={"undo": receipt.id, "study": each.study},
            language=language,
            form_key=_form_key(receipt, each.study),
            actor=actor,
            now=now,
            text_version=each.text,
            circumstances=replace(circumstances, more={**circumstances.more, "undoes": receipt.id}),
        )
        for each in ready
    ]
    if objected:
        objecting.take_back(
            session,
            subject=subject,
            language=language,
            form_key=_form_key(receipt, ANY),
            actor=actor,
            now=now,
            circumstances=circumstances,
        )
    cancel_orders_of(session, receipt, actor=actor, now=now)
    return made


def left_stopped(session: Session, subject: Subject, receipt: Receipt, now: datetime) -> list[str]:
    """The studies that this stop closed and about which the speaker said nothing since."""
    since = select(Receipt.study).where(
        Receipt.subject_id == subject.id,
        Receipt.party == receipt.party,
        Receipt.first_leaf > receipt.first_leaf,
    )
    spoken = set(session.scalars(since))
    found = again(session, subject, receipt, now)
    return [each.study for each in found if each.study not in spoken]


def undone_by(session: Session, receipt: Receipt) -> list[Receipt]:
    """The later acts that took this stop back, by study; none when it stands."""
    later = session.scalars(
        select(Receipt)
        .where(
            Receipt.subject_id == receipt.subject_id,
            Receipt.party == receipt.party,
            Receipt.act == ACT,
            Receipt.first_leaf > receipt.first_leaf,
        )
        .order_by(Receipt.first_leaf)
    )
    return [each for each in later if each.form_key == _form_key(receipt, each.study)]


def _form_key(receipt: Receipt, study: str) -> str:
    return "undo:" + sha256(f"{receipt.id} {study}".encode()).hexdigest()[:50]


def _events(session: Session, receipt: Receipt, which: object) -> Sequence[ConsentEvent]:
    """What the speaker of this act said, oldest first."""
    return session.scalars(
        select(ConsentEvent)
        .where(
            ConsentEvent.subject_id == receipt.subject_id,
            ConsentEvent.party == receipt.party,
            which,  # type: ignore[arg-type]
        )
        .order_by(ConsentEvent.leaf)
    ).all()


def _closed(about: Sequence[ConsentEvent], stopped: Sequence[ConsentEvent]) -> list[str]:
    """The items of one study that had a yes before the stop, and that the stop closed."""
    if not about:
        return []
    named = dict.fromkeys(event.item for event in about if event.item != ANY)
    open_before = [item for item in named if _last(about, item).kind == "granted"]
    wide = any(event.item == ANY for event in stopped)
    closed = {event.item for event in stopped}
    items = [item for item in open_before if wide or item in closed]
    # Collecting goes on until somebody says stop, so nobody ever said yes to it.
    if COLLECT_NEW in closed and COLLECT_NEW not in named:
        items.append(COLLECT_NEW)
    return items


def _last(about: Sequence[ConsentEvent], item: str) -> ConsentEvent:
    return next(event for event in reversed(about) if event.item in (item, ANY))


def _text(
    session: Session, study: str, about: Sequence[ConsentEvent], items: Sequence[str], now: datetime
) -> str | None:
    try:
        text = text_for(session, study, now).id
    except ConsentError:
        return None
    agreed = {_last(about, item).text_version for item in items if item in ITEMS}
    return text if agreed <= {text} else None


def _category(item: str) -> str:
    return ITEMS[item].category if item in ITEMS else ANY
