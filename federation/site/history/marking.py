"""This hospital's part of the marks of sets: a secret random number per slot."""

import os
import sqlite3
from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray

from federation.disclosure.auditor import Bitmap
from federation.disclosure.marks import PRIME, WORDS, Mark, mark_of, mark_text
from federation.site.store import transaction

Marked = list[tuple[str, Mark]]
"""Sets of a run by label; one label twice where a hospital gave no answer."""

_KEY_BYTES = 32
_EXACT = 1 << 16
"""So many numbers below PRIME add up exactly in float32, of which matrix products are fast."""
_NONCE = bytes(16)  # the key is used for this one stream only


class Marking:
    """Makes parts of marks, and keeps the marks of answered sets, in the site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._words: NDArray[np.uint8] = np.zeros((0, WORDS), np.uint8)
        self._last: tuple[tuple[Bitmap, ...], tuple[Mark, ...]] = ((), ())

    def parts(self, bitmaps: Sequence[Bitmap]) -> tuple[Mark, ...]:
        """Of each set the sum of the numbers of its slots, each word modulo PRIME. Those of the
        last sets are kept: a look and the step after it ask for the same ones."""
        if self._last[0] != tuple(bitmaps):
            self._last = tuple(bitmaps), self._parts(bitmaps)
        return self._last[1]

    def _parts(self, bitmaps: Sequence[Bitmap]) -> tuple[Mark, ...]:
        slots = max((bitmap.bit_length() for bitmap in bitmaps), default=0)
        if slots > len(self._words):
            self._words = self._numbers(2 * slots)
        size = (slots + 7) // 8
        packed = [np.frombuffer(bitmap.to_bytes(size, "little"), np.uint8) for bitmap in bitmaps]
        sums = np.zeros((len(bitmaps), WORDS))
        for low in range(0, size, _EXACT // 8):
            some = np.array([each[low : low + _EXACT // 8] for each in packed])
            bits = np.unpackbits(some, axis=1, bitorder="little").astype(np.float32)
            words = self._words[8 * low : 8 * low + bits.shape[1]].astype(np.float32)
            sums += bits[:, : len(words)] @ words
        return tuple(tuple(row) for row in (sums.astype(np.int64) % PRIME).tolist())

    def keep(self, run: str, marks: Mapping[str, Mark], *, whole: bool = False) -> None:
        """Keep the sets of a run that are answered about, by label, in the caller's transaction.
        `whole`: they are of all hospitals, also of one that gave no answer."""
        self._database.executemany(
            "INSERT INTO released_mark (run, label, mark, whole) VALUES (?, ?, ?, ?)",
            [(run, label, mark_text(mark), int(whole)) for label, mark in marks.items()],
        )

    def since(self, number: int, *, whole: bool = False) -> tuple[int, dict[str, Marked]]:
        """The number of the last set kept, and those after `number`: run to label to mark; with
        `whole` also those of all hospitals, else only of those that answered."""
        rows = self._database.execute(
            "SELECT number, run, label, mark FROM released_mark WHERE number > ? AND whole <= ?"
            " ORDER BY number",
            (number, int(whole)),
        ).fetchall()
        found: dict[str, Marked] = {}
        for _, run, label, mark in rows:
            found.setdefault(run, []).append((label, mark_of(mark)))
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
