"""A "no" goes to the linked hospitals too; and what each of them did with it.

A "yes" never does: another hospital needs the proof of its own letter (linking.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import g
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import links, speakers, withdrawing
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_people import DestroyOrder
from consent.rule import SELF
from consent.subjects import patient
from registry.accounts import proving
from registry.pages.patient_person import Arrival, arrivals
from registry.translate import language


def carry(session: Session, receipt: Receipt, level: str = "") -> None:
    """Say every "no" of this act at the linked hospitals, and order there what was ordered here."""
    made = links.carry_no(
        session,
        receipt,
        language=language(),
        circumstances=proving.circumstances(_shown(session, receipt)),
        now=g.now,
    )
    for each in made if level == "W4" else ():
        other = session.get_one(Subject, each.subject_id)
        withdrawing.order(session, other, each, actor=patient(other), now=g.now)


def _shown(session: Session, receipt: Receipt) -> str:
    """The hash of what was on the screen when this was said."""
    found = session.scalar(
        select(ConsentEvent.evidence).where(ConsentEvent.receipt_id == receipt.id).limit(1)
    )
    return "" if found is None else str(found.get("page_sha256", ""))


def everywhere(session: Session, subject: Subject, receipt: Receipt) -> list[Arrival]:
    """Per hospital, the patient's own first: whether it has the choice of this act."""
    found = arrivals(session, subject, receipt)
    for each in carried(session, receipt):
        found += arrivals(session, session.get_one(Subject, each.subject_id), each)
    return found


def carried(session: Session, receipt: Receipt) -> Sequence[Receipt]:
    """The receipts of the same "no" at linked hospitals."""
    return session.scalars(
        select(Receipt).where(Receipt.form_key == f"link:{receipt.id}", Receipt.act == "withdraw")
    ).all()


def orders_everywhere(session: Session, subject: Subject) -> list[tuple[str, DestroyOrder]]:
    """What was ordered to be destroyed, with the hospital, newest first: what others who decide
    for this patient ordered is theirs."""
    found = [
        (one.site, order)
        for one in _everywhere(session, subject)
        for order in withdrawing.orders(session, one, _only(session, subject))
    ]
    return sorted(found, key=lambda pair: pair[1].ordered_at, reverse=True)


def take_back(session: Session, subject: Subject, order_id: str) -> None:
    """Take an order back, at the linked hospital where it was carried to. ConsentError as
    `consent.withdrawing.take_back`."""
    party = _only(session, subject)
    for one in _everywhere(session, subject)[1:]:
        if any(order.id == order_id for order in withdrawing.orders(session, one, party)):
            withdrawing.take_back(
                session, one, order_id, actor=patient(one), now=g.now, party=party
            )
            return
    withdrawing.take_back(session, subject, order_id, actor=g.actor, now=g.now, party=party)


def keep_all(session: Session, receipt: Receipt) -> None:
    """After this stop was taken back: nothing is destroyed at the linked hospitals either. They
    go on not using anything, until the patient says yes there."""
    for each in carried(session, receipt):
        other = session.get_one(Subject, each.subject_id)
        withdrawing.cancel_orders_of(session, each, actor=patient(other), now=g.now)


def _everywhere(session: Session, subject: Subject) -> list[Subject]:
    """The patient here and, for the patient alone, at linked hospitals: a representative speaks
    for one patient at one hospital."""
    return [subject, *(links.linked(session, subject) if g.visit.party == SELF else ())]


def _only(session: Session, subject: Subject) -> str | None:
    return speakers.only(session, subject, g.visit.party, g.now)
