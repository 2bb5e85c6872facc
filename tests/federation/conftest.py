"""A hub with three real sites, built once and copied for each test; an engine that misbehaves."""

import base64
import functools
import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine, Reply, SiteStatus
from federation.protocol.messages import TYP_REPLY, TYP_STEP
from federation.runs.in_hand import Timing
from federation.runs.worker import Worker


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


hub_with_sites = _load("hub_with_sites")
TIMING = Timing(
    lease=timedelta(seconds=30),
    resend=timedelta(seconds=5),
    back_off=timedelta(milliseconds=50),
)


def is_kind(typ: str, message: bytes | None) -> bool:
    """Whether a message is of this kind, by its header."""
    header = (message or b"").split(b".")[0]
    return typ.encode() in base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4))


class Carrier:
    """An engine between the worker and a real one, that drops, doubles, swaps or alters.

    ``bend`` gets each batch of replies to steps and gives the batch that the worker sees;
    confirmations of snapshots pass as they are.
    """

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.dropped: set[str] = set()
        self.steps_held = False
        self.send_twice = False
        self.bend: Callable[[list[Reply]], list[Reply]] = lambda replies: replies

    def send(self, site: str, message: bytes) -> str:
        if site in self.dropped or (self.steps_held and is_kind(TYP_STEP, message)):
            return f"dropped-{time.monotonic_ns()}"
        if self.send_twice:
            self.inner.send(site, message)
        return self.inner.send(site, message)

    def replies(self, timeout: float) -> list[Reply]:
        found = self.inner.replies(timeout)
        steps = [reply for reply in found if is_kind(TYP_REPLY, reply.body)]
        others = [reply for reply in found if not is_kind(TYP_REPLY, reply.body)]
        return others + (self.bend(steps) if steps else [])

    def cancel(self, handle: str) -> None:
        self.inner.cancel(handle)

    def status(self, site: str) -> SiteStatus:
        return self.inner.status(site)

    def close(self) -> None:
        self.inner.close()


class Bench:
    """A hub, its sites, an engine that can be bent, and a worker."""

    def __init__(self, folder: Path) -> None:
        self.hub: Any = hub_with_sites.HubWithSites(folder)
        self.real: EmbeddedEngine = self.hub.engine()
        self.carrier = Carrier(self.real)
        self.worker = self.new_worker()

    def new_worker(self, **changes: Any) -> Worker:
        timing = replace(TIMING, **changes)
        return Worker(self.hub.factory, self.carrier, self.hub.key, timing=timing)

    def work(
        self,
        until: Callable[[], bool],
        *,
        seconds: float = 60,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Step the worker until ``until()``; fails when that takes too long."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "the worker did not get there in time"
            self.worker.step(clock(), wait=0.05)

    def finish(self, run_id: str, **more: Any) -> Any:
        """Work until the run is final; the run."""
        self.work(lambda: self.hub.run(run_id).outcome is not None, **more)
        return self.hub.run(run_id)

    def rows(self, statement: str) -> list[Any]:
        from sqlalchemy import text

        with self.hub.factory() as session:
            return list(session.execute(text(statement)).all())

    def close(self) -> None:
        self.real.close()
        self.hub.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("network")
    hub_with_sites.build(folder)
    return folder


@pytest.fixture(scope="session")
def built_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("open")
    hub_with_sites.build(folder, policy=Policy.open_data())
    return folder


@pytest.fixture
def open_bench(built_open: Path, tmp_path: Path) -> Iterator[Bench]:
    """As ``bench``, with a policy for public data."""
    shutil.copytree(built_open, tmp_path / "copy")
    made = Bench(tmp_path / "copy")
    yield made
    made.close()


@pytest.fixture
def bench(built: Path, tmp_path: Path) -> Iterator[Bench]:
    shutil.copytree(built, tmp_path / "copy")
    made = Bench(tmp_path / "copy")
    yield made
    made.close()


@pytest.fixture
def questions() -> Any:
    """The ready questions of hub_with_sites."""
    return hub_with_sites


trying = _load("trying")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a codebook and an empty data folder, for ``oncokring try``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "codebook.json").write_text(json.dumps(trying.GBSG))
    return tmp_path


@pytest.fixture
def tried(folder: Path) -> Callable[..., Any]:
    """``tried(query, …, options=…)``: what one call printed, and its exit code."""
    return functools.partial(trying.run_try, folder)
