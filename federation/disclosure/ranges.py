"""Ranges of values: of a comparison, a bar of a histogram, a class of the codebook or a quarter."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from federation.query.cohort import Leaf


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`; an open end leaves its own value out."""

    low: float = -math.inf
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False

    def within(self, other: Range) -> bool:
        """Whether every value here is also in `other`."""
        above = self.low > other.low or (
            self.low == other.low and (self.low_open or not other.low_open)
        )
        below = self.high < other.high or (
            self.high == other.high and (self.high_open or not other.high_open)
        )
        return above and below

    def before(self, other: Range) -> bool:
        """Whether one of both ends where the other has not begun."""
        for first, second in ((self, other), (other, self)):
            touching = first.high == second.low and (first.high_open or second.low_open)
            if first.high < second.low or touching:
                return True
        return False

    def meet(self, other: Range) -> Range:
        """The values in both."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Range(low, low_open, high, not high_closed)


def range_of(leaf: Leaf) -> Range | None:
    """The range of a comparison with one number or date; None for `!=` and `in`."""
    if isinstance(leaf.value, tuple):
        return None
    value = number(leaf.value)
    made = {
        "=": Range(value, False, value, False),
        ">=": Range(low=value),
        ">": Range(low=value, low_open=True),
        "<=": Range(high=value),
        "<": Range(high=value, high_open=True),
    }
    return made.get(leaf.op)


_BAR: Final = re.compile(r"([\[(])(-?[0-9.e+-]+),(-?[0-9.e+-]+)([\])])")


def range_of_bar(label: str) -> Range | None:
    """The range of joined classes or of times, as a codebook writes one: "[40,50)"; else None."""
    found = _BAR.fullmatch(label)
    if found is None:
        return None
    start, low, high, end = found.groups()
    return Range(float(low), start == "(", float(high), end == ")")


_QUARTER: Final = re.compile(r"([0-9]{4})-Q([1-4])")


def range_of_quarter(label: str) -> Range | None:
    """The months of a quarter: "2024-Q1"; else None."""
    found = _QUARTER.fullmatch(label)
    if found is None:
        return None
    first = int(found[1]) * 12 + 3 * (int(found[2]) - 1)
    return Range(first, False, first + 2, False)


def number(value: object) -> float:
    """A number as it is; "2015-03" and "2015" as months and years, in the order of time."""
    if isinstance(value, str):
        year, _, month = value.partition("-")
        return int(year) * 12 + int(month) - 1 if month else int(year)
    assert isinstance(value, int | float)  # noqa: S101  the cohort parser lets nothing else through
    return float(value)


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
