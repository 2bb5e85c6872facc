"""The design matrix of a formula: the same columns, in the same order, at every site.

Columns follow from formula and codebook alone, never from the data, so that a level nobody has
still has its column and sums of sites can be added.

Powers are taken of the distance to the middle of the codebook's range, because x, x^2 and x^3 of
ages or years are all but collinear. The grammar demands the lower powers beside a higher one, so
this is the same model, and `Design.to_raw` returns the coefficients of the powers of x itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Mask, Rows
from federation.query.codebook import Codebook
from federation.query.formula import Factor, Formula
from federation.query.variables import Variable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One factor of a column: a numeric variable to a `power`; with `level`, one level of a
    variable; with `bend`, one column (from 1) of its restricted cubic spline."""

    variable: str
    level: str | None = None
    power: int = 1
    bend: int | None = None


@dataclass(frozen=True)
class DesignColumn:
    """A product of one or two parts, under its public name (`age`, `grade[3]`, `age:grade[3]`)."""

    name: str
    parts: tuple[Part, ...]

    @property
    def is_dummy(self) -> bool:
        """Whether the column holds only 0 and 1."""
        return all(part.level is not None for part in self.parts)


@dataclass(frozen=True)
class Design:
    """The columns of a formula over a codebook, without an intercept."""

    columns: tuple[DesignColumn, ...]
    codebook: Codebook

    @property
    def names(self) -> tuple[str, ...]:
        """Public term names, in order of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def size(self) -> int:
        """The number of columns p."""
        return len(self.columns)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Every variable once."""
        return tuple(dict.fromkeys(p.variable for c in self.columns for p in c.parts))

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The variables that stand in a column as levels."""
        used = (p.variable for c in self.columns for p in c.parts if p.level is not None)
        return tuple(dict.fromkeys(used))

    @cached_property
    def saturated(self) -> tuple[str, ...]:
        """Numeric variables of few values whose columns fit each value apart, as levels do.

        A whole number with m values in the codebook and m - 1 columns or more (straight line,
        powers, spline) is a factor in all but name.
        """
        columns: dict[str, int] = defaultdict(int)
        for column in self.columns:
            if len(column.parts) == 1 and not column.is_dummy:
                columns[column.parts[0].variable] += 1
        return tuple(
            name
            for name, count in columns.items()
            if self.codebook.variables[name].is_small_integer
            and len(_values(self.codebook.variables[name])) - 1 <= count
        )

    @cached_property
    def crossed(self) -> tuple[tuple[str, str], ...]:
        """The pairs of `factors` and `saturated` variables that interact: each combination of
        their levels has an estimate of its own."""
        apart = {*self.factors, *self.saturated}
        pairs = (tuple(p.variable for p in c.parts) for c in self.columns if len(c.parts) == 2)
        return tuple(dict.fromkeys((a, b) for a, b in pairs if a in apart and b in apart))

    def labels_of(self, name: str) -> tuple[str, ...]:
        """The levels of one of `factors`, or the values of one of `saturated`."""
        variable = self.codebook.variables[name]
        if name in self.saturated:
            return tuple(str(value) for value in _values(variable))
        return variable.group_labels or ()

    def codes_of(self, name: str, rows: Rows) -> npt.NDArray[np.integer[Any]]:
        """The place in `labels_of` of each row that is complete, (n,).

        Of a category as it is kept, since small numbers compare fast.
        """
        column = rows.column(name)
        if name in self.saturated:
            return (column.values - (column.variable.min or 0)).astype(np.int64)
        return column.codes() if column.variable.is_numeric else column.values

    @cached_property
    def dummies(self) -> tuple[int, ...]:
        """Indices of the 0/1 columns."""
        return tuple(i for i, column in enumerate(self.columns) if column.is_dummy)

    def exclusive(self, i: int, j: int) -> bool:
        """Whether columns i and j cannot both be 1: they ask two levels of one variable."""
        left = {p.variable: p.level for p in self.columns[i].parts}
        return any(
            p.variable in left and left[p.variable] != p.level for p in self.columns[j].parts
        )

    def complete(self, rows: Rows) -> Mask:
        """Rows with a value for every column."""
        binned = [name for name in self.factors if self.codebook.variables[name].is_numeric]
        return rows.complete([n for n in self.variables if n not in binned], binned)

    def matrix(self, rows: Rows, out: Floats | None = None) -> Floats:
        """Raw values, float (n, p), of rows that are complete; each column lies in one piece.

        `out` (p, n) holds the columns when it is given.
        """
        made = (np.empty((self.size, rows.n)) if out is None else out).T
        codes = {name: self.codes_of(name, rows) for name in self.factors}
        for index, column in enumerate(self.columns):
            for place, part in enumerate(column.parts):
                value: Floats | Mask
                if part.level is None:
                    value = self._number(part, rows)
                else:
                    labels = self.codebook.variables[part.variable].group_labels or ()
                    value = codes[part.variable] == labels.index(part.level)
                if place == 0:
                    made[:, index] = value
                else:
                    made[:, index] *= value
        return made

    def _number(self, part: Part, rows: Rows) -> Floats:
        """One numeric part, (n,)."""
        variable = self.codebook.variables[part.variable]
        values = rows.column(part.variable).values
        if part.bend is not None:
            return spline_column(values, variable.knots, part.bend)
        if part.power == 1:
            return values
        # Products, because pow() of equal values may differ in the last bit: ties count.
        moved = values - middle(variable)
        return moved * moved if part.power == 2 else moved * moved * moved

    def to_raw(
        self, kept: Sequence[int], centre: Floats, scale: Floats, *, intercept: bool = True
    ) -> Floats:
        """The map (k, k) from the coefficients of (column - centre) / scale to those of the terms.

        `kept` are the fitted columns, `centre` and `scale` theirs, (kept,). With `intercept` the
        first coefficient is that of the constant, and k = kept + 1.
        """
        size = len(kept) + 1
        to_columns = np.eye(size)
        to_columns[1:, 1:] = np.diag(1.0 / scale)
        to_columns[0, 1:] = -centre / scale
        place = {frozenset(self.columns[i].parts): at + 1 for at, i in enumerate(kept)}
        place[frozenset()] = 0
        to_powers = np.zeros((size, size))
        to_powers[0, 0] = 1.0
        for at, i in enumerate(kept):
            for parts, share in self._expanded(self.columns[i]):
                to_powers[place[parts], at + 1] += share
        found = to_powers @ to_columns
        return np.asarray(found if intercept else found[1:, 1:])

    def _expanded(self, column: DesignColumn) -> list[tuple[frozenset[Part], float]]:
        """The column as a sum of products of plain powers, each with its share."""
        products: dict[frozenset[Part], float] = {frozenset(): 1.0}
        for part in column.parts:
            lower = {part: 1.0}
            if part.power > 1:
                about = middle(self.codebook.variables[part.variable])
                lower = {
                    Part(part.variable, power=k): math.comb(part.power, k)
                    * (-about) ** (part.power - k)
                    for k in range(part.power + 1)
                }
            grown: dict[frozenset[Part], float] = defaultdict(float)
            for parts, share in products.items():
                for each, own in lower.items():
                    grown[parts if each.power == 0 else parts | {each}] += share * own
            products = grown
        return list(products.items())

    @cached_property
    def origin(self) -> Floats:
        """A public value near each column's data, (p,): the codebook's minimum, else 0."""
        plain = [self.codebook.variables[c.parts[0].variable] for c in self.columns]
        return np.array(
            [origin(v) if _alone(c) else 0.0 for v, c in zip(plain, self.columns, strict=True)]
        )

    @cached_property
    def reach(self) -> Floats:
        """A power of two at or above |x - origin| of each column, (p,); 1 where none is known.

        Dividing by it is exact, and keeps sums of squares inside fixed point.
        """
        reaches = []
        for column in self.columns:
            bounds = [1.0]
            for part in column.parts:
                variable = self.codebook.variables[part.variable]
                if part.level is None and (part.power > 1 or part.bend is not None):
                    bounds.append(span(variable) ** part.power)
                elif part.level is None:
                    bounds.append(span(variable) if _alone(column) else magnitude(variable))
            reaches.append(math.prod(bounds))
        return np.array(reaches, dtype=np.float64)


def _is_yes_or_no(variable: Variable) -> bool:
    """Whether a whole number can only be 0 or 1 and is grouped by these."""
    return variable.type == "integer" and variable.group_labels == ("0", "1")


def _values(variable: Variable) -> range:
    """Every value of a small whole number."""
    return range(int(variable.min or 0), int(variable.max or 0) + 1)


def _alone(column: DesignColumn) -> bool:
    """Whether the column is one numeric variable as it is."""
    (part, *others) = column.parts
    return not others and part.level is None and part.power == 1 and part.bend in (None, 1)


def origin(variable: Variable) -> float:
    """A public value near the data: the codebook's minimum, else 0."""
    return float(variable.min or 0.0)


def span(variable: Variable) -> float:
    """The power of two at or above the codebook's range; 1 where it sets no bounds."""
    if variable.min is None or variable.max is None:
        return 1.0
    return _power_of_two(variable.max - variable.min)


def magnitude(variable: Variable) -> float:
    """The power of two at or above every value the codebook allows; 1 without bounds."""
    if variable.min is None or variable.max is None:
        return 1.0
    return _power_of_two(max(abs(variable.min), abs(variable.max)))


def middle(variable: Variable) -> float:
    """The middle of the codebook's range, about which powers are taken; 0 without bounds."""
    if variable.min is None or variable.max is None:
        return 0.0
    return (variable.min + variable.max) / 2


def spline_column(values: Floats, knots: Sequence[float], bend: int) -> Floats:
    """Column `bend` of 1 .. len(knots) - 1 of the restricted cubic spline, (n,).

    The first is x itself. The others are cubic between the knots and straight outside them,
    divided by (last knot - first knot)^2 so that they are on the scale of x: Harrell, Regression
    Modeling Strategies (2015), section 2.4.5, as Hmisc::rcspline.eval with norm = 2.
    """
    if bend == 1:
        return values
    first, before, last = knots[0], knots[-2], knots[-1]
    own = knots[bend - 2]

    def cubed(knot: float) -> Floats:
        above = np.maximum(values - knot, 0.0)
        return np.asarray(above * above * above)

    bent = (
        cubed(own)
        - cubed(before) * ((last - own) / (last - before))
        + cubed(last) * ((before - own) / (last - before))
    )
    return np.asarray(bent / (last - first) ** 2)


def _power_of_two(bound: float) -> float:
    return 2.0 ** math.ceil(math.log2(bound)) if bound > 0 else 1.0


def design_of(formula: Formula, codebook: Codebook) -> Design:
    """The design of the right side of `formula`."""
    columns: list[DesignColumn] = []
    for term in formula.terms:
        products: list[tuple[Part, ...]] = [()]
        for factor in term.factors:
            products = [(*left, part) for left in products for part in _parts(factor, codebook)]
        columns += [
            DesignColumn(name, parts)
            for name, parts in zip(term.columns(codebook), products, strict=True)
        ]
    return Design(tuple(columns), codebook)


def _parts(factor: Factor, codebook: Codebook) -> list[Part]:
    if factor.spline:
        bends = len(codebook.variables[factor.variable].knots)
        return [Part(factor.variable, bend=bend) for bend in range(1, bends)]
    if not factor.categorical:
        if factor.power == 1 and _is_yes_or_no(codebook.variables[factor.variable]):
            return [Part(factor.variable, "1")]  # a level in all but name: it counts as one
        return [Part(factor.variable, power=factor.power)]
    return [Part(factor.variable, level) for level in factor.levels(codebook)]
