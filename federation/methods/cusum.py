"""The risk-adjusted CUSUM of one hospital: does its outcome get worse, patient after patient?

Each patient moves the sum by how much better the outcome fits odds that are `ratio` times those the
model expects than the expected odds themselves; below nought it starts again:

    W = y ln(R) - ln(1 - p + R p),    C = max(0, C + W),    a signal where C > h.

Source: S. Steiner, R. Cook, V. Farewell and T. Treasure, Monitoring surgical performance using
risk-adjusted cumulative sum charts, Biostatistics 1 (2000) 441-452. There R = 2 and h = 4.5. How
often chance alone gives a signal depends on h, the risks and the number of patients. After a signal
the sum goes on; it does not start again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def weights(outcome: Floats, risk: Floats, ratio: float) -> Floats:
    """W of each patient, (n,); `outcome` 0 or 1, `risk` the expected probability."""
    return np.asarray(outcome * np.log(ratio) - np.log1p((ratio - 1.0) * risk))


def sums(steps: Floats) -> Floats:
    """C after each patient in order of time, (n,).

    C is how far the plain sum of W stands above the least it ever was, its start included.
    """
    total = np.cumsum(steps)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0))


def highest(path: Floats, period: Ints, periods: int) -> Floats:
    """The highest C within each period, (periods,); nan where nobody was. `period` (n,) of each
    patient, from 0."""
    found = np.full(periods, -np.inf)
    np.maximum.at(found, period, path)
    return np.where(np.isfinite(found), found, np.nan)
