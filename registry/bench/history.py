"""How long one set takes to judge at a hospital that has answered as much as it ever may.

`python -m registry.bench.history [patients] [answers]`; 50,000 patients and 10,000 answers without
arguments. Filling the history takes minutes then: it is the work of years, done at once.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from statistics import median

import numpy as np

from federation.disclosure.closure import Closure

_CHECKS = 25
_BATCH = 256


@dataclass(frozen=True)
class Measured:
    """Seconds and memory. filling: all answers, as after a start; settling: 32 rows that waited;
    check: one set judged."""

    rank: int
    filling: float
    settling: float
    median_check: float
    slowest_check: float
    megabytes: float

    def line(self) -> str:
        """One line for a report."""
        return (
            f"rank {self.rank}: filled in {self.filling:.0f} s, one set judged in "
            f"{1000 * self.median_check:.0f} ms (slowest {1000 * self.slowest_check:.0f} ms), "
            f"32 rows settled in {self.settling:.1f} s, basis {self.megabytes:.0f} MB"
        )


def measure(slots: int = 50_000, sets: int = 10_000, t: int = 10) -> Measured:
    """Fill a closure with random cohorts of every size and judge more of them."""
    chance = np.random.default_rng(20261122)
    closure = Closure(t, int.from_bytes(os.urandom(8), "big"))

    def some() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        made = (chance.random(slots) < chance.uniform(0.02, 0.98)).astype(np.uint8)
        return np.asarray(made)

    start = time.perf_counter()
    for number in range(sets):
        closure.add(some())
        closure.settle(_BATCH)
        if number % 1000 == 999:
            print(f"  {number + 1} answers", file=sys.stderr, flush=True)
    closure.settle(1)
    filling = time.perf_counter() - start
    checks = []
    for _ in range(_CHECKS):
        asked = some()
        began = time.perf_counter()
        closure.trial().add(asked)
        checks.append(time.perf_counter() - began)
    for _ in range(32):
        closure.add(some())
    began = time.perf_counter()
    closure.settle(1)
    settling = time.perf_counter() - began
    return Measured(
        closure.rank, filling, settling, median(checks), max(checks), closure.nbytes / 1e6
    )


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])).line())
