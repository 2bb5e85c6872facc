"""The design matrix of a formula: the same columns, in the same order, at every site.

Columns follow from formula and codebook alone, never from the data, so that a level nobody has
still has its column and sums of sites can be added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from federation.methods.base import Mask, Rows
from federation.query.codebook import Codebook
from federation.query.formula import Factor, Formula
from federation.query.variables import Variable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One factor of a column: a numeric variable, or (level not None) one level of a variable."""

    variable: str
    level: str | None = None


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
        numeric = [name for name in self.variables if name not in self.factors]
        return rows.complete(numeric, self.factors)

    def matrix(self, rows: Rows) -> Floats:
        """Raw values, float (n, p), of rows that are complete."""
        made = np.empty((rows.n, self.size))
        codes = {name: rows.column(name).codes() for name in self.factors}
        for index, column in enumerate(self.columns):
            value = np.ones(rows.n)
            for part in column.parts:
                if part.level is None:
                    value = value * rows.column(part.variable).values
                else:
                    labels = self.codebook.variables[part.variable].group_labels or ()
                    value = value * (codes[part.variable] == labels.index(part.level))
            made[:, index] = value
        return made

    @cached_property
    def origin(self) -> Floats:
        """A public value near each column's data, (p,): the codebook's minimum, else 0."""
        return np.array([origin(self._numbers(c)[0]) if _alone(c) else 0.0 for c in self.columns])

    @cached_property
    def reach(self) -> Floats:
        """A power of two at or above |x - origin| of each column, (p,); 1 where none is known.

        Dividing by it is exact, and keeps sums of squares inside fixed point.
        """
        reaches = []
        for column in self.columns:
            numbers = self._numbers(column)
            each = [span(v) if _alone(column) else magnitude(v) for v in numbers]
            reaches.append(math.prod(each))
        return np.array(reaches, dtype=np.float64)

    def _numbers(self, column: DesignColumn) -> list[Variable]:
        parts = (part for part in column.parts if part.level is None)
        return [self.codebook.variables[part.variable] for part in parts]


def _alone(column: DesignColumn) -> bool:
    """Whether the column is one numeric variable as it is."""
    return len(column.parts) == 1 and not column.is_dummy


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
    if not factor.categorical:
        return [Part(factor.variable)]
    return [Part(factor.variable, level) for level in factor.levels(codebook)]
