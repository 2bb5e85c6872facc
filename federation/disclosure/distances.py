"""Which released sets differ from a new one in fewer than t patients.

Every slot falls into one of a few dozen buckets, at random. Two sets differ in at least as many
slots as their numbers per bucket do, so only sets whose numbers are close have to be compared
slot by slot.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

BUCKETS: Final = 64
_FIRST: Final = 256  # sets to begin with; room doubles
_COUNTED: Final = 512  # sets of the last questions

Bits = npt.NDArray[np.uint8]


class Distances:
    """All different sets so far. `seed` should be random, so that nobody can fill one bucket."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.Generator(np.random.Philox(seed))
        self._bucket = np.zeros(0, np.int64)  # of each slot
        self._numbers = np.zeros((_FIRST, BUCKETS), np.int32)
        self._sets: list[int] = []
        self._known: set[int] = set()
        # A set is looked at several times: its numbers per bucket stay the same.
        self._counted: dict[int, npt.NDArray[np.int32]] = {}

    def __contains__(self, bitmap: int) -> bool:
        return bitmap in self._known

    def add(self, bitmap: int, bits: Bits) -> None:
        """Remember a set: as a bitmap, and as noughts and ones per slot."""
        if bitmap in self._known:
            return
        place = len(self._sets)
        if place == len(self._numbers):
            self._numbers = np.concatenate((self._numbers, np.zeros_like(self._numbers)))
        self._numbers[place] = self._count(bitmap, bits)
        self._sets.append(bitmap)
        self._known.add(bitmap)

    def near(self, bitmap: int, bits: Bits, t: int) -> list[int]:
        """The remembered sets that differ in fewer than t slots, the same set included."""
        apart = self._numbers[: len(self._sets)] - self._count(bitmap, bits)
        candidates = np.flatnonzero(np.abs(apart, out=apart).sum(axis=1) < t)
        sets = (self._sets[place] for place in candidates.tolist())
        return [other for other in sets if (other ^ bitmap).bit_count() < t]

    def least(self, bitmap: int, bits: Bits, t: int) -> int:
        """The smallest number of slots, from 1 to t, in which a remembered set differs; t when
        all differ in more, or not at all."""
        differ = [(other ^ bitmap).bit_count() for other in self.near(bitmap, bits, t)]
        return min((t, *(number for number in differ if number > 0)))

    def _count(self, bitmap: int, bits: Bits) -> npt.NDArray[np.int32]:
        found = self._counted.get(bitmap)
        if found is None:
            if len(self._counted) >= _COUNTED:
                self._counted.clear()
            found = self._counted[bitmap] = self._per_bucket(bits)
        return found

    def _per_bucket(self, bits: Bits) -> npt.NDArray[np.int32]:
        more = len(bits) - len(self._bucket)
        if more > 0:
            drawn = self._chance.integers(0, BUCKETS, more)
            self._bucket = np.concatenate((self._bucket, drawn))
        found = np.bincount(self._bucket[: len(bits)], weights=bits, minlength=BUCKETS)
        return found.astype(np.int32)
