"""Half-filled questions, kept with the session until they are sent (and shortly after).

A draft has its own id, so two tabs do not disturb each other; it remembers the run that it
became, so that sending it twice is sending it once.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from registry.accounts import visitor
from registry.forms.query_form import MAX_BYTES

_KEY = "questions"
KEPT = 6


def get(draft_id: str) -> dict[str, Any] | None:
    """The draft of this session with this id, or None."""
    return next((draft for draft in _all() if draft["id"] == draft_id), None)


def keep(study: str, made: dict[str, Any], *, form: list[list[str]] | None = None) -> str:
    """Store a new draft and give its id; the oldest ones make room."""
    draft: dict[str, Any] = {"id": str(uuid4()), "study": study, "made": made}
    if form is not None:
        draft["form"] = form
    _store([*_all(), draft])
    return str(draft["id"])


def sent(draft_id: str, run_id: str) -> None:
    """Note what became of a draft; its content is no longer needed."""
    _store(
        [
            {"id": draft_id, "study": draft["study"], "run": run_id}
            if draft["id"] == draft_id
            else draft
            for draft in _all()
        ]
    )


def _all() -> list[dict[str, Any]]:
    # A list, oldest first: the session's JSON does not keep the order of keys.
    return list(visitor.draft().get(_KEY, []))


def _store(drafts: list[dict[str, Any]]) -> None:
    drafts = drafts[-KEPT:]
    while len(drafts) > 1 and len(str(drafts)) > MAX_BYTES:
        drafts = drafts[1:]
    visitor.keep_draft({**visitor.draft(), _KEY: drafts})
