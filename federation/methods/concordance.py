"""Harrell's concordance as three counts, so that strata and sites can be added.

A pair is comparable when the earlier time is an event; a time censored on the day of an event
counts as later; two events at the same time are not compared (the rule of lifelines and of R's
survival::concordance with its default weights).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import stable_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def concordance_counts(time: Floats, event: Bools, risk: Floats) -> tuple[int, int, int]:
    """Concordant, tied and comparable pairs of n patients; O(n log n) time, O(n) memory.

    `time` and `risk` float (n,), `event` bool (n,). Concordant means that of a comparable pair
    the patient with the earlier event has the higher risk; tied means equal risk.
    """
    n = time.size
    if n == 0 or not event.any():
        return 0, 0, 0
    # One integer per exit: events of a time before the censored of that time.
    exits = np.unique(time, return_inverse=True)[1].astype(np.int64) * 2 + ~event
    by_risk = np.argsort(risk, kind="stable")
    # Inside one exit the rows go up in risk, so that the strict count below finds none there.
    order = by_risk[stable_order(exits[by_risk])]
    place = np.empty(n, dtype=np.int32)
    place[order] = np.arange(n, dtype=np.int32)
    exits, dead = exits[order], event[order]
    later = n - np.searchsorted(exits, exits, side="right")
    pairs = int(later[dead].sum())
    # Rows from low to high risk, by place; equal risks in order of place.
    level = np.zeros(n, dtype=np.int64)
    level[1:] = np.cumsum(np.diff(risk[by_risk]) != 0)
    ranked = by_risk[_ties_by_place(level, place[by_risk])]
    climbing = place[ranked]
    return _lower_and_later(climbing, dead), _equal_and_later(level, climbing, exits, dead), pairs


def _ties_by_place(level: Ints, place: npt.NDArray[np.int32]) -> Ints:
    """The order that sorts rows of equal `level` (ascending) by place."""
    if level.size and level[-1] == level.size - 1:
        return np.arange(level.size)
    return np.lexsort((place, level))


def _equal_and_later(level: Ints, climbing: npt.NDArray[np.int32], exits: Ints, dead: Bools) -> int:
    """Pairs of equal risk of which the first is an event with the earlier exit.

    `level` ascends along `climbing`, the places in order of risk and then of place.
    """
    n = level.size
    if level[-1] == n - 1:
        return 0
    # (level, exit) ascends too, and both are below 2n: the product fits in int64.
    width = int(exits[-1]) + 2
    key = level * width + exits[climbing]
    ends = np.searchsorted(level, level, side="right")
    after = ends - np.searchsorted(key, key, side="right")
    return int(after[dead[climbing]].sum())


def _lower_and_later(climbing: npt.NDArray[np.int32], dead: Bools) -> int:
    """Pairs (i, j) with i an event, place i before place j, and j of lower risk.

    `climbing` holds the places in ascending order of risk, equal risks in order of place. A
    merge count from the top down: rows are kept in order of (segment, risk); in each segment
    the rows of the right half that come before a row of the left half are its pairs, and a
    stable partition by half gives the next, smaller segments.
    """
    n = climbing.size
    index = np.arange(n, dtype=np.int32)
    total = 0
    for bit in range(max(n - 1, 1).bit_length() - 1, -1, -1):
        right = (climbing >> bit) & 1
        before = np.cumsum(right, dtype=np.int32) - right
        start = (climbing >> (bit + 1)) << (bit + 1)
        before -= before[start]
        left = right == 0
        total += int(before[left & dead[climbing]].sum(dtype=np.int64))
        goal = np.where(left, index - before, start + np.int32(1 << bit) + before)
        moved = np.empty_like(climbing)
        moved[goal] = climbing
        climbing = moved
    return total
