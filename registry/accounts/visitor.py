"""Who makes this request: reads the cookie or the API token, fills ``flask.g``.

For views: :func:`sign_in`, :func:`confirm`, :func:`sign_out` do the whole job, cookie included;
patients come in by :func:`sign_in_patient` and :func:`sign_in_digits`, or :func:`arrive` after
another proof of who they are. :func:`draft` and :func:`keep_draft` keep a half-filled form with
the session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, current_app, g, request
from flask import session as form_cookie

from registry.access import ANONYMOUS, NotAllowed, SignInNeeded
from registry.accounts import cookies, letter_door, proving, sessions
from registry.accounts import sign_in as signing
from registry.accounts.letter_door import Arrived, LetterKey, Waiting
from registry.accounts.sign_in import SignedIn
from registry.settings import Settings
from registry.transaction import current_session, reading
from studies.actor import Actor

COOKIE = "oncokring"
_SAFE = ("GET", "HEAD", "OPTIONS")


def load(settings: Settings) -> None:
    """Fill g.actor, g.fresh and g.visit from the cookie or, under /api, from a bearer token.

    A token that opens nothing is refused (SignInNeeded), never ignored: else a program with an
    ended token would silently be answered as anonymous.
    """
    g.new_cookie = None
    g.proof_key, g.letter = None, None
    if request.endpoint == "static":
        return
    authorization = request.authorization
    if authorization is not None and request.path.startswith("/api/"):
        _load_token(authorization.token if authorization.type == "bearer" else None)
        return
    session_id = request.cookies.get(cookie_name(settings), "")
    if not session_id:
        return
    with reading(g.factory) as session:
        visit = sessions.visit_of_cookie(session, session_id, g.now)
    if visit is None:
        g.new_cookie = ""
        return
    g.visit, g.actor, g.fresh = visit, visit.actor, visit.fresh
    proving.load(settings)
    if visit.stale_touch:
        with g.factory() as session:
            sessions.touch(session, session_id, g.now)
            fresh = sessions.visit_of_cookie(session, session_id, g.now)
            session.commit()
        g.visit = fresh or visit  # the page says until when, counted from now


def _load_token(token: str | None) -> None:
    visit = None
    if token:
        with reading(g.factory) as session:
            visit = sessions.visit_of_token(session, token, g.now)
    if visit is None:
        raise SignInNeeded
    if ("read" if request.method in _SAFE else "write") not in visit.scopes:
        raise NotAllowed
    g.visit, g.actor = visit, visit.actor


def by_token() -> bool:
    """Whether the caller proved himself with an API token, which no browser sends by itself."""
    return g.visit is not None and g.visit.session_id is None


def sign_in(name: str, password: str, code: str) -> Actor:
    """Sign in with name, password and one-time code; raises AccountError."""
    return _arrive(
        signing.sign_in(
            g.factory,
            name=name,
            password=password,
            code=code,
            address=proving.address(),
            now=g.now,
            previous=_session_id(),
        )
    )


def sign_in_patient(typed: str) -> bool:
    """Try a letter's code. False when its six digits are still to come (:func:`sign_in_digits`).

    Raises ConsentError ``code_invalid`` or AccountError LOCKED.
    """
    answer = letter_door.sign_in_with_letter(
        g.factory, typed=typed, trier=proving.trier(), now=g.now, previous=_session_id()
    )
    if isinstance(answer, Waiting):
        proving.keep_half_way(answer.letter)
        return False
    arrive(answer)
    return True


def sign_in_digits(typed: str) -> Actor:
    """Try the six digits after the letter. Raises SignInNeeded when the letter was too long ago,
    else as :func:`sign_in_patient`."""
    found = proving.half_way()
    if found is None:
        raise SignInNeeded
    letter, number = found
    return arrive(
        letter_door.sign_in_with_digits(
            g.factory,
            letter=letter,
            typed=typed,
            trier=proving.trier(number),
            now=g.now,
            previous=_session_id(),
        )
    )


def arrive(arrived: Arrived) -> Actor:
    """Give this browser the session of a patient who just proved who they are."""
    actor = _arrive(SignedIn(arrived.session_id, arrived.actor))
    proving.forget()
    if arrived.letter is not None:
        proving.remember(arrived.letter, arrived.session_id)
    return actor


def raise_level(level: str) -> None:
    """This session is surer than it was: it gets a new id and keeps its half-filled form.

    Only inside a POST view.
    """
    session_id = _session_id()
    if session_id is None:
        raise SignInNeeded
    fresh = sessions.raise_level(current_session(), session_id, level, g.now)
    g.new_cookie = fresh
    g.visit = replace(g.visit, session_id=fresh, level=level)
    if g.proof_key is not None:
        proving.remember(LetterKey(g.letter, g.proof_key), fresh)


def stay() -> None:
    """Count the session's time anew; a patient asked for more time. Only inside a POST view."""
    session_id = _session_id()
    if session_id is None:
        raise SignInNeeded
    sessions.touch(current_session(), session_id, g.now)


def confirm(password: str, code: str) -> Actor:
    """Give password and code again, for routes with ``fresh=True``; raises AccountError."""
    session_id = _session_id()
    if session_id is None or g.actor.kind != "user":
        raise SignInNeeded
    return _arrive(
        signing.confirm(
            g.factory,
            actor=g.actor,
            password=password,
            code=code,
            address=proving.address(),
            now=g.now,
            previous=session_id,
        )
    )


def sign_out() -> None:
    """End this browser's session and clear both cookies."""
    session_id = _session_id()
    if session_id is not None:
        signing.sign_out(g.factory, actor=g.actor, session_id=session_id)
    form_cookie.clear()
    proving.forget()
    g.new_cookie = ""
    g.visit, g.actor, g.fresh = None, ANONYMOUS, False


def draft() -> dict[str, Any]:
    """The half-filled form of this session (a copy); empty when there is none."""
    return {} if g.visit is None else dict(g.visit.draft)


def keep_draft(values: dict[str, Any]) -> None:
    """Keep a half-filled form with this session; only inside a POST view."""
    session_id = _session_id()
    if session_id is None:
        raise SignInNeeded
    sessions.keep_draft(current_session(), session_id, values)


def cookie_name(settings: Settings) -> str:
    """``__Host-`` binds the cookie to this host and https."""
    return f"__Host-{COOKIE}" if settings.secure_cookies else COOKIE


def set_cookie(response: Response, settings: Settings) -> None:
    """Send the new session id after signing in, or clear it after signing out."""
    cookies.send(response, settings)
    value = g.get("new_cookie")
    if value is None:
        return
    name = cookie_name(settings)
    flags: dict[str, Any] = {
        "secure": settings.secure_cookies,
        "httponly": True,
        "samesite": "Lax",
        "path": "/",
    }
    if value:
        response.set_cookie(name, value, **flags)
    else:
        response.delete_cookie(name, **flags)


def _arrive(arrived: SignedIn) -> Actor:
    # A new form cookie too: form tokens from before signing in stop working.
    form_cookie.clear()
    g.new_cookie = arrived.session_id
    g.actor, g.fresh = arrived.actor, True
    with reading(g.factory) as session:
        g.visit = sessions.visit_of_cookie(session, arrived.session_id, g.now)
    current_app.logger.info("signed in request=%s", g.request_id)
    return arrived.actor


def _session_id() -> str | None:
    return None if g.visit is None else g.visit.session_id
