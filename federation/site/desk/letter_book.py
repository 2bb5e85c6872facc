"""The letters of this hospital as far as acts name them: whose they are, and when they ended.

A letter's code, patient, person and key never change and no letter goes away (the database refuses
it); only that it ends is written down, once.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.snapshot import Mask

_SOME: Final = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """ended_at: milliseconds, or None."""

    handle: bytes
    party: str
    key: bytes
    ended_at: int | None


class LetterBook:
    """The letters as they stand in the database now."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def rows(self, codes: Sequence[bytes]) -> Mapping[bytes, Letter]:
        """The letters with these codes; a code that no letter has is left out."""
        known = [code.decode("ascii") for code in codes if code.isascii()]
        found = {}
        for start in range(0, len(known), _SOME):
            # The codes travel as one value, so that the statement is the same for any number.
            for code, *rest in self._database.execute(
                "SELECT code_id, handle, party, proof_key, ended_at FROM letter"
                " WHERE code_id IN (SELECT value FROM json_each(?))",
                (json.dumps(known[start : start + _SOME]),),
            ):
                found[code.encode()] = Letter(*rest)
        return found

    def ended_before(self, by: NDArray[np.bytes_], at: NDArray[np.int64]) -> Mask:
        """For each act, by the code of its letter and its moment, whether the letter had ended."""
        rows = self._database.execute(
            "SELECT code_id, ended_at FROM letter WHERE ended_at IS NOT NULL ORDER BY code_id"
        ).fetchall()
        if not rows:
            return np.zeros(len(by), np.bool_)
        codes = np.array([code.encode() for code, _ in rows], np.bytes_)
        ended = np.array([moment for _, moment in rows], np.int64)
        place = np.minimum(np.searchsorted(codes, by), len(codes) - 1)
        late: Mask = (codes[place] == by) & (at > ended[place])
        return late
