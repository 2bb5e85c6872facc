"""Every set of patients this site has ever answered about, over all users and all studies."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.disclosure.auditor import NamedSet
from federation.disclosure.rosters import Roster
from federation.protocol.encoding import canonical
from federation.site.store import milliseconds, moment


@dataclass(frozen=True)
class Charged:
    """One answer: its number in the ledger and its sets, the analysis set first."""

    entry: int
    sets: tuple[NamedSet, ...]


class SiteLedger:
    """The ledger tables of a site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def since(self, entry: int) -> Iterator[Charged]:
        """The answers after this one, oldest first; 0 for all."""
        entries = self._database.execute(
            "SELECT entry FROM ledger_entry WHERE entry > ? ORDER BY entry", (entry,)
        ).fetchall()
        for (number,) in entries:
            rows = self._database.execute(
                "SELECT label, bits FROM ledger_set WHERE entry = ? ORDER BY place", (number,)
            )
            sets = tuple((str(label), int.from_bytes(bits, "little")) for label, bits in rows)
            yield Charged(number, sets)

    def rosters(self, entries: Iterable[int]) -> set[Roster]:
        """With which hospitals these answers were given, when asked again too."""
        found: set[Roster] = set()
        for entry in entries:
            rows = self._database.execute(
                "SELECT roster FROM ledger_entry WHERE entry = :entry UNION"
                " SELECT again.roster FROM ledger_entry JOIN run USING (run)"
                " JOIN run AS again ON again.sets_sha256 = run.sets_sha256"
                " WHERE entry = :entry AND again.contributes = 1 AND again.answered = 1",
                {"entry": entry},
            )
            found |= {frozenset(json.loads(text)) for (text,) in rows}
        return found

    def charged_to(self, requester: str, since: datetime) -> list[datetime]:
        """When this researcher got answers since then, oldest first."""
        rows = self._database.execute(
            "SELECT at FROM ledger_entry WHERE requester = ? AND at > ? ORDER BY at",
            (requester, milliseconds(since)),
        )
        return [moment(at) for (at,) in rows]

    def record(
        self,
        question_sha256: str,
        sets: Sequence[NamedSet],
        *,
        run: str,
        study: str,
        now: datetime,
        requester: str = "",
        roster: Iterable[str] = (),
    ) -> None:
        """Charge one answer, inside the transaction of the answer itself. A run is charged once:
        a second charge is an sqlite3.IntegrityError."""
        entry = self._database.execute(
            "INSERT INTO ledger_entry (run, question_sha256, study, at, requester, roster)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                run,
                question_sha256,
                study,
                milliseconds(now),
                requester,
                canonical(sorted(roster)).decode(),
            ),
        ).lastrowid
        self._database.executemany(
            "INSERT INTO ledger_set (entry, place, label, bits) VALUES (?, ?, ?, ?)",
            [(entry, place, label, _bytes(bits)) for place, (label, bits) in enumerate(sets)],
        )


def _bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
