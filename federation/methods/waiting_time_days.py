"""A waiting time in whole days: how it is counted, and the classes in which it may be shown.

A day counts as within a norm when it is not after it: 21 days is within three weeks. So classes
begin the day after a week, or a norm, has ended. Times beyond CAP count as the longest: to leave
them out would flatter whoever lets people wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.bars import Bar, is_cleared, merged
from federation.methods.base import Ask, Rows
from federation.methods.grouping import counts_by
from federation.query.codebook import Codebook
from federation.query.errors import NOT_IN_CATALOGUE, QueryError, at
from federation.query.parameters import NumbersParam, VariableParam
from federation.query.variables import Variable, number_text

Ints = npt.NDArray[np.int64]

CAP: Final = 365
"""More days than this say no more than that it was very long, or another course of events."""

STARTS: Final = (0, 8, 15, 22, 29, 36, 43, 50, 57, 64, 71, 78, 85, 99, 113, 141, 183)
"""The first days of the public classes: a week each up to 12 weeks, then wider."""


class DaysParam(VariableParam):
    """A duration in days."""

    types: tuple[str, ...] = ("duration",)

    def suits(self, variable: Variable) -> bool:
        """Tell whether its unit is the day, as it is when the codebook names none."""
        return super().suits(variable) and variable.unit in ("", "day", "days")


class NormsParam(NumbersParam):
    """Days that the codebook cuts the variable of parameter `variable` at: the public ones. An
    empty list is none."""

    def _parse(self, value: Any, codebook: Codebook, where: str) -> Any:
        return None if value == [] else super()._parse(value, codebook, where)

    def check(self, values: Any, codebook: Codebook, where: str) -> None:
        """QueryError NOT_IN_CATALOGUE for a day that is no cut; BAD_VALUE is said before."""
        cap = values["cap"]
        cuts = codebook.variables[values["variable"]].cuts
        allowed = [cut for cut in cuts if float(cut).is_integer() and 0 < cut < cap]
        for place, norm in enumerate(values[self.name] or ()):
            if norm not in allowed:
                listed = ", ".join(number_text(cut) for cut in allowed) or "none"
                raise QueryError(
                    NOT_IN_CATALOGUE,
                    f"{number_text(norm)} days is not a cut-point of '{values['variable']}' below "
                    f"{number_text(cap)}. Use one of: {listed}.",
                    at(where, place),
                )


def days_of(rows: Rows, name: str) -> npt.NDArray[np.float64]:
    """Whole days per row, float64 (n,), nan where missing or negative (an error in the data)."""
    values = np.floor(np.asarray(rows.column(name).values, dtype=np.float64))
    return np.where(values >= 0, values, np.nan)  # nan fails the comparison


def histogram(days: npt.NDArray[np.float64], cap: int) -> Ints:
    """How many rows have each number of days, int64 (cap + 2,): 0 to `cap`, and more."""
    known = days[~np.isnan(days)]
    return counts_by(np.minimum(known, cap + 1).astype(np.int64), cap + 2)


def patients_once(rows: Rows, cells: Ints, width: int, size: int) -> Ints:
    """Patients by the first day that they have, int64 (size,).

    `cells` int (n,): the cell of each row, -1 for none; every `width` cells are the days of one
    group, in which a patient counts once. So of any run of its days the sum is no more than the
    different patients in it, who may be many more than the fullest day tells.
    """
    inside = cells >= 0
    found = cells[inside]
    if rows.people is not None:
        people = rows.people[inside]
        base = int(people.max(initial=-1)) + 1
        order = np.lexsort((found, found // width * base + people))
        whose, found = (found // width * base + people)[order], found[order]
        found = found[np.diff(whose, prepend=-1) != 0]
    return counts_by(found, size)


def capped(counts: Ints) -> Ints:
    """The same with those beyond the last day counted at it, int64 (cap + 1,)."""
    return np.append(counts[:-2], counts[-2:].sum()).astype(np.int64)


def quantile_day(counts: Ints, tenths: int) -> int | None:
    """The smallest number of days within which at least `tenths` of ten are; None for nobody.

    This definition of a quantile (numpy's "inverted_cdf") is that of describe and of Kaplan-Meier.
    It makes the 80th percentile lie within a norm exactly when 80% of the patients do. Of an even
    number of patients the median is the lower of the two in the middle: a day that somebody waited.
    """
    n = int(counts.sum())
    if n == 0:
        return None
    return int(np.flatnonzero(10 * np.cumsum(counts) >= tenths * n)[0])


@dataclass(frozen=True)
class DayClasses:
    """Days in classes that follow from the question and the thresholds alone.

    `starts`: the first day of each class; cap + 1 for those beyond the cap, where the codebook
    allows such a value. `norms`: a class ends at each of them.
    """

    variable: Variable
    cap: int
    starts: tuple[int, ...]
    norms: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of classes."""
        return len(self.starts)

    @property
    def has_over(self) -> bool:
        """Whether anybody can be beyond the cap."""
        return self.starts[-1] > self.cap

    def limits(self, bar: Bar) -> tuple[int, int]:
        """The first and the last day of the classes from bar[0] to bar[1], as places in a
        histogram: cap + 1 is beyond the cap."""
        after = bar[1] + 1
        end = self.cap + int(self.has_over)
        return self.starts[bar[0]], self.starts[after] - 1 if after < self.count else end

    def label(self, bar: Bar) -> str:
        """As a codebook writes a class: "[0,22)" for 0 to 21 days."""
        low, high = self.limits(bar)
        if high <= self.cap:
            return f"[{low},{high + 1})"
        highest = self.variable.max
        return f"[{low},{'inf' if highest is None else number_text(highest)}]"

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each class alone."""
        return tuple(self.label((i, i)) for i in range(self.count))

    def codes(self, days: npt.NDArray[np.float64]) -> Ints:
        """Class of each row, int64 (n,), -1 without a waiting time."""
        known = ~np.isnan(days)
        found = np.searchsorted(np.asarray(self.starts), np.where(known, days, 0.0), "right") - 1
        return np.asarray(np.where(known, found, -1), dtype=np.int64)

    def segments(self) -> tuple[Bar, ...]:
        """The classes between two norms, and those beyond the cap, as runs."""
        parted = [*self.norms, *([self.cap] if self.has_over else [])]
        firsts = [0, *(self.starts.index(day + 1) for day in parted), self.count]
        return tuple((low, high - 1) for low, high in pairwise(firsts))

    def bars(
        self, size: Callable[[Bar], int], hidden: Sequence[bool], needed: int, t_cell: int
    ) -> tuple[Bar, ...]:
        """Classes joined until each bar holds `needed`, and is cleared where classes are `hidden`
        (methods/bars.py). Norms first: as many of them as can be shown part the bars."""

        def good(bar: Bar) -> bool:
            return size(bar) >= needed and is_cleared(bar, size, hidden, t_cell)

        parts = self.segments()
        made: list[Bar] = []
        for first, last in merged(len(parts), lambda p: good((parts[p[0]][0], parts[p[1]][1]))):
            low, high = parts[first][0], parts[last][1]
            inner = merged(high - low + 1, lambda b, low=low: good((low + b[0], low + b[1])))  # type: ignore[misc]
            made += [(low + a, low + b) for a, b in inner]
        return tuple(made)

    def parted(self, bars: Sequence[Bar]) -> tuple[bool, ...]:
        """Per norm whether a bar ends at it: then the share within it can be told."""
        ends = {self.limits(bar)[1] for bar in bars}
        return tuple(norm in ends for norm in self.norms)


def classes_of(ask: Ask) -> DayClasses:
    """The classes of a question; see `own_classes_of` for a hospital's own answer.

    A hospital's own answer under protection parts the days at the norms alone: see
    waiting_time_pool.py. All others have the public classes too, at most hist.max_bins of them.
    """
    return ask.once("day classes", _classes)


def _classes(ask: Ask) -> DayClasses:
    cap = int(ask.params["cap"])
    norms = tuple(int(norm) for norm in ask.params["norms"] or ())
    edges = {0, *(norm + 1 for norm in norms)}
    if not (ask.strict and ask.query.output == "by_site"):
        public = [start for start in STARTS if start <= cap]
        every = 1
        while len({*public[::every]} | edges) > max(ask.terms.hist.max_bins, len(edges)):
            every += 1
        edges |= {*public[::every]}
    variable = ask.codebook.variables[ask.params["variable"]]
    if variable.max is None or variable.max > cap:
        edges.add(cap + 1)
    return DayClasses(variable, cap, tuple(sorted(edges)), norms)


def shown_classes(ask: Ask) -> DayClasses:
    """The classes that the bars of an answer are made of: on open data, where nothing is hidden, a
    class for each day up to half the cap."""
    classes = classes_of(ask)
    if ask.strict:
        return classes
    singles = {*range(classes.cap // 2 + 2), *classes.starts}
    return DayClasses(classes.variable, classes.cap, tuple(sorted(singles)), classes.norms)
