"""A parsed formula as data: factors, terms, and the public names of the columns they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from federation.query.codebook import Codebook


@dataclass(frozen=True)
class Factor:
    """One variable in a term.

    `ref` is the reference level of a categorical factor, else None. A numeric factor stands for
    the variable to a `power` (1 to 3), or with `spline` for its restricted cubic spline.
    """

    variable: str
    ref: str | None = None
    power: int = 1
    spline: bool = False

    @property
    def categorical(self) -> bool:
        """Tell whether the factor stands for one 0/1 column per level but the reference."""
        return self.ref is not None

    @property
    def name(self) -> str:
        """Return the factor without levels: `age`, `age^2`, `rcs(age)`, `grade`."""
        if self.spline:
            return f"rcs({self.variable})"
        return self.variable if self.power == 1 else f"{self.variable}^{self.power}"

    def levels(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the levels that have a column, in codebook order; () for a numeric factor."""
        labels = codebook.variables[self.variable].group_labels or ()
        return tuple(label for label in labels if label != self.ref) if self.categorical else ()

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the names of this factor's columns: `age`, or `grade[2]`, `grade[3]`.

        A spline with k knots has k - 1, from `rcs(age)[1]`, which is the variable itself.
        """
        if self.spline:
            bends = len(codebook.variables[self.variable].knots)
            return tuple(f"{self.name}[{bend}]" for bend in range(1, bends))
        if not self.categorical:
            return (self.name,)
        return tuple(f"{self.variable}[{level}]" for level in self.levels(codebook))

    def text(self, codebook: Codebook) -> str:
        """Return the factor as written, with `C()` and `ref` only where they say something."""
        variable = codebook.variables[self.variable]
        if self.ref is None:
            return self.name
        if self.ref != (variable.group_labels or ("",))[0]:
            quote = '"' if "'" in self.ref else "'"
            return f"C({self.variable}, ref={quote}{self.ref}{quote})"
        return self.variable if variable.type in ("category", "boolean") else f"C({self.variable})"


@dataclass(frozen=True)
class Term:
    """A main effect (one factor) or an interaction (two)."""

    factors: tuple[Factor, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the variables in the term."""
        return tuple(factor.variable for factor in self.factors)

    @property
    def name(self) -> str:
        """Return the term without levels: `age` or `age:hormone`."""
        return ":".join(factor.name for factor in self.factors)

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the column names; in an interaction the last factor varies fastest."""
        return tuple(
            ":".join(parts) for parts in product(*(f.columns(codebook) for f in self.factors))
        )


@dataclass(frozen=True)
class Formula:
    """A parsed formula: main effects in the author's order, then interactions in theirs."""

    response: str | None
    terms: tuple[Term, ...]
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def variables(self) -> tuple[str, ...]:
        """Return every variable once: the response first, then in order of the terms."""
        names = [self.response] if self.response is not None else []
        names += [name for term in self.terms for name in term.variables]
        return tuple(dict.fromkeys(names))

    def columns(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the names of all columns, without an intercept."""
        return tuple(name for term in self.terms for name in term.columns(codebook))
