"""Signing in through a hospital's broker, against a real provider in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import select

from consent.models import Subject
from registry import audit
from registry.accounts import brokers, oidc
from registry.accounts.models import AccountSession
from registry.app import HubApp, create_app
from registry.database import SessionFactory
from registry.settings import Settings, SettingsError

PROVIDER = Path(__file__).parents[1] / "support" / "oidc_provider.py"
SITE, OTHER_SITE = "catharina", "zuyderland"
BACK = f"/mijn/ziekenhuis/terug/{SITE}"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PROVIDER), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(autouse=True)
def _as_after_a_start() -> None:
    oidc._KNOWN.clear()


@pytest.fixture
def hub(
    provider: str, settings: Settings, factory: SessionFactory, clock: Any, tmp_path: Path
) -> HubApp:
    clock.now = datetime.now(UTC)  # the provider's clock is the machine's
    secret = tmp_path / "secret"
    secret.write_text("the-secret-of-the-tests\n")
    file = tmp_path / "brokers.toml"
    file.write_text(
        "".join(
            f'[{site}]\nissuer = "{provider}"\nclient_id = "oncokring"\n'
            f'client_secret_file = "{secret}"\nacr = ["substantial", "high"]\n'
            for site in (SITE, OTHER_SITE)
        )
    )
    return create_app(replace(settings, brokers=file), factory=factory, clock=clock)


@pytest.fixture
def handle(factory: SessionFactory, world: Any) -> str:
    with factory() as session:
        return session.get_one(Subject, world.patients["mine"]).handle


def person(provider: str, **given: str) -> None:
    requests.post(f"{provider}/as", json=given, timeout=5).raise_for_status()


def away(client: FlaskClient, site: str = SITE, **query: str) -> str:
    """Go to the broker and let it answer: the address that the browser is sent back to."""
    there = client.get(f"/mijn/ziekenhuis/{site}", query_string=query)
    assert there.status_code == 303
    answer = requests.get(there.location, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def come_back(client: FlaskClient, address: str) -> Any:
    there = urlsplit(address)
    return client.get(there.path, query_string=there.query)


def reasons(factory: SessionFactory) -> list[str]:
    with factory() as session:
        return [
            str(line.facts.get("why"))
            for line in audit.lines(session)
            if line.action == "consent.sign_in_refused"
        ]


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_a_patient_comes_in_at_the_level_of_the_broker(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory, world: Any, alg: str
) -> None:
    person(provider, sub=handle, alg=alg)
    client = hub.test_client()
    address = away(client, next="/mijn/inloggen")
    response = come_back(client, address)
    assert response.location == "/mijn/inloggen"
    assert client.get("/mijn/inloggen").status_code == 200
    assert client.get_cookie("oncokring-proof") is None  # there was no letter
    with factory() as session:
        row = session.scalars(select(AccountSession)).one()
    assert (row.subject_id, row.level) == (world.patients["mine"], "site-broker-substantial")
    again = come_back(client, address)  # the back button, or a thief with the address
    assert again.status_code == 401
    assert reasons(factory) == ["state_refused"]


def test_what_is_asked_of_the_broker(hub: HubApp, provider: str, handle: str) -> None:
    client = hub.test_client()
    response = client.get(f"/mijn/ziekenhuis/{SITE}")
    asked = parse_qs(urlsplit(response.location).query)
    assert asked["scope"] == ["openid"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["acr_values"] == ["high substantial"]
    assert len(asked["nonce"][0]) >= 32
    assert len(asked["state"][0]) >= 32
    line = next(
        made
        for made in response.headers.getlist("Set-Cookie")
        if made.startswith("oncokring-broker=")
    )
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    assert asked["state"][0] not in line
    second = parse_qs(urlsplit(client.get(f"/mijn/ziekenhuis/{SITE}").location).query)
    for name in ("nonce", "state", "code_challenge"):
        assert asked[name] != second[name]


TRICKS = (
    "other nonce",
    "no nonce",
    "alg none",
    "public key as secret",
    "own key",
    "stranger",
    "altered",
    "other issuer",
    "other audience",
    "two audiences",
    "no aud",
    "no sub",
    "no exp",
    "expired",
)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_hostile_token_opens_nothing(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory, trick: str
) -> None:
    person(provider, sub=handle, trick=trick)
    client = hub.test_client()
    response = come_back(client, away(client))
    assert response.status_code == 401
    assert client.get_cookie("oncokring") is None
    assert reasons(factory) == ["token_refused"]


@pytest.mark.parametrize("trick", ["", "no acr"])
def test_a_sign_in_that_is_not_sure_enough_is_refused(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory, trick: str
) -> None:
    person(provider, sub=handle, acr="low", trick=trick)
    client = hub.test_client()
    response = come_back(client, away(client))
    assert response.status_code == 401
    assert "DigiD" in response.get_data(as_text=True)
    assert reasons(factory) == ["too_unsure"]


def test_a_handle_counts_at_its_own_hospital_only(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory
) -> None:
    client = hub.test_client()
    person(provider, sub=handle)
    assert come_back(client, away(client, OTHER_SITE)).status_code == 401
    person(provider, sub="A" * 27)
    assert come_back(client, away(client)).status_code == 401
    assert reasons(factory) == ["unknown", "unknown"]


def test_an_answer_belongs_to_the_browser_that_asked(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory, clock: Any
) -> None:
    person(provider, sub=handle)
    attacker, victim = hub.test_client(), hub.test_client()
    address = away(attacker)
    assert come_back(victim, address).status_code == 401  # the victim never began
    away(victim)
    assert come_back(victim, address).status_code == 401  # began another one
    clock.now += timedelta(minutes=10, seconds=1)
    assert come_back(attacker, address).status_code == 401  # too late
    assert set(reasons(factory)) == {"state_refused"}


def test_a_code_of_another_sign_in_is_useless_without_its_verifier(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory
) -> None:
    person(provider, sub=handle)
    attacker, victim = hub.test_client(), hub.test_client()
    stolen = parse_qs(urlsplit(away(victim)).query)["code"][0]
    own = parse_qs(urlsplit(away(attacker)).query)
    response = attacker.get(BACK, query_string={"code": stolen, "state": own["state"][0]})
    assert response.status_code == 401
    assert reasons(factory) == ["broker_refused"]


def test_a_broker_that_says_no_or_is_another(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory
) -> None:
    person(provider, sub=handle)
    client = hub.test_client()
    given = parse_qs(urlsplit(away(client)).query)
    refused = {"state": given["state"][0], "error": "access_denied"}
    assert client.get(BACK, query_string=refused).status_code == 401
    address = away(client)
    mixed = client.get(f"{BACK}?{urlsplit(address).query}&iss=https://other.example")
    assert mixed.status_code == 401
    assert reasons(factory) == ["broker_refused", "token_refused"]


def test_a_broker_is_never_handed_the_code_of_another_hospital(
    hub: HubApp, provider: str, handle: str, factory: SessionFactory, monkeypatch: Any
) -> None:
    """Mix-up (RFC 9700, 4.4): the first broker sends the patient on to the second."""
    person(provider, sub=handle)
    client = hub.test_client()
    began = parse_qs(urlsplit(away(client)).query)["state"][0]
    code = parse_qs(urlsplit(away(hub.test_client(), OTHER_SITE)).query)["code"][0]
    monkeypatch.setattr(oidc, "finish", None)  # nothing is sent anywhere
    response = client.get(
        f"/mijn/ziekenhuis/terug/{OTHER_SITE}", query_string={"code": code, "state": began}
    )
    assert response.status_code == 401
    assert reasons(factory) == ["state_refused"]


def test_a_broker_that_is_away_or_describes_another(
    hub: HubApp, provider: str, settings: Settings, factory: SessionFactory, clock: Any
) -> None:
    person(provider, trick="other description")
    response = hub.test_client().get(f"/mijn/ziekenhuis/{SITE}")
    assert response.status_code == 503
    file = settings.data / "brokers.toml"
    file.write_text(file.read_text().replace(provider, "http://127.0.0.1:9"))
    app = create_app(replace(settings, brokers=file), factory=factory, clock=clock)
    assert app.test_client().get(f"/mijn/ziekenhuis/{SITE}").status_code == 503
    person(provider)  # it is right again, and left alone for a moment all the same
    assert hub.test_client().get(f"/mijn/ziekenhuis/{SITE}").status_code == 503
    oidc._KNOWN.clear()
    assert hub.test_client().get(f"/mijn/ziekenhuis/{SITE}").status_code == 303
    assert app.test_client().get("/mijn/ziekenhuis/nowhere").status_code == 404


def test_wrong_returns_are_limited(hub: HubApp, provider: str, handle: str) -> None:
    client = hub.test_client()
    statuses = [client.get(BACK, query_string={"state": "x"}).status_code for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    person(provider, sub=handle)
    assert come_back(client, away(client)).status_code == 429


WHOLE = {
    "issuer": '"https://login.example"',
    "client_id": '"oncokring"',
    "client_secret_file": '"{secret}"',
    "acr": '["high"]',
}


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": '"http://login.example"'},
        {"issuer": '"https://user@login.example"'},
        {"acr": "[]"},
        {"acr": '"high"'},
        {"client_secret_file": '"/nowhere/secret"'},
        {"client_id": "7"},
        {"more": '"x"'},
        {"client_id": None},
    ],
)
def test_a_file_of_brokers_that_is_not_right_stops_the_start(
    tmp_path: Path, changed: dict[str, str | None]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    file = tmp_path / "brokers.toml"

    def write(values: dict[str, Any]) -> None:
        lines = [f"{name} = {value}" for name, value in values.items() if value is not None]
        file.write_text("\n".join(["[catharina]", *lines]).replace("{secret}", str(secret)))

    write({**WHOLE})
    assert brokers.load(file)["catharina"].claim == "sub"
    write({**WHOLE, **changed})
    with pytest.raises(SettingsError, match="catharina"):
        brokers.load(file)
