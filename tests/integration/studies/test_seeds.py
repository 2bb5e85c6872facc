"""The whole of OncoZON, 10 institutions × 16 groups × 120 studies, loads in time."""

import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from registry.database import SessionFactory
from studies import service as studies
from studies.actor import SYSTEM
from studies.models import Study
from studies.network.directory import network_at
from studies.seeds.oncozon_whole import ONCOZON_WHOLE

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.mark.slow
def test_oncozon_loads_whole_in_time(factory: SessionFactory) -> None:
    began = time.perf_counter()
    with factory() as session:
        studies.load_network(session, ONCOZON_WHOLE, SYSTEM, now=NOW)
        session.commit()
        took = time.perf_counter() - began
        view = network_at(session, "oncozon", NOW)
        count = len(session.scalars(select(Study.slug)).all())
    print(f"OncoZON, 120 studies at 10 institutions: {took:.1f} s")
    assert took < 20
    assert (len(view.members), count) == (10, 120)
