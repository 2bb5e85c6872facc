"""A small network of its own: two hospitals, one study under the WMO, quick to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from studies import service as studies
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Institution, Membership, Network, Study

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def small(factory: SessionFactory) -> Iterator[Session]:
    """A session on a database with the network `small`, hospitals `north` and `south`."""
    with factory() as session:
        session.add(Network(slug="small", name="Small"))
        for slug in ("north", "south"):
            session.add(Institution(slug=slug, name=slug.title(), kind="general"))
        session.flush()
        for slug in ("north", "south"):
            session.add(Membership(network="small", institution=slug, since=NOW - 3000 * DAY))
        announce(session, actor=SYSTEM, action="network.created", about="network:small")
        session.commit()
        yield session


@pytest.fixture
def new_study() -> Callable[..., Study]:
    """Makes a study of the small network, under the WMO unless told otherwise."""

    def make(session: Session, slug: str = "trial", **changes: Any) -> Study:
        given: dict[str, Any] = {
            "slug": slug,
            "network": "small",
            "title_nl": "Proef",
            "title_en": "Trial",
            "question_nl": "Helpt het?",
            "question_en": "Does it help?",
            "purpose_nl": "Weten.",
            "purpose_en": "To know.",
            "codebook": {"codebook": "mine/1", "variables": {"age": {"type": "integer"}}},
            "requires": ["use.record"],
            "kind": "wmo",
            "asks_data": False,
            "actor": SYSTEM,
            "now": NOW - 1000 * DAY,
        }
        return studies.create_study(session, **{**given, **changes})

    return make
