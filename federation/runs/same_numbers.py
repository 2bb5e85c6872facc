"""Whether a question tells what another one does, or a part of it, by other words and parameters.

Two questions of the same codebook and unit tell the same numbers when they are about the same rows
in months that overlap, and the one measures all that the other measures. How it measures (the kind
of analysis, its norms, formula, quarters) does not count, nor who asks it and in which study. A
condition of the cohort on what is measured is a way of measuring it, so it counts as that: whoever
asks how many patients there are with an outcome asks the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from federation.methods.registry import KINDS
from federation.query.canonical import sha256_hex
from federation.query.codebook import Codebook
from federation.query.meaning import meaning_whatever, reach
from federation.query.model import Query

#: Parameters that are not what is measured: what it is corrected for, and on which clock.
_BESIDE: Final = frozenset({"formula", "strata", "offset", "time", "date"})

Months = Mapping[str, tuple[tuple[float, float], ...]]
"""Per date that a question is limited by, the months in it: year x 12 + month - 1."""


@dataclass(frozen=True)
class Held:
    """What nobody else is told, as it is kept: whose, of what, in which months.

    `tells`: the variables that are measured; none where the number of rows is all that is asked.
    """

    codebook: str
    unit: str
    rows: str
    tells: frozenset[str]
    sites: frozenset[str]
    months: Months

    def to_dict(self) -> dict[str, Any]:
        return {
            "codebook": self.codebook,
            "unit": self.unit,
            "rows": self.rows,
            "tells": sorted(self.tells),
            "sites": sorted(self.sites),
            "months": {
                name: [[_shown(end) for end in each] for each in ranges]
                for name, ranges in self.months.items()
            },
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Held:
        months = {
            name: tuple((_end(low, -1), _end(high, 1)) for low, high in ranges)
            for name, ranges in given["months"].items()
        }
        return cls(
            given["codebook"],
            given["unit"],
            given["rows"],
            frozenset(given["tells"]),
            frozenset(given["sites"]),
            months,
        )

    def without_told(self, told: Iterable[Held]) -> Held:
        """Without the months of which the same was told of all these hospitals before: a round
        whose period overlaps the one before it, as in a series, keeps back what is new."""
        left = self
        for each in told:
            if (
                replace(each, months=self.months, sites=self.sites) == self
                and each.sites >= self.sites
                and len(self.months) == 1
                and each.months.keys() == self.months.keys()
            ):
                [name] = self.months
                left = replace(left, months={name: _less(left.months[name], each.months[name])})
        return left


@dataclass(frozen=True)
class Asked:
    """A question, for looking at what it tells. `sites`: the hospitals that it goes to. `planned`:
    a round asks it."""

    query: Query
    codebook: Codebook
    sites: frozenset[str]
    planned: bool = False

    def tells(self, held: Held) -> bool:
        """Whether its answer tells what is held, or a part of it."""
        query = self.query
        if (query.codebook, query.unit) != (held.codebook, held.unit):
            return False
        if not held.tells <= {*self.measured, *query.cohort.variables()}:
            return False
        if not held.tells or not held.tells <= self.measured:
            # Only its number of rows tells what is held. A count is asked for that number, and an
            # answer per hospital gives it beside any other measure; a definition that a committee
            # approved is asked for what it measures.
            per_hospital = query.output == "by_site" and not self.planned
            if query.kind != "count" and not per_hospital:
                return False
        if not self.sites & held.sites or not _overlap(self.months, held.months):
            return False
        return self.rows(held.tells) == held.rows

    def held(self) -> Held:
        """What is to be held while this question is under embargo."""
        tells = frozenset(self.measured)
        query = self.query
        rows = self.rows(tells)
        return Held(query.codebook, query.unit, rows, tells, self.sites, self.months)

    @cached_property
    def measured(self) -> frozenset[str]:
        """The variables that its analysis shows numbers of."""
        found: set[str] = set()
        params = self.query.params
        for parameter in KINDS[self.query.kind].parameters:
            value = params[parameter.name]
            if parameter.name not in _BESIDE:
                found |= set(parameter.variables(value, self._view))
            elif isinstance(value, str) and "~" in value:
                left = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", value.partition("~")[0])
                found |= set(left) & set(self._view.variables)
        return frozenset(found)

    def rows(self, measured: Collection[str]) -> str:
        """A hash of whose rows it is about, whatever their months and what is measured."""
        beside = {*measured, *self._dates}
        return sha256_hex(meaning_whatever(self.query.cohort, self._view, beside))

    @cached_property
    def months(self) -> Months:
        """The months that cohort and quarters leave, per date; a date without limits is not in
        it."""
        found: dict[str, tuple[tuple[float, float], ...]] = {}
        for name in self._dates:
            ranges = reach(self.query.cohort, self._view, name)
            if ranges is None:
                continue
            if self._view.variables[name].resolution == "year":
                ranges = [(low * 12, high * 12 + 11) for low, high in ranges]
            found[name] = _joined(ranges)
        params = self.query.params
        if self.query.kind == "trend":
            own = (_number(params["first"]), _number(params["last"]))
            name = params["date"]
            found[name] = _both(found[name], (own,)) if name in found else (own,)
        return found

    @cached_property
    def _view(self) -> Codebook:
        return self.codebook.at(self.query.unit)

    @cached_property
    def _dates(self) -> frozenset[str]:
        variables = self._view.variables
        return frozenset(name for name in self.query.variables() if variables[name].type == "date")


def _overlap(asked: Months, held: Months) -> bool:
    """Whether rows of the asked months can be rows of the held ones. Where a question is limited by
    another date (of the diagnosis in place of the first visit), that date tells about when."""
    for name, ranges in held.items():
        if name in asked:
            compared = [asked[name]]
        else:
            compared = [other for date, other in asked.items() if date not in held]
        if not all(_both(other, ranges) for other in compared):
            return False
        if not ranges:
            return False
    return True


def _both(
    one: Iterable[tuple[float, float]], other: Iterable[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    others = tuple(other)
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in others)
    return tuple((low, high) for low, high in pairs if low <= high)


def _less(
    months: Iterable[tuple[float, float]], gone: Iterable[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    left = tuple(months)
    for low, high in gone:
        outside = ((float("-inf"), low - 1), (high + 1, float("inf")))
        left = _both(left, outside)
    return left


def _joined(ranges: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _number(month: str) -> float:
    year, _, number = month.partition("-")
    return float(int(year) * 12 + int(number) - 1)


def _shown(end: float) -> int | None:
    return None if end in (float("-inf"), float("inf")) else int(end)


def _end(end: int | None, side: int) -> float:
    return side * float("inf") if end is None else float(end)
