"""Gray's test of equal cumulative incidence, from counts at ascending times.

R. J. Gray, Annals of Statistics 1988;16:1141, with weight 1 (rho = 0). Each group's risk set is
that of the subdistribution, R = Y (1 - F(t-)) / S(t-): patients at risk, and those who would still
be so had a competing event not taken them. The score of a group is its events minus its share of
all events by R, and its variance is a sum of squared martingale integrands over groups and kinds
of event. Other causes than the one of interest are taken together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.logrank import LogrankSums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def gray_sums(cause: Ints, other: Ints, at_risk: Ints) -> LogrankSums:
    """Observed and expected events (K,) and the variance (K, K) of their difference.

    `cause`, `other` and `at_risk`, int (K, T): events of interest, other events, and patients at
    risk just before each time. The statistic is that of `logrank_statistic`.
    """
    used = (cause + other).sum(axis=0) > 0
    if not used.any():
        nothing = np.zeros(len(cause))
        return LogrankSums(nothing, nothing, np.zeros((len(cause), len(cause))))
    d1, d2 = cause[:, used].astype(np.float64), other[:, used].astype(np.float64)
    y = at_risk[:, used].astype(np.float64)
    kept = np.divide(y - d1 - d2, y, out=np.ones_like(y), where=y > 0)
    after = np.cumprod(kept, axis=1, dtype=np.float64)  # S just after each time
    before = _shifted(after, 1.0)
    incidence = np.cumsum(before * np.divide(d1, y, out=np.zeros_like(y), where=y > 0), axis=1)
    present = (y > 0) & (before > 0)
    size = np.divide(y, before, out=np.zeros_like(y), where=present)
    all_size, events = size.sum(axis=0), d1.sum(axis=0)
    # Under the hypothesis one subdistribution holds for all groups.
    common = np.cumsum(np.divide(events, all_size, out=np.zeros_like(events), where=all_size > 0))
    left = np.asarray(1.0 - common, dtype=np.float64)
    left_before = _shifted(left, 1.0)
    risk = size * (1.0 - _shifted(incidence, 0.0))
    whole = risk.sum(axis=0)
    share = np.divide(risk, whole, out=np.zeros_like(risk), where=whole > 0)
    # a[i, k] is the weight of group k's events in group i's score, c its integral.
    part = np.divide(size, all_size, out=np.zeros_like(size), where=all_size > 0)
    groups = len(y)
    a = size[:, None, :] * (np.eye(groups)[:, :, None] - part[None, :, :])
    rate = np.divide(
        events, all_size * left_before, out=np.zeros_like(events), where=all_size * left_before > 0
    )
    c = np.cumsum(a * rate, axis=2)
    ahead = c[:, :, -1:] - c
    ratio = np.divide(left, after, out=np.zeros_like(after), where=after > 0)
    own = a + (1.0 - ratio) * ahead
    competing = ratio * ahead
    own_weight = _ties(events, all_size * before) * np.divide(
        before * events, all_size * y, out=np.zeros_like(y), where=present
    )
    other_weight = _ties(d2, y) * np.divide(
        before**2 * d2, y**2, out=np.zeros_like(y), where=present & (after > 0)
    )
    variance = np.einsum("ikt,jkt,kt->ij", own, own, own_weight)
    variance += np.einsum("ikt,jkt,kt->ij", competing, competing, other_weight)
    return LogrankSums(d1.sum(axis=1), (share * events).sum(axis=1), np.asarray(variance))


def _shifted(values: Floats, first: float) -> Floats:
    """The same just before each time: one place later, starting at `first`."""
    moved = np.empty_like(values)
    moved[..., 0] = first
    moved[..., 1:] = values[..., :-1]
    return moved


def _ties(events: Floats, at_risk: Floats) -> Floats:
    """1 - (d - 1) / (Y - 1) for several events at one time, else 1."""
    several = np.broadcast_to(events > 1, at_risk.shape)
    rest = np.divide(
        np.broadcast_to(events - 1.0, at_risk.shape),
        at_risk - 1.0,
        out=np.zeros_like(at_risk),
        where=several & (at_risk > 1),
    )
    return np.asarray(1.0 - rest)
