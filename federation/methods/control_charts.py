"""Charts of a share over time: limits of chance, and rules that say where it is not chance.

Pure: from numbers that were released to limits and findings. A period whose number is hidden takes
no part: it breaks a run of periods, for nobody can say on which side it lies.

Sources: D. Montgomery, Introduction to Statistical Quality Control (p-charts with limits at three
standard errors); R. Perla, L. Provost and S. Murray, The run chart, BMJ Quality & Safety 20 (2011)
46-51, and L. Provost and S. Murray, The Health Care Data Guide (2011), for the rules: a point
outside the limits, eight points on one side of the centre, six points that go on rising or falling.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

OUTSIDE: Final = "outside"
ONE_SIDE: Final = "one_side"
RISING: Final = "rising"
FALLING: Final = "falling"
Rule = Literal["outside", "one_side", "rising", "falling"]

SIDE: Final = 8
"""So many points in a row on one side of the centre; points on it are passed over."""
TREND: Final = 6
"""So many points in a row that each go further up, or down; equal ones are passed over."""


@dataclass(frozen=True)
class Point:
    """One period: how many patients, and how many with the outcome; None where hidden."""

    label: str
    n: int | None
    observed: int | None

    @property
    def share(self) -> float | None:
        """The share with the outcome; None where hidden or nobody was there."""
        if self.n is None or self.observed is None or self.n < 1:
            return None
        return self.observed / self.n


@dataclass(frozen=True)
class Finding:
    """`rule` fired at point `place` (from 0), which is called `label`; the run began at `first`.
    `side` 1: above the centre or rising, -1: below it or falling."""

    rule: Rule
    place: int
    label: str
    first: int
    side: int


@dataclass(frozen=True)
class Chart:
    """`limits` (low, high) per point, None without patients. `centre` None when nothing is known.
    A run chart has no limits: all are None."""

    centre: float | None
    limits: tuple[tuple[float, float] | None, ...]
    findings: tuple[Finding, ...]


def p_chart(points: Sequence[Point]) -> Chart:
    """Shares around the pooled share p of all points, with limits p ± 3 sqrt(p (1 - p) / n)."""
    known = [point for point in points if point.share is not None]
    n = sum(point.n or 0 for point in known)
    if not n:
        return Chart(None, (None,) * len(points), ())
    centre = sum(point.observed or 0 for point in known) / n
    limits = tuple(
        p_limits(centre, point.n) if point.n is not None and point.n > 0 else None
        for point in points
    )
    shares = [point.share for point in points]
    labels = [point.label for point in points]
    found = [*_outside(shares, limits, labels), *_runs(shares, centre, labels)]
    return Chart(centre, limits, tuple(sorted(found, key=lambda f: (f.place, f.rule))))


def p_limits(centre: float, n: int) -> tuple[float, float]:
    """The limits of a share of `n` patients, held within 0 and 1."""
    width = 3.0 * math.sqrt(centre * (1.0 - centre) / n)
    return max(centre - width, 0.0), min(centre + width, 1.0)


def run_chart(values: Sequence[float | None], labels: Sequence[str]) -> Chart:
    """Any number over time around its own median, with the rules that need no limits."""
    known = [value for value in values if value is not None]
    if not known:
        return Chart(None, (None,) * len(values), ())
    centre = float(statistics.median(known))
    found = sorted(_runs(values, centre, labels), key=lambda f: (f.place, f.rule))
    return Chart(centre, (None,) * len(values), tuple(found))


def vlad(expected: Sequence[float | None], observed: Sequence[int | None]) -> list[float | None]:
    """Expected less observed, added up from the first period on: above 0 fewer than expected.

    Grouped: one number per period and not per patient. None from the first period on of which a
    number is hidden. Source: J. Lovegrove and others, Monitoring the results of cardiac surgery by
    variable life-adjusted display, Lancet 350 (1997) 1128-1130.
    """
    total: float | None = 0.0
    found: list[float | None] = []
    for e, o in zip(expected, observed, strict=True):
        total = None if total is None or e is None or o is None else total + e - o
        found.append(total)
    return found


def _outside(
    shares: Sequence[float | None],
    limits: Sequence[tuple[float, float] | None],
    labels: Sequence[str],
) -> list[Finding]:
    found = []
    for place, (share, pair) in enumerate(zip(shares, limits, strict=True)):
        if share is None or pair is None or pair[0] <= share <= pair[1]:
            continue
        side = 1 if share > pair[1] else -1
        found.append(Finding(OUTSIDE, place, labels[place], place, side))
    return found


def _runs(values: Sequence[float | None], centre: float, labels: Sequence[str]) -> list[Finding]:
    """Runs on one side and runs that rise or fall, each said once, where it first is long enough.

    A hidden value ends a run; a value on the centre, or equal to the one before, is passed over.
    """
    found: list[Finding] = []
    side = _Run(SIDE)
    way = _Run(TREND - 1)  # six points make five steps
    last: float | None = None
    last_place = 0
    for place, value in enumerate(values):
        if value is None:
            side, way, last = _Run(SIDE), _Run(TREND - 1), None
            continue
        if value != centre and side.longer(1 if value > centre else -1, place):
            found.append(Finding(ONE_SIDE, place, labels[place], side.first, side.sign))
        if last is not None and value != last:
            if way.longer(1 if value > last else -1, last_place):
                rule: Rule = RISING if way.sign > 0 else FALLING
                found.append(Finding(rule, place, labels[place], way.first, way.sign))
        last, last_place = value, place
    return found


@dataclass
class _Run:
    """Points in a row with the same sign."""

    needed: int
    sign: int = 0
    length: int = 0
    first: int = 0

    def longer(self, sign: int, place: int) -> bool:
        """Add one; whether the run has just become long enough. A new run begins at `place`."""
        if sign != self.sign:
            self.sign, self.length, self.first = sign, 0, place
        self.length += 1
        return self.length == self.needed
