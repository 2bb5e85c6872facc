"""Hospitals that share patients, and the hub's side of private matches.

As real site processes over the embedded engine, or (`in_process`) as the same programs in this
process with a clock that can be moved: refusals then leave at once, and months pass in a test.
"""

from __future__ import annotations

import csv
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from consent_lists import consent_list

from federation.disclosure.policy import Policy, read_policy
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Reply, SiteStatus
from federation.protocol.encoding import parse_json, unb64
from federation.protocol.keys import SigningKey
from federation.query.codebook import load_codebook
from federation.runs.direct import drive
from federation.runs.driver import Outcome
from federation.runs.match_driver import MatchDriver, MatchPlan
from federation.site.directory import SiteDirectory, init_site, pin_peers
from federation.site.program import SiteProgram

NETWORK, STUDY, REQUIRES = "sharing", "onco", ["use.record"]
CODEBOOK = b"""
codebook: sharing/1
unit: patient
variables:
  age: {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
"""
MAPPING = b"codebook: sharing/1\nkey: number\nvariables: {age: {column: age}}\n"
MATCH = """
key: number
birth_date: {column: born, format: "%d-%m-%Y"}
sex: {column: sex, map: {M: m, V: f}}
birth_name: {column: name}
initials: {column: initials}
"""
HEADER = ("number", "born", "sex", "name", "initials", "age")


def policy(*, on: bool = True, **more: Any) -> Policy:
    """The strict policy, with matching switched on by two people for ten months."""
    today = datetime.now(UTC).date()
    decided = {
        "by": ["A. Jansen", "B. de Vries"],
        "reason": "The working group counts patients once.",
        "decided": today.isoformat(),
        "until": (today + timedelta(days=300)).isoformat(),
    }
    switched = {"private_match": True, "loosened": {"private_match": decided}} if on else {}
    return read_policy({**Policy.strict().to_dict(), **switched, **more})


def local(slug: str, number: int) -> str:
    """The number that a hospital has for somebody."""
    return f"{slug}-{number:06d}"


def person(number: int) -> dict[str, str]:
    """What a hospital knows of somebody; the same everywhere."""
    born = date(1930, 1, 1) + timedelta(days=number * 37 % 20_000)
    letters = "".join(chr(97 + int(digit)) for digit in f"{number:08d}")
    return {
        "born": f"{born:%d-%m-%Y}",
        "sex": "MV"[number % 2],
        "name": f"van der {letters}",
        "initials": f"{chr(65 + number % 26)}.",
        "age": str(40 + number % 40),
    }


class InProcess:
    """An engine over site programs in this process, each with the one clock."""

    def __init__(self, paths: Mapping[str, Path], clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._replies: list[Reply] = []
        self.programs = {
            slug: SiteProgram(SiteDirectory.load(path, clock())) for slug, path in paths.items()
        }

    def send(self, site: str, message: bytes) -> str:
        handle = str(uuid.uuid4())
        body = self.programs[site].handle(message, self._clock()).body
        self._replies.append(Reply(handle, site, body, None))
        return handle

    def replies(self, timeout: float) -> list[Reply]:
        found, self._replies = self._replies, []
        return found

    def cancel(self, handle: str) -> None:
        """Nothing waits here."""

    def status(self, site: str) -> SiteStatus:
        return SiteStatus(site, "up", self._clock())

    def close(self) -> None:
        for program in self.programs.values():
            program.close()


class Sharing:
    """Hospitals by name, each with the numbers of the persons who are its patients."""

    codebook = load_codebook(CODEBOOK)
    mapping = MAPPING
    match_yaml = MATCH
    source: ClassVar[Mapping[str, Any]] = {"kind": "csv", "path": "data.csv"}

    def __init__(
        self,
        folder: Path,
        patients: Mapping[str, Iterable[int]],
        *,
        policies: Mapping[str, Policy] | None = None,
        environment: Callable[[str, int], Mapping[str, str]] | None = None,
        in_process: bool = False,
    ) -> None:
        self.folder = folder
        self.hub = SigningKey.generate()
        self.patients = {slug: list(numbers) for slug, numbers in patients.items()}
        self.withdrawn: set[str] = set()
        self.seq = 0
        self.now = datetime.now(UTC)
        self._in_process = in_process
        self._environment = environment
        self.directories: dict[str, SiteDirectory] = {}
        for slug in self.patients:
            (folder / slug).mkdir()
            self.write(slug)
            (folder / slug / "match.yaml").write_text(self.match_yaml)
            self.directories[slug] = init_site(
                folder / slug,
                slug=slug,
                name=slug,
                network=NETWORK,
                hub_public=self.hub.public,
                source=self.source,
                mapping=self.mapping,
                policy=(policies or {}).get(slug, policy()).to_yaml(),
                studies={STUDY: {"codebook": self.codebook, "requires": REQUIRES}},
            )
        for site in self.directories.values():
            pin_peers(site.path, {s: other.identity for s, other in self.directories.items()})
        self.engine = self._start()
        self.publish()

    def _start(self) -> Any:
        paths = {slug: self.folder / slug for slug in self.directories}
        if self._in_process:
            return InProcess(paths, lambda: self.now)
        return EmbeddedEngine(paths, environment=self._environment)

    def write(self, slug: str) -> None:
        """Write a hospital's data; local numbers say nothing elsewhere."""
        path = self.folder / slug / "data.csv"
        with path.with_suffix(".new").open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, HEADER)
            out.writeheader()
            for number in self.patients[slug]:
                out.writerow({"number": local(slug, number), **person(number)})
        path.with_suffix(".new").replace(path)

    def send(self, slug: str, message: bytes) -> tuple[bytes, dict[str, Any]]:
        """What one process answers to one message: its bytes, and its claims unverified."""
        handle = self.engine.send(slug, message)
        while True:
            for reply in self.engine.replies(30.0):
                if reply.handle == handle:
                    assert reply.body is not None, reply.failure
                    text = unb64(reply.body.split(b".")[1].decode())
                    return reply.body, parse_json(text, 1 << 26)

    def publish(self) -> None:
        """Give every process the next state of consent: everybody but the withdrawn."""
        self.seq += 1
        now = self.now if self._in_process else datetime.now(UTC)
        for slug, site in self.directories.items():
            message = consent_list(
                site,
                self.hub,
                network=NETWORK,
                seq=self.seq,
                studies=[STUDY],
                requires=REQUIRES,
                withdrawn=self.withdrawn,
                issued=now,
                now=now,
            )
            assert self.send(slug, message)[1]["status"] == "applied"

    def days_pass(self, days: int) -> None:
        """Move the clock of hospitals in this process, and tell them again who agrees."""
        self.now += timedelta(days=days)
        self.publish()

    def plan(self, sites: Iterable[str] | None = None, **more: Any) -> MatchPlan:
        """A match of these hospitals, approved."""
        roster = {slug: self.directories[slug].identity for slug in sites or self.directories}
        made = MatchPlan(
            run_id=str(uuid.uuid4()),
            study=STUDY,
            codebook=self.codebook,
            roster=roster,
            terms=Policy.strict().terms(),
            min_snapshots=dict.fromkeys(roster, self.seq),
            approval={},
        )
        approval = {"by": "committee", "at": "2026", "query_sha256": made.match_sha256}
        return replace(made, **{"approval": approval, **more})

    def match(self, plan: MatchPlan | None = None) -> Outcome:
        """One match from start to end with the product's own driver."""
        made = MatchDriver(plan or self.plan(), self.hub)
        if self._in_process:
            return drive(made, self.engine, seconds=30.0, clock=lambda: self.now)
        return drive(made, self.engine, seconds=30.0)

    def database(self, slug: str, sql: str) -> list[Any]:
        """What a statement finds in a hospital's own database."""
        with sqlite3.connect(self.folder / slug / "site.sqlite") as database:
            return database.execute(sql).fetchall()

    def rewrite_policy(self, slug: str, made: Policy) -> None:
        """Another policy file; a site reads it when it starts."""
        (self.folder / slug / "policy.yaml").write_text(made.to_yaml())

    def restart(self) -> None:
        self.engine.close()
        self.engine = self._start()
        self.publish()

    def close(self) -> None:
        self.engine.close()
