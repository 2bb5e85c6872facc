"""The rule on waiting times: the median of a hospital against that of all others together.

A hospital stands out when half of its patients wait at least twice as many days as half of the
patients of all other hospitals: 28 against 14 does, 27 against 14 does not, a tie counts. Medians
cannot be averaged, so the others' comes from their added days. It is decided inside the hospital,
to the day; the ratio that leaves is an interval, like every quantile (rule O5).

Known limit. A verdict says on which side of twice the others' median a hospital's own lies. Who
asks about cohorts that keep this hospital's patients and change those of others learns that again
each time. The others' median is known as an interval [a, b] of enough patients, so a verdict says
that the own one is at least 2a, or less than 2b: no finer than two days, and than twice that
interval where the others are few. What can be found so is the day that half of the patients waited,
to about two days; not who did. A hospital in the sum may add days that it does not have, but no
more than it offered before (waiting_time.py), and no more than all others together (O13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.waiting_time_days import quantile_day

Ints = npt.NDArray[np.int64]

TIMES: Final = 2
FEWEST: Final = 10
"""A hospital with fewer patients is not compared: its median says little."""
FEW_PATIENTS: Final = "few_patients"
FEW_HOSPITALS: Final = "few_hospitals"


@dataclass(frozen=True)
class Days:
    """Counts per day: `rows` int64 (days,); where a row is not a patient `patients`, each on the
    first day that they have."""

    rows: Ints
    patients: Ints | None = None

    def less(self, other: Days) -> Days:
        """Those of all but `other`, which is part of them."""
        if self.patients is None or other.patients is None:
            return Days(self.rows - other.rows)
        return Days(self.rows - other.rows, self.patients - other.patients)


@dataclass(frozen=True)
class Verdict:
    """`signal` None where nothing is decided, and then `why`. `others`: the rest of them."""

    signal: bool | None
    why: str | None = None
    others: Days | None = None

    def to_json(self) -> dict[str, Any]:
        """For the facts of a finished analysis."""
        rows = None if self.others is None else self.others.rows.tolist()
        people = None if self.others is None else self.others.patients
        return {
            "signal": self.signal,
            "why": self.why,
            "others": rows,
            "patients": None if people is None else people.tolist(),
        }


def last_compared(cap: int) -> int:
    """The last day that must be known to the day: twice a later one is beyond every median."""
    return cap // TIMES


def judge(own: Ints, mine: Days, pooled: Days | None, *, inside: bool) -> Verdict:
    """The verdict on a hospital.

    `own` int (cap + 1,): its rows per day; `mine` the same as far as days are added one by one, the
    last number for later days. `pooled`: those of all hospitals, None when too few may be added.
    `inside`: whether the hospital is in them.
    """
    if own.sum() < FEWEST:
        return Verdict(None, FEW_PATIENTS)
    others = pooled.less(mine) if pooled is not None and inside else pooled
    if others is None or others.rows.sum() < FEWEST:
        return Verdict(None, FEW_HOSPITALS)
    half, theirs = quantile_day(own, 5), quantile_day(others.rows, 5)
    if half is None or theirs is None:
        raise ValueError("both have patients")
    last = others.rows.size - 2
    if theirs <= last:  # where both are 0 nobody waits
        return Verdict(half > 0 and half >= TIMES * theirs, None, others)
    if half < TIMES * (last + 1) or last >= last_compared(own.size - 1):
        return Verdict(False, None, others)
    return Verdict(None, FEW_HOSPITALS)  # theirs is later than the days that may be added


def fold(counts: Ints, last: int) -> Ints:
    """Counts per day, those after `last` as one number: int64 (last + 2,)."""
    kept = np.zeros(last + 2, dtype=np.int64)
    shared = min(counts.size, last + 1)
    kept[:shared] = counts[:shared]
    kept[-1] = counts[shared:].sum()
    return kept
