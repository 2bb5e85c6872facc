"""Time per question and per round on both engines, in one run, on the same rows.

The embedded engine hands messages over pipes; through vantage6 each message is a task on a real
server, encrypted with its keys, fetched and answered by a node that is a process of its own. The
sites compute the same, so the difference is what the way costs.
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from federation.disclosure.policy import Policy
from federation.engines.interface import Engine, Reply, SiteStatus
from federation.methods.registry import parse
from registry.bench import patients
from registry.bench.analyses import COHORTS, STUDY, query
from registry.trial.files import find_files
from registry.trial.network import TrialNetwork
from registry.trial.sites import add_sites

#: One question of one round, one of a few, and the one with the most.
KINDS = ("count", "describe", "logistic", "cox")
ENGINES = ("embedded", "vantage6")
#: vantage6's own path with three sites, for the eye (performance.md, vantage6.md section 5).
THEIRS = "stock node with Docker and a count-mean algorithm: 7.0 s a round, 11.6 s with a central"


class TimedEngine:
    """An engine that remembers when each round began and ended.

    A round begins with the first message after the last reply of the round before.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._open: set[str] = set()
        self._began = 0.0
        self.rounds: list[float] = []

    def send(self, site: str, message: bytes) -> str:
        if not self._open:
            self._began = time.perf_counter()
        handle = self._inner.send(site, message)
        self._open.add(handle)
        return handle

    def replies(self, timeout: float) -> list[Reply]:
        replies = self._inner.replies(timeout)
        before = bool(self._open)
        self._open.difference_update(reply.handle for reply in replies)
        if before and not self._open:
            self.rounds.append(time.perf_counter() - self._began)
        return replies

    def cancel(self, handle: str) -> None:
        self._inner.cancel(handle)
        self._open.discard(handle)

    def status(self, site: str) -> SiteStatus:
        return self._inner.status(site)

    def close(self) -> None:
        self._inner.close()


def measure(size: int, sites: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """One row per engine and kind, at `size` patients in each of `sites` hospitals."""
    with tempfile.TemporaryDirectory(prefix="oncokring-bench-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        say(f"Making {sites} x {size:,} patients")
        for number in range(sites):
            patients.write(data / f"site-{number:02d}.parquet", patients.make(size, number))
        return [row for engine in ENGINES for row in _measure(engine, folder, data, size, say)]


def _measure(
    name: str, folder: Path, data: Path, size: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    asked = [parse(query(kind, {}), patients.CODEBOOK) for kind in KINDS]
    timed: list[TimedEngine] = []
    with ExitStack() as stack:

        def carried(embedded: Engine) -> Engine:
            engine = embedded
            if name == "vantage6":
                embedded.close()
                engine = _vantage6(folder, network, stack, say)
            timed.append(TimedEngine(engine))
            return timed[0]

        network = stack.enter_context(
            TrialNetwork(patients.CODEBOOK, Policy.strict(), [STUDY], carried_by=carried)
        )
        add_sites(network, find_files(data), asked, None, say)
        start = time.perf_counter()
        network.start()
        say(f"{name}: {len(network.sites)} sites ready in {time.perf_counter() - start:.1f} s")
        return [_ask(name, network, timed[0], kind, size, say) for kind in KINDS]


def _vantage6(
    folder: Path, network: TrialNetwork, stack: ExitStack, say: Callable[[str], None]
) -> Engine:
    from registry.trial.vantage6_network import SmallHub, Vantage6Network

    home = folder / "vantage6"
    home.mkdir()
    hub = SmallHub(home, network.sites)
    stack.callback(hub.close)
    paths = {slug: network.directory(slug) for slug in network.sites}
    engine = stack.enter_context(Vantage6Network(home, paths, hub.factory, say)).engine()
    stack.callback(engine.close)  # while there still is a server
    return engine


def _ask(
    name: str,
    network: TrialNetwork,
    timed: TimedEngine,
    kind: str,
    size: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    seconds, rounds = [], []
    for label, cohort in COHORTS.items():
        timed.rounds.clear()
        start = time.perf_counter()
        envelope = network.ask(parse(query(kind, cohort), patients.CODEBOOK))
        seconds.append(time.perf_counter() - start)
        rounds += timed.rounds
        if envelope["status"] != "complete":
            raise click.ClickException(f"{kind} ({label}): {envelope.get('code')}")
    found = {
        "engine": name,
        "kind": kind,
        "size": size,
        "sites": len(network.sites),
        "rounds": len(rounds) / len(COHORTS),
        "seconds": median(seconds),
        "round_seconds": median(rounds),
        "slowest_round_seconds": max(rounds),
    }
    say(f"{name} {kind}: {found['seconds']:.2f} s, {found['round_seconds']:.3f} s a round")
    return found


def report(sizes: str, sites: int, as_json: bool, say: Callable[[str], None]) -> None:
    """Measure every size and print the table, or JSON."""
    rows = [row for size in sizes.split(",") for row in measure(int(size), sites, say)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(title="Both engines, the same sites and rows", caption=THEIRS)
    for head in ("patients", "kind", "engine", "question s", "rounds", "round s", "slowest s"):
        table.add_column(head, justify="right")
    for row in sorted(rows, key=lambda each: (each["size"], KINDS.index(each["kind"]))):
        table.add_row(
            f"{row['sites']} x {row['size']:,}",
            row["kind"],
            row["engine"],
            f"{row['seconds']:.2f}",
            f"{row['rounds']:.1f}",
            f"{row['round_seconds']:.3f}",
            f"{row['slowest_round_seconds']:.3f}",
        )
    Console().print(table)
