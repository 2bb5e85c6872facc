"""Here each test begins with the network in its database: written once, then copied."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from registry.database import SessionFactory, engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM
from studies.seeds.oncozon import ONCOZON

SINCE = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


def load(factory: SessionFactory) -> None:
    with factory() as session:
        studies.load_network(session, ONCOZON, SYSTEM, now=SINCE)
        session.commit()
    engine_of(factory).dispose()


@pytest.fixture(scope="session")
def sqlite_template(sqlite_template: Path) -> Path:
    path = sqlite_template.with_name("with-network.sqlite")
    shutil.copy(sqlite_template, path)
    load(open_database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any, postgres_template: str) -> str:
    made = postgres_server.create(postgres_template)
    load(open_database(made.render_as_string(hide_password=False)))
    return str(made.database)
