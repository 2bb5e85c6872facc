"""Passkeys at the hub: enrolled under a letter, one use per challenge, no surer than the letter."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from authenticator import PRESENT, Authenticator
from flask import g
from flask.testing import FlaskClient
from patients_door import DIGITS, STUDY, Inviting, in_request_of
from sqlalchemy import select

from consent.encoding import b64
from consent.errors import ConsentError
from consent.letters import Letter
from consent.models import Subject
from consent.models_people import Passkey
from consent.proof import Statement, act_of, proof_key
from registry.accounts import passkeys, signing
from registry.accounts.models import AccountSession
from registry.app import HubApp
from registry.database import SessionFactory
from registry.transaction import current_session

FormToken = Callable[[FlaskClient], str]


pytestmark = pytest.mark.usefixtures("argon2")


@pytest.fixture
def enter(
    app: HubApp, invite: Inviting, form_token: FormToken
) -> Callable[..., tuple[FlaskClient, Letter]]:
    """A browser that came in with a letter of its own."""

    def make(
        handle: bytes = b"patient-of-the-tests", digits: str | None = DIGITS
    ) -> tuple[FlaskClient, Letter]:
        made = invite(handle, digits=digits)
        client = app.test_client()
        token = form_token(client)
        client.post("/mijn", data={"code": made.printed, "csrf_token": token})
        if digits is not None:
            client.post("/mijn/cijfers", data={"digits": digits, "csrf_token": form_token(client)})
        assert client.get("/mijn/inloggen").status_code == 200
        return client, made

    return make


def send(client: FlaskClient, path: str, token: str, body: object = None) -> Any:
    return client.post(path, json=body or {}, headers={"X-CSRFToken": token})


def enrol(client: FlaskClient, device: Authenticator, token: str, **more: Any) -> Any:
    options = send(client, "/mijn/inloggen/opties", token).get_json()
    return send(client, "/mijn/inloggen/nieuw", token, device.make(options, **more))


def come_in(client: FlaskClient, device: Authenticator, token: str, **changed: Any) -> Any:
    options = send(client, "/mijn/sleutel/opties", token).get_json()
    return send(client, "/mijn/sleutel", token, device.sign(options, **changed))


def level(factory: SessionFactory) -> list[str]:
    with factory() as session:
        return sorted(row.level for row in session.scalars(select(AccountSession)))


def test_enrolled_under_the_letter_and_then_a_way_in(
    app: HubApp, enter: Any, factory: SessionFactory, form_token: FormToken
) -> None:
    client, made = enter()
    before = client.get_cookie("oncokring")
    device = Authenticator()
    assert enrol(client, device, form_token(client)).status_code == 200
    assert client.get_cookie("oncokring") != before  # a surer session has another id
    assert client.get("/mijn/inloggen").status_code == 200
    assert level(factory) == ["letter+second+passkey"]
    with client:
        client.get("/mijn/inloggen")
        assert g.proof_key == proof_key(made.code_id, made.secret)
    with factory() as session:
        key = session.scalars(select(Passkey)).one()
        subject = session.get_one(Subject, key.subject_id)
        enrolment = passkeys.enrolment_of(subject, key)
        mac = bytes.fromhex(key.enrolled["mac"])
        assert enrolment.proved_by(mac, proof_key(made.code_id, made.secret))
        assert key.enrolled["by"] == made.code_id

    phone = app.test_client()
    response = come_in(phone, device, form_token(phone))
    assert response.get_json() == {"next": "/mijn/keuzes"}
    assert phone.get("/mijn/inloggen").status_code == 200
    assert phone.get_cookie("oncokring-proof") is None  # the letter stayed at home
    assert level(factory) == ["letter+second+passkey"] * 2


def test_a_passkey_is_never_surer_than_the_letter_that_vouched_for_it(
    app: HubApp, enter: Any, factory: SessionFactory, form_token: FormToken
) -> None:
    client, _made = enter(digits=None)
    device = Authenticator()
    enrol(client, device, form_token(client))
    phone = app.test_client()
    come_in(phone, device, form_token(phone))
    assert level(factory) == ["letter", "letter"]


def test_without_the_letter_no_passkey(enter: Any, form_token: FormToken) -> None:
    client, made = enter()
    client.delete_cookie("oncokring-proof")
    token = form_token(client)
    assert enrol(client, Authenticator(), token).status_code == 409
    page = client.get("/mijn/inloggen").get_data(as_text=True)
    assert 'id="letter"' in page
    client.post("/mijn/inloggen/brief", data={"letter": made.printed, "csrf_token": token})
    assert enrol(client, Authenticator(), form_token(client)).status_code == 200


@pytest.mark.parametrize(
    "device",
    [
        Authenticator(rp_id="evil.example"),
        Authenticator(origin="http://evil.example"),
        Authenticator(flags=PRESENT),
        Authenticator(flags=0),
    ],
    ids=["other hub", "other page", "not verified", "nobody there"],
)
def test_a_device_that_is_not_right_is_not_enrolled(
    enter: Any, factory: SessionFactory, form_token: FormToken, device: Authenticator
) -> None:
    client, _made = enter()
    assert enrol(client, device, form_token(client)).status_code == 409
    with factory() as session:
        assert session.scalars(select(Passkey)).all() == []


def test_certificates_of_a_device_are_refused_unread(enter: Any, form_token: FormToken) -> None:
    client, _made = enter()
    response = enrol(client, Authenticator(), form_token(client), fmt="packed")
    assert response.status_code == 409


def test_a_challenge_is_used_once_and_only_for_what_it_was_made(
    app: HubApp, enter: Any, form_token: FormToken, clock: Any
) -> None:
    client, _made = enter()
    device = Authenticator()
    enrol(client, device, form_token(client))
    phone = app.test_client()
    token = form_token(phone)
    options = send(phone, "/mijn/sleutel/opties", token).get_json()
    kept = phone.get_cookie("oncokring-challenge")
    assert kept is not None
    answer = device.sign(options)
    assert send(phone, "/mijn/sleutel", token, answer).status_code == 200
    thief = app.test_client()
    thief.set_cookie("oncokring-challenge", kept.value)
    replayed = send(thief, "/mijn/sleutel", form_token(thief), answer)
    assert replayed.status_code == 401
    assert thief.get_cookie("oncokring") is None
    made_for_enrolment = send(client, "/mijn/inloggen/opties", form_token(client)).get_json()
    signed = device.sign(made_for_enrolment)
    assert send(client, "/mijn/sleutel", form_token(client), signed).status_code == 401


def test_every_wrong_passkey_gets_the_same_answer(
    app: HubApp, enter: Any, form_token: FormToken, factory: SessionFactory, clock: Any
) -> None:
    client, _made = enter()
    device, gone = Authenticator(), Authenticator()
    enrol(client, device, form_token(client))
    enrol(client, gone, form_token(client))
    number = b64(gone.number)
    client.post("/mijn/inloggen/weg", data={"key": number, "csrf_token": form_token(client)})

    def body(device: Authenticator, **changed: Any) -> tuple[int, str]:
        phone = app.test_client()
        response = come_in(phone, device, form_token(phone), **changed)
        return response.status_code, str(response.get_json(silent=True))

    stranger = Authenticator(number=device.number)
    unverified = Authenticator(number=device.number, key=device.key, flags=PRESENT)
    answers = [
        body(Authenticator()),
        body(gone),
        body(stranger),
        body(unverified),
        body(device, origin="http://evil.example"),
        body(device, challenge="AAAA"),
    ]
    assert set(answers) == {(401, answers[0][1])}


def test_a_copied_device_that_lags_behind_is_refused(
    app: HubApp, enter: Any, form_token: FormToken
) -> None:
    client, _made = enter()
    device = Authenticator(count=7)
    enrol(client, device, form_token(client))
    phone = app.test_client()
    assert come_in(phone, device, form_token(phone)).status_code == 200
    device.count = 3
    other = app.test_client()
    assert come_in(other, device, form_token(other)).status_code == 401


def test_nobody_removes_the_passkey_of_another(
    enter: Any, form_token: FormToken, factory: SessionFactory
) -> None:
    client, _made = enter()
    device = Authenticator()
    enrol(client, device, form_token(client))
    other, _letter = enter(b"other-patient-000001")
    number = b64(device.number)
    other.post("/mijn/inloggen/weg", data={"key": number, "csrf_token": form_token(other)})
    with factory() as session:
        assert session.scalars(select(Passkey)).one().removed_at is None


def test_a_new_letter_ends_the_passkeys_of_the_one_it_replaces(
    app: HubApp, enter: Any, form_token: FormToken, invite: Inviting, clock: Any
) -> None:
    client, _made = enter()
    device = Authenticator()
    enrol(client, device, form_token(client))
    clock.now += timedelta(days=91)  # the letter came to its end: nothing is wrong with it
    phone = app.test_client()
    assert come_in(phone, device, form_token(phone)).status_code == 200
    invite()
    phone = app.test_client()
    assert come_in(phone, device, form_token(phone)).status_code == 200

    client, _made = enter(b"robbed-patient-00001")
    thief = Authenticator()
    enrol(client, thief, form_token(client))
    invite(b"robbed-patient-00001")  # stolen: the hospital sends another
    phone = app.test_client()
    assert come_in(phone, thief, form_token(phone)).status_code == 401


def test_a_session_is_never_made_less_sure_by_a_passkey(
    app: HubApp, enter: Any, form_token: FormToken, factory: SessionFactory
) -> None:
    client, _made = enter()
    with factory() as session:
        session.scalars(select(AccountSession)).one().level = "site-broker-substantial"
        session.commit()
    enrol(client, Authenticator(), form_token(client))
    assert level(factory) == ["site-broker-substantial"]


def test_tries_are_limited(app: HubApp, form_token: FormToken) -> None:
    client = app.test_client()
    token = form_token(client)
    statuses = [send(client, "/mijn/sleutel", token, {"id": "x"}).status_code for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2


YES = ("use.network", "use.record")


def test_a_choice_is_signed_on_the_page_and_proved_as_it_was_shown(
    app: HubApp, enter: Any, form_token: FormToken, factory: SessionFactory, clock: Any
) -> None:
    client, _made = enter()
    device = Authenticator()
    enrol(client, device, form_token(client))
    with in_request_of(app, client, factory):
        subject = current_session().get_one(Subject, g.actor.id)
        page = signing.for_page(
            subject, study=STUDY, text_version="t" * 64, yes=YES, form_key="form-1"
        )
        assert page is not None
        answer = json.dumps(device.sign(json.loads(page["options"])))
        form = {"signed_statement": page["statement"], "signed_answer": answer}
        prove = signing.prover_of(form)
        assert prove is not None
        who = (subject.network, subject.site, subject.handle, "self", STUDY)
        said = Statement(*who, "t" * 64, YES, clock.now, act_of("form-1"))
        proof = prove(said)
        assert proof is not None
        key = current_session().scalars(select(Passkey)).one()
        enrolment = passkeys.enrolment_of(subject, key)
        assert passkeys.statements.proves(said, proof, enrolment)
        for other in (
            Statement(*who, "t" * 64, (*YES, "dna.inherited"), clock.now, act_of("form-1")),
            Statement(*who, "u" * 64, YES, clock.now, act_of("form-1")),
            Statement(*who, "t" * 64, YES, clock.now, act_of("form-2")),
        ):
            with pytest.raises(ConsentError) as failure:
                prove(other)
            assert failure.value.code == "proof_needed"
        assert signing.prover_of({"signed_statement": page["statement"]}) is None
        assert signing.prover_of({**form, "signed_statement": "x"}) is None
        assert signing.prover_of({**form, "signed_answer": "[]"}) is None
    other_client, _letter = enter(b"other-patient-000001")
    with in_request_of(app, other_client, factory):
        assert signing.prover_of(form) is None  # sealed for somebody else


def test_a_passkey_of_a_replaced_letter_opens_and_signs_no_yes(
    app: HubApp, enter: Any, form_token: FormToken, factory: SessionFactory, invite: Any, clock: Any
) -> None:
    """The hospital takes no yes under a replaced letter: the page must not say that it counts."""
    client, _made = enter()
    device = Authenticator()
    enrol(client, device, form_token(client))
    clock.now += timedelta(days=91)
    said = {"study": STUDY, "text_version": "t" * 64, "yes": YES, "form_key": "form-1"}
    for newer in (False, True):
        if newer:
            invite()
        phone = app.test_client()
        assert come_in(phone, device, form_token(phone)).status_code == 200
        with in_request_of(app, phone, factory):
            subject = current_session().get_one(Subject, g.actor.id)
            assert (signing.for_page(subject, **said) is None) is newer
