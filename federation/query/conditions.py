"""The conditions of plausibility rules, as data. What they mean for rows is for the site to say.

A condition is true, false or unknown for each row; a term is a number per row (a date counts as a
number of days). Nothing here is ever evaluated as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OPERATORS: Final = ("<=", "<", ">=", ">", "=", "!=")


@dataclass(frozen=True)
class Named:
    """A number, duration, boolean (0 or 1) or date of the row."""

    name: str


@dataclass(frozen=True)
class Number:
    """The same number for every row."""

    value: float


@dataclass(frozen=True)
class Today:
    """The day on which the data were read: no extraction is later."""


@dataclass(frozen=True)
class YearOf:
    """The calendar year of a date."""

    name: str


@dataclass(frozen=True)
class DaysBetween:
    """Days from one date to another."""

    start: str
    end: str


@dataclass(frozen=True)
class Added:
    """The sum of two numbers."""

    first: Term
    second: Term


@dataclass(frozen=True)
class InYears:
    """A number of days as years of 365.25 days."""

    days: Term


Term = Named | Number | Today | YearOf | DaysBetween | Added | InYears


@dataclass(frozen=True)
class Compare:
    """`left` op `right`, op one of OPERATORS."""

    left: Term
    op: str
    right: Term


@dataclass(frozen=True)
class InCodes:
    """The level's code is in `codes`, or begins with one of `starts`, or lies in `between` (both
    ends included; as many letters of the code are compared as the ends have)."""

    name: str
    codes: frozenset[str] = frozenset()
    starts: tuple[str, ...] = ()
    between: tuple[str, str] | None = None

    def holds(self, code: str) -> bool:
        """Whether a level with this code is meant."""
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


@dataclass(frozen=True)
class Every:
    """All conditions hold."""

    items: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one condition holds."""

    items: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    item: Condition


Condition = Compare | InCodes | Known | Every | AnyOf | Not


def names_in(part: Condition | Term) -> frozenset[str]:
    """The variables that a condition or term looks at."""
    match part:
        case Named(name) | YearOf(name) | InCodes(name) | Known(name):
            return frozenset({name})
        case DaysBetween(start, end):
            return frozenset({start, end})
        case Added(first, second) | Compare(first, _, second):
            return names_in(first) | names_in(second)
        case InYears(inner) | Not(inner):
            return names_in(inner)
        case Every(items) | AnyOf(items):
            return frozenset().union(*map(names_in, items))
        case Number() | Today():
            return frozenset()
