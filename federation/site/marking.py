"""This hospital's part of the marks of sets: a secret random number per slot."""

import json
import os
import sqlite3
from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray

from federation.disclosure.auditor import Bitmap
from federation.disclosure.marks import BITS, WORDS, Mark, mark_of, mark_text
from federation.disclosure.nesting import ReleasedSet
from federation.protocol.encoding import canonical
from federation.site.store import transaction

_KEY_BYTES = 32
_NONCE = bytes(16)  # the key is used for this one stream only
_MASK = np.uint64((1 << BITS) - 1)


class Marking:
    """Makes parts of marks, and keeps the marks of answered sets, in the site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._words: NDArray[np.uint64] = np.zeros((0, WORDS), np.uint64)

    def part(self, bitmap: Bitmap) -> Mark:
        """The sum of the numbers of these slots, each word modulo 2^BITS."""
        data = bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little")
        slots = np.flatnonzero(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"))
        if len(slots) > 0 and slots[-1] >= len(self._words):
            self._words = self._numbers(2 * int(slots[-1]) + 1)
        sums = self._words[slots].sum(axis=0, dtype=np.uint64) & _MASK
        return tuple(int(word) for word in sums)

    def keep(self, run: str, sets: Iterable[tuple[Mark, ReleasedSet | None]]) -> None:
        """Keep sets that are answered about, in the caller's transaction."""
        self._database.executemany(
            "INSERT INTO released_mark (run, mark, defined) VALUES (?, ?, ?)",
            [
                (run, mark_text(mark), "" if one is None else canonical(one.to_dict()).decode())
                for mark, one in sets
            ],
        )

    def since(self, number: int) -> tuple[int, list[tuple[Mark, ReleasedSet | None]]]:
        """The number of the last set kept, and all sets after `number`."""
        rows = self._database.execute(
            "SELECT number, mark, defined FROM released_mark WHERE number > ? ORDER BY number",
            (number,),
        ).fetchall()
        sets = [
            (mark_of(mark), ReleasedSet.from_dict(json.loads(defined)) if defined else None)
            for _, mark, defined in rows
        ]
        return (rows[-1][0] if rows else number), sets

    def _numbers(self, slots: int) -> NDArray[np.uint64]:
        stream = Cipher(algorithms.ChaCha20(self._key(), _NONCE), mode=None).encryptor()
        data = stream.update(bytes(8 * WORDS * slots))
        return np.frombuffer(data, "<u8").reshape(slots, WORDS).astype(np.uint64) & _MASK

    def _key(self) -> bytes:
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO mark_key (one, key) VALUES (1, ?) ON CONFLICT (one) DO NOTHING",
                (os.urandom(_KEY_BYTES),),
            )
            (key,) = self._database.execute("SELECT key FROM mark_key").fetchone()
        return bytes(key)
