"""One hub with sites, built once and copied for each run that is disturbed."""

import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


hub_with_sites = _load(HERE.parent / "federation" / "hub_with_sites.py")


@dataclass
class Ending:
    """What is left when a run has ended, however often something died on the way."""

    kills: int
    outcome: Mapping[str, Any]
    ledger: Mapping[str, int]
    replies: int
    audit: Mapping[str, int]
    intact: bool


@dataclass
class Disturbed:
    """A copy of the network with one approved question, and the worker that carries it."""

    folder: Path
    run_id: str

    def finish(
        self, hub_crash: str = "", site_crash: str = "", planted: str = "", seconds: float = 120
    ) -> Ending:
        """Start the worker until the run is final; the crashes happen at its first start only."""
        kills = 0
        always = {"PLANTED": planted}
        environment = {**always, "ONCOKRING_HUB_CRASH": hub_crash, "SITE_CRASH": site_crash}
        until = time.monotonic() + seconds
        while True:
            process = self.start(environment)
            try:
                code = process.wait(timeout=max(1.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            environment = always
            if code == 0:
                break
            assert code == -signal.SIGKILL, (self.folder / "stderr").read_text()
            kills += 1
        starts = [int(n) for n in (self.folder / "starts").read_text().split()]
        return self.ending(kills + sum(n - 1 for n in starts))

    def start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / "stderr").open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, str(HERE / "worker_program.py"), str(self.folder), self.run_id],
                env={**os.environ, **environment},
                stderr=errors,
            )

    def ending(self, kills: int) -> Ending:
        hub = hub_with_sites.HubWithSites(self.folder)
        outcome = hub.run(self.run_id).outcome
        hub.close()
        ledger, intact = {}, True
        for site in sorted((self.folder / "sites").iterdir()):
            ledger[site.name] = _scalar(site / "site.sqlite", "SELECT count(*) FROM ledger_entry")
            intact &= _scalar(site / "site.sqlite", "PRAGMA integrity_check") == "ok"
        path = self.folder / "hub.sqlite"
        intact &= _scalar(path, "PRAGMA integrity_check") == "ok"
        actions = ("run.opened", "run.complete")
        return Ending(
            kills=kills,
            outcome=outcome or {},
            ledger=ledger,
            replies=_scalar(path, "SELECT count(*) FROM run_reply"),
            audit={
                action: _scalar(path, "SELECT count(*) FROM audit_line WHERE action = ?", action)
                for action in actions
            },
            intact=intact,
        )


def _scalar(path: Path, statement: str, *values: str) -> Any:
    database = sqlite3.connect(path)
    try:
        return database.execute(statement, values).fetchone()[0]
    finally:
        database.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("network")
    hub_with_sites.build(folder)
    return folder


@pytest.fixture(scope="session")
def asked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Disturbed]:
    """A fresh copy in which the named question (QUESTION or COX) was approved."""

    def copy(question: str) -> Disturbed:
        folder = tmp_path_factory.mktemp("copy")
        shutil.copytree(built, folder, dirs_exist_ok=True)
        hub = hub_with_sites.HubWithSites(folder)
        run_id = hub.approved(getattr(hub_with_sites, question))
        hub.close()
        return Disturbed(folder, run_id)

    return copy


@pytest.fixture(scope="session")
def undisturbed(asked: Callable[[str], Disturbed]) -> Mapping[str, Ending]:
    """How each question ends when nothing goes wrong."""
    return {question: asked(question).finish() for question in ("QUESTION", "COX")}
