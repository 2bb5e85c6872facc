"""Five real hospitals in this process: directories, keys, data, snapshots, pipelines and the hub's
own driver. Nothing is faked; only the pipe between hub and site is a function call."""

from __future__ import annotations

import csv
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from consent_lists import consent_list

from federation.disclosure.policy import Policy
from federation.methods.registry import parse
from federation.protocol.encoding import parse_json, unb64
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook, load_codebook
from federation.query.model import Query
from federation.runs.driver import Driver, Outcome, RunPlan
from federation.runs.lanes import Drives, driver_for
from federation.site.directory import SiteDirectory, init_site, pin_peers
from federation.site.program import SiteProgram

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
STUDY = "onco"
NETWORK = "testnet"
REQUIRES = ["use.record", "use.network"]

CODEBOOK = b"""
codebook: onco/1
unit: patient
variables:
  age:     {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
  sex:     {type: category, levels: {m: male, f: female}}
  stage:   {type: category, levels: [I, II, III, IV]}
  hist:    {type: category, levels: ["8140", "8500", "8502"]}
  trt:     {type: boolean}
  ca125:   {type: number, unit: U/ml, min: 0, max: 100000, cuts: [0, 10, 35, 100, 1000]}
  fu_days: {type: duration, min: 0, max: 10000}
  death:   {type: boolean}
  diagnosed: {type: date}
"""
# The hospital's own headers: none may ever be seen outside.
MAPPING = b"""
codebook: onco/1
key: HDR_PATIENT_NO
variables:
  age: {column: HDR_AGE}
  sex: {column: HDR_SEX, map: {MAN: m, VROUW: f}}
  stage: {column: HDR_STAGE}
  hist: {column: HDR_HIST}
  trt: {column: HDR_TRT, map: {ja: true, nee: false}}
  ca125: {column: HDR_CA125}
  fu_days: {days_between: [HDR_DIAG, HDR_LAST], format: "%d-%m-%Y"}
  death: {column: HDR_DEATH, map: {ja: true, nee: false}}
  diagnosed: {column: HDR_DIAG, format: "%d-%m-%Y"}
"""
HEADER = (
    "HDR_PATIENT_NO HDR_AGE HDR_SEX HDR_STAGE HDR_HIST HDR_TRT HDR_CA125 HDR_DIAG HDR_LAST "
    "HDR_DEATH"
).split()

Row = dict[str, str]


def patients(slug: str, count: int, seed: int) -> list[Row]:
    """Synthetic patients of one hospital, the same on each run."""
    chance = random.Random(seed)  # noqa: S311  test data
    rows = []
    for number in range(count):
        diagnosed = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=chance.randrange(2000))
        trt = chance.random() < 0.5
        follow = 60 + int(chance.expovariate(1 / (900 if trt else 600)))
        died = chance.random() < 0.7
        rows.append(
            {
                "HDR_PATIENT_NO": f"{slug}-{number:05d}",
                "HDR_AGE": str(chance.randrange(35, 90)),
                "HDR_SEX": chance.choice(["MAN", "VROUW"]),
                "HDR_STAGE": chance.choices(["I", "II", "III", "IV"], [3, 3, 2, 1])[0],
                "HDR_HIST": chance.choice(["8140", "8500"]),
                "HDR_TRT": "ja" if trt else "nee",
                "HDR_CA125": f"{chance.lognormvariate(3, 1):.2f}",
                "HDR_DIAG": f"{diagnosed:%d-%m-%Y}",
                "HDR_LAST": f"{diagnosed + timedelta(days=follow):%d-%m-%Y}",
                "HDR_DEATH": "ja" if died else "nee",
            }
        )
    return rows


def planted(counts: Mapping[str, Sequence[int]], hospitals: int = 5) -> dict[str, list[Row]]:
    """Patients with these numbers per HDR_SEX (key) and stage I to IV over all hospitals."""
    kinds = [
        (sex, stage)
        for sex, numbers in counts.items()
        for stage, number in zip(("I", "II", "III", "IV"), numbers, strict=True)
        for _ in range(number)
    ]
    rows = {}
    for n in range(hospitals):
        mine = kinds[n::hospitals]
        rows[f"h{n}"] = patients(f"h{n}", len(mine), seed=n)
        for row, (sex, stage) in zip(rows[f"h{n}"], mine, strict=True):
            row |= {"HDR_SEX": sex, "HDR_STAGE": stage}
    return rows


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    found = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(found[0]) if found else HEADER)
        out.writeheader()
        out.writerows(found)


class Net:
    """A network of real sites. `now` is the clock of everybody and moves only by hand."""

    def __init__(
        self,
        folder: Path,
        rows: Mapping[str, list[Row]],
        *,
        policy: Policy | None = None,
        studies: Iterable[str] = (STUDY,),
        study: Mapping[str, Any] | None = None,
        codebook: Codebook | None = None,
        mapping: bytes = MAPPING,
    ) -> None:
        self.folder = folder
        self.now = START
        self.policy = policy or Policy.strict()
        self.delivery = (study or {}).get("by_site")
        self.codebook = codebook or load_codebook(CODEBOOK)
        self.hub = SigningKey.generate()
        self.rows = {slug: list(found) for slug, found in rows.items()}
        self.studies = list(studies)
        self.seq = 0
        self.withdrawn: set[str] = set()
        self.bodies: list[bytes] = []
        self.released: set[str] = set()
        self.standing: dict[str, str] = {}  # question -> the run that answered it last
        self.sets: list[Any] = []  # what the hub compares a new answer with
        self.directories: dict[str, SiteDirectory] = {}
        self.programs: dict[str, SiteProgram] = {}
        for slug, found in self.rows.items():
            path = folder / slug
            path.mkdir()
            write_csv(path / "data.csv", found)
            agreed = {"codebook": self.codebook, "requires": REQUIRES, **(study or {})}
            self.directories[slug] = init_site(
                path,
                slug=slug,
                name=slug,
                network=NETWORK,
                hub_public=self.hub.public,
                source={"kind": "csv", "path": "data.csv"},
                mapping=mapping,
                policy=self.policy.to_yaml(),
                studies={name: agreed for name in self.studies},
                now=self.now,
            )
        peers = {slug: site.identity for slug, site in self.directories.items()}
        for slug, site in self.directories.items():
            pin_peers(site.path, peers)
            self.start(slug)
        self.publish()

    def start(self, slug: str) -> None:
        """Start a site, or start it again, from what lies in its directory."""
        if slug in self.programs:
            self.programs[slug].close()
        self.directories[slug] = SiteDirectory.load(self.folder / slug, self.now)
        self.programs[slug] = SiteProgram(self.directories[slug])

    def close(self) -> None:
        for program in self.programs.values():
            program.close()

    def send(self, slug: str, message: bytes) -> bytes:
        body = self.programs[slug].handle(message, self.now).body
        self.bodies.append(body)
        return body

    def claims(self, slug: str, message: bytes) -> dict[str, Any]:
        return claims_of(self.send(slug, message))

    def snapshot(self, slug: str, **more: Any) -> bytes:
        """The signed state of consent: everybody but the withdrawn, for every study."""
        return consent_list(
            self.directories[slug],
            self.hub,
            network=NETWORK,
            seq=self.seq,
            studies=self.studies,
            requires=REQUIRES,
            withdrawn=self.withdrawn,
            issued=self.now,
            now=self.now,
            more=more,
        )

    def publish(self, *sites: str) -> None:
        """Give all sites (or these) the next snapshot; each must take it."""
        self.seq += 1
        for slug in sites or self.directories:
            ack = self.claims(slug, self.snapshot(slug))
            assert (ack["status"], ack["seq"]) == ("applied", self.seq), ack

    def wait(self, **span: float) -> None:
        """Let time pass; the hub's worker renews the snapshots meanwhile."""
        self.now += timedelta(**span)
        self.publish()

    def query(self, analysis: Mapping[str, Any], **more: Any) -> Query:
        return parse(
            {
                "version": 1,
                "study": STUDY,
                "codebook": self.codebook.id,
                "analysis": dict(analysis),
                **more,
            },
            self.codebook,
        )

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

    def driver(self, plan: RunPlan) -> Drives:
        """The hub's driver; with results per hospital where the sites of this network agreed."""
        if self.delivery is None:
            return Driver(plan, self.hub, lambda: self.sets)
        return driver_for(plan, self.hub, lambda: self.sets, self.delivery)

    def round(self, driver: Drives) -> Any:
        """One step of a run at all its sites."""
        for slug, message in driver.messages(self.now).items():
            driver.receive(slug, self.send(slug, message), self.now)
        return driver.advance(self.now)

    def drive(self, driver: Drives) -> Outcome:
        while (after := self.round(driver)) == "step":
            pass
        assert isinstance(after, Outcome)
        return after

    def ask(self, analysis: Mapping[str, Any], plan: Any = None, **more: Any) -> Outcome:
        """Ask a question to the end, as the hub's worker does: when sites point to an answer that
        never became a result, it asks again."""
        query = self.query(analysis, **more)
        outcome = self.drive(self.driver(self.plan(query, **(plan or {}))))
        if outcome.status == "replay" and not self.released & set(outcome.replay_of):
            outcome = self.drive(self.driver(self.plan(query, again=True)))
        self.sets.extend(outcome.sets)
        if outcome.code == "SMALL_GROUP" and not plan and query.question_sha256 in self.standing:
            # Too little has changed: the old answer stands, as with the hub's worker.
            outcome = Outcome("replay", {}, replay_of=(self.standing[query.question_sha256],))
        if outcome.status == "complete":
            self.released.add(outcome.envelope["id"])
            self.standing[query.question_sha256] = outcome.envelope["id"]
        return outcome

    def ledger(self, slug: str) -> int:
        """How many answers this site has charged."""
        database = self.programs[slug]._database
        return int(database.execute("SELECT count(*) FROM ledger_entry").fetchone()[0])

    def audit(self, slug: str) -> list[tuple[str, str]]:
        database = self.programs[slug]._database
        return database.execute("SELECT event, facts FROM audit ORDER BY seq").fetchall()


def claims_of(body: bytes) -> dict[str, Any]:
    """What a signed message says, unverified."""
    return parse_json(unb64(body.split(b".")[1].decode()), 1 << 26)


@pytest.fixture
def five() -> dict[str, list[Row]]:
    """Five hospitals with 120 to 200 patients each."""
    return {f"h{n}": patients(f"h{n}", 120 + 20 * n, seed=n) for n in range(5)}


Build = Callable[..., Net]


@pytest.fixture
def build(tmp_path: Path, five: dict[str, list[Row]]) -> Iterator[Build]:
    """Make a network; closed at the end of the test."""
    made: list[Net] = []

    def make(rows: Mapping[str, list[Row]] | None = None, name: str = "net", **more: Any) -> Net:
        folder = tmp_path / f"{name}{len(made)}"
        folder.mkdir()
        net = Net(folder, rows or five, **more)
        made.append(net)
        return net

    yield make
    for net in made:
        net.close()


@pytest.fixture
def net(build: Build) -> Net:
    """Five hospitals under the strict policy."""
    return build()


@pytest.fixture
def read() -> Callable[[bytes], dict[str, Any]]:
    return claims_of
