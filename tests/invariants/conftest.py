"""One real network for the invariants: the demo's ten sites, everything carried is kept."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hospitals import build as hospitals
from hospitals import five

from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine, Reply, SiteStatus
from federation.protocol.keys import SigningKey
from migrations.run import upgrade
from registry.database import engine_of, open_database
from registry.demo.network import build
from registry.demo.questions import QUESTIONS
from registry.demo.running import RunningDemo

__all__ = ["five", "hospitals", "stopped", "watched"]


class Overheard:
    """An engine that keeps all it carries."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.down: list[tuple[str, bytes]] = []
        self.up: list[tuple[str, bytes]] = []

    def send(self, site: str, message: bytes) -> str:
        self.down.append((site, message))
        return self.inner.send(site, message)

    def replies(self, timeout: float) -> list[Reply]:
        replies = self.inner.replies(timeout)
        self.up += [(reply.site, reply.body) for reply in replies if reply.body]
        return replies

    def cancel(self, handle: str) -> None:
        self.inner.cancel(handle)

    def status(self, site: str) -> SiteStatus:
        return self.inner.status(site)

    def close(self) -> None:
        self.inner.close()


class Watched:
    """A running demo with what was carried, where its files are, and its first four answers."""

    def __init__(self, running: RunningDemo, carried: Overheard, folder: Path) -> None:
        self.running = running
        self.carried = carried
        self.folder = folder
        self.answers = {q.name: running.ask(q)[0] for q in QUESTIONS}


@pytest.fixture(scope="session")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    upgrade(url)
    factory = open_database(url)
    network = build(folder / "sites", factory, SigningKey.generate(), lambda sentence: None)
    carried: list[Overheard] = []

    def overhear(engine: Engine) -> Engine:
        carried.append(Overheard(engine))
        return carried[0]

    with RunningDemo(network, overhear) as running:
        yield Watched(running, carried[0], folder)
    engine_of(factory).dispose()


@pytest.fixture
def stopped(watched):
    """The watched network's sites and hub key, over an engine that no worker listens to.

    The sites themselves are other processes on copies of the directories.
    """
    folder = Path(tempfile.mkdtemp(prefix="oncokring-copies-"))
    paths = {}
    for slug, site in watched.running.network.sites.items():
        paths[slug] = folder / slug
        shutil.copytree(
            site.path, paths[slug], ignore=shutil.ignore_patterns("*.lock", "site.sqlite*")
        )
        with sqlite3.connect(site.path / "site.sqlite") as source:
            with sqlite3.connect(paths[slug] / "site.sqlite") as target:
                source.backup(target)
    engine = EmbeddedEngine(paths)
    yield watched.running.network, engine
    engine.close()
    shutil.rmtree(folder)
