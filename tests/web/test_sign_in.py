"""Signing in over HTTP: cookies, rotation, form tokens, tokens for programs, letters."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from registry import audit
from registry.accounts import secrets, service
from registry.accounts.models import Account, AccountSession
from registry.app import create_app
from registry.database import SessionFactory
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

PASSWORD = "een lange zin voor de test"
FormToken = Callable[[FlaskClient], str]


@pytest.fixture(autouse=True)
def _quick_hash(monkeypatch: pytest.MonkeyPatch, factory: SessionFactory) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(secrets, "_hasher", lambda: hasher)
    secrets._hash_of_nothing.cache_clear()
    with unit_of_work(factory, SYSTEM) as session:
        for account in service.list_accounts(session):
            service.change_secrets(session, account, by=SYSTEM, password=PASSWORD)


def fill_in(
    client: FlaskClient, world: Any, clock: Any, form_token: FormToken, name: str, **other: str
) -> Any:
    code = pyotp.TOTP(world.totp[name]).at(int(clock.now.timestamp()))
    form = {"name": name, "password": PASSWORD, "code": code, "csrf_token": form_token(client)}
    return client.post("/sign-in", data={**form, **other})


def cookie_of(response: Any, name: str = "oncokring") -> str:
    found = [line for line in response.headers.getlist("Set-Cookie") if line.startswith(f"{name}=")]
    return str(found[0]) if found else ""


def test_the_cookie_holds_a_random_id_and_the_database_its_hash(
    browser: FlaskClient,
    world: Any,
    clock: Any,
    form_token: FormToken,
    factory: SessionFactory,
) -> None:
    response = fill_in(browser, world, clock, form_token, "researcher")
    assert response.status_code == 303
    cookie = cookie_of(response)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Max-Age" not in cookie
    session_id = cookie.split("=", 1)[1].split(";")[0]
    assert len(session_id) >= 43
    with factory() as session:
        row = session.get(AccountSession, secrets.sha256(session_id))
        assert row is not None
        assert row.account_id == world.accounts["researcher"]
    assert browser.get("/r").status_code == 200


def test_signing_in_again_ends_the_session_before(
    browser: FlaskClient, world: Any, clock: Any, form_token: FormToken, factory: SessionFactory
) -> None:
    first = cookie_of(fill_in(browser, world, clock, form_token, "researcher"))
    clock.now += timedelta(minutes=1)
    second = cookie_of(fill_in(browser, world, clock, form_token, "researcher"))
    assert first != second
    old = browser.application.test_client()
    old.set_cookie("oncokring", first.split("=", 1)[1].split(";")[0])
    assert old.get("/api/v1/queries").status_code == 401


def test_a_wrong_sign_in_keeps_no_session_and_is_audited(
    browser: FlaskClient, world: Any, clock: Any, form_token: FormToken, factory: SessionFactory
) -> None:
    response = fill_in(browser, world, clock, form_token, "researcher", password="wrong")
    assert response.status_code == 401
    assert cookie_of(response) == ""
    assert b"wrong" not in response.data.replace(b"wrong attempts", b"")
    with factory() as session:
        last = list(audit.lines(session))[-1]
    assert (last.action, last.outcome) == ("account.sign-in-refused", "refused")
    assert last.request_id == response.headers["X-Request-ID"]


def test_signing_out_ends_the_session_in_the_database_too(
    browser: FlaskClient, world: Any, clock: Any, form_token: FormToken
) -> None:
    cookie = cookie_of(fill_in(browser, world, clock, form_token, "researcher"))
    response = browser.post("/sign-out", data={"csrf_token": form_token(browser)})
    assert response.status_code == 303
    assert cookie_of(response).startswith("oncokring=;")
    thief = browser.application.test_client()
    thief.set_cookie("oncokring", cookie.split("=", 1)[1].split(";")[0])
    assert thief.get("/api/v1/queries").status_code == 401


def test_a_letter_opens_a_patients_own_pages_and_nothing_else(
    browser: FlaskClient, world: Any, form_token: FormToken
) -> None:
    form = {"code": world.codes["mine"].lower(), "csrf_token": form_token(browser)}
    response = browser.post("/mijn", data=form)
    assert response.status_code == 303
    assert browser.get("/mijn/keuzes").status_code == 200
    assert browser.get("/api/v1/me/choices").status_code == 200
    assert browser.get("/api/v1/queries").status_code == 403


def test_wrong_letters_get_one_answer_and_slow_down_the_address(
    browser: FlaskClient, world: Any, form_token: FormToken, factory: SessionFactory
) -> None:
    bodies = set()
    for number in range(30):
        typed = f"AAAA{number:02d}-0000-0000-0000-0000" if number % 2 else "nonsense"
        form = {"code": typed, "csrf_token": form_token(browser)}
        response = browser.post("/mijn", data=form)
        assert response.status_code == 401
        bodies.add(re.sub(r'value="[^"]*"', "", response.get_data(as_text=True)))
    assert len(bodies) == 1
    form = {"code": world.codes["mine"], "csrf_token": form_token(browser)}
    response = browser.post("/mijn", data=form)
    assert response.status_code == 429
    with factory() as session:
        written = str([audit.as_json(line) for line in audit.lines(session)])
    assert "AAAA" not in written
    assert world.codes["mine"] not in written


def test_a_form_token_from_before_signing_in_stops_working(
    browser: FlaskClient, world: Any, clock: Any, form_token: FormToken
) -> None:
    old = form_token(browser)
    fill_in(browser, world, clock, form_token, "researcher")
    response = browser.post("/sign-out", data={"csrf_token": old})
    assert response.status_code == 400


# Anybody may ask whether a receipt holds, from a page of anybody; it reads what it is given.
CHANGES_NOTHING = {"/api/v1/receipts/verify"}


def test_every_post_without_a_form_token_is_refused(
    app: Any, world: Any, signed_in: Callable[..., FlaskClient]
) -> None:
    for name in ("mine", "researcher", "committee"):
        client = signed_in(name)
        for route in app.url_map.iter_rules():
            if "POST" not in (route.methods or set()):
                continue
            with app.test_request_context():
                run = world.runs["hormone-therapy"]
                # Some parts of an address take only what is in a list.
                known = {"id": run, "query_id": run, "act": "confirm"}
                values = {key: known.get(key, "1") for key in route.arguments}
                path = app.url_map.bind("localhost").build(route.endpoint, values, method="POST")
            response = client.post(path)
            if response.status_code == 403:
                continue  # not this role's
            if path in CHANGES_NOTHING:
                assert response.status_code == 422, path
                continue
            assert response.status_code in (400, 404), path
            if response.status_code == 400:
                assert b"FORM_EXPIRED" in response.data or response.data, path


def test_another_site_cannot_post_even_with_a_token(
    signed_in: Callable[..., FlaskClient], form_token: FormToken
) -> None:
    client = signed_in("researcher")
    for value, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        response = client.post(
            "/sign-out",
            data={"csrf_token": form_token(client)},
            headers={"Sec-Fetch-Site": value},
        )
        assert response.status_code == status


@pytest.fixture
def token_of(factory: SessionFactory, world: Any, clock: Any) -> Callable[..., str]:
    def make(name: str, *scopes: str) -> str:
        with unit_of_work(factory, SYSTEM) as session:
            return service.issue_token(
                session,
                session.get_one(Account, world.accounts[name]),
                label="test",
                scopes=scopes,
                expires_at=clock.now + timedelta(days=1),
                by=SYSTEM,
                now=clock.now,
            )[1]

    return make


def test_a_program_signs_in_with_its_token(
    browser: FlaskClient, token_of: Callable[..., str], world: Any, clock: Any
) -> None:
    bearer = {"Authorization": f"Bearer {token_of('researcher', 'read')}"}
    assert browser.get("/api/v1/queries", headers=bearer).status_code == 200
    run = world.runs["hormone-therapy"]
    cancel = browser.post(f"/api/v1/queries/{run}/cancel", headers=bearer)
    assert cancel.status_code == 403
    writing = {"Authorization": f"Bearer {token_of('researcher', 'read', 'write')}"}
    assert browser.post(f"/api/v1/queries/{run}/cancel", headers=writing).status_code == 200
    clock.now += timedelta(days=2)
    assert browser.get("/api/v1/queries", headers=bearer).status_code == 401


def test_a_token_never_approves(
    browser: FlaskClient, token_of: Callable[..., str], world: Any
) -> None:
    bearer = {"Authorization": f"Bearer {token_of('committee', 'read', 'write')}"}
    run = world.runs["hormone-therapy"]
    response = browser.post(f"/api/v1/queries/{run}/approve", headers=bearer)
    assert response.status_code == 403
    assert response.get_json()["code"] == "FRESH_SIGN_IN_NEEDED"


@pytest.mark.parametrize("value", ["Bearer onk_nothing", "Bearer ", "Basic YTpi", "Bearer"])
def test_a_token_that_opens_nothing_is_not_ignored(browser: FlaskClient, value: str) -> None:
    # The route is public; a program with an ended token must hear about it all the same.
    response = browser.get("/api/v1/studies", headers={"Authorization": value})
    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"


def test_a_token_is_no_way_into_the_pages(
    browser: FlaskClient, token_of: Callable[..., str]
) -> None:
    bearer = {"Authorization": f"Bearer {token_of('researcher', 'read', 'write')}"}
    assert browser.get("/r", headers=bearer).status_code == 303


def test_over_https_cookies_are_bound_to_the_host(
    settings: Settings, factory: SessionFactory, world: Any, clock: Any
) -> None:
    from dataclasses import replace

    app = create_app(replace(settings, address="https://hub.example"), factory=factory, clock=clock)
    client = app.test_client()
    response = client.get("/sign-in", base_url="https://hub.example")
    form = cookie_of(response, "__Host-oncokring-form")
    assert "Secure" in form
    assert "HttpOnly" in form
    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    client.set_cookie("__Host-oncokring", "x" * 43, domain="hub.example", secure=True)
    cleared = cookie_of(client.get("/sign-in", base_url="https://hub.example"), "__Host-oncokring")
    assert "Secure" in cleared
