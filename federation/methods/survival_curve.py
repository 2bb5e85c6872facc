"""Kaplan-Meier arithmetic on counts: events and numbers at risk at ascending times.

Greenwood's variance; the interval is on the log(-log S) scale as in lifelines (Kalbfleisch and
Prentice, 2002, eq. 1.13). R's default interval is on the log scale and differs from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Z95 = 1.959963984540054  # standard normal quantile at 0.975

# S is a product of ratios of counts: a value that is 1/2 in exact arithmetic may come out just
# above it. Distinct reachable values differ by far more than this.
_HALF = 0.5 + 1e-12


@dataclass(frozen=True)
class Curve:
    """S just after each time, with its Greenwood sum; every array has shape (T,).

    `hazard_variance` is sum d / (y (y - d)), infinite once S is 0. `low` and `high` are nan
    where they do not exist (S = 0).
    """

    times: Floats
    at_risk: Ints
    events: Ints
    s: Floats
    hazard_variance: Floats
    low: Floats
    high: Floats

    @property
    def se(self) -> Floats:
        """Greenwood standard error of S, nan once S is 0."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.s * np.sqrt(self.hazard_variance))

    def before(self, t: float) -> int:
        """Index of the last time <= t, -1 when there is none."""
        return int(np.searchsorted(self.times, t, side="right")) - 1


def kaplan_meier(times: Floats, events: Ints, at_risk: Ints) -> Curve:
    """The curve for events and numbers at risk, int (T,), at ascending `times`, float (T,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(at_risk > 0, (at_risk - events) / at_risk, 1.0)
        s = np.cumprod(kept, dtype=np.float64)
        part = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        variance = np.cumsum(part, dtype=np.float64)
        v = np.log(s)
        spread = Z95 * np.sqrt(variance) / v
        low = np.exp(-np.exp(np.log(-v) - spread))
        high = np.exp(-np.exp(np.log(-v) + spread))
    untouched = variance == 0
    low = np.where(untouched, 1.0, low)
    high = np.where(untouched, 1.0, high)
    gone = s <= 0
    low, high = np.where(gone, np.nan, low), np.where(gone, np.nan, high)
    return Curve(times, at_risk, events, s, variance, low, high)


def first_at_or_below_half(times: Floats, values: Floats) -> float | None:
    """The first time at which `values` is at most 1/2, None when that is never reached."""
    with np.errstate(invalid="ignore"):
        reached = np.flatnonzero(values <= _HALF)
    return float(times[reached[0]]) if reached.size else None


def median(curve: Curve) -> tuple[float | None, tuple[float | None, float | None]]:
    """The median and the times at which the limits cross 1/2 (lifelines' convention)."""
    limits = (
        first_at_or_below_half(curve.times, curve.low),
        first_at_or_below_half(curve.times, curve.high),
    )
    return first_at_or_below_half(curve.times, curve.s), limits


def restricted_mean(curve: Curve, until: float) -> tuple[float, float]:
    """Area under S from 0 to `until`, and its standard error.

    Variance: sum over event times of (area from that time to `until`)^2 d / (y (y - d))
    (Klein and Moeschberger, 2003, eq. 4.5.2; the same as R's print.survfit rmean).
    """
    inside = curve.times < until
    times, s = curve.times[inside], curve.s[inside]
    edges = np.concatenate(([0.0], times, [until]))
    heights = np.concatenate(([1.0], s))
    areas = heights * np.diff(edges)
    value = float(areas.sum())
    remaining = np.cumsum(areas[::-1])[::-1][1:]
    d, y = curve.events[inside].astype(np.float64), curve.at_risk[inside].astype(np.float64)
    # Where everyone at risk has the event, S and the area after it are 0: the term is 0.
    usable = (d > 0) & (y > d)
    area, d, y = remaining[usable], d[usable], y[usable]
    variance = float(np.sum(area**2 * d / (y * (y - d))))
    return value, float(np.sqrt(variance))


def merge_steps(
    events: Ints, removed: Ints, *, min_removed: int, min_events: int, min_left: int
) -> list[int]:
    """Grid indices at which a curve may be published (rule O11).

    `events`, int (T,) or (kinds, T), and `removed` (events and censored together), int (T,), per
    grid time. Grid times are merged until an interval holds at least `min_removed` patients leaving
    and `min_events` events of each kind; the curve ends while at least `min_left` patients are
    still at risk. The last point is given up as long as the events after it are fewer than
    `min_events`: with the total of events known, they would otherwise be a small cell.
    """
    kinds = np.atleast_2d(events)
    left = int(removed.sum())
    events_left = kinds.sum(axis=1)
    points: list[tuple[int, int]] = []
    gone, seen = 0, np.zeros(len(kinds), dtype=np.int64)
    for index in range(removed.size):
        gone += int(removed[index])
        seen = seen + kinds[:, index]
        if gone < min_removed or (seen < min_events).any():
            continue
        if left - gone < min_left:
            break
        left -= gone
        events_left = events_left - seen
        points.append((index, int(events_left.min(initial=left))))
        gone, seen = 0, np.zeros(len(kinds), dtype=np.int64)
    while points and points[-1][1] < min_events:
        points.pop()
    return [index for index, _ in points]
