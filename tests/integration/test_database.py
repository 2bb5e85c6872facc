"""What each connection promises: foreign keys, durability, one writer at a time."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from migrations import run as migrations
from registry.database import (
    SessionFactory,
    check_durable,
    engine_of,
    make_engine,
    open_database,
)
from registry.turns import QueuedConnection, Turns
from studies.actor import SYSTEM
from studies.events import announce
from studies.looking import read_only
from studies.models import Network


def test_sqlite_connections_are_set_for_safety(factory: SessionFactory) -> None:
    if engine_of(factory).dialect.name != "sqlite":
        return
    with engine_of(factory).connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        }
    assert told == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 10_000,
    }


def test_foreign_keys_hold(factory: SessionFactory) -> None:
    with factory() as session:
        announce(session, actor=SYSTEM, action="participation.invited", about="x")
        insert = text(
            "INSERT INTO participation (id, study, institution, state, since, contact) "
            "VALUES ('1', 'none', 'none', 'invited', 0, '')"
        )
        with pytest.raises(IntegrityError):
            session.execute(insert)


def test_writers_wait_for_each_other_instead_of_failing(factory: SessionFactory) -> None:
    """Each reads and then writes: a deferred SQLite transaction would say "database is locked"."""
    start, failures = Barrier(6), list[BaseException]()

    def write(number: int) -> None:
        start.wait()
        try:
            for turn in range(5):
                with factory() as session:
                    session.query(Network).count()
                    slug = f"n{number}-{turn}"
                    session.add(Network(slug=slug, name="N"))
                    announce(session, actor=SYSTEM, action="network.created", about=slug)
                    session.commit()
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with factory() as session:
        assert session.query(Network).count() == 30


def test_readers_do_not_wait_for_a_writer(factory: SessionFactory) -> None:
    with factory() as writing, factory() as looking:
        writing.add(Network(slug="n", name="N"))
        writing.flush()
        read_only(looking)
        assert looking.query(Network).count() == 0


def test_a_database_that_forgets_is_refused(factory: SessionFactory) -> None:
    engine = engine_of(factory)
    check_durable(engine)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
            connection.exec_driver_sql("SET synchronous_commit TO off")
            connection.commit()
        with pytest.raises(ValueError, match="synchronous_commit=off"):
            check_durable(engine)


def test_writers_of_a_sqlite_file_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.database.BUSY_TIMEOUT_MS", 200)
    engine = make_engine(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE came (who INTEGER)")
    with engine.begin() as first:
        # Whoever waits too long is told so, and is not in the way of the others afterwards.
        with pytest.raises(OperationalError, match="locked"), engine.begin():
            pass
        came: list[int] = []
        monkeypatch.setattr("registry.database.BUSY_TIMEOUT_MS", 10_000)

        def write(who: int) -> None:
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO came VALUES (?)", (who,))
                came.append(who)

        writers = [Thread(target=write, args=(who,)) for who in range(8)]
        (queue,) = {connection_turns(first)}
        for number, writer in enumerate(writers, 1):
            writer.start()
            while len(queue._waiting) < number:
                pass
    for writer in writers:
        writer.join()
    assert came == list(range(8))
    engine.dispose()


def connection_turns(connection: Connection) -> Turns:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, QueuedConnection)
    assert raw.turns is not None
    return raw.turns


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://x/y", "SQLite or PostgreSQL"),
    ],
)
def test_other_databases_are_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make_engine(url)


def test_a_plain_postgresql_url_gets_the_driver_we_install() -> None:
    factory = open_database("postgresql://hub@127.0.0.1/hub")
    assert engine_of(factory).url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("mode", [None, 0o644])
def test_only_the_services_user_can_read_the_file(tmp_path: Path, mode: int | None) -> None:
    path = tmp_path / "data" / "hub.sqlite"
    if mode is not None:
        path.parent.mkdir()
        path.touch(mode)
        path.chmod(mode)
    engine = make_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    engine.dispose()

    assert len(modes) == 3, "the file, its log and its index"
    assert set(modes.values()) == {0o600}


def test_nor_the_copy_that_a_migration_keeps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    migrations.upgrade(url, "0001")
    migrations.upgrade(url)

    (kept,) = tmp_path.glob("hub.sqlite.before-*")
    assert kept.stat().st_mode & 0o777 == 0o600
