"""A patient's part of the API: two times, receipts, deliveries, uses, and acts with their proof."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from consent import letters
from consent.acts import Circumstances
from consent.models import ConsentEvent, Invitation, Subject
from consent.models_people import DestroyOrder, Party, Use
from consent.proof import Statement, act_of, proof_key
from consent.service import publish_snapshots, record, store_ack, text_for
from registry.accounts.models import AccountSession
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.events import announce

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
OWN = "hormone-therapy"
CHOICES = f"/api/v1/me/studies/{OWN}/choices"


@pytest.fixture
def send(form_token: FormToken) -> Callable[..., Any]:
    """``send(client, path, body, key)``: as a program with the patient's session does it."""

    def make(client: FlaskClient, path: str, body: Any, key: str) -> Any:
        headers = {"X-CSRFToken": form_token(client), "Idempotency-Key": key}
        return client.post(path, json=body, headers=headers)

    return make


def form(client: FlaskClient, answer: str, **more: Any) -> dict[str, Any]:
    (choices,) = client.get("/api/v1/me/choices").get_json()
    answers = {item["item"]: answer for item in choices["items"]}
    return {"text_version": choices["text_version"], "answers": answers, "language": "nl", **more}


def test_what_counted_then_and_what_was_known_then(
    signed_in: SignedIn, send: Callable[..., Any], clock: Any
) -> None:
    before = clock.now
    clock.now += timedelta(hours=1)
    client = signed_in("mine")
    (lasting,) = client.get("/api/v1/me/choices").get_json()
    assert lasting["ask_again"][:4] == "2031"
    assert lasting["ends"][:4] == "2056"
    stop = send(client, "/api/v1/me/withdrawals", {"study": OWN, "language": "nl"}, "stop-0001")
    assert stop.status_code == 200, stop.get_json()
    (lasting,) = client.get("/api/v1/me/choices").get_json()
    assert (lasting["ask_again"], lasting["ends"]) == (None, None)
    clock.now += timedelta(hours=1)
    client = signed_in("mine")

    def permits(**query: str) -> set[bool]:
        (state,) = client.get("/api/v1/me/state", query_string=query).get_json()
        return {item["permits"] for item in state["items"]}

    then, now = before.isoformat(), clock.now.isoformat()
    assert permits() == permits(at=now) == {False}
    assert permits(at=then) == {True}
    # By what was known before the stop it would still count.
    assert permits(known_at=then) == permits(at=now, known_at=then) == {True}
    (state,) = client.get("/api/v1/me/state").get_json()
    assert {item["state"] for item in state["items"]} == {"withdrawn"}
    long_ago = (before - timedelta(days=365)).isoformat()
    assert client.get("/api/v1/me/state", query_string={"at": long_ago}).get_json() == []
    tomorrow = (clock.now + timedelta(days=1)).isoformat()
    refused = client.get("/api/v1/me/state", query_string={"at": tomorrow})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "NOT_UNDERSTOOD")
    assert client.get("/api/v1/me/state", query_string={"at": "yesterday"}).status_code == 422


def test_receipts_deliveries_and_uses(
    signed_in: SignedIn, factory: SessionFactory, world: Any, clock: Any
) -> None:
    client = signed_in("mine")
    (row,) = client.get("/api/v1/me/receipts").get_json()
    assert (row["receipt"], row["study"], row["latest"]) == (world.receipts["mine"], OWN, True)
    (waiting,) = client.get("/api/v1/me/deliveries").get_json()
    assert (waiting["site"], waiting["received_at"]) == ("catharina", None)
    assert client.get("/api/v1/me/uses").get_json() == []
    with factory() as session:
        site = Actor(kind="site", id="catharina")
        publish_snapshots(session, lambda _site, _claims: b"signed", ["catharina"], now=clock.now)
        store_ack(
            session,
            site="catharina",
            seq=1,
            status="applied",
            code=None,
            applied_at=clock.now,
            now=clock.now,
            notice_days=7,
            actor=site,
        )
        session.add(
            Use(site="catharina", query_id="ab" * 32, study=OWN, seq=1, band="10-19", at=clock.now)
        )
        session.commit()
    (delivered,) = client.get("/api/v1/me/deliveries").get_json()
    assert delivered["received_at"] is not None
    assert delivered["notice_days"] == 7
    # The page never says more than the hospital will do.
    page = client.get("/mijn/keuzes").get_data(as_text=True)
    assert "Het “ja” telt 7 dagen later." in page
    for path in ("receipts", "deliveries", "uses", "state", "choices", "history"):
        first = client.get(f"/api/v1/me/{path}")
        same = {"If-None-Match": first.headers["ETag"]}
        assert client.get(f"/api/v1/me/{path}", headers=same).status_code == 304, path


def test_a_yes_needs_a_proof(
    signed_in: SignedIn, send: Callable[..., Any], world: Any, factory: SessionFactory
) -> None:
    client = signed_in("mine")
    refused = send(client, CHOICES, form(client, "yes"), "yes-key-0001")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "proof_needed")
    # Somebody else's letter is answered like a wrong one.
    for code in (world.codes["theirs"], "AAAAAA-AAAA-AAAA-AAAA-AAAA", "nonsense"):
        refused = send(client, CHOICES, form(client, "yes", letter_code=code), "yes-key-0001")
        assert (refused.status_code, refused.get_json()["code"]) == (401, "code_invalid"), code
    proved = form(client, "yes", letter_code=world.codes["mine"])
    made = send(client, CHOICES, proved, "yes-key-0001")
    assert made.status_code == 200, made.get_json()
    assert send(client, CHOICES, proved, "yes-key-0001").get_json() == made.get_json()
    with factory() as session:
        receipt = made.get_json()["receipt"]
        events = session.scalars(select(ConsentEvent).where(ConsentEvent.receipt_id == receipt))
        proofs = [event.proof for event in events]
    assert proofs
    assert all(proof is not None and proof["kind"] == "letter" for proof in proofs)
    secret = world.codes["mine"].replace("-", "")[6:]
    assert secret not in str(proofs)
    # A no needs nothing.
    assert send(client, CHOICES, form(client, "no"), "no-key-00001").status_code == 200


def test_a_proof_made_by_the_client(
    signed_in: SignedIn,
    send: Callable[..., Any],
    world: Any,
    clock: Any,
    factory: SessionFactory,
) -> None:
    client = signed_in("mine")
    clock.now += timedelta(minutes=3)
    parts = client.get(f"/api/v1/me/studies/{OWN}/statement").get_json()
    body = form(client, "yes")
    letter, theirs = (letters.read_code(world.codes[name]) for name in ("mine", "theirs"))
    assert letter is not None
    assert theirs is not None
    at, key = clock.now - timedelta(minutes=1), "client-key-01"

    def proof(**change: Any) -> dict[str, Any]:
        statement = Statement(
            **{**parts, "yes": tuple(body["answers"]), "at": at, "act": act_of(key)}
        )
        mac = statement.mac(proof_key(letter.code_id, letter.secret)).hex()
        return {"by": letter.code_id, "at": at.isoformat(), "mac": mac, **change}

    late = (clock.now - timedelta(minutes=6)).isoformat()
    early = (clock.now + timedelta(minutes=1)).isoformat()
    for change, status in (
        ({"by": theirs.code_id}, 401),
        ({"by": "ZZZZZZ"}, 401),
        ({"at": late}, 422),
        ({"at": early}, 422),
        ({"mac": "zz"}, 422),
    ):
        assert send(client, CHOICES, {**body, "proof": proof(**change)}, key).status_code == status
    made = send(client, CHOICES, {**body, "proof": proof()}, key)
    assert made.status_code == 200, made.get_json()
    with factory() as session:
        receipt = made.get_json()["receipt"]
        event = session.scalars(
            select(ConsentEvent).where(ConsentEvent.receipt_id == receipt)
        ).first()
        assert event is not None
        assert event.effective_at == at
        # What the hospital will recompute is what the client signed.
        assert event.proof is not None
        assert event.proof["mac"] == proof()["mac"]
    assert client.get("/api/v1/me/studies/other-study/statement").status_code == 404


@pytest.mark.parametrize(
    ("body", "kinds", "orders"),
    [
        ({"study": OWN, "level": "W0", "item": "use.network"}, {("withdrawn", "use.network")}, 0),
        ({"study": OWN, "level": "W1"}, {("withdrawn", "contact.questionnaire")}, 0),
        ({"study": None, "level": "W2"}, {("withdrawn", "collect.new")}, 0),
        ({"study": OWN, "level": "W3"}, {("withdrawn", "*")}, 0),
        ({"study": None, "level": "W4"}, {("withdrawn", "*")}, 1),
    ],
)
def test_the_levels_of_stopping(
    signed_in: SignedIn,
    send: Callable[..., Any],
    factory: SessionFactory,
    body: dict[str, Any],
    kinds: set[tuple[str, str]],
    orders: int,
) -> None:
    client = signed_in("mine")
    body = {**body, "language": "nl"}
    made = send(client, "/api/v1/me/withdrawals", body, "level-key-01")
    assert made.status_code == 200, made.get_json()
    assert send(client, "/api/v1/me/withdrawals", body, "level-key-01").get_json() == (
        made.get_json()
    )
    with factory() as session:
        events = session.scalars(
            select(ConsentEvent).where(ConsentEvent.receipt_id == made.get_json()["receipt"])
        )
        assert {(event.kind, event.item) for event in events} >= kinds
        assert len(session.scalars(select(DestroyOrder)).all()) == orders


def test_a_damaged_log_holds_no_stop_up(
    signed_in: SignedIn, send: Callable[..., Any], factory: SessionFactory, clock: Any
) -> None:
    """The receipt cannot be proved then; the "no" is written down all the same."""
    with factory() as session:
        session.connection().exec_driver_sql("DROP TRIGGER log_leaf_no_delete")
        session.connection().exec_driver_sql("DELETE FROM log_leaf WHERE number = 0")
        announce(session, actor=SYSTEM, action="consent.damaged", about="test")
        session.commit()
    clock.now += timedelta(minutes=1)
    client = signed_in("mine")
    body = {"study": OWN, "language": "nl"}
    made = send(client, "/api/v1/me/withdrawals", body, "stop-0001")
    assert (made.status_code, made.get_json()["document"]) == (200, {})
    with factory() as session:
        number = made.get_json()["receipt"]
        query = select(ConsentEvent.kind).where(ConsentEvent.receipt_id == number)
        assert session.scalars(query).all() == ["withdrawn"]


def test_stopping_and_objecting_are_checked(signed_in: SignedIn, send: Callable[..., Any]) -> None:
    client = signed_in("mine")
    for body in (
        {"study": OWN, "level": "W0"},
        {"study": None, "level": "W0", "item": "use.record"},
        {"study": OWN, "level": "W3", "item": "use.record"},
        {"study": OWN, "level": "W9"},
    ):
        refused = send(client, "/api/v1/me/withdrawals", {**body, "language": "nl"}, "wrong-key-1")
        assert refused.status_code == 422, body
    unknown = {"study": OWN, "level": "W0", "item": "use.nothing", "language": "nl"}
    refused = send(client, "/api/v1/me/withdrawals", unknown, "wrong-key-1")
    assert (refused.status_code, refused.get_json()["code"]) == (422, "unknown_item")
    absent = {"study": "no-such-study", "language": "nl"}
    assert send(client, "/api/v1/me/withdrawals", absent, "wrong-key-1").status_code == 404
    objected = {"everything": True, "language": "nl"}
    made = send(client, "/api/v1/me/objections", objected, "object-key1")
    assert made.status_code == 200, made.get_json()
    (state,) = client.get("/api/v1/me/state").get_json()
    assert {(item["state"], item["permits"]) for item in state["items"]} == {("objected", False)}


def test_of_two_parents_neither_sees_what_the_other_answered(
    signed_in: SignedIn, factory: SessionFactory, world: Any, clock: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        subject = session.get_one(Subject, world.patients["mine"])
        letter = session.scalars(
            select(Invitation).where(Invitation.subject_id == subject.id)
        ).one()
        assert letter.party == "self"
        for party in ("p-1", "p-2"):
            session.add(
                Party(
                    subject_id=subject.id,
                    party=party,
                    role="parent",
                    valid_from=clock.now - timedelta(days=1),
                    recorded_at=clock.now - timedelta(days=1),
                )
            )
        announce(session, actor=SYSTEM, action="consent.party", about=f"subject:{subject.id}")
        session.flush()
        text = text_for(session, OWN, clock.now)
        theirs = record(
            session,
            subject=subject,
            study=OWN,
            answers=dict.fromkeys(text.content["items"], "no"),
            text_version=text.id,
            language="nl",
            form_key="parent-two-01",
            actor=Actor(kind="patient", id=subject.id),
            now=clock.now,
            circumstances=Circumstances(party="p-2", role="parent"),
        ).id
    client = signed_in("mine")
    with unit_of_work(factory, SYSTEM) as session:
        for row in session.scalars(select(AccountSession)):
            row.party = "p-1"
    assert client.get("/api/v1/me/history").get_json() == []
    assert client.get("/api/v1/me/receipts").get_json() == []
    for path in (
        f"/api/v1/me/receipts/{theirs}",
        f"/api/v1/dpv/{theirs}",
        f"/api/v1/fhir/Consent/{theirs}",
    ):
        assert client.get(path).status_code == 404, path
    seen = client.get("/api/v1/fhir/Consent").get_data(as_text=True)
    assert theirs not in seen
    assert "refused" not in seen
    assert "refused" not in client.get("/api/v1/me/state").get_data(as_text=True)
    assert "refused" not in client.get("/api/v1/me/choices").get_data(as_text=True)
