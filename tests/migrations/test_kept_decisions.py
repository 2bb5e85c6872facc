"""Revision 0020: what was decided, signed, frozen and counted stays; what was there keeps meaning.

Source: invariant 6 (history is only added to) and finding 13 of the review of 2026-11-23.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError

from migrations import run
from registry.database import make_engine

BEFORE = (
    "INSERT INTO network (slug, name, region_nl, region_en, source) VALUES ('n', 'N', '', '', '')",
    "INSERT INTO institution (slug, name, kind, city, phone) VALUES ('h', 'H', 'general', '', '')",
    "INSERT INTO study (slug, network, title_nl, title_en, question_nl, question_en, purpose_nl,"
    " purpose_en, lead_name, state, codebook, codebook_id, requires, output_by_site, created_at)"
    " VALUES ('s', 'n', '', '', '', '', '', '', '', 'open', '{}', 'c', '[]', FALSE, 7)",
    "INSERT INTO working_group (id, network, slug, name_nl, name_en)"
    " VALUES ('g', 'n', 'g', 'G', 'G')",
    "INSERT INTO group_meeting (id, group_id, held_on, agenda) VALUES ('m', 'g', 1, '[]')",
    'INSERT INTO group_decision (id, group_id, number, at, recorded_at, "by", text, links)'
    " VALUES ('d', 'g', 1, 1, 1, 'me', 'Yes', '[]')",
    "INSERT INTO agreement (id, network, kind, version, title_nl, title_en, since)"
    " VALUES ('a', 'n', 'queries', '1', '', '', 1)",
    # Two who signed at once, as could happen before.
    'INSERT INTO agreement_signature (id, agreement_id, institution, signed_at, signatory, "by")'
    " VALUES ('x', 'a', 'h', 5, 'Bo', 'me'), ('y', 'a', 'h', 6, 'Bo', 'me')",
    "INSERT INTO participant (id, study, pseudonym, site, state, since, entered_wrongly, version)"
    " VALUES ('p', 's', 'S-1-1', 'h', 'on_study', 1, FALSE, 1)",
    "INSERT INTO participant_event (id, participant_id, number, kind, value, site, at, recorded_at,"
    " \"by\") VALUES ('e', 'p', 1, 'state', 'on_study', 'h', 1, 1, 'me')",
    "INSERT INTO screening_count (id, study, institution, month, version, counts, recorded_at,"
    " \"by\") VALUES ('c', 's', 'h', '2026-01', 1, '{}', 1, 'me')",
    'INSERT INTO arm_count (id, study, institution, arm, version, counts, recorded_at, "by")'
    " VALUES ('r', 's', 'h', 'A', 1, '{}', 1, 'me')",
    'INSERT INTO accrual_plan (id, study, number, shape, stages, recorded_at, "by")'
    " VALUES ('l', 's', 1, 'linear', '[]', 1, 'me')",
)
#: Each table with a column that is text, to write in what must not change.
WHOLE = {
    "participant_event": "value",
    "screening_count": "counts",
    "arm_count": "counts",
    "accrual_plan": "stages",
    "group_decision": "text",
    "group_meeting": "agenda",
    "agreement_signature": "signatory",
}
SIGNATURES = "SELECT id, withdrawn_at, withdrawn_by FROM agreement_signature ORDER BY id"


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def test_what_was_decided_signed_and_counted_is_kept_by_the_database(empty_url: str) -> None:
    run.upgrade(empty_url, "0019")
    with connected(empty_url) as connection:
        for statement in BEFORE:
            connection.exec_driver_sql(statement)
        connection.commit()
    run.upgrade(empty_url)
    with connected(empty_url) as connection:
        # The first signature goes on counting, the other one counts for no moment.
        assert connection.exec_driver_sql(SIGNATURES).all() == [
            ("x", None, None),
            ("y", 6, "migration"),
        ]
        _may(connection, "UPDATE group_meeting SET agenda = '[\"more\"]'")
        _may_not(connection, "UPDATE group_meeting SET held_on = 9")
        _may(connection, "UPDATE group_meeting SET frozen = '{}', frozen_at = 3, frozen_by = 'me'")
        _may_not(connection, "UPDATE group_meeting SET frozen_at = NULL")
        _may_not(connection, "UPDATE agreement_signature SET signed_at = 1 WHERE id = 'x'")
        _may_not(connection, "UPDATE agreement_signature SET withdrawn_at = NULL WHERE id = 'y'")
        for table, column in WHOLE.items():
            _may_not(connection, f"UPDATE {table} SET {column} = 'changed'")
            _may_not(connection, f"DELETE FROM {table}")
            _may_not(connection, _taken_away(connection, table))
        again = (
            "INSERT INTO agreement_signature (id, agreement_id, institution, signed_at, signatory,"
            " \"by\") VALUES ('z', 'a', 'h', 8, 'Bo', 'me')"
        )
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql(again)
        connection.rollback()
        _may(connection, "UPDATE agreement_signature SET withdrawn_at = 7 WHERE id = 'x'")
        _may_not(connection, "UPDATE agreement_signature SET withdrawn_at = 9 WHERE id = 'x'")
        _may(connection, again)
    # The way back keeps the rows and what 0015 promised.
    run.downgrade(empty_url, "0019")
    with connected(empty_url) as connection:
        assert len(connection.exec_driver_sql(SIGNATURES).all()) == 3
        _may_not(connection, "UPDATE participant_event SET at = 0")
        _may(connection, "DELETE FROM group_decision")


def _taken_away(connection: sa.Connection, table: str) -> str:
    """The statement that empties a table, or puts another row in the place of one."""
    if connection.dialect.name == "postgresql":
        return f"TRUNCATE {table}"
    columns = [str(each["name"]) for each in sa.inspect(connection).get_columns(table)]
    connection.rollback()
    others = ", ".join("'new'" if name == "id" else f'"{name}"' for name in columns)
    return f"INSERT OR REPLACE INTO {table} SELECT {others} FROM {table} LIMIT 1"


def _may(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
    connection.commit()


def _may_not(connection: sa.Connection, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"):
        connection.exec_driver_sql(statement)
    connection.rollback()
