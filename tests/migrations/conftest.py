"""The databases of tests/integration, and empty ones that no migration has touched."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location(
    "integration_databases", Path(__file__).parents[1] / "integration" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_databases: Any = importlib.util.module_from_spec(_spec)
sys.modules["integration_databases"] = _databases
_spec.loader.exec_module(_databases)

postgres_server = _databases.postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hub.sqlite'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create()
    yield _databases.text(url)
    server.drop(url)
