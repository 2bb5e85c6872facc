"""The log-rank test as sums: observed minus expected, and its hypergeometric variance.

Strata and sites add up, so the stratified test is the same formula on added sums
(Kalbfleisch and Prentice, 2002, section 1.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LogrankSums:
    """Per group observed and expected events (K,), and the variance (K, K) of O - E."""

    observed: Floats
    expected: Floats
    variance: Floats


def logrank_sums(events: Ints, at_risk: Ints) -> LogrankSums:
    """Sums over time of one stratum; `events`, `at_risk` int (K, T)."""
    d_group, y_group = events.astype(np.float64), at_risk.astype(np.float64)
    d, y = d_group.sum(axis=0), y_group.sum(axis=0)
    used = d > 0
    d, y, d_group, y_group = d[used], y[used], d_group[:, used], y_group[:, used]
    share = y_group / y
    # A single patient at risk has no choice about who has the event: variance 0, not 0/0.
    weight = np.where(y > 1, d * (y - d) / np.maximum(y - 1.0, 1.0), 0.0)
    variance = np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T
    return LogrankSums(d_group.sum(axis=1), (share * d).sum(axis=1), variance)


def logrank_statistic(sums: LogrankSums) -> tuple[float, int] | None:
    """chi2 and degrees of freedom, None when there is nothing to compare.

    Groups with no expected events were never at risk at an event and do not count, as in R's
    survdiff; a direction without variance is left out of the degrees of freedom.
    """
    used = sums.expected > 0
    if np.count_nonzero(used) < 2:
        return None
    difference = (sums.observed - sums.expected)[used]
    variance = sums.variance[np.ix_(used, used)]
    scale = float(np.max(np.diag(variance)))
    if not scale > 0:
        return None
    # The rows of the variance add to 0: a symmetric pseudo-inverse spares the choice of the
    # group to drop and copes with strata in which some groups never meet.
    values, vectors = np.linalg.eigh(variance)
    solid = values > scale * 1e-10
    projected = vectors[:, solid].T @ difference
    return float(np.sum(projected**2 / values[solid])), int(np.count_nonzero(solid))
