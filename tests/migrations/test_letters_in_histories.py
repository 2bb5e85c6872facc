"""Revision 0021: a history may say that a letter was linked; what was there stays kept."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError

from migrations import run

from .test_kept_decisions import BEFORE, connected

LINKED = (
    "INSERT INTO participant_event (id, participant_id, number, kind, value, site, at, recorded_at,"
    " \"by\") VALUES ('f', 'p', 2, 'linked', 'h', 'h', 1, 1, 'me')"
)


def test_a_history_says_that_a_letter_was_linked(empty_url: str) -> None:
    run.upgrade(empty_url, "0020")
    with connected(empty_url) as connection:
        for statement in BEFORE:
            # Of 0019; two signatures that stand are refused since 0020.
            if "agreement_signature" not in statement:
                connection.exec_driver_sql(statement)
        connection.commit()
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql(LINKED)
        connection.rollback()
    run.upgrade(empty_url, "0021")
    run.downgrade(empty_url, "0020")
    run.upgrade(empty_url, "0021")
    with connected(empty_url) as connection:
        connection.exec_driver_sql(LINKED)
        connection.commit()
        kinds = "SELECT kind FROM participant_event ORDER BY number"
        assert connection.exec_driver_sql(kinds).scalars().all() == ["state", "linked"]
        connection.rollback()
        for statement in (
            "UPDATE participant_event SET at = 0",
            "DELETE FROM participant_event",
        ):
            with pytest.raises(DatabaseError, match="append-only"):
                connection.exec_driver_sql(statement)
            connection.rollback()
        if connection.dialect.name == "sqlite":
            again = LINKED.replace("INSERT", "INSERT OR REPLACE").replace("'f'", "'g'")
            with pytest.raises(DatabaseError, match="append-only"):
                connection.exec_driver_sql(again)
            connection.rollback()
    # Going back would lose what a history says.
    with pytest.raises(run.MigrationRefused):
        run.downgrade(empty_url, "0020")
