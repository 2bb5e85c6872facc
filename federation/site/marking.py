"""This hospital's part of the marks of sets: a secret random number per slot."""

import os
import sqlite3
from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray

from federation.disclosure.auditor import Bitmap
from federation.disclosure.marks import PRIME, WORDS, Mark, mark_of, mark_text
from federation.site.store import transaction

_KEY_BYTES = 32
_NONCE = bytes(16)  # the key is used for this one stream only


class Marking:
    """Makes parts of marks, and keeps the marks of answered sets, in the site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._words: NDArray[np.uint8] = np.zeros((0, WORDS), np.uint8)

    def part(self, bitmap: Bitmap) -> Mark:
        """The sum of the numbers of these slots, each word modulo PRIME."""
        data = bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little")
        slots = np.flatnonzero(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little"))
        if len(slots) > 0 and slots[-1] >= len(self._words):
            self._words = self._numbers(2 * int(slots[-1]) + 1)
        sums = self._words[slots].sum(axis=0, dtype=np.uint64) % np.uint64(PRIME)
        return tuple(int(word) for word in sums)

    def keep(self, run: str, marks: Mapping[str, Mark]) -> None:
        """Keep the sets of a run that are answered about, by label, in the caller's transaction."""
        self._database.executemany(
            "INSERT INTO released_mark (run, label, mark) VALUES (?, ?, ?)",
            [(run, label, mark_text(mark)) for label, mark in marks.items()],
        )

    def since(self, number: int) -> tuple[int, dict[str, dict[str, Mark]]]:
        """The number of the last set kept, and those after `number`: run to label to mark."""
        rows = self._database.execute(
            "SELECT number, run, label, mark FROM released_mark WHERE number > ? ORDER BY number",
            (number,),
        ).fetchall()
        found: dict[str, dict[str, Mark]] = {}
        for _, run, label, mark in rows:
            found.setdefault(run, {})[label] = mark_of(mark)
        return (rows[-1][0] if rows else number), found

    def _numbers(self, slots: int) -> NDArray[np.uint8]:
        stream = Cipher(algorithms.ChaCha20(self._key(), _NONCE), mode=None).encryptor()
        data = stream.update(bytes(4 * WORDS * slots))
        # Of 32 bits each, so that no residue is likelier than another by more than 2^-24.
        return (np.frombuffer(data, "<u4").reshape(slots, WORDS) % PRIME).astype(np.uint8)

    def _key(self) -> bytes:
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO mark_key (one, key) VALUES (1, ?) ON CONFLICT (one) DO NOTHING",
                (os.urandom(_KEY_BYTES),),
            )
            (key,) = self._database.execute("SELECT key FROM mark_key").fetchone()
        return bytes(key)
