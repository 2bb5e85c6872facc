"""Sums and counts by group code, with shapes and number kinds that do not depend on the rows."""

from __future__ import annotations

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
