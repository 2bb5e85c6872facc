"""The books of one hospital, its letters, and what a hub may say to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from consent.encoding import to_ms
from consent.evidence import Act, Denial, Evidence
from consent.proof import Statement
from consent.snapshot import Snapshot, build_claims, parse_claims
from federation.site.agreeing import letters_for
from federation.site.choices.proving import Proving
from federation.site.choices.pseudonyms import handle_text
from federation.site.directory import DATABASE_FILE
from federation.site.store import open_store, transaction

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SAID = NOW - timedelta(days=3)
ANNA, BEA = b"a" * 19 + b"\0", b"b" * 20  # a trailing zero byte must survive numpy
TEXT = "7" * 64
COLUMNS = [("study", "use.record"), ("study", "study.join"), ("other", "use.record")]


@dataclass
class Site:
    """The books of one hospital, its letters, and what the hub may say."""

    database: sqlite3.Connection
    keys: Any
    proving: Proving
    seq: int = 0
    yes: list[Act] = field(default_factory=list)

    def statement(self, handle: bytes = ANNA, **changes: Any) -> Statement:
        given = Statement(
            network="net",
            site="here",
            handle=handle_text(handle),
            party="self",
            study="study",
            text_version=TEXT,
            yes=("study.join", "use.record"),
            at=SAID,
            act="12" * 16,
        )
        return replace(given, **changes)

    def act(self, statement: Statement, place: int = 0, by: bytes = ANNA, **changes: Any) -> Act:
        code, key = self.keys[by]
        made = Act(
            handle=place,
            study=statement.study,
            text=statement.text_version,
            party=statement.party,
            kind="letter",
            yes=statement.yes,
            at=to_ms(statement.at),
            act=statement.act,
            by=code,
            mac=statement.mac(key),
        )
        return replace(made, **changes)

    def told(
        self,
        *acts: Act,
        denied: tuple[Denial, ...] = (),
        passkeys: tuple[Any, ...] = (),
        own: tuple[Denial, ...] = (),
        columns: list[tuple[str, str]] = COLUMNS,
        texts: tuple[Any, ...] = (),
    ) -> Snapshot:
        """A snapshot that says yes to everything for Anna and Bea, on these acts."""
        self.seq += 1
        claims = build_claims(
            network="net",
            seq=self.seq,
            issued=NOW,
            valid_until=NOW + timedelta(hours=1),
            columns=columns,
            handles=[ANNA, BEA],
            granted=[np.ones(2, np.bool_)] * len(columns),
            evidence=Evidence(list(acts), list(denied), list(passkeys), own, texts),
        )
        return parse_claims({**claims, "aud": "here"}, audience="here", network="net")

    def counts(self, snapshot: Snapshot, handle: bytes = ANNA, at: datetime = NOW) -> bool:
        """Whether this patient counts for the study under what can be proved."""
        with transaction(self.database):
            self.proving.remember(snapshot, at)
        proven = self.proving.proven(snapshot, at)
        requires = ["use.record", "study.join"]
        return bool(proven.permits([handle], "study", requires)[0])

    def write(self, statement: str, *values: Any) -> None:
        with transaction(self.database):
            self.database.execute(statement, values)


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    """An empty hospital with a letter for Anna and one for Bea."""
    with closing(open_store(folder / DATABASE_FILE)) as database:
        keys = letters_for(folder, [ANNA, BEA], SAID - timedelta(days=1))
        yield Site(database, keys, Proving(database, network="net", slug="here"))
