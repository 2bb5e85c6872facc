"""The worker as a program: its key, its sites, and what it does when the database is away."""

from __future__ import annotations

import logging
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from federation.engines.interface import EngineError, Reply, SiteStatus
from federation.protocol.keys import SigningKey
from registry import hub_keys, worker
from registry.accounts.models import AccountSession
from registry.accounts.sessions import start
from registry.database import SessionFactory
from registry.health import Heartbeat
from registry.settings import Settings, SettingsError, Vantage6Settings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class QuietEngine:
    """An engine without sites that stops the worker after some steps, or fails."""

    def __init__(self, stop: threading.Event, steps: int, failures: list[Exception]) -> None:
        self.stop, self.left, self.failures = stop, steps, failures

    def send(self, site: str, message: bytes) -> str:
        raise EngineError("UNKNOWN_SITE", site)

    def replies(self, timeout: float) -> list[Reply]:
        self.left -= 1
        if self.left <= 0:
            self.stop.set()
        if self.failures:
            raise self.failures.pop(0)
        return []

    def cancel(self, handle: str) -> None:
        return

    def status(self, site: str) -> SiteStatus:
        return SiteStatus(site, "unknown", NOW)

    def close(self) -> None:
        return


def settings(folder: Path, engine: str = "embedded") -> Settings:
    vantage6 = Vantage6Settings(
        url="https://v6.example", password_file=folder / "password", key_file=folder / "key"
    )
    return Settings(
        secret_key="k" * 40, data=folder, database_url="given", engine=engine, vantage6=vantage6
    )


def run(factory: SessionFactory, steps: int, failures: list[Exception]) -> list[float]:
    """Run for some steps; the pauses it took."""
    stop, pauses = threading.Event(), []
    engine = QuietEngine(stop, steps, failures)
    key = SigningKey.generate()
    worker.run(factory, engine, key, stop, clock=lambda: NOW, pause=pauses.append)
    return pauses


def test_the_key_is_made_once_and_kept_to_the_owner(tmp_path: Path) -> None:
    first = hub_keys.hub_key(settings(tmp_path))
    assert hub_keys.hub_key(settings(tmp_path)).public == first.public
    path = tmp_path / "keys" / hub_keys.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_site_directories_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "site.toml").touch()
    (tmp_path / "notes").mkdir()
    assert worker.site_directories(tmp_path) == {"a": tmp_path / "a"}


@pytest.mark.parametrize("engine", ["embedded", "vantage6", "none"])
def test_an_engine_that_cannot_work_is_said_in_a_sentence(
    tmp_path: Path, engine: str, factory: SessionFactory
) -> None:
    with pytest.raises(SettingsError, match=r"ONCOKRING_|oncokring vantage6 setup"):
        worker.make_engine(settings(tmp_path, engine), factory)


def test_it_beats_and_tidies(factory: SessionFactory) -> None:
    with factory() as session:
        start(session, now=NOW - timedelta(hours=13), subject_id="somebody")
        session.commit()
    assert run(factory, 3, []) == []
    with factory() as session:
        assert session.get_one(Heartbeat, "worker").at == NOW
        assert session.scalars(select(AccountSession)).all() == []


def test_it_survives_a_database_that_is_away(
    factory: SessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    away = [OperationalError("SELECT secret", {}, Exception("secret")) for _ in range(3)]
    assert run(factory, 5, [*away]) == [0.5, 1.0, 2.0]
    assert "OperationalError, failure 3 in a row" in caplog.text
    assert "secret" not in caplog.text


def test_it_gives_up_after_many_failures_in_a_row(factory: SessionFactory) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        run(factory, 100, [RuntimeError("broken") for _ in range(worker.MAX_FAILURES)])
