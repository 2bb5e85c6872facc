"""Acts that meet: the same form key of two parents, an undo and a stop at the same moment."""

import secrets
from datetime import timedelta

import pytest

from consent import recording, undoing, withdrawing
from consent.acts import Circumstances
from consent.errors import ConsentError
from consent.proof import letter_prover
from consent.subjects import patient

from .conftest import NOW, STUDY, YES

PROVED = Circumstances(prove=letter_prover("TEST01", b"k" * 32))


def answer(hub, subject, party, key, at=NOW):
    return recording.record(
        hub.session,
        subject=subject,
        study=STUDY,
        answers=YES,
        text_version=hub.text,
        language="nl",
        form_key=key,
        actor=patient(subject),
        now=at,
        circumstances=Circumstances(party=party, role="parent", prove=PROVED.prove),
    )


def test_the_form_of_one_parent_is_never_the_receipt_of_the_other(hub) -> None:
    """The second would believe to have said yes, and would read the first one's answers."""
    subject = hub.subject()
    first = answer(hub, subject, "p-one", "one-key")
    assert answer(hub, subject, "p-one", "one-key") is first
    with pytest.raises(ConsentError, match="idempotency_conflict"):
        answer(hub, subject, "p-two", "one-key")


def test_a_stop_that_comes_while_an_undo_waits_is_not_undone(hub, monkeypatch) -> None:
    """What another window says until the undo has the log for itself is seen by the undo."""
    subject = hub.subject()
    hub.answer(subject)
    later = hub.answer(subject, NOW + timedelta(minutes=1), use_record="no")
    real = undoing.locked_head

    def waits(session, network, now):
        monkeypatch.setattr(undoing, "locked_head", real)
        hub.stop(subject, NOW + timedelta(minutes=2))
        return real(session, network, now)

    monkeypatch.setattr(undoing, "locked_head", waits)
    with pytest.raises(ConsentError, match="choices_changed"):
        undoing.undo(
            hub.session,
            subject=subject,
            receipt=later,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=patient(subject),
            now=NOW + timedelta(minutes=3),
            circumstances=PROVED,
        )


def test_an_order_is_taken_back_by_who_may(hub) -> None:
    subject = hub.subject()
    hub.answer(subject)
    withdrawing.withdraw_level(
        hub.session,
        subject=subject,
        study=STUDY,
        level="W4",
        language="nl",
        form_key=secrets.token_hex(8),
        actor=patient(subject),
        now=NOW,
        circumstances=Circumstances(party="p-one", role="parent"),
    )
    [order] = withdrawing.orders(hub.session, subject)
    assert list(withdrawing.orders(hub.session, subject, "p-one")) == [order]
    assert not withdrawing.orders(hub.session, subject, "p-two")
    own = {"actor": patient(subject), "now": NOW}
    with pytest.raises(ConsentError, match="receipt_not_found"):
        withdrawing.take_back(hub.session, subject, order.id, party="p-two", **own)
    assert withdrawing.take_back(hub.session, subject, order.id, **own).cancelled_at == NOW
