"""Whether a set of patients is a combination of earlier ones, at all hospitals alike.

A hospital whose history tells a set (it lies in the span of earlier answers) cannot know that the
same combination holds at the others: what is old here may be new there, and the difference one
patient. Two things together settle it. The set's definition, worked out on a universe of invented
patients that everybody can make from the codebook, says which combination it should be. The set's
mark (federation.disclosure.marks), which depends on the real patients of all hospitals, says that
it is. Both are one vector here, and a set is recognised when its vector lies in the span of those
of earlier answers. After a withdrawal or a correction the mark differs, and the set is a new one.

All arithmetic is modulo the prime of the marks.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.disclosure.marks import PRIME, WORDS

_BLOCK: Final = 1024  # rows worked on at a time, so that their floats stay in the cache

Vectors = npt.NDArray[np.uint8]


class Recognition:
    """The vectors of earlier sets: `columns` of the definition, then the mark.

    Kept as a reduced row echelon basis whose pivots lie in the definition. Two sets with one
    definition and different marks are different patients; the difference is kept beside the basis.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: Vectors = np.zeros((0, columns + WORDS), np.uint8)
        self._rank = 0
        self._pivots: list[int] = []
        self._differences: set[bytes] = set()

    def recognises(self, vectors: Vectors) -> list[bool]:
        """For each of the vectors, shape (n, columns + WORDS), whether earlier ones make it up."""
        return [self._is_told(row) for row in self._reduced(vectors)]

    def rest(self, vectors: Vectors) -> Vectors:
        """What is left of each of the vectors without that which earlier ones make up."""
        return self._reduced(vectors).astype(np.uint8)

    def add(self, vectors: Vectors) -> None:
        """Remember the sets of an answer.

        The new rows are reduced by one another as combinations of what they were, so that whole
        rows are worked on once each, and only the few numbers of the combinations again and again.
        """
        left = self._reduced(vectors)
        kept = np.zeros(left.shape)  # the rows that are new, as they were
        shares = np.zeros((len(left), len(left)), np.int64)  # how much of each is in each
        pivots: list[int] = []
        for found in left:
            n = len(pivots)
            taken = found[pivots] @ shares[:n, :n] % PRIME
            row = _residues(found - taken @ kept[:n])
            places = np.flatnonzero(row[: self._columns])
            if len(places) == 0:
                if row.any():
                    self._differences.add(row[self._columns :].tobytes())
                continue
            pivot = int(places[0])
            by = pow(int(row[pivot]), -1, PRIME)
            own = np.append(-taken, 1) * by % PRIME
            others = shares[:n, :n] @ kept[:n, pivot].astype(np.int64) % PRIME
            shares[:n, : n + 1] = (shares[:n, : n + 1] - np.outer(others, own)) % PRIME
            shares[n, : n + 1] = own
            kept[n] = found
            pivots.append(pivot)
        if pivots:
            n = len(pivots)
            fresh = _residues(shares[:n, :n].astype(np.float64) @ kept[:n])
            self._insert(fresh.astype(np.int64), pivots)

    def _is_told(self, row: npt.NDArray[Any]) -> bool:
        mark = row[self._columns :]
        if row[: self._columns].any():
            return False
        return not mark.any() or mark.astype(np.uint8).tobytes() in self._differences

    def _reduced(self, vectors: Vectors) -> npt.NDArray[Any]:
        """The vectors minus their part in the basis; int64 of the same shape."""
        left = vectors.astype(np.float64)
        if self._rank:
            factors = left[:, self._pivots]
            for start in range(0, self._rank, _BLOCK):
                part = slice(start, min(start + _BLOCK, self._rank))
                left -= factors[:, part] @ self._rows[part].astype(np.float64)
        return _residues(left).astype(np.int64)

    def _insert(self, fresh: npt.NDArray[np.int64], pivots: list[int]) -> None:
        exact = fresh.astype(np.float64)
        for start in range(0, self._rank, _BLOCK):
            part = slice(start, min(start + _BLOCK, self._rank))
            factors = self._rows[part][:, pivots]
            touched = np.flatnonzero(factors.any(axis=1))
            if len(touched):
                rows = self._rows[part][touched].astype(np.float64)
                rows -= factors[touched].astype(np.float64) @ exact
                self._rows[start + touched] = _residues(rows)
        rank = self._rank + len(fresh)
        if rank > len(self._rows):
            grown = np.zeros((max(2 * rank, 64), self._rows.shape[1]), np.uint8)
            grown[: self._rank] = self._rows[: self._rank]
            self._rows = grown
        self._rows[self._rank : rank] = fresh
        self._rank = rank
        self._pivots += pivots


def _residues(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Whole numbers below 2^31 in magnitude modulo the prime; integers divide faster."""
    return np.asarray((values.astype(np.int32) % PRIME).astype(np.uint8))
