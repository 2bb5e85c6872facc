"""Quantiles as codebook intervals, from counts per bin (rule O5)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def quantile_bins(
    counts: npt.NDArray[np.int64],
    p: float,
    *,
    min_in_bin: int,
    min_each_side: int,
    patients: npt.NDArray[np.int64] | None = None,
    once: bool = False,
) -> tuple[int, int] | None:
    """First and last bin (inclusive) of the interval that holds the p-quantile, or None.

    `counts` int (bins,). The quantile is the smallest value with at least a share p of the
    rows at or below it (numpy's "inverted_cdf"). The interval is the run of fewest bins
    around it with at least `min_in_bin` rows (of those the fullest, then the lowest). None
    when nobody is counted or fewer than `min_each_side` rows lie on either side.

    `patients` int (bins,): where a row is not a patient, the different patients in each bin. A
    patient may be in several bins, so that the fullest bin of the interval, and of either side of
    the quantile's own bin, must hold enough of them. `once`: each patient is in the bin of their
    first row only; then bins add up, to no more than the different patients in a run of them.
    """
    n = int(counts.sum())
    if n == 0:
        return None
    # A product like 0.1 * 30 may come out just above a whole number.
    rank = max(math.ceil(p * n - 1e-9), 1)
    if rank - 1 < min_each_side or n - rank < min_each_side:
        return None
    below = np.cumsum(counts)
    home = int(np.searchsorted(below, rank))
    if patients is not None:
        sides = (_people(patients[:home], once), _people(patients[home + 1 :], once))
        if min(sides) < min_each_side:
            return None
    for width in range(counts.size):
        best: tuple[int, int] | None = None
        for first in range(max(home - width, 0), min(home, counts.size - 1 - width) + 1):
            run = slice(first, first + width + 1)
            inside = int(counts[run].sum())
            if patients is not None and _people(patients[run], once) < min_in_bin:
                continue
            if inside >= min_in_bin and (best is None or inside > best[0]):
                best = (inside, first)
        if best is not None:
            return best[1], best[1] + width
    return None


def _people(bins: npt.NDArray[np.int64], once: bool) -> int:
    """How many different patients there are at least in these bins."""
    return int(bins.sum() if once else bins.max(initial=0))
