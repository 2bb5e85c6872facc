"""`python3 dev.py bench`: a question over ten running sites against the pooled library.

Both on the same rows in one run, so that the ratio means something on any machine: that of the
computing of hub and all sites together to that of the library. The sites run under the strict
policy with masks, signatures, consent and ledger as in production.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine, Reply, SiteStatus
from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.registry import KINDS, parse
from federation.query.terms import Terms
from registry.bench import engines, load, patients, utility
from registry.bench import grid as grids
from registry.bench import night as nights
from registry.bench.analyses import ANALYSES, COHORTS, STUDY, query
from registry.bench.pooled import MOST_ROWS, POOLED
from registry.bench.processes import computing, megabytes
from registry.demo.oncology.hospitals import PATIENTS
from registry.trial.files import find_files
from registry.trial.network import TrialNetwork
from registry.trial.sites import add_sites

SITES = 10
DATABASES = ("sqlite", "postgresql")


class CountingEngine:
    """An engine that counts the bytes it carries."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.down = self.up = self.messages = 0

    @property
    def site_processes(self) -> list[int]:
        """The process ids of the sites that run on this machine."""
        inner = self._inner
        if not isinstance(inner, EmbeddedEngine):
            return []
        return [pid for site in inner.sites if (pid := inner.process_id(site)) is not None]

    def send(self, site: str, message: bytes) -> str:
        self.down += len(message)
        self.messages += 1
        return self._inner.send(site, message)

    def replies(self, timeout: float) -> list[Reply]:
        replies = self._inner.replies(timeout)
        self.up += sum(len(reply.body or b"") for reply in replies)
        return replies

    def cancel(self, handle: str) -> None:
        self._inner.cancel(handle)

    def status(self, site: str) -> SiteStatus:
        return self._inner.status(site)

    def close(self) -> None:
        self._inner.close()


def floor(kind: str, table: pd.DataFrame) -> float:
    """Seconds of the same arithmetic on all rows in this process: no messages, no rules. Computing
    only, like `_pooled`: neither waits for anything."""
    book = patients.CODEBOOK
    parsed = parse(query(kind, {}), book)
    ask = Ask(parsed, book, Terms.strict(), site="all")
    columns = {}
    for name in parsed.variables():
        variable = book.variables[name]
        values = table[name].to_numpy(np.float64)
        if variable.type in ("category", "boolean"):
            first = int(variable.levels[0].code) if variable.type == "category" else 0
            values = (values - first).astype(np.int16)
        columns[name] = Column(variable, values)
    method = KINDS[parsed.kind]
    start = time.process_time()
    rows = Rows(columns, len(table))
    at: Any = method.start(ask)
    while not isinstance(at, Finished):
        at = method.combine(ask, at, method.site(ask, at, rows))
    return time.process_time() - start


def measure(size: int, say: Any) -> list[dict[str, Any]]:
    """One row per kind at `size` patients in each of ten sites."""
    say(f"Making {SITES} x {size:,} patients")
    with tempfile.TemporaryDirectory(prefix="oncokring-bench-") as name:
        folder = Path(name)
        columns = {f"site-{i:02d}": patients.make(size, i) for i in range(SITES)}
        for slug, made in columns.items():
            patients.write(folder / f"{slug}.parquet", made)
        table = pd.concat(
            [pd.DataFrame(made).assign(site=slug) for slug, made in columns.items()],
            ignore_index=True,
        )
        asked = [parse(query(kind, {}), patients.CODEBOOK) for kind in ANALYSES]
        carried: list[CountingEngine] = []

        def counting(engine: Engine) -> Engine:
            carried.append(CountingEngine(engine))
            return carried[-1]

        with TrialNetwork(
            patients.CODEBOOK, Policy.strict(), [STUDY], carried_by=counting
        ) as network:
            add_sites(network, find_files(folder), asked, None, say)
            say("Letting all patients agree")
            network.start()
            started = _measure_start(network, carried, say)
            return [
                {**_measure_kind(network, carried[-1], kind, table, say), "size": size, **started}
                for kind in ANALYSES
            ]


def _measure_start(
    network: TrialNetwork, carried: list[CountingEngine], say: Any
) -> dict[str, float]:
    """Sites that stood still, from starting their processes to the answer to a question: they check
    their lists of consent anew, read their data, and look every patient up."""
    began = time.perf_counter()
    network.restart()
    first = {**query("count", {}), "analysis": {"kind": "count", "by": ["sex"]}}
    envelope = network.ask(parse(first, patients.CODEBOOK))
    if envelope["status"] != "complete":
        raise click.ClickException(f"first question: {envelope.get('code')}")
    waited = time.perf_counter() - began
    processes = carried[-1].site_processes
    computed = computing(processes) - computing(())
    idle = sum(map(megabytes, processes)) / SITES
    say(
        f"Ten sites from nothing to a first answer in {waited:.1f} s, "
        f"{computed:.1f} s of computing, {idle:.0f} MB each"
    )
    return {"start_seconds": waited, "start_computing": computed, "idle_mb": idle}


def _measure_kind(
    network: TrialNetwork, carried: CountingEngine, kind: str, table: pd.DataFrame, say: Any
) -> dict[str, Any]:
    times, computed = [], []
    down, up = carried.down, carried.up
    rounds = 0
    for label, cohort in COHORTS.items():
        before = carried.messages
        asked = parse(query(kind, cohort), patients.CODEBOOK)
        start, began = time.perf_counter(), computing(carried.site_processes)
        envelope = network.ask(asked)
        times.append(time.perf_counter() - start)
        computed.append(computing(carried.site_processes) - began)
        rounds = (carried.messages - before) // SITES
        if envelope["status"] != "complete":
            raise click.ClickException(f"{kind} ({label}): {envelope.get('code')}")
    pooled = _pooled(kind, table)
    lowest = floor(kind, table)
    ours, work = median(times), median(computed)
    library = "too large for the library" if pooled is None else f"pooled {pooled:.3f} s"
    say(f"{kind}: {ours:.3f} s, {work:.3f} s of computing, {library}, floor {lowest:.3f} s")
    return {
        "kind": kind,
        "seconds": ours,
        "computing_seconds": work,
        "floor_seconds": lowest,
        "pooled_seconds": pooled,
        "ratio_to_pooled": None if pooled is None else work / pooled,
        "ratio_to_floor": work / lowest,
        "rounds": rounds,
        "bytes_down_per_site": (carried.down - down) // (SITES * len(COHORTS)),
        "bytes_up_per_site": (carried.up - up) // (SITES * len(COHORTS)),
        "site_mb": max((megabytes(pid, "VmHWM") for pid in carried.site_processes), default=0.0),
    }


def _pooled(kind: str, table: pd.DataFrame) -> float | None:
    """Seconds of the usual library on all rows; None when they are too many for it."""
    if len(table) > MOST_ROWS.get(kind, sys.maxsize):
        return None
    POOLED[kind](table.sample(min(len(table), 2000), random_state=1))  # imports are not compared
    start = time.process_time()
    POOLED[kind](table)
    return time.process_time() - start


@click.command()
@click.option(
    "--sizes", default="1000,100000,1000000", show_default=True, help="Patients per site."
)
@click.option(
    "--engine",
    type=click.Choice(engines.ENGINES),
    default="embedded",
    show_default=True,
    help="vantage6: the way over a real server beside the embedded engine, in one run.",
)
@click.option("--sites", default=SITES, show_default=True, help="Hospitals of --engine vantage6.")
@click.option("--utility", "questions", type=int, help="Ask so many questions; count refusals.")
@click.option("--patients", "choosing", type=int, help="Let so many patients choose at once.")
@click.option("--seconds", default=60.0, show_default=True, help="How long the patients choose.")
@click.option("--grid", help="Ask for the coordinator's pages at so many studies x hospitals.")
@click.option("--night", is_flag=True, help="Evaluation rounds of 16 groups x 20 indicators.")
@click.option("--groups", default=16, show_default=True, help="Groups of --night.")
@click.option("--pause", default=0.0, show_default=True, help="Seconds a patient reads a page.")
@click.option(
    "--database",
    "databases",
    type=click.Choice(DATABASES),
    multiple=True,
    default=DATABASES,
    show_default=True,
    help="What the hub of --patients and --grid runs on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def bench(
    sizes: str,
    engine: str,
    sites: int,
    questions: int | None,
    choosing: int | None,
    seconds: float,
    pause: float,
    grid: str | None,
    night: bool,
    groups: int,
    databases: Sequence[str],
    as_json: bool,
) -> None:
    """Measure questions over ten running sites against the pooled library."""
    words = Console(stderr=True)

    def say(text: str) -> None:
        words.print(text, highlight=False)

    if engine == "vantage6":
        engines.report(sizes, sites, as_json, say)
        return
    if night:
        measured = nights.measure(int(sizes) if sizes.isdigit() else PATIENTS, groups, say)
        click.echo(json.dumps(measured, indent=2))
        sys.exit(0 if measured["holds"] else 1)
    if questions:
        click.echo(json.dumps(utility.measure(questions, say), indent=2))
        return
    if grid:
        reported = grids.report(grid, tuple(databases), 7, say)
        click.echo(json.dumps(reported, indent=2))
        sys.exit(0 if reported["holds"] else 1)
    if choosing:
        found = {kind: _choose(kind, choosing, seconds, pause, say) for kind in databases}
        click.echo(json.dumps({k: one.to_dict() for k, one in found.items()}, indent=2))
        sys.exit(0 if all(one.holds for one in found.values()) else 1)
    rows = [row for size in sizes.split(",") for row in measure(int(size), say)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    Console(file=sys.stdout, width=120).print(_table(rows))


def _choose(kind: str, patients: int, seconds: float, pause: float, say: Any) -> load.Measured:
    with tempfile.TemporaryDirectory(prefix="oncokring-load-") as name:
        folder = Path(name)
        # PostgreSQL runs as another user when this one is root.
        folder.chmod(0o755)
        with load.database_of(kind, folder) as url, load.hub_of(folder, url, patients, say) as hub:
            return load.measure(hub, seconds, pause, say)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Ten sites under the strict policy against pooled rows")
    for head in ("patients", "kind", "s", "computing s", "pooled s", "ratio", "floor s", "rounds"):
        table.add_column(head, justify="right")
    for head in ("kB down", "kB up", "site MB", "idle MB"):
        table.add_column(head, justify="right")
    for row in rows:
        pooled, ratio = row["pooled_seconds"], row["ratio_to_pooled"]
        table.add_row(
            f"{SITES} x {row['size']:,}",
            row["kind"],
            f"{row['seconds']:.3f}",
            f"{row['computing_seconds']:.3f}",
            "-" if pooled is None else f"{pooled:.3f}",
            "-" if ratio is None else f"{ratio:.2f}",
            f"{row['floor_seconds']:.3f}",
            str(row["rounds"]),
            f"{row['bytes_down_per_site'] / 1000:.0f}",
            f"{row['bytes_up_per_site'] / 1000:.0f}",
            f"{row['site_mb']:.0f}",
            f"{row['idle_mb']:.0f}",
        )
    return table


if __name__ == "__main__":
    bench()
