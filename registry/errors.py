"""Turns every error into an answer: an HTML page, or application/problem+json under /api.

The status of each domain error stands in registry/error_codes.py. Nothing of the exception itself
is shown but its stable code and, for the classes there, the message that its author wrote for
people. Anything unexpected becomes 500 with one fixed sentence; the log gets the type and place,
never the message, which could hold data.
"""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, json, redirect, render_template, request, url_for
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from jinja2 import TemplateNotFound
from markupsafe import escape
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from registry.access import FreshSignInNeeded, NoRule, NotAllowed, SignInNeeded
from registry.audit import AuditFailure
from registry.error_codes import DOMAIN_ERRORS, STATUS_OF_CODE
from studies.errors import CODES as STUDIES_CODES

log = logging.getLogger("oncokring.errors")

# status -> (code, what happened and why, what to do). English msgids; pages translate them.
TEXTS: Mapping[int, tuple[str, str, str]] = {
    400: ("BAD_REQUEST", "The request could not be read.", "Check what was sent and try again."),
    401: ("SIGN_IN_NEEDED", "You are not signed in.", "Sign in and try again."),
    403: (
        "NOT_ALLOWED",
        "Your account does not have the role this page needs.",
        "Ask the network office for the role, if you should have it.",
    ),
    404: (
        "NOT_FOUND",
        "This page does not exist, or it is not yours.",
        "Check the address, or go to the start page.",
    ),
    405: (
        "METHOD_NOT_ALLOWED",
        "This address does not accept this kind of request.",
        "See the Allow header, or go back and use the button on the page.",
    ),
    406: ("NOT_ACCEPTABLE", "The asked format does not exist.", "Ask for JSON or HTML."),
    409: ("CONFLICT", "Someone changed this in the meantime.", "Reload the page and try again."),
    412: ("CHANGED_MEANWHILE", "Someone changed this in the meantime.", "Load it again first."),
    413: (
        "TOO_LARGE",
        "What was sent is larger than the hub accepts.",
        "Send less than 10 MB; a query is at most 256 kB.",
    ),
    415: ("WRONG_TYPE", "The content type is not accepted here.", "Send application/json."),
    422: ("NOT_UNDERSTOOD", "Some of the values cannot be used.", "Correct them and send again."),
    428: ("CONDITION_NEEDED", "The request must say which version it changes.", "Send If-Match."),
    429: (
        "TOO_MANY_ATTEMPTS",
        "There were too many requests in a short time.",
        "Wait as long as the Retry-After header says, then try again.",
    ),
    500: (
        "FAILED",
        "Something went wrong in the hub. Nothing was changed.",
        "Try again. If it stays, tell the network office and mention the number below.",
    ),
    503: (
        "BUSY",
        "The hub cannot do this at the moment. Nothing was changed.",
        "Try again in a minute.",
    ),
}
RETRY_AFTER_S = 60
# What an error may name besides its sentence: terms of a model, unmet guards, sums that differ.
LISTED = ("terms", "missing", "faults")
CSRF_TEXT = (
    "FORM_EXPIRED",
    "This form is no longer valid, because the page was open for long or you signed in again.",
    "Go back, reload the page and send the form again.",
)
FRESH_TEXT = (
    "FRESH_SIGN_IN_NEEDED",
    "This act asks for your password and code again, because you signed in more than ten "
    "minutes ago.",
    "Confirm that it is you, then repeat the act.",
)
AT_ONCE_TEXT = ("changed_meanwhile", STUDIES_CODES["changed_meanwhile"], "")
# Broken rules of the database that two people at once cannot break, on SQLite and on PostgreSQL.
OWN_MISTAKES = frozenset(
    {
        "SQLITE_CONSTRAINT_NOTNULL",
        "SQLITE_CONSTRAINT_CHECK",
        "SQLITE_CONSTRAINT_TRIGGER",
        "23502",
        "23514",
    }
)
AUDIT_TEXT = (
    "AUDIT_FAILED",
    "The audit log could not be written, so nothing was changed and nothing was shown.",
    "Try again in a minute. If it stays, tell the network office.",
)


@dataclass(frozen=True)
class Problem:
    """An answer to an error. ``what`` holds what happened and why, ``todo`` what to do."""

    status: int
    code: str
    what: str
    todo: str
    where: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """HTTP's own phrase for the status."""
        return HTTPStatus(self.status).phrase


def init_app(app: Flask) -> None:
    """Register the handlers, one for each known class and one for the rest."""
    app.register_error_handler(HTTPException, lambda error: answer(_http(error)))
    app.register_error_handler(CSRFError, lambda error: answer(_fixed(400, CSRF_TEXT)))
    app.register_error_handler(SignInNeeded, _sign_in)
    app.register_error_handler(NotAllowed, _not_allowed)
    app.register_error_handler(NoRule, _no_rule)
    app.register_error_handler(FreshSignInNeeded, _fresh)
    app.register_error_handler(AuditFailure, _audit)
    app.register_error_handler(OperationalError, _database)
    app.register_error_handler(IntegrityError, _at_once)
    app.register_error_handler(Exception, _unexpected)
    for module_name, class_name, status in DOMAIN_ERRORS:
        found = getattr(importlib.import_module(module_name), class_name)
        app.register_error_handler(
            found, lambda error, status=status: answer(domain_problem(error, status))
        )


def standard(status: int, **extra: Any) -> Problem:
    """The problem with the fixed texts of a status."""
    code, what, todo = TEXTS.get(status, TEXTS[500 if status >= 500 else 400])
    return Problem(status, code, what, todo, extra=extra)


def domain_problem(error: Any, status: int) -> Problem:
    """The problem of an error with ``.code`` and optionally ``.message``, ``.where``, ``.todo``.

    NOT_FOUND is answered with the standard text, so that a foreign object reads like an absent
    one.
    """
    code = str(error.code)
    status = STATUS_OF_CODE.get(code, status)
    if status == 404:
        return standard(404)
    what, todo = _words_of(error, code)
    headers = {}
    if status == 429:
        wait = getattr(error, "retry_after", None) or RETRY_AFTER_S
        headers["Retry-After"] = str(int(wait))
    extra: dict[str, Any] = {
        name: list(found) for name in LISTED if (found := getattr(error, name, ()))
    }
    if versions := getattr(error, "versions", None):
        extra["versions"] = {"shown": versions[0], "now": versions[1]}
    return Problem(status, code, what, todo, str(getattr(error, "where", "") or ""), headers, extra)


def answer(problem: Problem) -> Response:
    """The response of a problem, in the form the caller reads."""
    if _wants_json():
        body: dict[str, Any] = {
            "type": f"urn:oncokring:problem:{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "code": problem.code,
            "detail": f"{problem.what} {problem.todo}".strip(),
            **problem.extra,
        }
        if problem.where:
            body["where"] = problem.where
        if problem.status >= 500:
            body["request"] = g.get("request_id", "")
        response = Response(json.dumps(body), mimetype="application/problem+json")
    else:
        response = Response(_page(problem), mimetype="text/html")
    response.status_code = problem.status
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def _page(problem: Problem) -> str:
    # A host name that is not ours has no addresses to link to: the plain page must do.
    if request_ctx.url_adapter is not None:
        try:
            return render_template("errors/problem.html", problem=problem)
        except TemplateNotFound:
            pass
        except Exception as error:
            # The error page itself must not fail; the plain one below cannot.
            _log(error)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(problem.title)}</title>"
        f"<h1>{escape(problem.what)}</h1><p>{escape(problem.todo)}</p>"
        f"<p>{escape(problem.code)} {escape(g.get('request_id', ''))}</p>"
        '<p><a href="/">Start</a></p></html>'
    )


def _wants_json() -> bool:
    return request.path.startswith("/api/") or request.path.endswith(".json")


def _fixed(status: int, texts: tuple[str, str, str]) -> Problem:
    return Problem(status, *texts)


def _http(error: HTTPException) -> Problem:
    status = error.code or 500
    problem = standard(status)
    headers = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name in ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range")
    }
    if status == 429:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    # flask-smorest puts marshmallow's messages per field into ``data``.
    messages = (getattr(error, "data", None) or {}).get("messages")
    extra = {"errors": messages} if messages else {}
    return Problem(status, problem.code, problem.what, problem.todo, headers=headers, extra=extra)


def _sign_in(_error: Exception) -> BaseResponse:
    if request.method in ("GET", "HEAD") and not _wants_json():
        here = request.full_path.rstrip("?")
        return redirect(_sign_in_page(here), 303)
    return answer(standard(401))


def _sign_in_page(following: str) -> str:
    if request.path.startswith("/mijn"):
        return url_for("door.sign_in", next=following)
    if "accounts.sign_in" not in g.app_views:
        return "/sign-in"
    return url_for("accounts.sign_in", next=following)


def _fresh(_error: Exception) -> BaseResponse:
    if not _wants_json() and "accounts.confirm" in g.app_views:
        following = request.form.get("here", "") or request.path
        return redirect(url_for("accounts.confirm", next=following), 303)
    return answer(_fixed(403, FRESH_TEXT))


def _not_allowed(_error: Exception) -> BaseResponse:
    actor = g.get("actor")
    log.warning(
        "not allowed: %s %s for %s request=%s",
        request.method,
        request.endpoint,
        actor.id if actor else "anonymous",
        g.get("request_id", ""),
    )
    return answer(standard(403))


def _no_rule(_error: Exception) -> BaseResponse:
    log.error("route without a rule: %s", request.endpoint)
    return answer(standard(403))


def _audit(error: Exception) -> BaseResponse:
    _log(error)
    return answer(_fixed(503, AUDIT_TEXT))


def _database(error: Exception) -> BaseResponse:
    _log(error)
    if getattr(getattr(error, "orig", None), "sqlite_errorname", "") == "SQLITE_READONLY":
        return answer(standard(500))  # a GET that writes: our mistake, waiting does not help
    busy = standard(503)
    return answer(Problem(503, busy.code, busy.what, busy.todo, headers={"Retry-After": "5"}))


def _at_once(error: Exception) -> BaseResponse:
    """Two people wrote the same number, name or version at the same moment: the database took one.

    What no other person can cause (an empty column, a bound, a row that may not change) is a
    mistake of ours; "somebody else changed this" would be untrue.
    """
    _log(error)
    orig = getattr(error, "orig", None)
    kind = getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None)
    if kind in OWN_MISTAKES:
        return answer(standard(500))
    return answer(_fixed(409, AT_ONCE_TEXT))


def _unexpected(error: Exception) -> BaseResponse:
    _log(error)
    return answer(standard(500))


def _log(error: BaseException) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    log.error("%s request=%s at %s", type(error).__name__, g.get("request_id", ""), places)


def _words_of(error: Any, code: str) -> tuple[str, str]:
    """What happened and what to do, from the public refusal texts or the error's own message."""
    from federation.query.refusals import REFUSALS

    dutch = g.get("language", "en") == "nl"
    if refusal := REFUSALS.get(code):
        if dutch:
            return refusal.text_nl, refusal.what_to_do_nl
        return refusal.text_en, refusal.what_to_do
    message = getattr(error, "message", "")
    if callable(message):
        message = message("nl" if dutch else "en")
    return str(message or error), str(getattr(error, "todo", ""))
