"""Levels of stopping, orders to destroy, objections and taking back, on each real database."""

import secrets
from datetime import timedelta

import pytest

from consent import objecting, undoing, withdrawing
from consent import service as consent
from consent.acts import Circumstances
from consent.errors import ConsentError
from consent.models import Subject
from consent.proof import letter_prover
from consent.speakers import may_read, needed
from studies.actor import SYSTEM

from .conftest import NOW, STUDY, Hub

MINUTE = timedelta(minutes=1)
PROVE = letter_prover("ABC123", b"k" * 32)


def counts(hub: Hub, subject: Subject, minutes: int) -> bool:
    [study] = consent.choices(hub.session, subject, NOW + minutes * MINUTE)
    return study.counts


def stop(hub: Hub, subject: Subject, level: str, minutes: int, study: str | None = STUDY) -> str:
    key = f"stop-{level}-{minutes}"
    return hub.stop_level(subject, level, NOW + minutes * MINUTE, study, key).id


def undo(hub: Hub, subject: Subject, receipt: str, minutes: int, key: str = "") -> str:
    return undoing.undo(
        hub.session,
        subject=subject,
        receipt=consent.receipt(hub.session, subject, receipt),
        language="nl",
        form_key=key or secrets.token_hex(8),
        actor=consent.patient(subject),
        now=NOW + minutes * MINUTE,
        circumstances=Circumstances(prove=PROVE),
    ).id


def test_levels_and_taking_them_back(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    assert counts(hub, subject, 0)
    stop(hub, subject, "W1", 1)
    assert counts(hub, subject, 1)
    for minutes, level in ((2, "W2"), (4, "W3"), (6, "W4")):
        stopped = stop(hub, subject, level, minutes)
        assert stop(hub, subject, level, minutes) == stopped  # the same form, one act
        # Nothing new: what is there may be used on.
        [study] = consent.choices(hub.session, subject, NOW + minutes * MINUTE)
        assert study.counts == (level == "W2")
        assert (study.nothing_new is not None) == (level == "W2")
        undone = undo(hub, subject, stopped, minutes + 1, key=f"undo-{level}")
        assert undo(hub, subject, stopped, minutes + 1, key=f"undo-{level}") == undone
        [study] = consent.choices(hub.session, subject, NOW + (minutes + 1) * MINUTE)
        assert study.counts
        assert study.nothing_new is None
        with pytest.raises(ConsentError, match="choices_changed"):
            undo(hub, subject, stopped, minutes + 1)
    [order] = withdrawing.orders(hub.session, subject)
    assert order.cancelled_at is not None
    said = {line.item: line.kind for line in reversed(consent.history(hub.session, subject))}
    assert said["collect.new"] == "granted"
    with pytest.raises(ValueError, match="W1"):
        withdrawing.said_at("W9", STUDY)


def test_undoing_never_opens_what_was_closed(hub: Hub) -> None:
    subject = hub.subject()
    hub.answer(subject, study_join="no")
    yes = hub.answer(subject, at=NOW + MINUTE)
    assert counts(hub, subject, 1)
    undo(hub, subject, yes.id, 2)
    [study] = consent.choices(hub.session, subject, NOW + 2 * MINUTE)
    assert {item.item: item.state for item in study.items}["study.join"] == "refused"
    first = hub.subject()
    undo(hub, first, hub.answer(first).id, 3)
    assert not counts(hub, first, 3)
    late = hub.subject()
    receipt = hub.answer(late)
    with pytest.raises(ConsentError, match="choices_changed"):
        undo(hub, late, receipt.id, 24 * 60 + 10)


def test_orders_and_objections_are_the_patients_own(hub: Hub) -> None:
    subject, other = hub.subject(), hub.subject()
    hub.answer(subject)
    stop(hub, subject, "W4", 1, study=None)
    [order] = withdrawing.orders(hub.session, subject)
    for who, actor, code in (
        (subject, SYSTEM, "not_your_own"),
        (other, consent.patient(other), "receipt_not_found"),
    ):
        with pytest.raises(ConsentError, match=code):
            withdrawing.take_back(hub.session, who, order.id, actor=actor, now=NOW)
    late = order.grace_until
    own = consent.patient(subject)
    withdrawing.take_back(hub.session, subject, order.id, actor=own, now=late)
    assert order.cancelled_at is None
    withdrawing.take_back(hub.session, subject, order.id, actor=own, now=late - MINUTE)
    assert order.cancelled_at == late - MINUTE
    assert objecting.objected_since(hub.session, subject) is None
    withdrawing.object_to(
        hub.session,
        subject=other,
        everything=False,
        language="nl",
        form_key="objection",
        actor=consent.patient(other),
        now=NOW,
        circumstances=Circumstances(),
    )
    assert objecting.objected_since(hub.session, other) is not None
    assert needed(hub.session, subject, NOW) == {"self"}
    assert may_read(hub.session, subject, "self", "p-one", NOW)
    assert not may_read(hub.session, subject, "p-one", "self", NOW)
