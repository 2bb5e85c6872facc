"""Revision 0013: rows of before keep their meaning, and the way back loses nothing silently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from migrations import run
from registry.database import make_engine

BEFORE = (
    "INSERT INTO network (slug, name, region_nl, region_en, source) VALUES ('n', 'N', '', '', '')",
    "INSERT INTO institution (slug, name, kind, city, phone) VALUES ('h', 'H', 'general', '', '')",
    "INSERT INTO study (slug, network, title_nl, title_en, question_nl, question_en, purpose_nl,"
    " purpose_en, lead_name, state, codebook, codebook_id, requires, output_by_site, created_at)"
    " VALUES ('s', 'n', '', '', '', '', '', '', '', 'closed', '{}', 'c', '[]', FALSE, 7)",
    "INSERT INTO participation (id, study, institution, state, since, contact, note_code)"
    " VALUES ('p', 's', 'h', 'on_hold', 5, 'Ward 3', 'no_capacity')",
    'INSERT INTO participation_step (id, participation_id, number, state, at, recorded_at, "by")'
    " VALUES ('x', 'p', 1, 'invited', 4, 5, 'me')",
)
PART = "SELECT id, study, institution, state, since, contact, note_code FROM participation"
STEP = 'SELECT id, participation_id, number, state, at, recorded_at, "by" FROM participation_step'
KEPT = (
    [("p", "s", "h", "on_hold", 5, "Ward 3", "no_capacity")],
    [("x", "p", 1, "invited", 4, 5, "me")],
)


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def write(url: str, *statements: str) -> None:
    with connected(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def rows(url: str, question: str) -> list[tuple[object, ...]]:
    with connected(url) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(question)]


def test_states_of_before_go_there_and_back_and_new_ones_stop_the_way_back(empty_url: str) -> None:
    run.upgrade(empty_url, "0012")
    write(empty_url, *BEFORE)
    run.upgrade(empty_url, "0013")
    assert (rows(empty_url, PART), rows(empty_url, STEP)) == KEPT
    assert rows(empty_url, "SELECT kind, asks_data, identifiers FROM study") == [
        ("data", True, "{}")
    ]
    # Who opened and ended it is not known, that somebody did is: its state follows from it.
    assert rows(empty_url, 'SELECT number, kind, at, "by" FROM study_event ORDER BY number') == [
        (1, "opened", 7, "migration"),
        (2, "ended", 7, "migration"),
    ]
    with pytest.raises(DatabaseError, match="append-only"):
        write(empty_url, "UPDATE participation_step SET state = 'open'")
    write(empty_url, "UPDATE participation SET state = 'local_review'")
    with pytest.raises(run.MigrationRefused, match="does not know"):
        run.downgrade(empty_url, "0012")
    write(empty_url, "UPDATE participation SET state = 'on_hold'")
    run.downgrade(empty_url, "0012")
    assert (rows(empty_url, PART), rows(empty_url, STEP)) == KEPT
    with pytest.raises(DatabaseError):
        write(empty_url, "UPDATE participation SET state = 'local_review'")
