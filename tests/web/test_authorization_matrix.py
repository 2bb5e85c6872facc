"""Every route × method × role × own, foreign and absent object, over the whole url_map.

Who may reach what is docs/reference/who-may-what.md, so that a changed rule shows in review and a
hospital can read it; write it anew by running this file with ONCOKRING_WRITE_GOLDEN=1.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from matrix_world import NOWHERE, OWN_IS_ABSENT, SAME
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from consent.text_id import content_id
from registry.access import ROLES, Rule, rule_of
from registry.accounts.models import Account, AccountRole
from registry.database import SessionFactory
from studies.seeds.oncozon import HORMONE_THERAPY

GOLDEN = Path(__file__).parents[2] / "docs" / "reference" / "who-may-what.md"
HEAD = """# Who may reach what

Every address of the hub, made from its rules and compared with them in each test run. `own study`,
`own group` and `own query` mean: only of a study or group the role is held for; `own text` also for
the board of a hospital that takes part. Anybody else's is answered like one that does not exist
(404). `fresh` means: password and one-time code of less than ten minutes ago.

| request | who |
|---|---|
"""
OWN, FOREIGN, ABSENT = "own", "foreign", "absent"
# Reaching the view but not doing the act: nothing was sent in the body.
REACHED = {200, 201, 202, 204, 302, 303, 304, 400, 409, 412, 413, 415, 422, 428}


def cells(app: Flask) -> Iterator[tuple[Route, str]]:
    for route in sorted(app.url_map.iter_rules(), key=lambda found: found.rule):
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            yield route, method


def found_rule(app: Flask, route: Route, method: str) -> Rule:
    rule = rule_of(app, route.endpoint, method)
    assert rule is not None, f"{method} {route.rule} has no rule"
    return rule


def arguments(route: Route, world: Any, which: str) -> dict[str, str]:
    """Values for the route's arguments: an object of the actor's own, somebody else's, or none."""
    studies = {OWN: "hormone-therapy", FOREIGN: "other-study", ABSENT: "no-such-study"}
    sites = {OWN: "catharina", FOREIGN: "zuyderland", ABSENT: "no-such-site"}
    runs = {OWN: world.runs["hormone-therapy"], FOREIGN: world.runs["other-study"]}
    receipts = {OWN: world.receipts["mine"], FOREIGN: world.receipts["theirs"]}
    text = content_id("hormone-therapy", HORMONE_THERAPY.text)
    texts = {OWN: text, FOREIGN: text, ABSENT: "0" * 64}
    known = {
        **{name: dict.fromkeys((OWN, FOREIGN, ABSENT), value) for name, value in SAME.items()},
        "slug": studies,
        "study": studies,
        "site": sites,
        # Everybody who works in the network may look at its hospitals and their states.
        "network": {OWN: "oncozon", FOREIGN: "oncozon", ABSENT: "no-such-network"},
        "place": {OWN: "catharina", FOREIGN: "catharina", ABSENT: "no-such-site"},
        "group": {OWN: "breast", FOREIGN: "lung", ABSENT: "no-such-group"},
        # Definitions belong to everybody.
        "indicator": {OWN: "access_time", FOREIGN: "access_time", ABSENT: "no_such_indicator"},
        "id": {**runs, ABSENT: NOWHERE},
        "query_id": {**runs, ABSENT: NOWHERE},
        "receipt_id": {**receipts, ABSENT: NOWHERE},
        "receipt": {**receipts, ABSENT: NOWHERE},
        "consent_id": {**receipts, ABSENT: NOWHERE},
        "text": texts,
        "other": texts,
        "draft": {
            OWN: world.drafts["hormone-therapy"],
            FOREIGN: world.drafts["other-study"],
            ABSENT: NOWHERE,
        },
    }
    unknown = route.arguments - known.keys()
    assert not unknown, f"say in this test what is own and foreign for {unknown} of {route.rule}"
    return {name: known[name][which] for name in route.arguments}


def ask(
    app: Flask, client: FlaskClient, route: Route, method: str, values: dict[str, str], token: str
) -> TestResponse:
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        path = adapter.build(route.endpoint, values, method=method)
    headers = {"X-CSRFToken": token, "Idempotency-Key": "form-key-0001"}
    return client.open(path, method=method, headers=headers)


def wants_json(route: Route) -> bool:
    return route.rule.startswith("/api/") or route.rule.endswith((".json", ":form>"))


def shape(response: TestResponse, values: dict[str, str]) -> tuple[int, str]:
    """Status and body without what differs from one request to the next."""
    body = response.get_data(as_text=True)
    for value in values.values():
        body = body.replace(value, "*")
    body = re.sub(r'name="csrf_token" value="[^"]*"', "", body)
    return response.status_code, re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "*", body)


def shown(route: Route) -> str:
    """The address as people read it: without converters."""
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"<\1>", route.rule)


def words(rule: Rule) -> str:
    if rule.public:
        return "everybody"
    parts = [", ".join(sorted(rule.roles))]
    if rule.scope is not None:
        parts.append(f"own {rule.scope}")
    if rule.fresh:
        parts.append("fresh")
    return "; ".join(parts)


def test_every_route_has_a_rule(app: Flask) -> None:
    without = [
        f"{method} {route.rule}"
        for route, method in cells(app)
        if rule_of(app, route.endpoint, method) is None
    ]
    assert without == []


def test_a_route_without_a_rule_is_shut_at_run_time(app: Flask) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "open to all")
    response = app.test_client().get("/forgotten")
    assert response.status_code == 403
    assert b"open to all" not in response.data


def test_the_matrix_is_the_reviewed_one(app: Flask) -> None:
    lines = [
        f"| `{method} {shown(route)}` | {words(found_rule(app, route, method))} |"
        for route, method in cells(app)
    ]
    text = HEAD + "\n".join(lines) + "\n"
    if os.environ.get("ONCOKRING_WRITE_GOLDEN") == "1":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_nobody_signed_in_reaches_only_public_routes(
    app: Flask, browser: FlaskClient, world: Any, form_token: Callable[[FlaskClient], str]
) -> None:
    token = form_token(browser)
    for route, method in cells(app):
        if found_rule(app, route, method).public:
            continue
        response = ask(app, browser, route, method, arguments(route, world, OWN), token)
        where = f"{method} {route.rule}"
        if method == "GET" and not wants_json(route):
            assert response.status_code == 303, where
            assert re.match(r"/(sign-in|mijn)\?next=", response.location), where
        else:
            assert response.status_code == 401, where


@pytest.mark.parametrize("role", sorted(ROLES))
def test_each_role_reaches_exactly_its_routes(
    app: Flask,
    world: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    role: str,
) -> None:
    name = "mine" if role == "patient" else role
    wrong = []
    for route, method in cells(app):
        rule = found_rule(app, route, method)
        client = signed_in(name)  # a session each: signing out is one of the routes
        values = arguments(route, world, OWN)
        status = ask(app, client, route, method, values, form_token(client)).status_code
        if rule.public:
            fine = status not in (401, 403, 500, 503) or route.endpoint == "health.ready"
        elif role in rule.roles:
            # Nobody planned a round in the test network.
            absent = route.rule in OWN_IS_ABSENT or "round" in route.arguments
            fine = status in REACHED or (status == 404 and absent)
        else:
            fine = status == 403
        if not fine:
            wrong.append(f"{role}: {method} {route.rule} answered {status}, rule {rule}")
    assert wrong == []


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_foreign_object_looks_exactly_like_an_absent_one(
    app: Flask,
    world: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    role: str,
) -> None:
    client = signed_in("mine" if role == "patient" else role)
    token = form_token(client)
    wrong = []
    for route, method in cells(app):
        rule = found_rule(app, route, method)
        own, foreign = arguments(route, world, OWN), arguments(route, world, FOREIGN)
        if rule.public or role not in rule.roles or own == foreign:
            continue
        absent = arguments(route, world, ABSENT)
        theirs = shape(ask(app, client, route, method, foreign, token), foreign)
        nobodys = shape(ask(app, client, route, method, absent, token), absent)
        if theirs != nobodys or theirs[0] not in (303, 404, 422):
            wrong.append(f"{role}: {method} {route.rule} foreign {theirs[0]} absent {nobodys[0]}")
    assert wrong == []


@pytest.mark.parametrize("role", sorted(ROLES - {"patient"}))
@pytest.mark.parametrize("how", ["suspended", "expired", "role ended", "no second factor"])
def test_a_stopped_account_reaches_nothing(
    app: Flask,
    world: Any,
    factory: SessionFactory,
    clock: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    role: str,
    how: str,
) -> None:
    client = signed_in(role)
    token = form_token(client)
    with factory() as session:
        account = session.get_one(Account, world.accounts[role])
        held: AccountRole = account.roles[0]
        if how == "suspended":
            account.state = "suspended"
        elif how == "expired":
            account.expires_at = clock.now
        elif how == "role ended":
            held.until = clock.now
        else:
            account.totp_secret = None
        session.info["announced"] = []
        _commit_unaudited(session)
    for route, method in cells(app):
        rule = found_rule(app, route, method)
        if rule.public or role not in rule.roles:
            continue
        status = ask(app, client, route, method, arguments(route, world, OWN), token).status_code
        assert status in ({403} if how == "role ended" else {401, 303}), f"{method} {route.rule}"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_an_old_sign_in_does_not_approve(
    app: Flask,
    world: Any,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    role: str,
) -> None:
    client = signed_in("mine" if role == "patient" else role, fresh=False)
    token = form_token(client)
    for route, method in cells(app):
        rule = found_rule(app, route, method)
        if not rule.fresh or role not in rule.roles or "round" in route.arguments:
            continue  # rounds: test_round_pages.py and test_rounds_planned.py
        response = ask(app, client, route, method, arguments(route, world, OWN), token)
        if wants_json(route):
            assert response.status_code == 403
            assert response.get_json()["code"] == "FRESH_SIGN_IN_NEEDED"
        else:
            assert response.status_code == 303
            assert "/sign-in/confirm" in response.location


def test_a_changed_cookie_signs_nobody_in(app: Flask, browser: FlaskClient) -> None:
    browser.set_cookie("oncokring", "x" * 43)
    response = browser.get("/api/v1/me/choices")
    assert response.status_code == 401
    assert "oncokring=;" in str(response.headers.getlist("Set-Cookie"))


def test_an_idle_and_an_old_session_end(
    app: Flask, signed_in: Callable[..., FlaskClient], clock: Any
) -> None:
    client = signed_in("mine")
    for _ in range(36):  # 36 × 19 minutes: used all the time
        clock.now += timedelta(minutes=19)
        assert client.get("/api/v1/me/choices").status_code == 200
    clock.now += timedelta(hours=1)
    assert client.get("/api/v1/me/choices").status_code == 401
    client = signed_in("mine")
    clock.now += timedelta(minutes=21)
    assert client.get("/api/v1/me/choices").status_code == 401
    client = signed_in("mine")
    statuses = []
    for _ in range(41):  # 13 hours, never idle
        clock.now += timedelta(minutes=19)
        statuses.append(client.get("/api/v1/me/choices").status_code)
    assert statuses[:37] == [200] * 37
    assert statuses[-1] == 401


def _commit_unaudited(session: Any) -> None:
    from studies.actor import SYSTEM
    from studies.events import announce

    announce(session, actor=SYSTEM, action="account.changed", about="account:test")
    session.commit()
