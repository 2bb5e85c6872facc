"""The groups of `by` that a question can have patients in: those its cohort does not leave out.

A level that the cohort excludes by definition is empty at every hospital, which everybody may know.
Counting it as a small group would hide another group with it, and a comparison of two out of three
levels would never be possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Rows
from federation.query.cohort import All, Leaf, Node, Not
from federation.query.variables import Variable

Ints = npt.NDArray[np.int64]
Dims = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Groups:
    """`labels` in codebook order (one label None without `by`); `codes` where the codebook has
    each of them among its group labels."""

    by: str | None
    labels: tuple[str | None, ...]
    places: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of groups."""
        return len(self.labels)

    @property
    def dims(self) -> Dims:
        """The dimension of a table of these groups; none without `by`."""
        if self.by is None:
            return ()
        return ((self.by, tuple(str(label) for label in self.labels)),)

    def only(self, group: int) -> Dims:
        """The dimension of a table of one of these groups alone."""
        return tuple((name, (labels[group],)) for name, labels in self.dims)

    def of(self, rows: Rows) -> Ints:
        """The group of each row, int64 (n,), -1 missing or left out by the cohort."""
        if self.by is None:
            return np.zeros(rows.n, dtype=np.int64)
        codes = rows.column(self.by).codes()
        known = len(rows.column(self.by).variable.group_labels or ())
        moved = np.full(known + 1, -1, dtype=np.int64)
        moved[list(self.places)] = np.arange(self.size)
        return np.asarray(moved[codes])  # code -1 finds the last entry, which is -1


def every_group(variable: Variable) -> Groups:
    """All groups of a variable, whatever the cohort."""
    labels = variable.group_labels or ()
    return Groups(variable.name, labels, tuple(range(len(labels))))


def cell_index(rows: Rows, groups: Sequence[Groups]) -> Ints:
    """Flat index (C order) of each row's cell in the table of `groups`, int64 (n,), -1 where a
    variable is missing or left out by the cohort."""
    index = np.zeros(rows.n, dtype=np.int64)
    known = np.ones(rows.n, dtype=bool)
    for each in groups:
        codes = each.of(rows)
        known &= codes >= 0
        index = index * each.size + codes
    return np.where(known, index, -1)


def groups_of(ask: Ask, by: str | None) -> Groups:
    """The groups of variable `by` that the cohort of `ask` leaves possible."""
    if by is None:
        return Groups(None, (None,), (0,))
    variable = ask.codebook.variables[by]
    labels = variable.group_labels or ()
    kept = [
        i
        for i in range(len(labels))
        if all(_may_match(variable, i, leaf, matches) for leaf, matches in _asked(ask, by))
    ]
    if not kept:  # a cohort of nobody
        kept = list(range(len(labels)))
    return Groups(by, tuple(labels[i] for i in kept), tuple(kept))


def _asked(ask: Ask, name: str) -> Iterator[tuple[Leaf, bool]]:
    """Conditions on `name` that hold for the whole cohort, and whether they must be true."""
    cohort: Node = ask.query.cohort
    for node in cohort.items if isinstance(cohort, All) else (cohort,):
        if isinstance(node, Leaf) and node.var == name:
            yield node, True
        elif isinstance(node, Not) and isinstance(node.item, Leaf) and node.item.var == name:
            yield node.item, False


def _may_match(variable: Variable, place: int, leaf: Leaf, matches: bool) -> bool:
    """Whether a patient of group `place` can satisfy the leaf (or its opposite)."""
    label = (variable.group_labels or ())[place]
    if leaf.op in ("=", "!=", "in"):
        if variable.edges is not None:
            return True
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        named = label in {str(v).lower() if isinstance(v, bool) else str(v) for v in values}
        return named != (leaf.op == "!=") if matches else named == (leaf.op == "!=")
    if not isinstance(leaf.value, int | float):
        return True
    if variable.edges is None:
        low = high = float(label)
        open_end = False
    else:
        low, high = variable.edges[place], variable.edges[place + 1]
        open_end = place < len(variable.edges) - 2
    op = leaf.op if matches else {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[leaf.op]
    if op == "<":
        return low < leaf.value
    if op == "<=":
        return low <= leaf.value
    if op == ">" or open_end:
        return high > leaf.value
    return high >= leaf.value
