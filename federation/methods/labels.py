"""The names of the sets that an answer describes, known before anybody looks at a patient."""

from __future__ import annotations

import re

import numpy as np

from federation.methods.base import Ask, Column, Finished, Method, Rows


def set_labels(method: Method, ask: Ask) -> tuple[str, ...]:
    """The labels of `method.sets`, in order; they follow from the question alone."""

    def made(ask: Ask) -> tuple[str, ...]:
        return tuple(label for label, _ in method.sets(ask, no_rows(ask)))

    return ask.once(f"labels {method.kind}", made)


def cell_labels(method: Method, ask: Ask) -> frozenset[str]:
    """The labels that name a cell of one of the method's tables, so that the cell can be hidden.

    A method says with `hides_cells` that every set but its analysis set is such a cell, named as
    the gate names it: `variable=level`, joined with commas in the order of the dimensions. Where
    only some are, its `is_cell(ask, label)` says which.
    """
    if not getattr(method, "hides_cells", False):
        return frozenset()
    is_cell = getattr(method, "is_cell", None)
    labels = set_labels(method, ask)[1:]
    return frozenset(each for each in labels if is_cell is None or is_cell(ask, each))


def term_labels(method: Method, ask: Ask) -> dict[str, tuple[str, ...]]:
    """Of a model (`names_terms`): each label but the analysis set's, and those of cells that can be
    hidden, with the terms it is about.

    Whatever is wrong with such a set, the model can be asked again without these terms.
    """
    if not getattr(method, "names_terms", False):
        return {}
    cells = cell_labels(method, ask)
    labels = [each for each in set_labels(method, ask)[1:] if each not in cells]
    return {label: tuple(map(_term, _PARTS.split(label))) for label in labels}


# A comma between names; the one inside `[40,45)` has a number behind it.
_PARTS = re.compile(r",(?=[a-z])")


def _term(part: str) -> str:
    name, is_level, level = part.partition("=")
    return f"{name}[{level}]" if is_level else name


def no_rows(ask: Ask) -> Rows:
    """The columns of the question without a single patient."""
    columns = {}
    for name in ask.query.variables():
        variable = ask.codebook.variables[name]
        coded = variable.type in ("category", "boolean")
        columns[name] = Column(variable, np.zeros(0, np.int16 if coded else np.float64))
    return Rows(columns, 0, None if ask.per_patient else np.zeros(0, np.int64))


def settle(
    method: Method, ask: Ask, finished: Finished, hidden: frozenset[str]
) -> tuple[Finished, frozenset[str]]:
    """The finished sums and the cells to hide, after the method has had its say about `hidden`.

    `hidden`: labels of sets that may not be shown. A method whose tables have other cells than its
    sets (bars of joined classes) has a `settle` that makes those cells and names the ones to hide;
    for the others nothing changes.
    """
    own = getattr(method, "settle", None)
    return (finished, hidden) if own is None else own(ask, finished, hidden)
