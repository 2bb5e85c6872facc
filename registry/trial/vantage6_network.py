"""Site directories as nodes of a real vantage6 server on this machine, set up as a hub does it.

For tests, ``demo --engine vantage6`` and the bench: the server, the set-up, the hospitals' join and
the engine are those of production; only the RSA keys are shorter (2048 bits), because ten of 4096
take a quarter of a minute to make.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from federation.engines.interface import Engine
from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection
from federation.site.vantage6.settings import PRIVATE_KEY_FILE, join
from migrations.run import upgrade
from registry.database import SessionFactory, engine_of, open_database
from registry.settings import Vantage6Settings
from registry.transaction import unit_of_work
from registry.trial.vantage6_server import PYTHON_VARIABLE, LocalServer, find_python
from registry.vantage6.engine import open_engine
from registry.vantage6.keys import load_or_make
from registry.vantage6.setup import SetUp
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Institution

BITS = 2048
#: Seconds in which every node must have told the server that it is there.
CONNECT_SECONDS = 90.0
CONNECTED, ENDED = " CONNECTED", "ENDED\n"  # as the nodes' logs say it


class Vantage6NotHere(Exception):
    """There is no vantage6 server to start, or a node did not start; the sentence says why."""


def server_python() -> Path:
    """The Python that runs a vantage6 server; Vantage6NotHere when there is none."""
    python = find_python()
    if python is None:
        raise Vantage6NotHere(
            "There is no vantage6 server here: it has an environment of its own. Start this with "
            f"dev.py, which makes it, or name its Python in {PYTHON_VARIABLE}."
        )
    return python


class Vantage6Network:
    """A server with a node process per site directory, from ``__enter__`` to ``__exit__``.

    ``factory`` is the hub's database, which must know the sites as institutions.
    """

    def __init__(
        self,
        folder: Path,
        sites: Mapping[str, Path],
        factory: SessionFactory,
        say: Callable[[str], None] = lambda sentence: None,
        server: LocalServer | None = None,
    ) -> None:
        """`server`: one that runs already and stays, in place of one of our own."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._paths = dict(sites)
        self._factory = factory
        self._say = say
        self._nodes: subprocess.Popen[bytes] | None = None
        self._own_server = server is None
        self.server = server or LocalServer(folder / "server", server_python())
        mark = secrets.token_hex(4)
        self.settings = Vantage6Settings(
            url=self.server.url,
            password_file=folder / "hub.password",
            key_file=folder / "hub.pem",
            # names are unique on a server, which may have seen other networks
            user=f"hub-{mark}",
            collaboration=f"network-{mark}",
        )

    def __enter__(self) -> "Vantage6Network":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def engine(self) -> Engine:
        """A fresh engine over this network, made from the hub's database as the worker does."""
        return open_engine(self.settings, self._factory)

    def _start(self) -> None:
        if self._own_server:
            self._say("Starting a vantage6 server on this machine")
            self.server.start()
        self._say(f"Making {len(self._paths)} organisations and nodes on it, with their keys")
        self._set_up()
        self._say(f"Connecting {len(self._paths)} sites as nodes, each a process of its own")
        self._start_nodes()
        self._wait_for_nodes()

    def _set_up(self) -> None:
        public = {
            slug: load_or_make(path / PRIVATE_KEY_FILE, BITS) for slug, path in self._paths.items()
        }
        root = self.server.root
        connection = Connection(self.server.url, root.username, root.password)
        with closing(Vantage6Client(connection)) as client:
            report = SetUp(
                client,
                self.settings,
                self._factory,
                domain="127.0.0.1",
                by=SYSTEM,
                now=datetime.now(UTC),
                bits=BITS,
            ).run({slug: slug for slug in self._paths}, public)
        for invitation in report.invitations:
            join(self._paths[invitation.slug], invitation.to_dict(), bits=BITS)

    def _start_nodes(self) -> None:
        arguments = [
            text for slug, path in self._paths.items() for text in (str(self._log(slug)), str(path))
        ]
        with (self._folder / "nodes.log").open("ab") as log:
            self._nodes = subprocess.Popen(  # noqa: S603  our own module, no shell
                [sys.executable, "-m", "registry.trial.vantage6_nodes", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def _wait_for_nodes(self) -> None:
        until = time.monotonic() + CONNECT_SECONDS
        waiting = sorted(self._paths)
        while waiting:
            time.sleep(0.05)
            said = {slug: self._said(slug) for slug in waiting}
            waiting = [slug for slug in waiting if CONNECTED not in said[slug]]
            ended = [slug for slug in waiting if ENDED in said[slug]]
            alive = self._nodes is not None and self._nodes.poll() is None
            if waiting and (ended or not alive or time.monotonic() > until):
                slug = (ended or waiting)[0]
                raise Vantage6NotHere(
                    f"The node of {slug} did not connect; its log is {self._log(slug)}."
                )

    def _said(self, slug: str) -> str:
        log = self._log(slug)
        return log.read_text("utf-8") if log.exists() else ""

    def _log(self, slug: str) -> Path:
        return self._folder / f"node-{slug}.log"

    def close(self) -> None:
        """End nodes and server; a second call does nothing."""
        nodes, self._nodes = self._nodes, None
        if nodes is not None and nodes.stdin is not None:
            nodes.stdin.close()  # which ends them all
            nodes.wait()
        if self._own_server:
            self.server.stop()


class SmallHub:
    """A hub's database that knows these sites and nothing else, for a network without a hub."""

    def __init__(self, folder: Path, slugs: list[str]) -> None:
        url = f"sqlite:///{folder / 'hub.sqlite'}"
        upgrade(url)
        self.factory = open_database(url)
        with unit_of_work(self.factory, SYSTEM) as session:
            session.add_all(Institution(slug=slug, name=slug, kind="general") for slug in slugs)
            announce(session, actor=SYSTEM, action="institution.added", about="network:trial")

    def close(self) -> None:
        engine_of(self.factory).dispose()
