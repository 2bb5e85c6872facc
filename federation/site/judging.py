"""The conditions of plausibility rules: data that can be held against columns, nothing else.

A condition is true, false or unknown for each row. Unknown is what a missing value gives, and a
date of which only the month or the year is known when the days in between could decide; so a rule
is broken only where the data leave no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Column

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
    """What rules may look at: `n` rows of typed columns, dates to the day, and today's day."""

    n: int
    columns: Mapping[str, Column]
    dates: Mapping[str, Span]
    today: float

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


class Term(Protocol):
    """A number per row."""

    def names(self) -> frozenset[str]: ...

    def span(self, facts: Facts) -> Span: ...


class Condition(Protocol):
    """Something that is true, false or unknown per row."""

    def names(self) -> frozenset[str]: ...

    def judge(self, facts: Facts) -> Judged: ...


@dataclass(frozen=True)
class Named:
    """A number, duration, boolean (0 or 1) or date of the row."""

    name: str

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def span(self, facts: Facts) -> Span:
        return facts.span(self.name)


@dataclass(frozen=True)
class Number:
    """The same number for every row."""

    value: float

    def names(self) -> frozenset[str]:
        return frozenset()

    def span(self, facts: Facts) -> Span:
        return Span.exact(np.full(facts.n, self.value))


@dataclass(frozen=True)
class Today:
    """The day on which the data were read: no later than any extraction that is still to come."""

    def names(self) -> frozenset[str]:
        return frozenset()

    def span(self, facts: Facts) -> Span:
        return Span.exact(np.full(facts.n, facts.today))


@dataclass(frozen=True)
class YearOf:
    """The calendar year of a date."""

    name: str

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def span(self, facts: Facts) -> Span:
        days = facts.span(self.name)
        return Span(year_of(days.low), year_of(days.high))


@dataclass(frozen=True)
class DaysBetween:
    """Days from one date to another."""

    start: str
    end: str

    def names(self) -> frozenset[str]:
        return frozenset({self.start, self.end})

    def span(self, facts: Facts) -> Span:
        start, end = facts.span(self.start), facts.span(self.end)
        return Span(end.low - start.high, end.high - start.low)


@dataclass(frozen=True)
class Added:
    """The sum of two numbers."""

    first: Term
    second: Term

    def names(self) -> frozenset[str]:
        return self.first.names() | self.second.names()

    def span(self, facts: Facts) -> Span:
        one, other = self.first.span(facts), self.second.span(facts)
        return Span(one.low + other.low, one.high + other.high)


@dataclass(frozen=True)
class InYears:
    """A number of days as years of 365.25 days."""

    days: Term

    def names(self) -> frozenset[str]:
        return self.days.names()

    def span(self, facts: Facts) -> Span:
        days = self.days.span(facts)
        return Span(days.low / DAYS_PER_YEAR, days.high / DAYS_PER_YEAR)


@dataclass(frozen=True)
class Compare:
    """`left` op `right`, op one of <= < >= > = !=."""

    left: Term
    op: str
    right: Term

    def names(self) -> frozenset[str]:
        return self.left.names() | self.right.names()

    def judge(self, facts: Facts) -> Judged:
        one, other = self.left.span(facts), self.right.span(facts)
        if self.op in (">", ">="):
            one, other = other, one
        with np.errstate(invalid="ignore"):
            if self.op in ("<=", ">="):
                return Judged(one.high <= other.low, one.low > other.high)
            if self.op in ("<", ">"):
                return Judged(one.high < other.low, one.low >= other.high)
            apart = (one.high < other.low) | (one.low > other.high)
            same = (one.low == other.high) & (one.high == other.low)
        return Judged(same, apart) if self.op == "=" else Judged(apart, same)


@dataclass(frozen=True)
class InCodes:
    """The level's code is in `codes`, or begins with one of `starts`, or lies in `between` (both
    ends included; as many letters of the code are compared as the ends have)."""

    name: str
    codes: frozenset[str] = frozenset()
    starts: tuple[str, ...] = ()
    between: tuple[str, str] | None = None

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def judge(self, facts: Facts) -> Judged:
        column = facts.columns[self.name]
        wanted = np.array([self._holds(level.code) for level in column.variable.levels], np.bool_)
        known = column.known
        inside = wanted[np.where(known, column.values, 0)] & known
        return Judged(inside, known & ~inside)

    def _holds(self, code: str) -> bool:
        if code in self.codes or (self.starts and code.startswith(self.starts)):
            return True
        if self.between is None:
            return False
        low, high = self.between
        return low <= code[: len(low)] and code[: len(high)] <= high


@dataclass(frozen=True)
class Known:
    """There is a value (`known`), or there is none."""

    name: str
    known: bool

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def judge(self, facts: Facts) -> Judged:
        if self.name in facts.dates:
            there = ~np.isnan(facts.dates[self.name].low)
        else:
            there = facts.columns[self.name].known
        return Judged(there, ~there) if self.known else Judged(~there, there)


@dataclass(frozen=True)
class Every:
    """All conditions hold."""

    items: tuple[Condition, ...]

    def names(self) -> frozenset[str]:
        return frozenset().union(*(item.names() for item in self.items))

    def judge(self, facts: Facts) -> Judged:
        judged = [item.judge(facts) for item in self.items]
        return Judged(
            np.logical_and.reduce([one.true for one in judged]),
            np.logical_or.reduce([one.false for one in judged]),
        )


@dataclass(frozen=True)
class Any_:
    """At least one condition holds."""

    items: tuple[Condition, ...]

    def names(self) -> frozenset[str]:
        return frozenset().union(*(item.names() for item in self.items))

    def judge(self, facts: Facts) -> Judged:
        judged = [item.judge(facts) for item in self.items]
        return Judged(
            np.logical_or.reduce([one.true for one in judged]),
            np.logical_and.reduce([one.false for one in judged]),
        )


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    item: Condition

    def names(self) -> frozenset[str]:
        return self.item.names()

    def judge(self, facts: Facts) -> Judged:
        judged = self.item.judge(facts)
        return Judged(judged.false, judged.true)


def year_of(days: Numbers) -> Numbers:
    """The calendar year of days since 1970-01-01, nan where there is no day."""
    known = ~np.isnan(days)
    whole = np.where(known, days, 0).astype("datetime64[D]")
    years = whole.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(known, years, np.nan)
