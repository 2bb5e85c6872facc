"""The release gate: the pooled table is judged once more before anybody sees a number.

What a method releases is filled in from the cells that are shown here, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from federation.disclosure.outgoing import check_outgoing
from federation.disclosure.suppression import hidden_cells
from federation.query.codebook import Codebook
from federation.query.refusals import Refused
from federation.query.terms import Terms

__all__ = ["CountTable", "check_contribution", "check_outgoing", "decide"]


class CountTable(Protocol):
    """A table of counts, as methods declare it: name, (dimension, labels) pairs, counts.

    `counts` has one axis per dimension, also none (a total). `patients`, in the same shape, are the
    patients behind each cell where a row of the data is not a patient. With `margins_public` False
    the cells do not add up to anything that is known elsewhere, and only small cells are hidden.
    """

    @property
    def name(self) -> str:
        """Return the name under which the method asks what is shown."""

    @property
    def dims(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return (variable, labels) for each axis."""

    @property
    def counts(self) -> npt.NDArray[Any]:
        """Return the pooled counts."""

    @property
    def patients(self) -> npt.NDArray[Any] | None:
        """Return the pooled patients per cell; None when each row counted is one."""

    @property
    def margins_public(self) -> bool:
        """Tell whether sums of these cells may be known from elsewhere."""


def decide(
    tables: Sequence[CountTable],
    terms: Terms,
    hide: frozenset[str] = frozenset(),
    codebook: Codebook | None = None,
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return, per table name, a mask of the shape of its counts: True where a cell is shown.

    With terms.protection "none" everything is shown. `hide`: cells that the look (looking.agree)
    hid, named `variable=level` joined with commas in the order of the dimensions. `codebook` says
    which variables are not sensitive (O3); one that it does not know is. Raises Refused SMALL_GROUP
    when a table has more dimensions or cells than the terms allow (its text says: fewer splits,
    broader categories) or when a cell to hide is in no table, and ValueError for a table that is
    malformed, which is a programming error.
    """
    shown: dict[str, npt.NDArray[np.bool_]] = {}
    found: set[str] = set()
    for table in tables:
        counts, patients = _counts(table, table.counts), _patients(table)
        if table.name in shown:
            raise ValueError(f"two tables are called {table.name!r}")
        if terms.protection == "none":
            shown[table.name] = np.ones(counts.shape, dtype=np.bool_)
            continue
        if counts.ndim > terms.max_dims or counts.size > terms.max_cells:
            raise Refused("SMALL_GROUP")
        unsafe = _named(table, hide, found)
        if table.margins_public:
            axes = [_is_sensitive(name, codebook) for name, _ in table.dims]
            hidden = hidden_cells(counts, terms, unsafe, patients=patients, sensitive=axes)
        else:
            least = counts if patients is None else np.minimum(counts, patients)
            hidden = np.asarray(least < terms.t_cell) | unsafe
        shown[table.name] = ~hidden
    if hide - found:
        raise Refused("SMALL_GROUP")
    return shown


def _named(table: CountTable, hide: frozenset[str], found: set[str]) -> npt.NDArray[np.bool_]:
    """Where the cells called as in `hide` are; their names are added to `found`."""
    shape = tuple(len(labels) for _, labels in table.dims)
    mask = np.zeros(shape, dtype=np.bool_)
    if not hide or not table.dims:
        return mask
    for place in np.ndindex(shape):
        label = ",".join(
            f"{name}={labels[at]}" for (name, labels), at in zip(table.dims, place, strict=True)
        )
        if label in hide:
            mask[place] = True
            found.add(label)
    return mask


def _counts(table: CountTable, given: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    found = np.asarray(given)
    counts = np.asarray(np.rint(found), dtype=np.int64)
    if counts.shape != tuple(len(labels) for _, labels in table.dims):
        raise ValueError(f"table {table.name!r}: counts and labels differ in shape")
    if (counts < 0).any() or (counts != found).any():
        raise ValueError(f"table {table.name!r}: patient counts are whole numbers from 0")
    return counts


def _patients(table: CountTable) -> npt.NDArray[np.int64] | None:
    return None if table.patients is None else _counts(table, table.patients)


def _is_sensitive(name: str, codebook: Codebook | None) -> bool:
    variable = None if codebook is None else codebook.variables.get(name)
    return variable is None or variable.sensitive


def check_contribution(n_contributing: int, n: int, n_sq: int, terms: Terms) -> None:
    """Raise Refused unless enough hospitals stand behind the pooled numbers (O13).

    `n` is the sum of the contributing hospitals' patients and `n_sq` the sum of their squares, so
    n^2 / n_sq is the effective number of hospitals (inverse of the sum of squared shares).
    SMALL_GROUP when the whole cohort is below the cell threshold, so that nought, one and nine
    patients cannot be told apart; else INSTITUTION_HIDDEN.
    """
    if terms.protection == "none":
        return
    if n < terms.t_cell:
        raise Refused("SMALL_GROUP")
    # multiplied out, so that no rounding decides
    enough_weight = n * n >= terms.min_effective_sites * n_sq
    if n_contributing < terms.min_sites or not enough_weight:
        raise Refused("INSTITUTION_HIDDEN")
