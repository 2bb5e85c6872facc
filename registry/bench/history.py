"""How long one set takes to judge at a hospital that has answered as much as it ever may.

`python -m registry.bench.history [patients] [answers]`; 50,000 patients and 10,000 answers without
arguments. The last 320 answers are given one by one; the span of those before is made at once.
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
_ONE_BY_ONE = 320


@dataclass(frozen=True)
class Measured:
    """Seconds and memory. check: one set judged, without and with the waiting of this machine.
    settling: 32 rows that waited are worked into the basis."""

    rank: int
    settling: float
    computing: float
    median_check: float
    slowest_check: float
    megabytes: float

    def line(self) -> str:
        """One line for a report."""
        return (
            f"rank {self.rank}: one set judged in {1000 * self.median_check:.0f} ms (slowest "
            f"{1000 * self.slowest_check:.0f} ms; {1000 * self.computing:.0f} ms of computing), "
            f"32 rows settled in {self.settling:.1f} s, basis {self.megabytes:.0f} MB"
        )


def measure(slots: int = 50_000, sets: int = 10_000, t: int = 10) -> Measured:
    """Judge random cohorts of every size beside the span of `sets` earlier ones."""
    chance = np.random.default_rng(20261122)
    seed = int.from_bytes(os.urandom(8), "big")
    before = max(sets - _ONE_BY_ONE, 0)
    closure = Closure.of_random_span(t, seed, slots, before)

    def some() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        made = (chance.random(slots) < chance.uniform(0.02, 0.98)).astype(np.uint8)
        return np.asarray(made)

    for _ in range(sets - before):
        closure.add(some(), tries=1)
        closure.settle(_ONE_BY_ONE)
    closure.settle(1)
    checks, computing = [], []
    for _ in range(_CHECKS):
        asked = some()
        began, worked = time.perf_counter(), time.process_time()
        closure.trial().add(asked)
        checks.append(time.perf_counter() - began)
        computing.append(time.process_time() - worked)
    for _ in range(32):
        closure.add(some())
    began = time.perf_counter()
    closure.settle(1)
    return Measured(
        rank=closure.rank,
        settling=time.perf_counter() - began,
        computing=median(computing),
        median_check=median(checks),
        slowest_check=max(checks),
        megabytes=closure.nbytes / 1e6,
    )


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])).line())
