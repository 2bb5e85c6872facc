"""Cumulative incidence with competing events, from counts at ascending times.

The estimator of Aalen and Johansen (Scandinavian Journal of Statistics 1978;5:141): the sum over
times of S(t-) d / Y. Its variance is Aalen's for two kinds of event, the one of interest and all
others together, as R's cmprsk has it; with one kind of event and no ties it is close to
Greenwood's. The interval is on the scale log(-log F).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Z95 = 1.959963984540054  # standard normal quantile at 0.975


@dataclass(frozen=True)
class Incidence:
    """F just after each time; every array has shape (T,). `low` and `high` are 0 while F is 0 and
    nan once it is 1."""

    times: Floats
    at_risk: Ints
    cif: Floats
    se: Floats
    low: Floats
    high: Floats

    def before(self, t: float) -> int:
        """Index of the last time <= t, -1 when there is none."""
        return int(np.searchsorted(self.times, t, side="right")) - 1


def aalen_johansen(times: Floats, cause: Ints, other: Ints, at_risk: Ints) -> Incidence:
    """The curve for events of interest, other events and numbers at risk, int (T,)."""
    d1, d2 = cause.astype(np.float64), other.astype(np.float64)
    y = at_risk.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.cumprod(np.where(y > 0, (y - d1 - d2) / y, 1.0))
        before = np.concatenate(([1.0], after[:-1]))[: after.size]
        cif = np.cumsum(np.where(y > 0, before * d1 / y, 0.0))
        scale = np.where(after > 0, 1.0 / after, 0.0)
        one = _spread(before, d1, y)
        two = np.where(after > 0, _spread(before, d2, y), 0.0)
        # sum over u <= t of one (1 - (F(t) - F(u)) / S(u))^2 + two ((F(t) - F(u)) / S(u))^2,
        # written as a square in F(t) so that one pass is enough.
        base = 1.0 + cif * scale
        constant = np.cumsum(one * base**2 + two * (cif * scale) ** 2)
        linear = np.cumsum(one * base * scale + two * cif * scale**2)
        square = np.cumsum((one + two) * scale**2)
        variance = np.maximum(constant - 2.0 * cif * linear + cif**2 * square, 0.0)
        se = np.sqrt(variance)
        power = np.exp(Z95 * se / (cif * np.log(cif)))
        low, high = cif ** (1.0 / power), cif**power
    empty = cif <= 0
    low, high = np.where(empty, 0.0, low), np.where(empty, 0.0, high)
    full = cif >= 1.0 - 1e-12
    low, high = np.where(full, np.nan, low), np.where(full, np.nan, high)
    return Incidence(times, at_risk, cif, se, low, high)


def _spread(before: Floats, events: Floats, at_risk: Floats) -> Floats:
    """Variance of S(t-) d / Y: S^2 d (Y - d) / (Y^2 (Y - 1)); for one event S^2 / Y^2."""
    ties = np.where(events > 1, (at_risk - events) / (at_risk - 1.0), 1.0)
    return np.asarray(np.where(at_risk > 0, before**2 * ties * events / at_risk**2, 0.0))
