"""Each look at a patient's choices and each act is exactly one audit line, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from federation.runs.models import Run
from registry import audit
from registry.access import rule_of
from registry.audit import AuditLine
from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.events import announce

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SignedIn = Callable[..., FlaskClient]


def lines_after(factory: SessionFactory, seq: int) -> list[AuditLine]:
    with factory() as session:
        return list(audit.lines(session, seq))


def end(factory: SessionFactory) -> int:
    with factory() as session:
        return audit.head(session).seq


def test_each_look_at_choices_is_one_line(
    app: Flask, signed_in: SignedIn, factory: SessionFactory, world: Any
) -> None:
    client = signed_in("mine")
    looked = 0
    for route in app.url_map.iter_rules():
        rule = rule_of(app, route.endpoint, "GET")
        if "GET" not in (route.methods or set()) or rule is None or rule.roles != {"patient"}:
            continue
        if "site" in route.arguments:
            continue  # nobody is linked here: test_linking.py
        if "instrument" in route.arguments:
            continue  # nothing is asked here: test_patient_prom.py
        known = {"study": "hormone-therapy", "n": "1"}
        receipts = dict.fromkeys(("receipt", "receipt_id"), world.receipts["mine"])
        values = {name: {**known, **receipts}[name] for name in route.arguments}
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(route.endpoint, values)
        before = end(factory)
        response = client.get(path)
        assert response.status_code in (200, 302, 303), path
        written = lines_after(factory, before)
        if response.status_code != 200 and not written:
            continue  # sent on before anything was looked at
        looked += 1
        assert [line.action for line in written] == ["consent.read"], path
        (line,) = written
        assert (line.actor_kind, line.actor_id) == ("patient", world.patients["mine"])
        assert line.about == f"subject:{world.patients['mine']}"
        assert line.event_code == "R"
        assert line.request_id == response.headers["X-Request-ID"]
        assert line.rule == "patient"
        assert line.actor_name == ""
    assert looked >= 6


def test_what_anybody_may_see_leaves_no_line(
    app: Flask, browser: FlaskClient, factory: SessionFactory
) -> None:
    before = end(factory)
    for path in ("/", "/studies", "/studies/hormone-therapy", "/api/v1/studies", "/mijn"):
        assert browser.get(path).status_code == 200
    assert lines_after(factory, before) == []


def test_looking_at_a_result_or_the_log_is_a_line(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    before = end(factory)
    assert signed_in("auditor").get("/audit").status_code == 200
    assert [line.action for line in lines_after(factory, before)] == ["audit.read"]


def test_a_program_that_takes_a_result_is_a_line_too(
    signed_in: SignedIn, factory: SessionFactory, world: Any
) -> None:
    run_id = world.runs["hormone-therapy"]
    client, address = signed_in("researcher"), f"/api/v1/queries/{run_id}/result"
    before = end(factory)
    assert client.get(address).status_code == 202
    assert lines_after(factory, before) == [], "there was no result to see"

    with factory() as session:
        run = session.get_one(Run, run_id)
        run.state, run.outcome, run.finished_at = "complete", {"status": "complete"}, NOW
        announce(session, actor=SYSTEM, action="run.finished", about=f"run:{run_id}", facts={})
        session.commit()
    before = end(factory)
    assert client.get(address).status_code == 200

    (line,) = lines_after(factory, before)
    assert (line.action, line.about) == ("run.exported", f"run:{run_id}")


def test_no_line_holds_a_secret(factory: SessionFactory, world: Any) -> None:
    with factory() as session:
        written = str([audit.as_json(line) for line in audit.lines(session)])
    for secret in (*world.codes.values(), *world.totp.values(), "argon2", "een lange zin"):
        assert secret not in written
