"""Stopping, in the five levels of the design (consent.md 3.7), and objecting. Never held up.

W0 one item, W1 no more messages, W2 nothing new, W3 use nothing, W4 destroy what can be destroyed.
Each is one act with one receipt; none asks for a reason. Results that were made before stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.acts import Circumstances, Said
from consent.errors import ConsentError
from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_people import DestroyOrder
from consent.nothing_new import COLLECT_NEW
from consent.recording import say
from consent.rule import ANY
from consent.texts import text_for
from studies.actor import Actor
from studies.events import announce

LEVELS: Final = ("W1", "W2", "W3", "W4")
GRACE: Final = timedelta(days=14)
NEW_SAMPLES: Final = ("bio.blood",)
OBJECT_REUSE: Final = "object.reuse"
DESTROYED: Final = ("data", "samples")


def said_at(level: str, study: str | None) -> list[Said]:
    """What a level says, about one study or with None about all. ValueError for another level."""
    about = ANY if study is None else study
    if level in ("W3", "W4"):
        return [Said("withdrawn", ANY, about, ANY)]
    if level not in ("W1", "W2"):
        raise ValueError(f"a level is one of {', '.join(LEVELS)}")
    items = [code for code in ITEMS if code.startswith("contact.")]
    if level == "W2":
        items += [code for code in NEW_SAMPLES if code in ITEMS] + [COLLECT_NEW]
    return [Said("withdrawn", code, about, ANY) for code in items]


def withdraw_level(
    session: Session,
    *,
    subject: Subject,
    study: str | None,
    level: str,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """Stop at a level, in one study or in all. The same form again gives the first receipt.

    W4 also orders the hospital to destroy what can be destroyed, after `GRACE`. Raises ConsentError
    as `consent.recording.say` does.
    """
    about = ANY if study is None else study
    receipt = say(
        session,
        subject=subject,
        act="withdraw",
        study=study,
        said=said_at(level, study),
        form={"level": level, "study": about, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        circumstances=_with(circumstances, {"level": level}),
    )
    if level == "W4":
        order(session, subject, receipt, actor=actor, now=now)
    return receipt


def withdraw_item(
    session: Session,
    *,
    subject: Subject,
    study: str,
    item: str,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """W0: stop with one item of a study, and with all that the patient allowed that rests on it.

    Raises ConsentError `unknown_item`, and what `consent.recording.say` raises.
    """
    if item not in ITEMS:
        raise ConsentError("unknown_item")
    closed = [item, *_resting_on(session, subject, study, item)]
    return say(
        session,
        subject=subject,
        act="withdraw",
        study=study,
        said=[Said("withdrawn", code, study, ITEMS[code].category) for code in closed],
        form={"item": item, "study": study, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        circumstances=_with(circumstances, {"level": "W0"}),
    )


def allow_new(
    session: Session,
    *,
    subject: Subject,
    study: str,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """Let new data and samples be used again in one study, after W2.

    Raises ConsentError `text_not_found` without a text in force, and as `consent.recording.say`.
    """
    return say(
        session,
        subject=subject,
        act="record",
        study=study,
        said=[Said("granted", COLLECT_NEW, study, ANY)],
        form={"again": COLLECT_NEW, "study": study, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        text_version=text_for(session, study, now).id,
        circumstances=circumstances,
    )


def object_to(
    session: Session,
    *,
    subject: Subject,
    everything: bool,
    language: str,
    form_key: str,
    actor: Actor,
    now: datetime,
    circumstances: Circumstances,
) -> Receipt:
    """Object to use without being asked (`object.reuse`), or with `everything` to all use.

    An objection never expires. After a general one a patient is counted again only in a study they
    say yes to later. Raises ConsentError as `consent.recording.say` does.
    """
    item = ANY if everything else OBJECT_REUSE
    return say(
        session,
        subject=subject,
        act="object",
        study=None,
        said=[Said("objected", item, ANY, ANY)],
        form={"object": item, "language": language},
        language=language,
        form_key=form_key,
        actor=actor,
        now=now,
        circumstances=circumstances,
    )


def orders(session: Session, subject: Subject, party: str | None = None) -> Sequence[DestroyOrder]:
    """What this subject asked to destroy, newest first, with what came of it.

    party: only what this speaker asked; None for everybody's.
    """
    return session.scalars(
        select(DestroyOrder)
        .join(Receipt, Receipt.id == DestroyOrder.receipt_id)
        .where(
            DestroyOrder.subject_id == subject.id,
            *(() if party is None else (Receipt.party == party,)),
        )
        .order_by(DestroyOrder.ordered_at.desc())
    ).all()


def take_back(
    session: Session,
    subject: Subject,
    order_id: str,
    *,
    actor: Actor,
    now: datetime,
    party: str | None = None,
) -> DestroyOrder:
    """Take an order to destroy back while that is possible; later it stays as it is.

    party: whose orders may be taken back (`speakers.only`): of two parents neither undoes what the
    other asked; None for everybody's. The stop itself stays: nothing is used. Raises ConsentError
    `not_your_own`, `receipt_not_found` for an order of nobody or of somebody else.
    """
    if actor.kind != "patient" or actor.id != subject.id:
        raise ConsentError("not_your_own")
    found = next((each for each in orders(session, subject, party) if each.id == order_id), None)
    if found is None:
        raise ConsentError("receipt_not_found")
    if may_take_back(found, now):
        _cancel(session, found, actor, now)
    return found


def may_take_back(ordered: DestroyOrder, now: datetime) -> bool:
    """Whether the patient may still take this order back."""
    return ordered.cancelled_at is None and ordered.outcome is None and now < ordered.grace_until


def cancel_orders_of(session: Session, receipt: Receipt, *, actor: Actor, now: datetime) -> None:
    """Take back what was ordered in the act of this receipt, as far as that is possible."""
    for found in session.scalars(select(DestroyOrder).where(DestroyOrder.receipt_id == receipt.id)):
        if may_take_back(found, now):
            _cancel(session, found, actor, now)


def _cancel(session: Session, ordered: DestroyOrder, actor: Actor, now: datetime) -> None:
    ordered.cancelled_at = now
    session.flush()
    about = f"receipt:{ordered.receipt_id}"
    announce(session, actor=actor, action="consent.destroy_cancelled", about=about)


def order(
    session: Session, subject: Subject, receipt: Receipt, *, actor: Actor, now: datetime
) -> None:
    """Order this subject's hospital to destroy what can be destroyed; once for each receipt.

    Raises ConsentError `not_your_own`.
    """
    if actor.kind != "patient" or actor.id != subject.id or receipt.subject_id != subject.id:
        raise ConsentError("not_your_own")
    there = select(DestroyOrder.id).where(DestroyOrder.receipt_id == receipt.id).limit(1)
    if session.scalar(there) is not None:
        return
    session.add(
        DestroyOrder(
            subject_id=subject.id,
            receipt_id=receipt.id,
            study=receipt.study,
            what=list(DESTROYED),
            ordered_at=now,
            grace_until=now + GRACE,
        )
    )
    session.flush()
    about = f"receipt:{receipt.id}"
    announce(session, actor=actor, action="consent.destroy_ordered", about=about)


def _resting_on(session: Session, subject: Subject, study: str, item: str) -> list[str]:
    """What this subject ever allowed in this study that rests on `item`."""
    allowed = set(
        session.scalars(
            select(ConsentEvent.item).where(
                ConsentEvent.subject_id == subject.id,
                ConsentEvent.study == study,
                ConsentEvent.kind == "granted",
            )
        )
    )
    return [
        code for code in ITEMS if code in allowed and code != item and item in with_parents([code])
    ]


def _with(circumstances: Circumstances, more: Mapping[str, str]) -> Circumstances:
    return replace(circumstances, more={**circumstances.more, **more})
