"""A hospital's number pulled towards the others as far as chance makes it uncertain, and how likely
it is to stand above them: shown beside the number itself, never instead of it.

Pure functions over one number per hospital, under the normal model: what is measured is normal
about a hospital's own level with variance `within`, and the levels are normal about a centre with
variance `between`. Sources: C. Morris, Parametric empirical Bayes inference: theory and
applications, JASA 78 (1983) 47-55; N. Laird and T. Louis, Empirical Bayes ranking methods, Journal
of Educational Statistics 14 (1989) 29-46, for the expected rank; H. Lingsma and others, Comparing
and ranking hospitals based on outcome, QJM 103 (2010) 99-108, for its percentile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Shrunken:
    """The level that is likely, its 95% interval, and the share that the hospital's own number has
    in it: 1 where chance is nothing, 0 where it is all."""

    value: float
    low: float
    high: float
    weight: float


def shrunken(value: float, within: float, between: float, centre: float = 1.0) -> Shrunken | None:
    """The posterior of one hospital's level. `within` is the variance of `value` by chance,
    `between` that of hospitals beyond chance, `centre` what hospitals have in common.

    None where `between` is 0: hospitals then differ no more than chance, and an interval without
    width would promise what nobody knows.
    """
    if not (between > 0 and within >= 0):
        return None
    weight = between / (between + within)
    middle = centre + weight * (value - centre)
    half = _Z95 * float(np.sqrt(weight * within))
    return Shrunken(middle, middle - half, middle + half, weight)


def expected_ranks(values: Floats, within: Floats, between: float, centre: float = 1.0) -> Floats:
    """Expected rank of each hospital (k,), 1 for the lowest: 1 + the chances, over the others, that
    its level is above theirs. Everybody in the middle where hospitals do not differ."""
    k = values.size
    if k == 0 or not between > 0:
        return np.full(k, (k + 1) / 2.0)
    from scipy import special

    weight = between / (between + within)
    level = centre + weight * (values - centre)
    spread = weight * within
    apart = level[:, None] - level[None, :]
    width = np.sqrt(spread[:, None] + spread[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(width > 0, special.ndtr(apart / width), (np.sign(apart) + 1) / 2)
    np.fill_diagonal(above, 0.0)
    return np.asarray(1.0 + above.sum(axis=1))


def expected_percentiles(
    values: Floats, within: Floats, between: float, centre: float = 1.0
) -> Floats:
    """The expected rank as a percentile (k,): 100 (rank - 1/2) / k, near 50 where little but
    chance tells hospitals apart."""
    if values.size == 0:
        return np.zeros(0)
    ranks = expected_ranks(values, within, between, centre)
    return np.asarray(100.0 * (ranks - 0.5) / values.size)
