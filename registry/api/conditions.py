"""If-Match on writes: who changes something says which version they saw (RFC 9110, 13.1.1)."""

from __future__ import annotations

import re

from flask import request
from werkzeug.exceptions import PreconditionFailed, PreconditionRequired

_VERSION = re.compile(r'"v(\d{1,9})"')
PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string", "pattern": r'^"v[0-9]{1,9}"$'},
    "description": "The ETag of what you read; 412 when somebody changed it since.",
}
HASH_PARAMETER = {**PARAMETER, "schema": {"type": "string", "pattern": r'^"[0-9a-f]{64}"$'}}


def etag_of(version: int) -> str:
    """The ETag of a thing that counts its versions."""
    return f'"v{version}"'


def check_hash(sha256: str) -> None:
    """For a thing whose ETag is a hash of it: answers 428 without If-Match, 412 for another one."""
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise PreconditionRequired
    if given != f'"{sha256}"':
        raise PreconditionFailed


def expected_version() -> int:
    """The version that the caller saw. Answers 428 without If-Match, 412 for one not of ours."""
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise PreconditionRequired
    found = _VERSION.fullmatch(given)
    if found is None:
        raise PreconditionFailed
    return int(found.group(1))
