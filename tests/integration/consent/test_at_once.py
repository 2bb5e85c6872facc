"""Many forms written at once are what the same forms are one by one."""

import secrets
from datetime import timedelta

import pytest
from sqlalchemy import select

from consent import service as consent
from consent.errors import ConsentError
from consent.grounds import state_of
from consent.log import root
from consent.models import ConsentEvent, LogHead, LogLeaf, Receipt, Subject
from consent.proof import Statement, letter_prover
from consent.subjects import handle_text
from studies.actor import SYSTEM
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, YES, Hub

KEY, NO = b"k" * 32, dict.fromkeys(YES, "no")
SITE = "zuyderland"
PROVE = letter_prover("ABC123", KEY)


def handles(count: int) -> list[bytes]:
    return [secrets.token_bytes(20) for _ in range(count)]


def forms(of: list[bytes], answers: object = YES, key: str = "first") -> list[consent.Form]:
    return [consent.Form(handle, answers, key, PROVE) for handle in of]  # type: ignore[arg-type]


def write(hub: Hub, given: list[consent.Form], **more: object) -> dict[bytes, str]:
    around = {
        "site": SITE, "network": ONCOZON.slug, "study": STUDY, "text_version": hub.text,
        "language": "nl", "forms": given, "actor": SYSTEM, "now": NOW,
    }  # fmt: skip
    return consent.record_at_once(hub.session, **{**around, **more})  # type: ignore[arg-type]


def test_they_count_are_proved_and_stand_in_the_tree(hub: Hub) -> None:
    before = hub.answer(hub.subject(SITE))
    yes, no, gone = handles(2_100), handles(3), handles(2)
    found = write(hub, [*forms(yes), *forms(no, NO), *forms(gone)])
    write(hub, forms(gone, None, "stop"), now=NOW + timedelta(hours=1))

    columns = tuple((STUDY, item) for item in HORMONE_THERAPY.requires)
    later = NOW + timedelta(hours=2)
    state = state_of(hub.session, SITE, ONCOZON.slug, columns, later, later)
    named = {
        handle for handle, yes_to in zip(state.handles, state.granted[0], strict=True) if yes_to
    }
    assert set(yes) < named
    assert named.isdisjoint([*no, *gone])
    head = hub.session.get_one(LogHead, ONCOZON.slug)
    said = hub.session.scalars(select(ConsentEvent.leaf).order_by(ConsentEvent.leaf)).all()
    assert list(said) == list(range(head.size)), "one leaf each, without a gap"
    leaves = hub.session.scalars(select(LogLeaf.hash).order_by(LogLeaf.number)).all()
    assert root(list(leaves)).hex() == head.root
    receipt = hub.session.scalars(select(Receipt).where(Receipt.subject_id == found[yes[7]])).one()
    assert root(list(leaves)[: receipt.tree_size]).hex() == receipt.tree_root
    assert receipt.first_leaf > before.first_leaf
    # The proof is the letter's, over exactly this statement.
    event = hub.session.scalars(
        select(ConsentEvent).where(ConsentEvent.receipt_id == receipt.id)
    ).first()
    assert event is not None
    assert (event.actor_kind, event.actor_id) == ("patient", found[yes[7]])
    proof = event.proof
    assert proof is not None
    statement = Statement(
        network=ONCOZON.slug, site=SITE, handle=handle_text(yes[7]), party="self", study=STUDY,
        text_version=hub.text, yes=tuple(sorted(YES)), at=event.effective_at, act=proof["act"],
    )  # fmt: skip
    assert statement.proved_by(bytes.fromhex(proof["mac"]), KEY)


def test_one_event_says_what_one_by_one_it_says(hub: Hub) -> None:
    hub.answer(hub.subject(SITE))
    write(hub, forms(handles(1)))
    once, at_once = (
        hub.session.scalars(select(ConsentEvent).where(ConsentEvent.receipt_id == receipt)).all()
        for receipt in hub.session.scalars(select(Receipt.id).order_by(Receipt.first_leaf))
    )
    own = {"id", "subject_id", "receipt_id", "salt", "leaf", "actor_id", "proof"}
    own |= {"effective_at", "recorded_at", "until"}
    names = [c.name for c in ConsentEvent.__table__.columns if c.name not in own]
    for one, other in zip(once, at_once, strict=True):
        assert {n: getattr(one, n) for n in names} == {n: getattr(other, n) for n in names}
        assert one.until - one.effective_at == other.until - other.effective_at


def test_a_form_is_taken_once_and_only_a_right_one(hub: Hub) -> None:
    first = handles(1)
    write(hub, forms(first))
    with pytest.raises(ConsentError, match="idempotency_conflict"):
        write(hub, forms(first))
    with pytest.raises(ConsentError, match="idempotency_conflict"):
        write(hub, [*forms(handles(1)) * 2])
    for wrong, code in (
        ({"study": "nothing"}, "study_not_found"),
        ({"site": "nowhere"}, "unknown_site"),
        ({"text_version": "7" * 64}, "text_version_not_current"),
        ({"language": "de"}, "unknown_language"),
        ({"forms": forms(handles(1), {"use.record": "yes"})}, "answer_missing"),
        ({"forms": forms(handles(1), {**YES, "use.record": "perhaps"})}, "unknown_answer"),
    ):
        with pytest.raises(ConsentError, match=code):
            write(hub, forms(handles(1)), **wrong)
    assert hub.session.query(Subject).count() == 1, "nothing of a wrong batch stays"
