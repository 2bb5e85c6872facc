"""The audit chain: what is found, and by whom it needs a head kept elsewhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry import audit
from registry.audit import Broken, Head
from registry.database import SessionFactory
from studies.actor import SYSTEM, Actor
from studies.events import announce

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LINES = 40


@pytest.fixture
def written(factory: SessionFactory) -> SessionFactory:
    """A log of LINES lines, with its guards taken away, as who owns the database can."""
    with factory() as session:
        for number in range(LINES):
            announce(
                session,
                actor=Actor("user", f"u{number % 3}", frozenset({"auditor"}), "É€ \u2028 naam"),
                action="study.changed",
                about=f"study:{number}",
                facts={"number": number, "empty": None, "outcome": "refused"},
            )
        session.commit()
        if session.get_bind().dialect.name == "sqlite":
            for name in ("update", "delete", "replace"):
                session.execute(text(f"DROP TRIGGER audit_line_no_{name}"))
        else:
            session.execute(text("ALTER TABLE audit_line DISABLE TRIGGER ALL"))
        session.commit()
    return factory


def _verify(factory: SessionFactory, known: Head | None = None) -> Broken | Head:
    with factory() as session:
        return audit.verify(session, known)


def _change(session: Session, statement: str, **values: object) -> None:
    session.execute(text(statement), values)
    session.info["announced"] = []
    session.connection().info["oncokring_changed"] = set()
    session.commit()


def test_an_untouched_log_holds(written: SessionFactory) -> None:
    found = _verify(written)
    assert isinstance(found, Head)
    assert found.seq == LINES
    with written() as session:
        assert audit.head(session) == found


def test_an_empty_log_holds(factory: SessionFactory) -> None:
    assert _verify(factory) == Head(0, audit.START)


COLUMNS = [column.name for column in audit.AuditLine.__table__.columns if column.name != "seq"]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_field_is_found(written: SessionFactory, column: str) -> None:
    seq = random.randint(1, LINES)  # noqa: S311
    other = "123" if column == "at" else "'x'" if column != "facts" else "'{}'"
    with written() as session:
        _change(session, f"UPDATE audit_line SET {column} = {other} WHERE seq = {seq}")
    found = _verify(written)
    assert isinstance(found, Broken)
    assert found.seq in (seq, seq + 1)


def test_a_deleted_line_is_found(written: SessionFactory) -> None:
    seq = random.randint(1, LINES - 1)  # noqa: S311
    with written() as session:
        _change(session, "DELETE FROM audit_line WHERE seq = :seq", seq=seq)
    assert _verify(written) == Broken(seq, "line missing")


def test_two_swapped_lines_are_found(written: SessionFactory) -> None:
    with written() as session:
        for old, new in ((3, 900), (7, 3), (900, 7)):
            _change(session, "UPDATE audit_line SET seq = :new WHERE seq = :old", old=old, new=new)
    assert isinstance(_verify(written), Broken)


def test_a_cut_off_end_is_found_with_a_known_head(written: SessionFactory) -> None:
    known = _verify(written)
    assert isinstance(known, Head)
    with written() as session:
        _change(session, "DELETE FROM audit_line WHERE seq > :seq", seq=LINES - 5)
    assert isinstance(_verify(written), Head)  # the chain alone cannot know
    assert _verify(written, known) == Broken(LINES - 4, "log is shorter than the known head")


def test_a_rewritten_log_is_found_with_a_known_head(written: SessionFactory) -> None:
    known = _verify(written)
    assert isinstance(known, Head)
    with written() as session:
        previous = audit.START
        for line in list(audit.lines(session)):
            line.actor_name = "Somebody else"
            line.previous = previous
            line.hash = previous = audit.line_hash(line)
        session.flush()
        session.connection().info["oncokring_changed"] = set()
        session.commit()
    assert isinstance(_verify(written), Head)
    assert isinstance(_verify(written, known), Broken)


def test_many_writers_make_one_chain(factory: SessionFactory) -> None:
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(10):
                with factory() as session:
                    announce(session, actor=SYSTEM, action="x.read", about=f"{name}:{number}")
                    session.commit()
        except BaseException as error:  # shown below
            failures.append(error)

    threads = [Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = _verify(factory)
    assert isinstance(found, Head)
    assert found.seq == 40


def test_lines_can_be_read_from_a_point(written: SessionFactory) -> None:
    with written() as session:
        assert [line.seq for line in audit.lines(session, after=LINES - 3)] == [38, 39, 40]
        line = next(audit.lines(session))
        shown = audit.as_json(line)
    assert shown["outcome"] == "refused"
    assert shown["facts"] == {"number": 0, "empty": None}
    assert set(shown) == {*COLUMNS, "seq", "at_ms"} - {"at"}
