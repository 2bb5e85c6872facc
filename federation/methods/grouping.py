"""Sums and counts by group code, in shapes, kinds of numbers and units fit for fixed point."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def sums_by(code: Ints, values: Floats, size: int) -> Floats:
    """Sum of `values` for each code 0 .. size - 1, float64 (size,).

    numpy.bincount answers with integers when there are no rows; a site's reply may not.
    """
    return np.bincount(code, values, minlength=size).astype(np.float64, copy=False)


def counts_by(code: Ints, size: int) -> Ints:
    """Number of rows with each code 0 .. size - 1, int64 (size,)."""
    return np.bincount(code, minlength=size).astype(np.int64, copy=False)


def stable_order(code: Ints) -> Ints:
    """The order that sorts non-negative codes and keeps equal ones in place, int64 (n,).

    NumPy sorts 16-bit integers by radix, several times faster than wider ones.
    """
    small = code.size > 0 and int(code.max()) < 2**16
    return np.argsort(code.astype(np.uint16) if small else code, kind="stable")


def largest_per_person(shares: Floats, people: Ints | None) -> float:
    """The largest sum of `shares` (n,) over the rows of one patient; 0 without rows."""
    if people is not None:
        shares = sums_by(people, shares, 0)
    return float(shares.max()) if shares.size else 0.0


def fine_unit(size: float) -> float:
    """The unit in which deviations travel, from the mean distance to the origin.

    A power of two about a thousandth of it: squares of spreads far smaller than the values
    keep their digits in fixed point, and those of far outliers stay inside it.
    """
    return 2.0 ** (math.floor(math.log2(size)) - 10) if size > 0 else 1.0
