"""The key that proves a yes: in the browser of the patient who signed in, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import g
from flask.testing import FlaskClient
from patients_door import (
    DIGITS,
    STUDY,
    Inviting,
    cookie,
    database_bytes,
    in_request_of,
)
from sqlalchemy import select

from consent import letters
from consent.errors import ConsentError
from consent.letters import Letter
from consent.models import Invitation, Subject
from consent.proof import Statement, proof_key
from registry import audit
from registry.accounts import proving
from registry.accounts.proving import COOKIE, HALF_WAY
from registry.app import HubApp, create_app
from registry.database import SessionFactory
from registry.settings import Settings

pytestmark = pytest.mark.usefixtures("argon2")

Post = Callable[..., Any]
FormToken = Callable[[FlaskClient], str]


def enter(post: Post, made: Letter, client: FlaskClient | None = None) -> None:
    assert post("/mijn", client, code=made.printed).location.startswith("/mijn/cijfers")
    assert post("/mijn/cijfers", client, digits=DIGITS).location == "/mijn/keuzes"


def test_the_proof_key_is_in_the_browser_only(
    browser: FlaskClient,
    post: Post,
    invite: Inviting,
    factory: SessionFactory,
    tmp_path: Path,
) -> None:
    made = invite()
    enter(post, made)
    key = proof_key(made.code_id, made.secret)
    sealed = cookie(browser, COOKIE)
    assert sealed is not None
    assert made.code_id not in sealed
    assert key.hex() not in sealed
    kept = database_bytes(tmp_path)
    for secret in (key, key.hex().encode(), made.secret.encode(), DIGITS.encode()):
        assert secret not in kept
    with factory() as session:
        lines = repr([(line.action, line.about, line.facts) for line in audit.lines(session)])
    assert made.secret not in lines
    assert made.code_id not in lines
    with browser:
        browser.get("/mijn/inloggen")
        assert (g.proof_key, g.letter) == (key, made.code_id)


def test_the_proof_cookie_is_strict_http_only_and_bound_to_the_host(
    settings: Settings, factory: SessionFactory, clock: Any, invite: Inviting
) -> None:
    app = create_app(replace(settings, address="https://hub.example"), factory=factory, clock=clock)
    here = "https://hub.example"
    client = app.test_client()
    page = client.get("/mijn", base_url=here).get_data(as_text=True)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    form = {"code": invite(digits=None).printed, "csrf_token": token}
    response = client.post("/mijn", data=form, base_url=here)
    assert response.status_code == 303
    lines = response.headers.getlist("Set-Cookie")
    made = next(line for line in lines if line.startswith(f"__Host-{COOKIE}="))
    for flag in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in made
    assert "Domain" not in made  # a subdomain can neither read nor plant it
    planted = app.test_client()
    planted.set_cookie(COOKIE, "planted", domain="hub.example")
    planted.set_cookie("oncokring", "planted", domain="hub.example")
    answer = planted.get("/mijn/inloggen", base_url="https://hub.example")
    assert answer.location.startswith("/mijn?next=")  # only the names with __Host- are read


def test_a_proof_cookie_of_one_patient_proves_nothing_in_the_session_of_another(
    app: HubApp, post: Post, invite: Inviting
) -> None:
    one, other = app.test_client(), app.test_client()
    enter(post, invite(b"first-patient-000001"), one)
    enter(post, invite(b"other-patient-000001"), other)
    stolen = cookie(one, COOKIE)
    assert stolen is not None
    other.set_cookie(COOKIE, stolen)
    with other:
        assert other.get("/mijn/inloggen").status_code == 200
        assert g.proof_key is None
    for broken in (stolen[:-2], stolen[:-1] + ("A" if stolen[-1] != "A" else "B"), "", "x" * 3500):
        one.set_cookie(COOKIE, broken)
        with one:
            one.get("/mijn/inloggen")
            assert g.proof_key is None


def test_a_half_way_cookie_is_good_for_ten_minutes_and_signs_nobody_in(
    app: HubApp, browser: FlaskClient, post: Post, invite: Inviting, clock: Any
) -> None:
    made = invite()
    post("/mijn", code=made.printed)
    half = cookie(browser, HALF_WAY)
    assert half is not None
    thief = app.test_client()
    thief.set_cookie(COOKIE, half)  # as if it were a proof
    with thief:
        assert thief.get("/mijn/inloggen").status_code == 303
    clock.now += timedelta(minutes=10, seconds=1)
    late = post("/mijn/cijfers", digits=DIGITS)
    assert late.status_code == 401
    assert cookie(browser, "oncokring") is None
    assert browser.get("/mijn/cijfers").location == "/mijn"


def test_signing_out_takes_the_proof_along(
    browser: FlaskClient, post: Post, invite: Inviting
) -> None:
    enter(post, invite())
    response = post("/sign-out")
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert cookie(browser, COOKIE) is None
    assert cookie(browser, "oncokring") is None
    assert browser.get("/mijn").headers["Cache-Control"] == "no-store"


def statement(subject: Subject) -> Statement:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    who = (subject.network, subject.site, subject.handle, "self")
    return Statement(*who, STUDY, "t" * 64, ("use.record",), at, "0" * 32)


def test_a_yes_is_proved_from_the_cookie_or_from_the_letter_typed_again(
    app: HubApp, post: Post, invite: Inviting, factory: SessionFactory, clock: Any
) -> None:
    made, other = invite(), invite(b"other-patient-000001", digits=None)
    client = app.test_client()
    enter(post, made, client)
    with factory() as session:
        said = statement(
            session.scalars(
                select(Subject).join(Invitation).where(Invitation.code_id == made.code_id)
            ).one()
        )
    right = said.mac(proof_key(made.code_id, made.secret)).hex()
    with in_request_of(app, client, factory):
        prove = proving.prover()
        assert prove is not None
        assert prove(said) == {"kind": "letter", "by": made.code_id, "mac": right}
    client.delete_cookie(COOKIE)
    with in_request_of(app, client, factory):
        assert proving.prover() is None
        again = proving.prover_of_letter(made.printed)(said)
        assert again == {"kind": "letter", "by": made.code_id, "mac": right}
        for wrong in (other.printed, made.code_id + "0" * 16, "", letters.new_letter().printed):
            with pytest.raises(ConsentError) as failure:
                proving.prover_of_letter(wrong)
            assert failure.value.code == "code_invalid"


def test_a_replaced_letter_proves_nothing_any_more(
    app: HubApp, post: Post, invite: Inviting, factory: SessionFactory, clock: Any
) -> None:
    client = app.test_client()
    enter(post, invite(), client)
    invite()
    with in_request_of(app, client, factory):
        assert g.proof_key is not None
        assert proving.prover() is None
