"""Holds the plausibility rules of a codebook against the rows, and says which rows never count.

A row that breaks a rule of severity E is as little counted as one without a patient number. How
often each rule was broken, by year, is for `site check`; what may leave of it is in `coverage`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook
from federation.query.rules import Distinct, Rule, RuleBook, RuleError, check_rule
from federation.query.variables import Variable
from federation.site.judging import Facts, Mask, Numbers, judge, year_of

NO_YEAR = 0
"""Stands for the year of rows without one, or whose year is not certain."""


@dataclass
class Broken:
    """One rule: how many rows break it, per year of the rule book's date."""

    rule: Rule
    years: Counter[int] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.years.total()

    def add(self, rows: Mask, years: NDArray[np.int64]) -> None:
        found, counts = np.unique(years[rows], return_counts=True)
        for year, count in zip(found.tolist(), counts.tolist(), strict=True):
            self.years[year] += count


class Plausibility:
    """The rules that can be held against the `mapped` variables of `codebook`, and what they found.

    `missing`: rules that cannot be held, each with the variables it lacks (empty when the codebook
    describes a variable in a way that the rule cannot use).
    """

    def __init__(self, book: RuleBook | None, codebook: Codebook, mapped: Collection[str]) -> None:
        self._book = book
        self.broken: dict[str, Broken] = {}
        self.missing: dict[str, tuple[str, ...]] = {}
        for rule in () if book is None else book.rules:
            lacking = tuple(sorted(rule.names() - set(mapped)))
            if lacking or not _fits(rule, codebook):
                self.missing[rule.name] = lacking
            else:
                self.broken[rule.name] = Broken(rule)
        self._year = book.year if book is not None and book.year in mapped else None
        self.dates = frozenset(
            name
            for name in (*self._names(), *([self._year] if self._year else ()))
            if codebook.variables[name].type == "date"
        )

    def _names(self) -> frozenset[str]:
        """The variables that some rule looks at."""
        return frozenset().union(*(found.rule.names() for found in self.broken.values()))

    @property
    def columns(self) -> frozenset[str]:
        """The variables that `judge` looks at other than as dates."""
        return self._names() - self.dates

    def judge(self, facts: Facts) -> tuple[Mask, NDArray[np.int64]]:
        """Which of these rows break no rule of severity E, and the year of each. Adds up."""
        good = np.ones(facts.n, np.bool_)
        years = self._years(facts)
        for found in self.broken.values():
            rule = found.rule
            if isinstance(rule.require, Distinct):
                continue
            rows = judge(rule.require, facts).false
            if rule.when is not None:
                rows = rows & judge(rule.when, facts).true
            if rows.any():
                found.add(rows, years)
                if rule.severity == "E":
                    good &= ~rows
        return good, years

    def compare_rows(
        self,
        variables: Mapping[str, Variable],
        columns: Mapping[str, NDArray[Any]],
        people: NDArray[Any],
        years: NDArray[np.int64],
    ) -> Mask:
        """After all blocks: hold the rules about the rows of one patient. `people`: the same for
        rows of the same patient. True where no rule of severity E is broken."""
        good = np.ones(len(people), np.bool_)
        for found in self.broken.values():
            rule = found.rule
            if isinstance(rule.require, Distinct):
                rows = _again(rule.require, variables, columns, people)
                found.add(rows, years)
                if rule.severity == "E":
                    good &= ~rows
        return good

    def _years(self, facts: Facts) -> NDArray[np.int64]:
        if self._year is None:
            return np.full(facts.n, NO_YEAR, np.int64)
        span = facts.span(self._year)
        first, last = year_of(span.low), year_of(span.high)
        return np.where(first == last, first, NO_YEAR).astype(np.int64)


def _fits(rule: Rule, codebook: Codebook) -> bool:
    try:
        check_rule(rule, codebook)
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
