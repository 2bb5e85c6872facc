"""Idempotency-Key on writes: the same request sent twice is one act, with the same answer twice.

As in the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key):
the key is the caller's own, it holds for the account that sent it and for a day. The row with the
answer is written in the transaction of the act: either both are there or neither. Refusals are not
kept, so a corrected request may use the same key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar

from flask import Response, current_app, g, request
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from registry.api.answers_kept import ApiAnswer
from registry.transaction import current_session

View = TypeVar("View", bound=Callable[..., Any])
KEPT_FOR = timedelta(hours=24)
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{8,64}$"},
    "description": "Your own name for this act. Sent again within a day it gives the same answer "
    "and does nothing more.",
}
_KEY = re.compile(r"[!-~]{8,64}")


# Code -> what happened and why, what to do.
KEY_ERRORS: Mapping[str, tuple[str, str]] = {
    "BAD_KEY": (
        "An Idempotency-Key has 8 to 64 visible characters.",
        "Send a UUID, for example.",
    ),
    "KEY_USED": (
        "This Idempotency-Key came with another request within the last day.",
        "Send a new key with a new request.",
    ),
}


class KeyRefused(Exception):
    """The Idempotency-Key cannot be used for this request; `code` is a key of KEY_ERRORS."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message, self.todo = KEY_ERRORS[code]
        super().__init__(self.message)


def once(view: View) -> View:
    """Do the act of one Idempotency-Key once. Without the header the view runs as it is.

    Stands between ``rule`` and what dumps the answer. Raises KeyRefused: BAD_KEY for a key that is
    no 8 to 64 visible characters, KEY_USED for a key that came with another request.
    """

    @wraps(view)
    def answered(*args: Any, **values: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return current_app.make_response(view(*args, **values))
        if not _KEY.fullmatch(key):
            raise KeyRefused("BAD_KEY")
        session = current_session()
        kept = _claim(session, key)
        if kept.body is not None:
            return _again(kept)
        response: Response = current_app.make_response(view(*args, **values))
        if response.status_code < 400:
            kept.status = response.status_code
            kept.headers = {n: v for n in KEPT_HEADERS if (v := response.headers.get(n))}
            kept.body = response.get_data()
            session.flush()
        return response

    return answered  # type: ignore[return-value]


def _claim(session: Session, key: str) -> ApiAnswer:
    """The row of this key: a new one, or the one that was there before.

    On PostgreSQL a second request with the key waits at the insert until the first has ended.
    """
    session.execute(delete(ApiAnswer).where(ApiAnswer.at < g.now - KEPT_FOR))
    asked = _request_sha256()
    found = session.get(ApiAnswer, (g.actor.id, key))
    if found is None:
        made = ApiAnswer(account=g.actor.id, key=key, request_sha256=asked, at=g.now)
        try:
            with session.begin_nested():
                session.add(made)
            return made
        except IntegrityError:
            found = session.get_one(ApiAnswer, (g.actor.id, key))
    if found.request_sha256 != asked:
        raise KeyRefused("KEY_USED")
    return found


def _request_sha256() -> str:
    digest = sha256()
    condition = request.headers.get("If-Match", "")
    for part in (request.method, request.full_path, condition):
        digest.update(part.encode() + b"\n")
    digest.update(request.get_data(cache=True))
    return digest.hexdigest()


def _again(kept: ApiAnswer) -> Response:
    response = Response(kept.body, status=kept.status, headers=dict(kept.headers or {}))
    response.headers["Idempotency-Replayed"] = "true"
    return response
