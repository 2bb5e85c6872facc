"""Who takes a hospital through a study in tests, with which papers, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.hospitals import documents
from studies.models import Study

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
COORDINATOR = Actor("user", "coordinator", frozenset({"coordinator"}), "Co Ordinator")
BOARD = Actor("user", "board", frozenset({"board", "board@site:north"}), "Bo Ard")
PDF = b"%PDF-1.7\n1 0 obj\nendobj\ntrailer\n%%EOF\n"
NewStudy = Callable[..., Study]


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


def by(who: Actor = COORDINATOR, now: datetime = NOW) -> dict[str, Any]:
    return {"actor": who, "now": now}


def add(session: Session, study: Study, kind: str, version: str = "1", **more: Any) -> Any:
    given: dict[str, Any] = {
        "name": kind,
        "body": PDF + kind.encode() + version.encode() + b"\n%%EOF",
        "valid_from": TODAY - 400 * DAY,
        "institution": "north",
    }
    return documents.add_document(
        session, study, kind=kind, version=version, **{**given, **more}, **by()
    )
