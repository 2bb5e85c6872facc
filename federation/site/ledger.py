"""Every set of patients this site has ever answered about, over all users and all studies."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from federation.disclosure.auditor import Answered, NamedSet
from federation.site.store import milliseconds


class SiteLedger:
    """The ledger tables; also kept in memory, because every new question reads all of it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._answered: list[Answered] = []
        self._last_entry = 0

    def answered(self) -> Sequence[Answered]:
        """Every earlier answer, oldest first."""
        entries = self._database.execute(
            "SELECT entry, question_sha256 FROM ledger_entry WHERE entry > ? ORDER BY entry",
            (self._last_entry,),
        ).fetchall()
        for entry, question in entries:
            rows = self._database.execute(
                "SELECT label, bits FROM ledger_set WHERE entry = ? ORDER BY place", (entry,)
            )
            sets = tuple((str(label), int.from_bytes(bits, "little")) for label, bits in rows)
            self._answered.append(Answered(question, sets))
            self._last_entry = entry
        return self._answered

    def record(
        self,
        question_sha256: str,
        sets: Sequence[NamedSet],
        *,
        run: str,
        study: str,
        now: datetime,
    ) -> None:
        """Charge one answer, inside the transaction of the answer itself. A run is charged once:
        a second charge is an sqlite3.IntegrityError."""
        entry = self._database.execute(
            "INSERT INTO ledger_entry (run, question_sha256, study, at) VALUES (?, ?, ?, ?)",
            (run, question_sha256, study, milliseconds(now)),
        ).lastrowid
        self._database.executemany(
            "INSERT INTO ledger_set (entry, place, label, bits) VALUES (?, ?, ?, ?)",
            [(entry, place, label, _bytes(bits)) for place, (label, bits) in enumerate(sets)],
        )


def _bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
