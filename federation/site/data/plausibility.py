"""Holds the plausibility rules of a codebook against the rows, and says which rows never count.

A row that breaks a rule of severity E is as little counted as one without a patient number. How
often each rule was broken, by year, is for `site check`; what may leave of it is in `coverage`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.query.rules import Distinct, Rule, RuleBook, RuleError, check_rule
from federation.query.variables import Variable
from federation.site.data.judging import Facts, Mask, Numbers, judge

Bits = NDArray[np.uint64]

NO_YEAR = 0
"""Stands for the year of rows without one, or whose year is not certain."""


@dataclass(frozen=True)
class Findings:
    """What the rules found in n rows: bit k of `bits` (n,) says that a row breaks `rules[k]`, k
    being the rule's place in its book; `years` (n,) is the year of each row, NO_YEAR where it is
    not known.

    missing: rules that could not be held, each with the variables it lacks (none when the codebook
    describes a variable in a way that the rule cannot use). first_days: dates that are known to the
    day in many rows and always lie on the first of a month: no day was ever entered.
    """

    rules: Mapping[int, Rule]
    bits: Bits
    years: NDArray[np.int16]
    missing: Mapping[str, tuple[str, ...]]
    first_days: tuple[str, ...] = ()

    @property
    def plausible(self) -> Mask:
        """Which rows break no rule of severity E, bool (n,)."""
        errors = sum(1 << k for k, rule in self.rules.items() if rule.severity == "E")
        return np.asarray(self.bits & np.uint64(errors) == 0)

    def breaking(self, name: str) -> Mask:
        """Which rows break the rule called `name`, bool (n,)."""
        place = next(k for k, rule in self.rules.items() if rule.name == name)
        return np.asarray(self.bits >> np.uint64(place) & np.uint64(1) == 1)

    def by_year(self, name: str) -> dict[int, int]:
        """How many rows break the rule, per year that has any."""
        years, counts = np.unique(self.years[self.breaking(name)], return_counts=True)
        return dict(zip(years.tolist(), counts.tolist(), strict=True))


class Plausibility:
    """The rules that can be held against rows which have these `variables` and full `dates`.

    `known`: places of rules that were held before, against what these rows belong to.
    """

    def __init__(
        self,
        book: RuleBook | None,
        variables: Mapping[str, Variable],
        dates: Collection[str],
        known: Collection[int] = (),
    ) -> None:
        self.missing: dict[str, tuple[str, ...]] = {}
        there = {*variables, *dates}
        self.rules: dict[int, Rule] = {}
        for place, rule in enumerate(() if book is None else book.rules):
            lacking = tuple(sorted(rule.names() - there))
            if place in known:
                continue
            if lacking or not _fits(rule, variables, dates):
                self.missing[rule.name] = lacking
            else:
                self.rules[place] = rule
        self._variables = variables
        self._year = book.year if book is not None and book.year in dates else None
        names = frozenset().union(*(rule.names() for rule in self.rules.values()))
        names |= {self._year} if self._year else frozenset()
        self.dates = names & frozenset(dates)
        """The names whose full dates `judge` needs."""
        self.columns = names - self.dates
        """The variables whose values `judge` needs."""

    def judge(self, facts: Facts) -> tuple[Bits, NDArray[np.int16]]:
        """The bits and the years (see Findings) of one block of rows, each row by itself."""
        bits = np.zeros(facts.n, np.uint64)
        for place, rule in self.rules.items():
            if isinstance(rule.require, Distinct):
                continue
            broken = judge(rule.require, facts).false
            if rule.when is not None:
                broken = broken & judge(rule.when, facts).true
            bits |= broken.astype(np.uint64) << np.uint64(place)
        return bits, self._years(facts)

    def compare_rows(self, columns: Mapping[str, NDArray[Any]], people: NDArray[Any]) -> Bits:
        """The bits of the rules about several rows of one patient, for all blocks together.

        people: (n,), equal for rows of the same patient.
        """
        bits = np.zeros(len(people), np.uint64)
        for place, rule in self.rules.items():
            if isinstance(rule.require, Distinct):
                again = _again(rule.require, self._variables, columns, people)
                bits |= again.astype(np.uint64) << np.uint64(place)
        return bits

    def _years(self, facts: Facts) -> NDArray[np.int16]:
        if self._year is None:
            return np.full(facts.n, NO_YEAR, np.int16)
        year = facts.year(self._year)
        return np.where(year.low == year.high, year.low, NO_YEAR).astype(np.int16)


def _fits(rule: Rule, variables: Mapping[str, Variable], dates: Collection[str]) -> bool:
    try:
        check_rule(rule, variables, dates)
    except RuleError:
        return False
    return True


def _again(
    distinct: Distinct,
    variables: Mapping[str, Variable],
    columns: Mapping[str, NDArray[Any]],
    people: NDArray[Any],
) -> Mask:
    """Rows that say of their patient what an earlier row has said, as `distinct` compares them."""
    keys = [np.unique(people, return_inverse=True)[1]]
    for name in distinct.names():
        variable, values = variables[name], columns[name]
        if variable.type == "category":
            keys.append(_grouped(_classes(distinct, variable), values))
        else:
            numbers = values.astype(np.float64)
            keys.append(_of_ranges(distinct.groups.get(name, {}), numbers))
    # lexsort keeps the order of the file among equals: the first of them is not "again"
    order = np.lexsort(keys)
    same = np.ones(len(order), np.bool_)
    same[:1] = False
    for key in keys:
        same[1:] &= key[order][1:] == key[order][:-1]
    again = np.zeros(len(order), np.bool_)
    again[order] = same
    return again


def _grouped(classes: NDArray[np.int64], codes: NDArray[Any]) -> NDArray[np.int64]:
    return np.where(codes < 0, -1, classes[codes])


def _classes(distinct: Distinct, variable: Variable) -> NDArray[np.int64]:
    """A number per level, the same for levels that count as one."""
    letters = distinct.first.get(variable.name)
    ranges = distinct.groups.get(variable.name)
    names: dict[str, int] = {}
    made = []
    for level in variable.levels:
        name = level.code if letters is None else level.code[:letters]
        if ranges is not None and name.isdecimal():
            name = _group(ranges, int(name)) or name
        made.append(names.setdefault(name, len(names)))
    return np.array(made, np.int64)


def _of_ranges(
    ranges: Mapping[str, tuple[tuple[int, int], ...]], values: Numbers
) -> NDArray[np.int64]:
    """As `_classes`, for a variable that is a number; -1 where there is none."""
    known = ~np.isnan(values)
    found, inverse = np.unique(np.where(known, values, 0), return_inverse=True)
    names: dict[str, int] = {}
    numbers = [
        names.setdefault(_group(ranges, value) or str(value), len(names))
        for value in found.tolist()
    ]
    return np.where(known, np.array(numbers, np.int64)[inverse], -1)


def _group(ranges: Mapping[str, tuple[tuple[int, int], ...]], code: float) -> str | None:
    for group, parts in ranges.items():
        if any(low <= code <= high for low, high in parts):
            return f"group {group}"
    return None
