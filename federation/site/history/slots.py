"""A number per patient and version of the patient's values: what ledger bitmaps are made of.

A corrected value makes a new slot, so that the auditor treats it like a patient who left and one
who came (design: disclosure.md 4.7 W6). Only variables known both then and now are compared: a
mapping that learns a new variable must not make everyone a stranger to the auditor. A variable is
named together with the name of its codebook (`gbsg:age`), without the version.

A patient who is gone keeps the slot as a bit without meaning (W5).
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from consent.finding import find, order
from federation.query.codebook import Variable
from federation.site.choices.pseudonyms import HANDLE_BYTES, Handles
from federation.site.data.columns import Table
from federation.site.data.convert import Values
from federation.site.store import transaction

Hashes = NDArray[np.uint64]

_NO_SLOT = -1
_ABSENT = np.uint64(0)


class Slots:
    """The slots of the rows of one table, kept in the site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        # version and slots of the last table of patients, and of rows that are none
        self._of_row: dict[bool, tuple[str, NDArray[np.int64]]] = {}
        self._count = 0

    def bitmap(self, table: Table, rows: NDArray[np.int64]) -> int:
        """The set of these rows (places in `table`) as a Python int with one bit per slot."""
        of_row = self._slots_of(table)
        bits = np.zeros(self._count, np.uint8)
        slots = of_row[rows]
        bits[slots[slots != _NO_SLOT]] = 1
        return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")

    def people(self, table: Table, rows: NDArray[np.int64]) -> int:
        """The set of the patients behind these rows, by the slots that questions about patients
        use. `table` is one whose rows are not patients."""
        assert table.people is not None  # noqa: S101  said above
        assert table.patients is not None  # noqa: S101
        people = np.unique(table.people[rows])
        return self.bitmap(table.patients, people[people >= 0])

    def erase(self, handle: bytes, units: Iterable[str] = ()) -> int:
        """Forget that slots were this patient's, and their values; how many slots that were.

        `units`: those below patients of which there may have been rows.

        Call it inside a transaction, after the data were deleted at the source. The slots stay, as
        bits without a meaning: the sets they are in protect the patients around them (W5). The
        handle that is left is random, so that nobody ever matches it.
        """
        found = []
        for start in (handle, *(_first_row(handle, unit) for unit in units)):
            times, owner = 1, start
            while rows := self._database.execute(
                "SELECT slot FROM slot WHERE handle = ?", (owner,)
            ).fetchall():
                found += [int(slot) for (slot,) in rows]
                times += 1
                owner = _further_row(start, times)
        for slot in found:
            self._database.execute(
                "UPDATE slot SET handle = ? WHERE slot = ?", (os.urandom(HANDLE_BYTES), slot)
            )
        kept = self._database.execute("SELECT variable, hashes FROM slot_values").fetchall()
        for name, blob in kept if found else ():
            hashes = np.frombuffer(blob, "<u8").copy()
            hashes[[slot for slot in found if slot < len(hashes)]] = _ABSENT
            self._database.execute(
                "UPDATE slot_values SET hashes = ? WHERE variable = ?", (hashes.tobytes(), name)
            )
        self._of_row.clear()
        return len(found)

    def _slots_of(self, table: Table) -> NDArray[np.int64]:
        place = table.people is None
        version, found = self._of_row.get(place, ("", np.zeros(0, np.int64)))
        if version != table.version:
            found = self._assign(table)
            self._of_row[place] = (table.version, found)
        return found

    def _assign(self, table: Table) -> NDArray[np.int64]:
        """Find the slot of every row with a local number, making new ones where needed."""
        now = _hashes(table)
        owners = _row_owners(table)
        with transaction(self._database):
            handles, before = self._stored()
            found = _latest(handles, owners)
            same = found != _NO_SLOT
            for name, hashes in now.items():
                old = before.get(name)
                if old is not None:
                    known = same & (old[found] != _ABSENT)
                    same &= ~known | (old[found] == hashes)
            fresh = np.flatnonzero(~same & table.keyed)
            slots = np.where(same & table.keyed, found, _NO_SLOT)
            slots[fresh] = np.arange(len(handles), len(handles) + len(fresh))
            self._count = len(handles) + len(fresh)
            self._keep_new(owners[fresh], len(handles))
            self._keep_hashes(before, now, slots)
        return slots

    def _stored(self) -> tuple[Handles, dict[str, Hashes]]:
        rows = self._database.execute("SELECT handle FROM slot ORDER BY slot").fetchall()
        handles = np.frombuffer(b"".join(row[0] for row in rows), f"S{HANDLE_BYTES}")
        hashes = {
            str(name): _padded(np.frombuffer(blob, "<u8"), len(handles))
            for name, blob in self._database.execute("SELECT variable, hashes FROM slot_values")
        }
        return handles, hashes

    def _keep_new(self, handles: Handles, first: int) -> None:
        data = handles.tobytes()
        self._database.executemany(
            "INSERT INTO slot (slot, handle) VALUES (?, ?)",
            (
                (first + place, data[place * HANDLE_BYTES : (place + 1) * HANDLE_BYTES])
                for place in range(len(handles))
            ),
        )

    def _keep_hashes(
        self, before: dict[str, Hashes], now: dict[str, Hashes], slots: NDArray[np.int64]
    ) -> None:
        held = slots != _NO_SLOT
        for name, hashes in now.items():
            old = before.get(name, np.zeros(0, np.uint64))
            new = _padded(old, self._count)
            new[slots[held]] = hashes[held]
            if not np.array_equal(new, old):
                self._database.execute(
                    "INSERT INTO slot_values (variable, hashes) VALUES (?, ?)"
                    " ON CONFLICT (variable) DO UPDATE SET hashes = excluded.hashes",
                    (name, new.astype("<u8").tobytes()),
                )


def _padded(values: Hashes, length: int) -> Hashes:
    made = np.zeros(length, np.uint64)
    made[: min(len(values), length)] = values[:length]
    return made


def _latest(handles: Handles, owners: Handles) -> NDArray[np.int64]:
    """Per owner the highest slot that has its handle, or _NO_SLOT."""
    if len(handles) == 0:
        return np.full(len(owners), _NO_SLOT, np.int64)
    places = order(handles)
    ordered = handles[places]
    last = np.append(ordered[1:] != ordered[:-1], True)
    at, found = find(ordered[last], owners)
    return np.where(found, places[last][at], _NO_SLOT).astype(np.int64)


def _row_owners(table: Table) -> Handles:
    """The handle of each row; a second row of one patient gets a handle of its own, and so does
    every row that is not a patient."""
    if table.people is None and not table.repeated:
        return table.handles
    made = table.handles.copy()
    unit = None if table.people is None else table.codebook.unit
    times: dict[bytes, int] = {}
    for place in _in_order(table):
        handle = table.handles[place : place + 1].tobytes()
        times[handle] = times.get(handle, 0) + 1
        start = handle if unit is None else _first_row(handle, unit)
        own = start if times[handle] == 1 else _further_row(start, times[handle])
        made[place : place + 1] = np.frombuffer(own, f"S{HANDLE_BYTES}")
    return made


def _in_order(table: Table) -> list[int]:
    """The rows of somebody, by their own number: where a row stands in a file says nothing."""
    places: list[int] = np.flatnonzero(table.keyed).tolist()
    unit = table.units.get(table.codebook.unit)
    if table.people is not None and unit is not None:
        keys = unit.keys.list()
        places.sort(key=keys.__getitem__)
    return places


def _first_row(handle: bytes, unit: str) -> bytes:
    """The handle of the first tumour, say, of a patient."""
    return hashlib.sha256(handle + b"\0" + unit.encode()).digest()[:HANDLE_BYTES]


def _further_row(handle: bytes, number: int) -> bytes:
    """The handle of the second, third, … row of a patient."""
    return hashlib.sha256(handle + number.to_bytes(4, "big")).digest()[:HANDLE_BYTES]


def _hashes(table: Table) -> dict[str, Hashes]:
    """64 bits per value of each variable; never 0, which stands for "not known then"."""
    book = table.codebook.id.partition("/")[0]
    return {
        f"{book}:{name}": _hash_values(table.codebook.variables[name], values)
        for name, values in table.columns.items()
    }


def _hash_values(variable: Variable, values: Values) -> Hashes:
    if variable.type in ("category", "boolean"):
        # By the text of the level, because its place may differ in a later codebook.
        labels = ["", *(variable.group_labels or ())]
        texts = [hashlib.sha256(b"level\0" + label.encode()).digest()[:8] for label in labels]
        by_code = np.frombuffer(b"".join(texts), "<u8").astype(np.uint64)
        found = by_code[values.astype(np.int64) + 1]
    else:
        numbers = np.where(np.isnan(values), np.inf, values) + 0.0  # one NaN, no minus zero
        found = _mixed(numbers.astype("<f8").view("<u8").astype(np.uint64))
    return np.where(found == _ABSENT, np.uint64(1), found)


def _mixed(bits: Hashes) -> Hashes:
    """splitmix64's finaliser (Steele, Lea and Flood 2014): spreads the bits of each number."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
