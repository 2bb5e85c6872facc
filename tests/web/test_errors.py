"""Every error: the right status, three parts, no traceback, path or value; headers everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError, OperationalError

import registry
from consent.errors import ConsentError
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.runs.errors import RunError
from registry import audit
from registry.access import rule
from registry.app import CONTENT_SECURITY_POLICY, create_app
from registry.audit import AuditFailure
from registry.database import SessionFactory
from registry.settings import Settings
from registry.transaction import UnannouncedChange, current_session
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Network

ROOT = Path(registry.__path__[0])
SECRET = "peter-janssen-19-04-1962"


def raising(app: Flask, error: Exception) -> None:
    @rule("public")
    def fail() -> str:
        raise error

    app.add_url_rule("/api/v1/fail", "api-fail", fail, methods=["GET", "POST"])
    app.add_url_rule("/fail", "fail", fail)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QueryError("UNKNOWN_KEY", "No key 'x'.", "cohort.all[1]"), 422, "UNKNOWN_KEY"),
        (Refused("MODEL_TOO_RICH", ("age",)), 422, "MODEL_TOO_RICH"),
        (RunError("WRONG_STATE"), 409, "WRONG_STATE"),
        (RunError("RUN_NOT_FOUND"), 404, "NOT_FOUND"),
        (RunError("TOO_MANY_RUNS"), 429, "TOO_MANY_RUNS"),
        (ConsentError("choices_changed"), 409, "choices_changed"),
        (ConsentError("receipt_not_found"), 404, "NOT_FOUND"),
        (AuditFailure(SECRET), 503, "AUDIT_FAILED"),
        (OperationalError("SELECT 1", {}, Exception(SECRET)), 503, "BUSY"),
        (IntegrityError("INSERT", {}, Exception(SECRET)), 409, "changed_meanwhile"),
        (UnannouncedChange(["x"]), 500, "FAILED"),
        (RuntimeError(SECRET), 500, "FAILED"),
        (KeyError(SECRET), 500, "FAILED"),
    ],
)
def test_each_error_has_its_status_and_code_in_both_forms(
    app: Flask,
    browser: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    code: str,
) -> None:
    raising(app, error)
    response = browser.get("/api/v1/fail")
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    body = response.get_json()
    assert (body["code"], body["status"]) == (code, status)
    assert body["detail"].endswith((".", ")"))
    page = browser.get("/fail")
    assert page.status_code == status
    assert page.mimetype == "text/html"
    for shown in (response.get_data(as_text=True), page.get_data(as_text=True), caplog.text):
        assert SECRET not in shown
        assert "Traceback" not in shown
        assert "/work/" not in shown


def test_a_row_of_another_and_a_mistake_of_ours_are_told_apart(
    app: Flask, browser: FlaskClient, form_token: Callable[[FlaskClient], str]
) -> None:
    @app.post("/write")
    @rule("public")
    def write() -> str:
        given = {"twice": {"slug": "oncozon", "name": SECRET}, "null": {"slug": "x", "name": None}}
        values = given[request.form["what"]]
        current_session().execute(insert(Network).values(region_nl="", region_en="", **values))
        return "done"

    for what, status in (("twice", 409), ("null", 500)):
        token = form_token(browser)
        response = browser.post("/write", data={"csrf_token": token, "what": what})
        page = response.get_data(True)
        assert response.status_code == status
        assert SECRET not in page
        assert "constraint" not in page
        assert ("niets van u opgeslagen" in page) == (status == 409)


def test_where_and_terms_are_told_to_programs(app: Flask, browser: FlaskClient) -> None:
    raising(app, QueryError("UNKNOWN_KEY", "No key 'x'.", "cohort.all[1]"))
    assert browser.get("/api/v1/fail").get_json()["where"] == "cohort.all[1]"


@pytest.mark.parametrize("path", ["/api/v1/studies", "/studies", "/"])
def test_a_wrong_method_names_the_right_ones(browser: FlaskClient, path: str) -> None:
    response = browser.delete(path)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_a_large_body_is_refused_before_it_is_read(
    browser: FlaskClient,
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
) -> None:
    client = signed_in("researcher")
    headers = {"X-CSRFToken": form_token(client)}
    big = b"x" * (10 * 1024 * 1024 + 1)
    response = client.post("/api/v1/queries", data=big, headers=headers)
    assert response.status_code == 413
    assert "10 MB" in response.get_json()["detail"]
    response = client.post("/sign-out", data=big, headers=headers)
    assert response.status_code == 413
    assert response.mimetype == "text/html"


def test_when_the_audit_cannot_be_written_the_answer_is_503_and_nothing_changed(
    app: Flask,
    browser: FlaskClient,
    factory: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
    form_token: Callable[[FlaskClient], str],
) -> None:
    @app.post("/change")
    @rule("public")
    def change() -> str:
        session = current_session()
        session.add(Network(slug="new", name="New"))
        announce(session, actor=SYSTEM, action="network.created", about="network:new")
        return "changed"

    @app.get("/look")
    @rule("public")
    def look() -> str:
        announce(current_session(), actor=SYSTEM, action="consent.read", about="subject:1")
        return "shown"

    token = form_token(browser)
    monkeypatch.setattr(audit, "line_hash", lambda line: None)
    for response in (
        browser.post("/change", data={"csrf_token": token}),
        browser.get("/look"),
    ):
        assert response.status_code == 503
        assert b"changed</" not in response.data
        assert b"shown</" not in response.data
    monkeypatch.undo()
    with factory() as session:
        assert session.get(Network, "new") is None
    assert browser.post("/change", data={"csrf_token": form_token(browser)}).status_code == 200
    assert browser.get("/look").status_code == 200
    with factory() as session:
        assert session.get(Network, "new") is not None
        last = list(audit.lines(session))[-2:]
    assert [line.action for line in last] == ["network.created", "consent.read"]
    assert last[0].rule == "public"


def test_a_view_that_answers_with_an_error_changes_nothing(
    app: Flask,
    browser: FlaskClient,
    factory: SessionFactory,
    form_token: Callable[[FlaskClient], str],
) -> None:
    @app.post("/half")
    @rule("public")
    def half() -> tuple[str, int]:
        session = current_session()
        session.add(Network(slug="half", name="Half"))
        announce(session, actor=SYSTEM, action="network.created", about="network:half")
        session.flush()
        return "no", 422

    assert browser.post("/half", data={"csrf_token": form_token(browser)}).status_code == 422
    with factory() as session:
        assert session.get(Network, "half") is None


def test_a_get_cannot_write(app: Flask, browser: FlaskClient, factory: SessionFactory) -> None:
    @app.get("/sly")
    @rule("public")
    def sly() -> str:
        session = current_session()
        session.add(Network(slug="sly", name="Sly"))
        session.flush()
        return "done"

    assert browser.get("/sly").status_code == 500
    with factory() as session:
        assert session.get(Network, "sly") is None


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/api/v1/studies", "/api/v1/nothing", "/static/nothing", "/sign-in"]
)
def test_the_headers_are_on_every_answer(browser: FlaskClient, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Request-ID"]
    assert "Strict-Transport-Security" not in headers


def test_nothing_of_a_signed_in_person_is_kept_by_the_browser(
    signed_in: Callable[..., FlaskClient],
) -> None:
    for name, path in (("mine", "/api/v1/me/choices"), ("researcher", "/r"), ("mine", "/")):
        assert signed_in(name).get(path).headers["Cache-Control"] == "no-store"


def test_only_our_proxy_may_number_requests_and_only_harmlessly(
    browser: FlaskClient, settings: Settings, factory: SessionFactory, clock: Any
) -> None:
    def number(client: FlaskClient, given: str) -> str:
        answer = client.get("/health/live", headers={"X-Request-ID": given})
        return str(answer.headers["X-Request-ID"])

    behind = create_app(replace(settings, proxies=1), factory=factory, clock=clock).test_client()
    given = "0123abcd-from-proxy"
    assert number(behind, given) == given
    assert number(browser, given) != given
    for bad in ("x", "<script>alert(1)</script>", "a" * 100):
        assert number(behind, bad) != bad


@pytest.mark.parametrize(
    ("host", "status"), [("localhost", 200), ("127.0.0.1:8000", 200), ("evil.example", 400)]
)
def test_a_name_that_is_not_ours_is_refused(browser: FlaskClient, host: str, status: int) -> None:
    response = browser.get("/studies", headers={"Host": host})
    assert response.status_code == status
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_health_says_ok_and_not_ok(
    browser: FlaskClient, factory: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browser.get("/health/live").get_json() == {"status": "ok"}
    assert browser.get("/health/ready").get_json() == {"status": "ok"}
    from migrations import run

    monkeypatch.setattr(run, "at_head", lambda engine: False)
    response: Any = browser.get("/health/ready")
    assert response.status_code == 503
    assert response.get_json() == {"status": "not ok"}


def test_one_caller_cannot_take_all_the_room(
    settings: Settings, factory: SessionFactory, clock: Any
) -> None:
    app = create_app(replace(settings, rate_limit="5/minute"), factory=factory, clock=clock)
    client = app.test_client()
    answers = [client.get("/api/v1/sites") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].get_json()["code"] == "TOO_MANY_ATTEMPTS"
    assert client.get("/health/live").status_code == 200


def test_another_host_name_gets_the_plain_page_and_logs_no_failure(
    browser: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = browser.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert b"BAD_REQUEST" in answer.data
    assert not any("AttributeError" in record.getMessage() for record in caplog.records)


def test_every_address_that_a_page_makes_is_there(app: Flask) -> None:
    """A link that only some pages show would otherwise be found by who opens that page."""
    wrong = []
    for file in sorted(ROOT.rglob("*.html")) + sorted(ROOT.rglob("*.py")):
        text = file.read_text("utf-8")
        own = re.search(r'^blueprint = \w+\(\s*"([\w-]+)"', text, re.M)
        for name in re.findall(r"""url_for\(\s*["']([\w.-]+)["']""", text):
            whole = f"{own[1]}{name}" if own and name.startswith(".") else name
            if whole not in app.view_functions:
                wrong.append(f"{file.relative_to(ROOT)}: {whole}")
    assert wrong == []
