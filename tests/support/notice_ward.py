"""A hospital with letters, the key of its hub, and what a hub may say of its patients."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from consent.encoding import to_ms
from consent.evidence import Act, Evidence
from consent.proof import Statement
from consent.snapshot import build_claims
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SNAPSHOT, sign
from federation.site.choices.consenting import Consenting
from federation.site.choices.pseudonyms import handle_text
from federation.site.cli import site as commands
from federation.site.desk.doing import opened
from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram
from federation.site.store import open_store

NOW = datetime.now(UTC)
TEXT = "7" * 64
NUMBERS = ("P1", "P2", "P3")


@dataclass
class Ward:
    """A hospital, the hub's key, and the letters that its patients have."""

    site: SiteDirectory
    hub: SigningKey
    keys: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    seq: int = 0

    def letter(self, number: str) -> None:
        with opened(self.site.path, "Anna") as desk, desk.act():
            made = desk.letters.prepare(
                self.site.handles.handle(number), ["onco"], NOW - timedelta(days=2), second=False
            )
            desk.letters.keep(made, NOW - timedelta(days=2))
        self.keys[number] = (made.letter.code_id, made.key)

    def act(self, number: str, at: datetime = NOW - timedelta(days=1), **changes: Any) -> Act:
        code, key = self.keys[number]
        said = Statement(
            network="net",
            site="h0",
            handle=handle_text(self.site.handles.handle(number)),
            party="self",
            study="onco",
            text_version=TEXT,
            yes=("use.network", "use.record"),
            at=at,
            act="12" * 16,
        )
        said = replace(said, **changes)
        return Act(
            handle=self._order().index(number),
            study="onco",
            text=TEXT,
            party="self",
            kind="letter",
            yes=said.yes,
            at=to_ms(said.at),
            act=said.act,
            by=code,
            mac=said.mac(key),
        )

    def _order(self) -> list[str]:
        return sorted(NUMBERS, key=self.site.handles.handle)

    def take(self, *acts: Act, now: datetime = NOW) -> str:
        """The program takes a list in which everybody says yes, on these acts; the code."""
        self.seq += 1
        columns = [("onco", "use.network"), ("onco", "use.record")]
        claims = build_claims(
            network="net",
            seq=self.seq,
            issued=now,
            valid_until=now + timedelta(hours=1),
            columns=columns,
            handles=[self.site.handles.handle(number) for number in self._order()],
            granted=[np.ones(len(NUMBERS), np.bool_)] * len(columns),
            evidence=Evidence(list(acts)),
        )
        message = sign(
            TYP_SNAPSHOT,
            claims,
            self.hub,
            issuer="hub",
            audience="h0",
            now=now,
            lifetime=timedelta(hours=1),
        )
        program = SiteProgram(SiteDirectory.load(self.site.path))
        try:
            return program.handle(message, now).code
        finally:
            program.close()

    def counts(self, number: str, now: datetime = NOW) -> bool:
        database = open_store(self.site.database)
        try:
            settings = SiteDirectory.load(self.site.path).settings
            consenting = Consenting(
                database,
                slug="h0",
                network="net",
                hub_public=settings.hub_public,
                notice_days=settings.notice_days,
            )
            consenting.check(0, now, timedelta(days=40))
            snapshot = consenting.snapshot
            assert snapshot is not None
            handle = self.site.handles.handle(number)
            return bool(snapshot.permits([handle], "onco", ["use.network"])[0])
        finally:
            database.close()

    def run(self, command: str, *arguments: object) -> Result:
        words = ["notices", command, str(self.site.path), *map(str, arguments)]
        return CliRunner(mix_stderr=False).invoke(commands, words)

    def done(self, command: str, *arguments: object) -> Any:
        found = self.run(command, *arguments)
        assert found.exit_code == 0, found.stderr
        return json.loads(found.stdout)

    def waiting(self) -> dict[int, str | None]:
        return {each["notice"]: each["number"] for each in self.done("list")}

    def own_command(self, body: str) -> None:
        """The hospital's program, which keeps what it is given."""
        program = self.site.path / "send"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o700)
        (self.site.path / "notices.toml").write_text(f'command = ["{program}"]\nseconds = 1\n')


def staffed(make_site: Callable[..., SiteDirectory]) -> Ward:
    """A hospital with an address and a telephone number, and letters for two of its patients."""
    hub = SigningKey.generate()
    found = Ward(make_site(hub_public=hub.public), hub)
    (found.site.path / "letter.toml").write_text(
        'address = "https://keuze.example/mijn"\nphone = "085 1234567"\n'
    )
    for number in NUMBERS[:2]:
        found.letter(number)
    return found


def notice_of(ward: Ward, number: str) -> int:
    """The notice of this patient that waits, or was told last."""
    database = open_store(ward.site.database)
    try:
        (found,) = database.execute(
            "SELECT max(number) FROM notice WHERE handle = ?", (ward.site.handles.handle(number),)
        ).fetchone()
        return int(found)
    finally:
        database.close()
