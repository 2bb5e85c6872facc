"""What the conditions of plausibility rules mean for rows of the hospital.

A condition is true, false or unknown for each row. Unknown is what a missing value gives, and a
date of which only the month or the year is known when the days in between could decide; so a rule
is broken only where the data leave no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Column
from federation.query.conditions import (
    Added,
    AnyOf,
    Compare,
    Condition,
    DaysBetween,
    Every,
    InCodes,
    InYears,
    Known,
    Named,
    Not,
    Number,
    Term,
    Today,
    YearOf,
)

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Span:
    """What is known of a number in each row: low <= value <= high, both nan when missing.

    Dates are days since 1970-01-01; a date known to the month spans that month.
    """

    low: Numbers
    high: Numbers

    @classmethod
    def exact(cls, values: Numbers) -> Span:
        return cls(values, values)


@dataclass(frozen=True)
class Facts:
    """What rules may look at: `n` rows of typed columns, dates to the day, and today's day.

    relative: the dates that count from a day nobody here knows; they have no year.
    """

    n: int
    columns: Mapping[str, Column]
    dates: Mapping[str, Span]
    today: float
    relative: frozenset[str] = frozenset()

    def year(self, name: str) -> Span:
        """The calendar year of a date."""
        days = self.span(name)
        if name in self.relative:
            return Span.exact(np.full(self.n, np.nan))
        return Span(year_of(days.low), year_of(days.high))

    def span(self, name: str) -> Span:
        """The number or date called `name`. A code of a category is no number: KeyError."""
        if name in self.dates:
            return self.dates[name]
        column = self.columns[name]
        if column.variable.type in ("category", "date"):
            raise KeyError(name)
        values = column.values.astype(np.float64)
        return Span.exact(np.where(column.known, values, np.nan))


@dataclass(frozen=True)
class Judged:
    """Where a condition is true for certain and where it is false for certain, bool (n,) each."""

    true: Mask
    false: Mask


def span_of(term: Term, facts: Facts) -> Span:
    """The number of each row. KeyError for a variable that `facts` do not hold as a number."""
    match term:
        case Named(name):
            return facts.span(name)
        case Number(value):
            return Span.exact(np.full(facts.n, value))
        case Today():
            return Span.exact(np.full(facts.n, facts.today))
        case YearOf(name):
            return facts.year(name)
        case DaysBetween(first, last):
            if (first in facts.relative) != (last in facts.relative):
                return Span.exact(np.full(facts.n, np.nan))
            start, end = facts.span(first), facts.span(last)
            return Span(end.low - start.high, end.high - start.low)
        case Added(first_term, second_term):
            one, other = span_of(first_term, facts), span_of(second_term, facts)
            return Span(one.low + other.low, one.high + other.high)
        case InYears(inner):
            days = span_of(inner, facts)
            return Span(days.low / DAYS_PER_YEAR, days.high / DAYS_PER_YEAR)


def judge(condition: Condition, facts: Facts) -> Judged:
    """Where `condition` is true and where it is false for certain. KeyError as `span_of`."""
    match condition:
        case Compare():
            return _compared(condition, facts)
        case InCodes(name):
            column = facts.columns[name]
            levels = column.variable.levels
            wanted = np.array([condition.holds(level.code) for level in levels], np.bool_)
            inside = wanted[np.where(column.known, column.values, 0)] & column.known
            return Judged(inside, column.known & ~inside)
        case Known(name, known):
            dates = facts.dates.get(name)
            there = facts.columns[name].known if dates is None else ~np.isnan(dates.low)
            return Judged(there, ~there) if known else Judged(~there, there)
        case Not(item):
            judged = judge(item, facts)
            return Judged(judged.false, judged.true)
        case Every(items):
            parts = [judge(item, facts) for item in items]
            return Judged(
                np.logical_and.reduce([part.true for part in parts]),
                np.logical_or.reduce([part.false for part in parts]),
            )
        case AnyOf(items):
            parts = [judge(item, facts) for item in items]
            return Judged(
                np.logical_or.reduce([part.true for part in parts]),
                np.logical_and.reduce([part.false for part in parts]),
            )


def _compared(compare: Compare, facts: Facts) -> Judged:
    if _unlike(compare, facts):
        nowhere = np.zeros(facts.n, np.bool_)
        return Judged(nowhere, nowhere)
    one, other = span_of(compare.left, facts), span_of(compare.right, facts)
    op = compare.op
    if op in (">", ">="):
        one, other = other, one
    with np.errstate(invalid="ignore"):
        if op in ("<=", ">="):
            return Judged(one.high <= other.low, one.low > other.high)
        if op in ("<", ">"):
            return Judged(one.high < other.low, one.low >= other.high)
        apart = (one.high < other.low) | (one.low > other.high)
        same = (one.low == other.high) & (one.high == other.low)
    return Judged(same, apart) if op == "=" else Judged(apart, same)


def _unlike(compare: Compare, facts: Facts) -> bool:
    """Whether a day that counts from nobody knows when is held against one of the calendar."""
    ends = [
        end.name in facts.relative
        for end in (compare.left, compare.right)
        if isinstance(end, Named) and end.name in facts.dates
    ]
    calendar = isinstance(compare.left, Today) or isinstance(compare.right, Today)
    return any(ends) and (calendar or not all(ends))


def year_of(days: Numbers) -> Numbers:
    """The calendar year of days since 1970-01-01, nan where there is no day."""
    known = ~np.isnan(days)
    whole = np.where(known, days, 0).astype("datetime64[D]")
    years = whole.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(known, years, np.nan)
