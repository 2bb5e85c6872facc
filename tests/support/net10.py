"""Ten hospitals as ten real site processes, and one patient whom the whole network has only once.

The fixture of disclosure.md section 6: S01 to S10 with about 2,500 patients, 38 of them at S03; P*
at S07 is the only one with stage IIIC and histology 8502; T* at S05 is the oldest. Ask with `ask`;
what is refused, hidden and told is in the `Answer`. The hub is the product's own driver.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from consent_lists import consent_list

from federation.disclosure.policy import Policy
from federation.engines.embedded import EmbeddedEngine
from federation.methods.registry import parse
from federation.protocol.encoding import parse_json, unb64
from federation.protocol.keys import SigningKey
from federation.query.codebook import load_codebook
from federation.query.errors import QueryError
from federation.query.model import Query
from federation.runs.direct import drive
from federation.runs.driver import Driver, Outcome, RunPlan
from federation.site.directory import SiteDirectory, init_site, pin_peers

STUDIES = ("onco", "other")
REQUIRES = ["use.record"]
SIZES = dict(
    zip(
        [f"S{n:02}" for n in range(1, 11)],
        (310, 270, 38, 260, 240, 290, 250, 300, 280, 262),
        strict=True,
    )
)
FREE_TEXT = "Sarcoom bij mevr. Van der Bloem"

CODEBOOK = b"""
codebook: net10/1
unit: patient
variables:
  age:      {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}, sensitive: false}
  sex:      {type: category, levels: {m: male, f: female}, sensitive: false}
  site_icd: {type: category, levels: [C18, C34, C50, C61], sensitive: false}
  stage:    {type: category, levels: [I, II, IIIA, IIIB, IIIC, IV]}
  hist:     {type: category, levels: ["8140", "8500", "8502", other]}
  diagnosed: {type: date}
  trt:      {type: boolean}
  smoker:   {type: boolean, sensitive: false}
  relapse:  {type: boolean}
  time_days: {type: duration, min: 0, max: 10000}
  event:    {type: boolean}
  ca125:    {type: number, unit: U/ml, min: 0, max: 100000, cuts: [0, 10, 35, 100, 1000]}
  cost:     {type: number, unit: euro, min: 0, max: 10000000, cuts: [0, 5000, 20000, 100000]}
"""
MAPPING = b"""
codebook: net10/1
key: number
variables:
  age: {column: age}
  sex: {column: sex}
  site_icd: {column: site_icd}
  stage: {column: stage}
  hist: {column: hist}
  diagnosed: {column: diagnosed}
  trt: {column: trt}
  smoker: {column: smoker}
  relapse: {column: relapse}
  time_days: {column: time_days}
  event: {column: event}
  ca125: {column: ca125}
  cost: {column: cost}
"""
HEADER = (
    "number age sex site_icd stage hist diagnosed trt smoker relapse time_days event ca125 cost"
).split()
Row = dict[str, str]
P_STAR, T_STAR = ("S07", "S07-00007"), ("S05", "S05-00005")


def patients(slug: str, count: int) -> list[Row]:
    """Synthetic patients, the same on each run; nobody but P* has IIIC with 8502."""
    chance = random.Random(slug)  # noqa: S311  test data
    rows = []
    for number in range(count):
        stage = chance.choices(["I", "II", "IIIA", "IIIB", "IIIC", "IV"], [30, 30, 12, 10, 8, 10])
        hist = chance.choices(["8140", "8500", "8502"], [50, 40, 10])[0]
        diagnosed = datetime(2018, 1, 15, tzinfo=UTC) + timedelta(days=chance.randrange(2190))
        trt = chance.random() < 0.5
        rows.append(
            {
                "number": f"{slug}-{number:05d}",
                "age": str(min(94, max(30, round(chance.gauss(64, 11))))),
                "sex": chance.choice("mf"),
                "site_icd": chance.choice(["C18", "C34", "C50", "C61"]),
                "stage": stage[0],
                "hist": "8500" if stage[0] == "IIIC" and hist == "8502" else hist,
                "diagnosed": f"{diagnosed:%Y-%m-%d}",
                "trt": str(trt).lower(),
                "smoker": str(chance.random() < 0.3).lower(),
                "relapse": str(chance.random() < 0.4).lower(),
                "time_days": str(30 + int(chance.expovariate(1 / (900 if trt else 600)))),
                "event": str(chance.random() < 0.6).lower(),
                "ca125": f"{chance.lognormvariate(3, 1):.1f}",
                "cost": str(chance.randrange(2000, 30000)),
            }
        )
    return rows


def everybody() -> dict[str, list[Row]]:
    """The fixture's ten hospitals."""
    rows = {slug: patients(slug, count) for slug, count in SIZES.items()}
    rows["S07"][7] |= {
        "age": "41",
        "sex": "f",
        "site_icd": "C50",
        "stage": "IIIC",
        "hist": "8502",
        "diagnosed": "2024-03-15",
        "ca125": "871.3",
    }
    rows["S05"][5] |= {"age": "97"}
    return rows


def leaf(var: str, op: str, value: Any) -> dict[str, Any]:
    return {"var": var, "op": op, "value": value}


def both(*nodes: Any) -> dict[str, Any]:
    return {"all": list(nodes)}


def either(*nodes: Any) -> dict[str, Any]:
    return {"any": list(nodes)}


def no(node: Any) -> dict[str, Any]:
    return {"not": node}


ONE = both(leaf("stage", "=", "IIIC"), leaf("hist", "=", "8502"))
NONE = both(leaf("stage", "=", "IIIC"), leaf("hist", "=", "8502"), leaf("sex", "=", "m"))
OLD = leaf("age", ">=", 60)


@dataclass(frozen=True)
class Answer:
    """What a researcher sees. `code` is None for an answer, else the public refusal code."""

    code: str | None
    envelope: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.code is None

    @property
    def result(self) -> dict[str, Any]:
        assert self.ok, self.code
        return self.envelope["result"]

    @property
    def cells(self) -> dict[tuple[str, ...], int | None]:
        """Of a count: the number per combination of labels, None where it is hidden."""
        return {tuple(cell["by"].values()): cell["n"] for cell in self.result["cells"]}

    @property
    def body(self) -> str:
        """All of it but what names this question."""
        names = ("id", "query_sha256")
        return json.dumps({k: v for k, v in self.envelope.items() if k not in names})


class Net10:
    """The hub's side of ten site processes in `folder`."""

    def __init__(
        self, folder: Path, rows: Mapping[str, list[Row]], *, policy: bytes | None = None
    ) -> None:
        self.folder = folder
        self.codebook = load_codebook(CODEBOOK)
        self.policy = Policy.strict()
        self.hub = SigningKey.generate()
        self.rows = {slug: [dict(row) for row in found] for slug, found in rows.items()}
        self.seq = 0
        self.withdrawn: set[str] = set()
        self.sets: list[Any] = []
        self.results: dict[str, dict[str, Any]] = {}
        self.directories: dict[str, SiteDirectory] = {}
        for slug in self.rows:
            (folder / slug).mkdir()
            self.write(slug)
            agreed = {"codebook": self.codebook, "requires": REQUIRES}
            self.directories[slug] = init_site(
                folder / slug,
                slug=slug,
                name=slug,
                network="net10",
                hub_public=self.hub.public,
                source={"kind": "csv", "path": "data.csv"},
                mapping=MAPPING,
                policy=policy or self.policy.to_yaml(),
                studies={name: agreed for name in STUDIES},
            )
        peers = {slug: site.identity for slug, site in self.directories.items()}
        for site in self.directories.values():
            pin_peers(site.path, peers)
        self.engine = self._start()
        self.publish()

    def _start(self) -> EmbeddedEngine:
        return EmbeddedEngine({slug: self.folder / slug for slug in self.directories})

    def restart(self) -> None:
        """Stop all processes and start them from what lies in their directories."""
        self.engine.close()
        self.engine = self._start()
        self.publish()

    def close(self) -> None:
        self.engine.close()

    def write(self, slug: str) -> None:
        """Write a hospital's data; a new version appears at once, as an export does."""
        path = self.folder / slug / "data.csv"
        with path.with_suffix(".new").open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, HEADER)
            out.writeheader()
            out.writerows(self.rows[slug])
        path.with_suffix(".new").replace(path)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def send(self, slug: str, message: bytes) -> dict[str, Any]:
        """What one process answers to one message, unverified."""
        handle = self.engine.send(slug, message)
        while True:
            for reply in self.engine.replies(30.0):
                if reply.handle == handle:
                    assert reply.body is not None, reply.failure
                    return parse_json(unb64(reply.body.split(b".")[1].decode()), 1 << 26)

    def publish(
        self, issued: datetime | None = None, valid: timedelta = timedelta(hours=1)
    ) -> None:
        """Give every process the next state of consent: everybody but the withdrawn."""
        self.seq += 1
        at = issued or self.now
        for slug, site in self.directories.items():
            message = consent_list(
                site,
                self.hub,
                network="net10",
                seq=self.seq,
                studies=STUDIES,
                requires=REQUIRES,
                withdrawn=self.withdrawn,
                issued=at,
                now=self.now,
            )
            ack = self.send(slug, message)
            assert ack["status"] == "applied", ack

    def withdraw(self, *numbers: str) -> None:
        self.withdrawn |= set(numbers)
        self.publish()

    def days_pass(self, days: int) -> None:
        """Make everything that the hospitals did older by so many days."""
        self.engine.close()
        for slug in self.directories:
            database = sqlite3.connect(self.folder / slug / "site.sqlite")
            with database:
                for table, column in (("run", "started_at"), ("ledger_entry", "at")):
                    database.execute(
                        f"UPDATE {table} SET {column} = {column} - ?",
                        (days * 86_400_000,),
                    )
            database.close()
        self.engine = self._start()
        self.publish()

    def query(self, analysis: Mapping[str, Any], **more: Any) -> Query:
        asked = {"version": 1, "study": "onco", "codebook": "net10/1", "analysis": dict(analysis)}
        return parse({**asked, **more}, self.codebook)

    def plan(self, query: Query, **more: Any) -> RunPlan:
        roster = list(self.directories) if query.sites == "all" else query.sites
        plan = RunPlan(
            run_id=str(uuid.uuid4()),
            query=query,
            codebook=self.codebook,
            roster={slug: self.directories[slug].identity for slug in roster},
            terms=self.policy.terms(),
            min_snapshots=dict.fromkeys(roster, self.seq),
            approval={"by": "committee", "at": "2026", "query_sha256": query.sha256},
        )
        return replace(plan, **more)

    def driver(self, plan: RunPlan) -> Driver:
        return Driver(plan, self.hub, lambda: self.sets)

    def ask(
        self, analysis: Mapping[str, Any], cohort: Any = None, as_: str = "r1", **more: Any
    ) -> Answer:
        """Ask as the hub's worker does; what the query language does not know is NOT_IN_CATALOGUE
        or TOO_FINE, as the form says it."""
        try:
            query = self.query(analysis, cohort=cohort or {}, **more)
        except QueryError as error:
            return Answer("TOO_FINE" if error.code == "TOO_FINE" else "NOT_IN_CATALOGUE", {})
        outcome = self._drive(self.plan(query, requester=as_))
        if outcome.status == "replay":
            for run in outcome.replay_of:
                if run in self.results:
                    return Answer(None, {**self.results[run], "replayed": True})
            outcome = self._drive(self.plan(query, requester=as_, again=True))
        self.sets.extend(outcome.sets)
        question = query.study + query.question_sha256
        if outcome.code == "SMALL_GROUP" and question in self.results:
            return Answer(None, {**self.results[question], "replayed": True})
        if outcome.status == "complete":
            self.results[str(outcome.envelope["id"])] = outcome.envelope
            self.results[question] = outcome.envelope
        return Answer(outcome.code, outcome.envelope)

    def _drive(self, plan: RunPlan) -> Outcome:
        return drive(self.driver(plan), self.engine, seconds=120.0)

    def round(self, driver: Driver) -> Any:
        """One step at all processes; for hubs that misbehave in between."""
        sent = {
            self.engine.send(slug, message): slug
            for slug, message in driver.messages(self.now).items()
        }
        while sent:
            for reply in self.engine.replies(30.0):
                slug = sent.pop(reply.handle)
                assert reply.body is not None, reply.failure
                driver.receive(slug, reply.body, self.now)
        return driver.advance(self.now)

    def ledger(self, slug: str) -> int:
        database = sqlite3.connect(self.folder / slug / "site.sqlite")
        try:
            return int(database.execute("SELECT count(*) FROM ledger_entry").fetchone()[0])
        finally:
            database.close()


@pytest.fixture
def net10_of(tmp_path: Path) -> Iterator[Any]:
    """Make a network of ten processes from given rows; closed at the end of the test."""
    made: list[Net10] = []

    def make(rows: Mapping[str, list[Row]] | None = None, **more: Any) -> Net10:
        folder = tmp_path / f"net{len(made)}"
        folder.mkdir()
        made.append(Net10(folder, rows or everybody(), **more))
        return made[-1]

    yield make
    for net in made:
        net.close()
        shutil.rmtree(net.folder, ignore_errors=True)


@pytest.fixture
def net10(net10_of: Any) -> Net10:
    """The fixture under the strict policy."""
    return net10_of()
