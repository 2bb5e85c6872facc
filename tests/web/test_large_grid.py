"""The measured network in small: its pages answer, hold what was written, and load no codebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from coordinated import rows_of
from sqlalchemy import func, select

from registry.bench import grid as bench
from registry.database import SessionFactory, engine_of
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import Participation


@pytest.fixture
def asked(factory: SessionFactory) -> Iterator[list[str]]:
    """Every statement that reaches the database."""
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    engine = engine_of(factory)
    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


def test_the_pages_of_a_large_network_read_columns_and_never_codebooks(
    factory: SessionFactory, asked: list[str], tmp_path: Path, clock: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        bench.fill(session, 30, 22, clock.now)
        there = session.scalar(
            select(func.count())
            .select_from(Participation)
            .where(Participation.study.startswith("study-"))
        )
    assert there
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    client = bench.coordinator(factory, tmp_path, url, clock.now)
    client.get("/c")
    asked.clear()
    found = list(bench.measure(client, 1))
    assert [row["page"] for row in found] == list(bench.PAGES)
    assert all(row["seconds"] > 0 and row["bytes"] > 10_000 for row in found)
    assert asked
    assert [statement for statement in asked if "codebook" in statement] == []
    # however many studies and hospitals: a handful of questions for each page
    assert len(asked) < 40 * len(found)

    # 22 hospitals and the ten of the test network: twenty beside each other, then the others
    first, second = (rows_of(client.get(f"/c?q=Recovery&side={n}").text, "grid") for n in (1, 2))
    assert (len(first), len(first[0]), len(second[0])) == (25, 21, 13)
    shown = rows_of(client.get("/c/picture?q=Recovery").text, "counts")
    more = rows_of(client.get("/c/picture?q=Recovery&page=2").text, "counts")
    assert sum(int(row[-1]) for row in (*shown, *more)) == there
