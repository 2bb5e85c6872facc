"""Harrell's concordance as three counts, so that strata and sites can be added.

A pair is comparable when the earlier time is an event; a time censored on the day of an event
counts as later; two events at the same time are not compared (the rule of lifelines and of R's
survival::concordance with its default weights).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import stable_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


# Rows that are compared with each other one by one, and bits of a time that are looked at together.
_ROWS = 128
_BITS = 7


def concordance_counts(time: Floats, event: Bools, risk: Floats) -> tuple[int, int, int]:
    """Concordant, tied and comparable pairs of n patients; O(n log n) time, O(n) memory.

    `time` and `risk` float (n,), `event` bool (n,). Concordant means that of a comparable pair
    the patient with the earlier event has the higher risk; tied means equal risk.
    """
    # One integer per exit: events of a time before the censored of that time.
    return concordance_of_exits(_dense(_dense(time) * 2 + ~event), event, risk)


def concordance_of_exits(exits: Ints, event: Bools, risk: Floats) -> tuple[int, int, int]:
    """`concordance_counts` where the times are numbered already: `exits` (n,) from 0 on and without
    gaps, those with the event at a time before the others of that time."""
    n = exits.size
    if n == 0 or not event.any():
        return 0, 0, 0
    number = np.bincount(exits)
    later = n - np.cumsum(number)
    pairs = int(later[exits[event]].sum())
    by_risk = np.argsort(risk)
    level = np.zeros(n, dtype=np.int64)
    level[1:] = np.cumsum(np.diff(risk[by_risk]) != 0)
    tied = 0
    if level[-1] < n - 1:
        # Among equal risks the earlier exits come first, so that the count below finds none there.
        by_risk = by_risk[np.lexsort((exits[by_risk], level))]
        tied = _equal_and_later(level, exits[by_risk], event[by_risk])
    return _lower_and_later(exits[by_risk], event[by_risk]), tied, pairs


def _dense(values: npt.NDArray[Any]) -> Ints:
    """The place of each value among the different ones, int64 (n,)."""
    if values.size and 0 <= values.min() and values.max() < 2**20:
        whole = values.astype(np.int64)
        if np.array_equal(whole, values):  # counted several times faster than sorted
            present = np.bincount(whole) > 0
            return (np.cumsum(present) - 1)[whole]
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _equal_and_later(level: Ints, exits: Ints, dead: Bools) -> int:
    """Pairs of equal risk of which the first is an event with the earlier exit; rows in order of
    `level`, the place of their risk, and then of exit."""
    # (level, exit) ascends, and both are below 2n: the product fits in int64.
    key = level * (int(exits.max()) + 2) + exits
    ends = np.searchsorted(level, level, side="right")
    after = ends - np.searchsorted(key, key, side="right")
    return int(after[dead].sum())


def _lower_and_later(exits: Ints, dead: Bools) -> int:
    """Pairs (i, j) with i an event, row j before row i (of lower risk), and the exit of j later.

    The exits, from 0 on and without gaps, are compared a few bits at a time, from the highest.
    Rows whose higher bits are equal form a group, in which the order of the rows is kept; those
    with the later exit by the bits at hand are counted there (`_in_groups`).
    """
    total = 0
    top = max(int(exits.max()), 1).bit_length()
    for shift in range(_BITS * ((top - 1) // _BITS), -1, -_BITS):
        group = exits >> (shift + _BITS)
        order = stable_order(group)
        digit = ((exits >> shift) & (2**_BITS - 1)).astype(np.uint8)
        total += _in_groups(group[order], digit[order], dead[order])
    return total


def _in_groups(group: Ints, digit: npt.NDArray[np.uint8], dead: Bools) -> int:
    """Pairs (i, j) within one of the groups, which follow each other: i an event, row j before
    row i, and the digit of j larger. Counted in blocks of rows: inside a block one by one, and
    against the earlier blocks of the group by how many of their rows have each digit."""
    rows = np.bincount(group)
    blocks = -(-rows // _ROWS)
    first, size = np.cumsum(blocks) - blocks, int(blocks.sum())
    # Every group begins a block; what is left of its last one stays empty: digit 0, no event.
    place = np.arange(group.size) + (_ROWS * first - np.cumsum(rows) + rows)[group]
    digits = np.zeros(size * _ROWS, dtype=np.uint8)
    events = np.zeros(size * _ROWS, dtype=np.bool_)
    digits[place], events[place] = digit, dead
    # A block is a column, so that its row k before and its row k are two long lines.
    lines = np.ascontiguousarray(digits.reshape(size, _ROWS).T)
    of_event = np.ascontiguousarray(events.reshape(size, _ROWS).T)
    total = 0
    for apart in range(1, _ROWS):
        larger = lines[:-apart] > lines[apart:]
        larger &= of_event[apart:]
        total += int(np.count_nonzero(larger))
    block = place // _ROWS
    cells = np.bincount(block * 2**_BITS + digit, minlength=size * 2**_BITS)
    # Rows in all earlier blocks with a digit up to each; then with a larger one.
    before = np.zeros((size + 1, 2**_BITS), dtype=np.int64)
    np.cumsum(cells.reshape(size, -1).cumsum(axis=1), axis=0, out=before[1:])
    larger_before = before[:, -1:] - before
    at, least = block[dead], digit[dead]
    found = larger_before[at, least] - larger_before[first[group[dead]], least]
    return total + int(found.sum())
