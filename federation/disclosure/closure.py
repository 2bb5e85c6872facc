"""What released sets of patients imply together: their linear span, and small groups in it.

Each released set is a row of noughts and ones over slots. Whoever knows the answers about these
rows knows the answer about every linear combination of them. A combination whose weight (the number
of slots with a coefficient other than nought) is at least 1 and less than t tells about fewer than
t patients. Reference: Chin and Ozsoyoglu, Auditing and inference control in statistical databases,
IEEE Transactions on Software Engineering 8 (1982), 574-582 (Audit Expert).

The span is kept as a reduced row echelon basis modulo a random prime of 16 bits. In that form a
combination that singles out one patient, or patients who are in exactly the same released sets, is
a row of the basis, so those are found without fail. A small combination of several such groups is
found when it is a row for the pivots at hand; finding every one is NP-hard (minimum weight word).
Working modulo a prime can only make a weight smaller; a combination all of whose coefficients the
prime divides would be missed, and nobody outside knows the prime.

Speed: a row is first seen on a random sample of columns, drawn anew again and again so that nobody
can aim beside it. A row with t coefficients there needs no further look; only the others are looked
at column block by column block. New rows wait, and are worked into the stored basis by the block.
Whether a row is nought everywhere, a digest says: its product with CHECKS secret vectors of random
bytes, which is nought for any other row with a chance of 2^-96 (after Freivalds 1977).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
"""Noughts and ones, one per slot."""
Reals = npt.NDArray[np.float64]
"""Whole numbers below the prime, in floating point for the sake of matrix products: exact, because
no sum here reaches 2^53."""
Index = npt.NDArray[np.int64]

SAMPLE: Final = 512
BLOCK: Final = 512
WAITING: Final = 96
LEAST_PRIME: Final = 1 << 15
TRIES: Final = 4
CHECKS: Final = 12
AT_ONCE: Final = 1 << 13
"""Slots at a time: so many bytes add up exactly in float32, and stay in the processor's cache."""
MANY: Final = 1000
"""With so many rows one pivot is tried, not TRIES, to stay within the time for one question."""


@dataclass(frozen=True)
class Seen:
    """What one more set would do to the span.

    `new`: it is not in the span yet. `least`: the smallest weight, at most t, of the set itself
    and of every combination looked at that has a part of it.
    """

    new: bool
    least: int


@dataclass
class _Waiting:
    """A set that is not in the stored basis yet, and its noughts and ones at that basis' pivots."""

    bits: Bits
    pivots: npt.NDArray[np.bool_]
    # By block, less the stored basis.
    reduced: dict[int, npt.NDArray[np.uint16]] = field(default_factory=dict)


class Closure:
    """The span of released sets at one site. `seed` must be secret and random."""

    def __init__(self, t: int, seed: int) -> None:
        self._t = t
        self._chance = np.random.Generator(np.random.Philox(seed))
        self._prime = float(_random_prime(self._chance))
        self._secret = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 1))))
        self._words = np.zeros((CHECKS, 0), np.uint8)  # the random vectors
        self._digests: Reals = np.zeros((0, CHECKS))  # of all rows
        self._slots = 0
        self._stored = 0  # so many rows have been worked into the stored basis
        self._blocks: list[npt.NDArray[np.uint16]] = []  # (stored, BLOCK) columns of it each
        self._pivots = np.zeros(0, np.int64)  # of the stored and then the waiting rows
        self._waiting: list[_Waiting] = []
        self._sample = np.zeros(0, np.int64)  # columns
        # All rows on the sample, and how much of each waiting set is in them.
        self._seen: Reals = np.zeros((0, 0))
        self._parts: Reals = np.zeros((0, 0))

    @classmethod
    def of_random_span(cls, t: int, seed: int, slots: int, rank: int) -> Closure:
        """As after `rank` answers about random cohorts, made at once: to measure with."""
        made = cls(t, seed)
        made._widen(slots)
        made._pivots = np.sort(made._chance.choice(slots, rank, replace=False))
        made._stored = rank
        digests = np.zeros((rank, CHECKS))
        for number in range(len(made._blocks)):
            block = made._chance.integers(0, int(made._prime), (rank, BLOCK), dtype=np.uint16)
            here = np.flatnonzero(made._pivots // BLOCK == number)
            columns = made._pivots[here] % BLOCK
            block[:, columns] = 0
            block[here, columns] = 1
            block[:, max(slots - number * BLOCK, 0) :] = 0
            made._blocks[number] = block
            words = made._words[:, number * BLOCK : (number + 1) * BLOCK].astype(np.float64)
            digests += made._modulo(block.astype(np.float64) @ words.T)
        made._digests = made._modulo(digests)
        made._draw()
        return made

    @property
    def rank(self) -> int:
        """How many independent sets were added."""
        return len(self._pivots)

    @property
    def nbytes(self) -> int:
        """The memory of the stored basis and of what is seen of it, in bytes."""
        return sum(b.nbytes for b in self._blocks) + self._seen.nbytes + self._parts.nbytes

    def trial(self) -> Closure:
        """A copy that may be added to without a change here; it shares the stored basis."""
        made = copy.copy(self)
        made._waiting = list(self._waiting)
        made._seen, made._parts = self._seen.copy(), self._parts.copy()
        made._digests = self._digests.copy()
        return made

    def digests(self, sets: Sequence[Bits]) -> list[Reals]:
        """For each set what `add` needs of all its slots: much quicker for many at once."""
        self._widen(max(map(len, sets)))
        found = np.zeros((CHECKS, len(sets)))
        for low in range(0, len(self._blocks) * BLOCK, AT_ONCE):
            words = self._words[:, low : low + AT_ONCE].astype(np.float32)
            some = np.zeros((words.shape[1], len(sets)), np.float32)
            for place, bits in enumerate(sets):
                part = bits[low : low + AT_ONCE]
                some[: len(part), place] = part
            found += words @ some
        return list(self._modulo(found).T)

    def add(self, bits: Bits, tries: int | None = None, digest: Reals | None = None) -> Seen:
        """Add a set, and tell what it did. A set that is in the span already changes nothing.

        `tries`: how many pivots to look at combinations by, when the default is not wanted.
        `digest`: what `digests` gave for this set, when it was asked.
        """
        if tries is None:
            tries = TRIES if self.rank < MANY else 1
        weight = int(np.count_nonzero(bits))
        if weight == 0:
            return Seen(False, 0)
        self._widen(len(bits))
        (of_set,) = self.digests([bits]) if digest is None else (digest,)
        bits = np.pad(bits, (0, len(self._blocks) * BLOCK - len(bits)))
        at_pivots = bits[self._pivots].astype(np.float64)
        row = self._modulo(bits[self._sample] - at_pivots @ self._seen)
        digest = self._modulo(of_set - at_pivots @ self._digests)
        if not row.any() and not digest.any():
            return Seen(False, 0)
        parts = np.append(self._modulo(-(at_pivots @ self._parts)), 1.0)
        chosen = bits[self._pivots[: self._stored]].astype(np.bool_)
        self._waiting.append(_Waiting(bits, chosen))
        self._parts = np.column_stack((self._parts, np.zeros(self.rank)))
        if not row.any():
            row = self._outside(row, parts)
        return Seen(True, min(weight, self._insert(row, parts, digest, tries)))

    def settle(self, at_least: int = WAITING) -> None:
        """Work the waiting rows into the stored basis when there are `at_least` so many."""
        if len(self._waiting) < at_least:
            return
        pivots = np.stack([row.pivots for row in self._waiting]).astype(np.float64)
        old_parts, new_parts = self._parts[: self._stored], self._parts[self._stored :]
        for number, block in enumerate(self._blocks):
            old = block.astype(np.float64)
            here = slice(number * BLOCK, (number + 1) * BLOCK)
            sets = np.stack([row.bits[here] for row in self._waiting])
            reduced = self._modulo(sets - pivots @ old)
            made = np.empty((self.rank, BLOCK), np.uint16)
            made[: self._stored] = self._modulo(old + old_parts @ reduced)
            made[self._stored :] = self._modulo(new_parts @ reduced)
            self._blocks[number] = made
        self._stored, self._waiting = self.rank, []
        self._draw()

    def _insert(self, row: Reals, parts: Reals, digest: Reals, tries: int) -> int:
        """Give the last waiting set a pivot in the sample; the least weight of what changes.

        The pivot is free to choose, and another pivot shows other combinations: a few are tried.
        """
        places = np.flatnonzero(row)
        light = self._t
        for pivot in self._chance.choice(places, min(tries, len(places)), replace=False).tolist():
            by = float(pow(int(row[pivot]), -1, int(self._prime)))
            row, parts = self._modulo(row * by), self._modulo(parts * by)
            digest = self._modulo(digest * by)
            factors = self._seen[:, pivot].copy()
            changed = np.flatnonzero(factors)
            light = min(light, self._least(row, parts, factors, changed))
        for some in _portions(changed):
            self._seen[some] = self._modulo(self._seen[some] - factors[some, None] * row)
            self._parts[some] = self._modulo(self._parts[some] - factors[some, None] * parts)
        self._digests = self._modulo(self._digests - factors[:, None] * digest)
        self._digests = np.vstack((self._digests, digest))
        self._seen = np.vstack((self._seen, row))
        self._parts = np.vstack((self._parts, parts))
        self._pivots = np.append(self._pivots, self._sample[pivot])
        return light

    def _least(self, row: Reals, parts: Reals, factors: Reals, changed: Index) -> int:
        """The least weight, at most t, of `row` and of the changed rows with `row` taken off."""
        light = []
        for some in _portions(changed):
            values = self._modulo(self._seen[some] - factors[some, None] * row)
            light.append(some[np.count_nonzero(values, axis=1) < self._t])
        rows = np.concatenate((*light, np.zeros(0, np.int64)))
        made = self._modulo(self._parts[rows] - factors[rows, None] * parts)
        if np.count_nonzero(row) < self._t:
            rows, made = np.append(rows, -1), np.vstack((made, parts))
        weights = np.zeros(len(rows), np.int64)
        for number, block in enumerate(self._blocks):
            if len(rows) == 0:
                return self._t
            values = made @ self._reduced(number)
            of_basis = (rows >= 0) & (rows < self._stored)
            values[of_basis] += block[rows[of_basis]]
            weights += np.count_nonzero(self._modulo(values), axis=1)
            few = weights < self._t
            rows, made, weights = rows[few], made[few], weights[few]
        return int(weights.min(initial=self._t))

    def _outside(self, row: Reals, parts: Reals) -> Reals:
        """`row` with one more column in the sample where the set is not nought; there is one."""
        number, places = next(
            (number, places)
            for number in range(len(self._blocks))
            if len(places := np.flatnonzero(self._modulo(parts @ self._reduced(number)))) > 0
        )
        reduced, place = self._reduced(number), int(self._chance.choice(places))
        column = self._parts @ reduced[:, place]
        column[: self._stored] += self._blocks[number][:, place]
        self._sample = np.append(self._sample, number * BLOCK + place)
        self._seen = np.column_stack((self._seen, self._modulo(column)))
        return np.append(row, self._modulo(parts @ reduced[:, place, None]))

    def _reduced(self, number: int) -> Reals:
        """The waiting sets less the stored basis, in one column block."""
        here = slice(number * BLOCK, (number + 1) * BLOCK)
        for row in self._waiting:
            if number not in row.reduced:
                taken = self._blocks[number][row.pivots].sum(axis=0, dtype=np.float64)
                row.reduced[number] = self._modulo(row.bits[here] - taken).astype(np.uint16)
        return np.stack([row.reduced[number] for row in self._waiting]).astype(np.float64)

    def _widen(self, slots: int) -> None:
        """Make room for slots that did not exist when the earlier sets were added."""
        if slots <= self._slots:
            return
        self._slots = slots
        more = -(-slots // BLOCK) - len(self._blocks)
        nothing = np.zeros((self._stored, BLOCK), np.uint16)
        self._blocks = [*self._blocks, *[nothing] * more]
        words = self._secret.integers(0, 256, (CHECKS, more * BLOCK), dtype=np.uint8)
        self._words = np.concatenate((self._words, words), axis=1)
        for row in self._waiting:
            row.bits = np.pad(row.bits, (0, more * BLOCK))
        if not self._waiting:
            self._draw()

    def _draw(self) -> None:
        """See the stored basis on other columns."""
        free = np.ones(self._slots, np.bool_)
        free[self._pivots] = False
        columns = np.flatnonzero(free)
        if len(columns) > SAMPLE:
            columns = np.sort(self._chance.choice(columns, SAMPLE, replace=False))
        self._sample = columns
        self._seen = np.empty((self._stored, len(columns)))
        for number, block in enumerate(self._blocks):
            here = columns // BLOCK == number
            self._seen[:, here] = block[:, columns[here] % BLOCK]
        self._parts = np.zeros((self._stored, 0))

    def _modulo(self, values: Reals) -> Reals:
        """The whole numbers `values` modulo the prime, in place.

        A half is added so that a quotient is never so near a whole number that rounding decides.
        """
        quotient = (values + 0.5) * (1.0 / self._prime)
        np.floor(quotient, out=quotient)
        quotient *= self._prime
        values -= quotient
        return values


def _portions(rows: Index) -> Iterator[Index]:
    """Rows a few at a time, so that they stay in the processor's cache."""
    for start in range(0, len(rows), 64):
        yield rows[start : start + 64]


def _random_prime(chance: np.random.Generator) -> int:
    while True:
        number = int(chance.integers(LEAST_PRIME, 2 * LEAST_PRIME))
        if all(number % divisor for divisor in range(2, math.isqrt(number) + 1)):
            return number
