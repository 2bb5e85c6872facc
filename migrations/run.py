"""Bring a database to a revision: ``oncokring migrate`` and tests call these functions.

One linear history in ``versions``. A run takes a lock, so that two hubs that start at once do not
both migrate; before it changes an existing SQLite file it keeps a copy beside it. A database that
is newer than the code is refused.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

FOLDER = Path(__file__).parent
LOCK = 0x6D696772


class MigrationRefused(RuntimeError):
    """The step was not carried out; the message says why and what to do."""


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the database at ``url`` (SQLite file or PostgreSQL); does nothing when it is there.

    Raises MigrationRefused when the database is newer than the code.
    """
    from registry.database import make_engine

    engine = make_engine(url)
    try:
        _check_known(engine)
        if revision == "head" and at_head(engine):
            return
        _copy_first(engine)
        _run(engine, revision, command.upgrade)
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> None:
    """Go back to ``revision`` ("base" for nothing).

    Raises MigrationRefused when that would delete consent or audit lines.
    """
    from registry.database import make_engine

    engine = make_engine(url)
    try:
        _check_known(engine)
        _copy_first(engine)
        _run(engine, revision, command.downgrade)
    finally:
        engine.dispose()


def at_head(engine: Engine) -> bool:
    """Whether the schema is exactly the newest revision of this code."""
    return current(engine) == newest()


def current(engine: Engine) -> str | None:
    """The database's revision; None for an empty database."""
    with engine.connect() as connection:
        found: str | None = MigrationContext.configure(connection).get_current_revision()
    return found


@cache
def newest() -> str | None:
    """The newest revision of this code."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def _run(engine: Engine, revision: str, step: object) -> None:
    with engine.begin() as connection:
        _lock(connection)
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = connection
        if step is command.upgrade:
            command.upgrade(config, revision)
        else:
            command.downgrade(config, revision)


def _lock(connection: Connection) -> None:
    # SQLite is locked already: every writing transaction begins IMMEDIATE.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def _check_known(engine: Engine) -> None:
    revision = current(engine)
    known = {script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()}
    if revision is not None and revision not in known:
        raise MigrationRefused(
            "The database was made by a newer version of Oncokring than this one. "
            "Install that version, or restore a back-up from before the upgrade."
        )


def _copy_first(engine: Engine) -> None:
    from registry.database import make_private

    if engine.dialect.name != "sqlite" or not inspect(engine).get_table_names():
        return
    path = Path(str(engine.url.database))
    kept = path.with_name(f"{path.name}.before-{current(engine)}")
    make_private(kept)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(kept)) as copy:
        old.backup(copy)
