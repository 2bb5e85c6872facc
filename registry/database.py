"""Engine and session factory for SQLite (default) and PostgreSQL (by URL).

Every session from :func:`session_factory` writes an audit line per announcement when it commits,
see registry/transaction.py. Writing is the default kind of transaction; reading transactions say
so with :func:`studies.looking.read_only` and cannot write on either database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from registry.turns import QueuedConnection, Turns
from studies.looking import READ_ONLY

SessionFactory = sessionmaker[Session]
Clock = Callable[[], datetime]

BUSY_TIMEOUT_MS = 10_000
STATEMENT_TIMEOUT_MS = 30_000
# One connection for each of the server's threads (registry/commands/serve.py) and some to spare:
# a thread that waits for a connection looks to its visitor like a hub that is down.
POOL: dict[str, Any] = {"pool_size": 16, "max_overflow": 24, "pool_timeout": 10}


def utc_now() -> datetime:
    """The hub's clock."""
    return datetime.now(UTC)


def make_engine(url: str) -> Engine:
    """Engine for ``url``; ``postgresql://`` is understood as psycopg 3.

    Raises ValueError for a database other than SQLite (a file) and PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError(
                "The hub needs a SQLite file; a database in memory would lose consent. "
                "Give a path, such as sqlite:////var/lib/oncokring/hub.sqlite."
            )
        make_private(Path(parsed.database))
        queued = {"timeout": BUSY_TIMEOUT_MS / 1000, "factory": QueuedConnection}
        engine = create_engine(parsed, connect_args=queued, **POOL)
        turns = Turns()

        def connected(dbapi_connection: QueuedConnection, _record: Any) -> None:
            dbapi_connection.turns = turns
            _sqlite_connect(dbapi_connection)

        event.listen(engine, "connect", connected)
        event.listen(engine, "begin", _sqlite_begin)
        return _watched(engine)
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            **POOL,
            connect_args={
                "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS} "
                "-c idle_in_transaction_session_timeout=60000 -c synchronous_commit=on"
            },
        )
        event.listen(engine, "begin", _postgresql_begin)
        return _watched(engine)
    raise ValueError("The database must be SQLite or PostgreSQL; check ONCOKRING_DATABASE.")


def make_private(path: Path) -> None:
    """Let only the service's user read the file: it holds choices, password hashes and the seeds
    of one-time codes. SQLite gives the files beside it the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file that cannot be made or is another user's is for the connection to complain about.
    with suppress(OSError):
        path.touch(0o600)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _watched(engine: Engine) -> Engine:
    # Imported here: transaction.py builds on this module.
    from registry.transaction import forget_changes, note_changes

    event.listen(engine, "begin", forget_changes)
    event.listen(engine, "before_cursor_execute", note_changes)
    return engine


def session_factory(engine: Engine, clock: Clock = utc_now) -> SessionFactory:
    """Sessions that audit what they commit. ``clock`` gives the time of audit lines."""
    # Imported here: transaction.py builds on this module.
    from registry.transaction import AuditedSession

    return sessionmaker(
        engine, class_=AuditedSession, expire_on_commit=False, info={"clock": clock}
    )


def open_database(url: str, clock: Clock = utc_now) -> SessionFactory:
    """Engine and session factory in one go; ``factory.kw["bind"]`` is the engine."""
    return session_factory(make_engine(url), clock)


def check_durable(engine: Engine) -> None:
    """Raise ValueError when PostgreSQL is set to forget what it said was written."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            if connection.exec_driver_sql(f"SHOW {name}").scalar() == "off":
                raise ValueError(
                    f"The database has {name}=off, so a power cut could lose a patient's choice. "
                    f"Set {name}=on in postgresql.conf."
                )


def engine_of(factory: SessionFactory) -> Engine:
    """The engine behind a session factory."""
    engine = factory.kw["bind"]
    assert isinstance(engine, Engine)  # noqa: S101 - narrows the type, set by session_factory
    return engine


def _sqlite_connect(dbapi_connection: QueuedConnection) -> None:
    # SQLAlchemy's begin event must be the only one that begins, so that it can say IMMEDIATE.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    reading = bool(connection.get_execution_options().get(READ_ONLY))
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    raw = connection.connection.dbapi_connection
    if not reading and isinstance(raw, QueuedConnection):
        if not raw.wait_for_turn(BUSY_TIMEOUT_MS / 1000):
            locked = sqlite3.OperationalError("database is locked")
            raise OperationalError("BEGIN IMMEDIATE", None, locked)
    # A deferred transaction that starts to write later fails with "database is locked" when
    # another wrote in between; IMMEDIATE waits its turn up to busy_timeout instead.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(READ_ONLY):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
