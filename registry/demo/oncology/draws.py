"""Chance that is the same on every machine: a fixed seed per subject, and uniform numbers only.

The distributions of a numpy Generator may change between its versions; its uniform numbers come
straight from PCG64, whose stream numpy keeps. Everything else is made of those here.
"""

import math
import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SEED = 20_161  # OncoZON was founded in the second half of 2016


class Draws:
    """Draws about one subject; another subject's draws do not change them."""

    def __init__(self, subject: str) -> None:
        self._bits = np.random.Generator(np.random.PCG64([SEED, zlib.crc32(subject.encode())]))

    def uniform(self, n: int) -> Floats:
        """`n` numbers in [0, 1)."""
        return self._bits.random(n)

    def normal(self, n: int) -> Floats:
        """`n` standard normal numbers (Box and Muller 1958)."""
        first, second = self.uniform(n), self.uniform(n)
        return np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * math.pi * second)

    def yes(self, chance: Floats) -> Bools:
        """True with each chance."""
        return self.uniform(len(chance)) < chance

    def pick(self, weights: Floats) -> Ints:
        """Per row of `weights` the number of a column, as likely as its weight."""
        edges = np.cumsum(weights, axis=1)
        at = self.uniform(len(weights)) * edges[:, -1]
        place: Ints = (at[:, None] >= edges).sum(axis=1).astype(np.int64)
        return place

    def around(self, median: Floats, spread: float) -> Floats:
        """Positive numbers around each median: lognormal with this standard deviation."""
        return median * np.exp(spread * self.normal(len(median)))

    def exponential(self, mean: Floats) -> Floats:
        """Waiting times with each mean."""
        return -mean * np.log1p(-self.uniform(len(mean)))


def logistic(value: Floats) -> Floats:
    """The chance behind log odds."""
    return 1.0 / (1.0 + np.exp(-value))


def log_odds(chance: float) -> float:
    """The log odds behind a chance."""
    return math.log(chance / (1.0 - chance))
