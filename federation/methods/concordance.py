"""Harrell's concordance as three counts, so that strata and sites can be added.

A pair is comparable when the earlier time is an event; a time censored on the day of an event
counts as later; two events at the same time are not compared (the rule of lifelines and of R's
survival::concordance with its default weights).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
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
    ranks = np.unique(risk, return_inverse=True)[1].astype(np.int64)
    # Inside one exit the rows go up in risk, so that the strict count below finds none there.
    order = np.lexsort((ranks, exits))
    exits, ranks, dead = exits[order], ranks[order], event[order]

    later = n - np.searchsorted(exits, exits, side="right")
    pairs = int(later[dead].sum())
    return _lower_and_later(ranks, dead), _equal_and_later(exits, ranks, dead), pairs


def _equal_and_later(
    exits: npt.NDArray[np.int64], ranks: npt.NDArray[np.int64], dead: Bools
) -> int:
    """Pairs (i, j) with i an event, exit j after exit i and the same rank."""
    # (rank, exit) as one integer: both are below 2n, so the product fits in int64.
    key = ranks * (exits[-1] + 2) + exits
    ordered = np.sort(key)
    ends = np.searchsorted(ordered, (ranks + 1) * (exits[-1] + 2), side="left")
    after = ends - np.searchsorted(ordered, key, side="right")
    return int(after[dead].sum())


def _lower_and_later(ranks: npt.NDArray[np.int64], dead: Bools) -> int:
    """Pairs (i, j) with i an event, i < j and ranks[j] < ranks[i].

    A merge count from the top down: rows are kept in order of (segment, rank); in each segment
    the rows of the right half that precede a row of the left half are its pairs, and a stable
    partition by half gives the next, smaller segments.
    """
    n = ranks.size
    order = np.argsort(ranks, kind="stable")
    index = np.arange(n)
    total = 0
    for bit in range(max(n - 1, 1).bit_length() - 1, -1, -1):
        right = (order >> bit) & 1 == 1
        before = np.cumsum(right) - right
        start = (order >> (bit + 1)) << (bit + 1)
        before = before - before[start]
        left = ~right
        total += int(before[left & dead[order]].sum())
        moved = np.empty_like(order)
        goal = np.where(right, start + (1 << bit) + before, index - before)
        moved[goal] = order
        order = moved
    return total
