"""What becomes of the sets of this hospital's own answers, as its database keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from federation.disclosure.auditor import Bitmap, NamedSet

SHOWN: Final = "shown"
GROUP: Final = "group"
SILENT: Final = "silent"


@dataclass(frozen=True)
class OwnEntry:
    """One own answer: its number in the ledger, its sets with the analysis set first, and which of
    them are shown by it, alone or joined, and which are groups of a model."""

    entry: int
    sets: tuple[NamedSet, ...]
    shown: tuple[Bitmap, ...]
    groups: tuple[Bitmap, ...]


class OwnSets:
    """The table own_set beside the ledger."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def keep(self, run: str, what: str, bitmaps: Iterable[Bitmap]) -> None:
        """Keep these sets of a run, in the caller's transaction."""
        self._database.executemany(
            "INSERT INTO own_set (run, what, bits) VALUES (?, ?, ?)",
            [(run, what, _bytes(bitmap)) for bitmap in dict.fromkeys(bitmaps)],
        )

    def own_since(self, entry: int) -> list[OwnEntry]:
        """The own answers after this one in the ledger, oldest first; 0 for all."""
        found = self._database.execute(
            "SELECT entry, run FROM ledger_entry JOIN run USING (run)"
            " WHERE entry > ? AND by_site = 1 ORDER BY entry",
            (entry,),
        ).fetchall()
        return [
            OwnEntry(number, self._sets(number), self._of(run, SHOWN), self._of(run, GROUP))
            for number, run in found
        ]

    def pooled_since(self, entry: int) -> list[tuple[int, tuple[NamedSet, ...]]]:
        """The pooled answers after this one, oldest first: number and sets."""
        found = self._database.execute(
            "SELECT entry FROM ledger_entry LEFT JOIN run USING (run)"
            " WHERE entry > ? AND coalesce(by_site, 0) = 0 ORDER BY entry",
            (entry,),
        ).fetchall()
        return [(number, self._sets(number)) for (number,) in found]

    def silent_since(self, number: int) -> list[tuple[int, Bitmap]]:
        """The sets kept after this number about which the others answered and this hospital did
        not, with their numbers."""
        rows = self._database.execute(
            "SELECT number, bits FROM own_set WHERE number > ? AND what = ? ORDER BY number",
            (number, SILENT),
        )
        return [(found, int.from_bytes(bits, "little")) for found, bits in rows]

    def _sets(self, entry: int) -> tuple[NamedSet, ...]:
        rows = self._database.execute(
            "SELECT label, bits FROM ledger_set WHERE entry = ? ORDER BY place", (entry,)
        )
        return tuple((str(label), int.from_bytes(bits, "little")) for label, bits in rows)

    def _of(self, run: str, what: str) -> tuple[Bitmap, ...]:
        rows = self._database.execute(
            "SELECT bits FROM own_set WHERE run = ? AND what = ? ORDER BY number", (run, what)
        )
        return tuple(int.from_bytes(bits, "little") for (bits,) in rows)


def _bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
