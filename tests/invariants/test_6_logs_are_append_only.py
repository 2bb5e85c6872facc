"""Invariant 6: the consent log and the audit log are append-only and verifiable.

On the database of a network that really ran, as SQLite file: the triggers refuse, and what
somebody does after removing them is found. The same on PostgreSQL: tests/integration/test_audit.py
and tests/integration/consent. That nobody at the hub can make a yes which a hospital counts needs
the proof from the patient's letter, which is the next issue's; here it is found.
"""

import shutil
import sqlite3

import pytest
from sqlalchemy.orm import Session

from consent.verifying import LogBroken, LogHolds, verify_log
from registry import audit
from registry.database import engine_of, open_database

KEPT_FOR_EVER = ("consent_event", "log_leaf", "audit_line")


@pytest.fixture
def copy(watched, tmp_path):
    """A copy of the hub's database as it is now."""
    target = tmp_path / "hub.sqlite"
    with sqlite3.connect(watched.folder / "hub.sqlite") as source, sqlite3.connect(target) as new:
        source.backup(new)
    yield target
    shutil.rmtree(tmp_path, ignore_errors=True)


def tamper(path, *statements):
    """Do what only somebody with the file in hand can do: remove the triggers first."""
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f'DROP TRIGGER "{name}"')  # names of our own schema
        for statement in statements:
            assert database.execute(statement).rowcount == 1
    database.close()


@pytest.fixture
def look(copy):
    """What both logs say about themselves."""
    opened = []

    def verified():
        factory = open_database(f"sqlite:///{copy}")
        opened.append(factory)
        with factory() as session:
            assert isinstance(session, Session)
            return audit.verify(session), verify_log(session, "oncozon")

    yield verified
    for factory in opened:
        engine_of(factory).dispose()


def test_an_untouched_network_holds(look):
    lines, choices = look()
    assert isinstance(lines, audit.Head)
    assert lines.seq > 200
    assert isinstance(choices, LogHolds)
    assert choices.size > 1800


@pytest.mark.parametrize("table", KEPT_FOR_EVER)
@pytest.mark.parametrize("act", ["change", "remove"])
def test_the_database_itself_refuses(copy, table, act):
    with sqlite3.connect(copy) as database:
        column = {"consent_event": "kind", "log_leaf": "hash", "audit_line": "action"}[table]
        statement = (
            f"UPDATE {table} SET {column} = {column}" if act == "change" else f"DELETE FROM {table}"
        )
        with pytest.raises(sqlite3.DatabaseError, match=r"append-only|never"):
            database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "UPDATE consent_event SET kind = 'granted' WHERE id ="
            " (SELECT id FROM consent_event WHERE kind = 'refused' LIMIT 1)",
            "changed",
        ),
        ("UPDATE log_leaf SET hash = zeroblob(32) WHERE number = 7", "changed"),
        ("DELETE FROM consent_event WHERE leaf = 40", "event missing"),
        ("DELETE FROM log_leaf WHERE number = (SELECT max(number) FROM log_leaf)", "without"),
        ("UPDATE log_head SET size = size - 1", "head"),
    ],
)
def test_a_changed_choice_is_found(copy, look, statement, why):
    tamper(copy, statement)
    _, choices = look()
    assert isinstance(choices, LogBroken)
    assert why in choices.why


def test_a_yes_written_past_the_log_is_found(copy, look):
    """A refusal copied as a grant under the next number, as a hub administrator could."""
    with sqlite3.connect(copy) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(consent_event)")]
        said = {"id": "'forged'", "kind": "'granted'", "leaf": "1000000"}
        values = ", ".join(said.get(name, name) for name in columns)
        done = database.execute(
            f"INSERT INTO consent_event ({', '.join(columns)}) SELECT {values}"
            " FROM consent_event WHERE kind = 'refused' LIMIT 1"
        )
        assert done.rowcount == 1
    database.close()
    _, choices = look()
    assert choices == LogBroken(1_000_000, "event without a leaf")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_line SET action = 'run.refused' WHERE seq = 5",
        "DELETE FROM audit_line WHERE seq = 5",
    ],
)
def test_a_changed_audit_line_is_found(copy, look, statement):
    tamper(copy, statement)
    lines, _ = look()
    assert isinstance(lines, audit.Broken)


def test_a_cut_off_audit_log_is_found_by_a_head_kept_elsewhere(copy, look):
    whole, _ = look()
    tamper(copy, "DELETE FROM audit_line WHERE seq = (SELECT max(seq) FROM audit_line)")
    factory = open_database(f"sqlite:///{copy}")
    with factory() as session:
        assert isinstance(audit.verify(session, whole), audit.Broken)
    engine_of(factory).dispose()
