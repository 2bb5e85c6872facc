"""Which cells of one table of patient counts must stay hidden.

The table is judged together with all its margins, as if every margin that is not itself small were
public: another question may ask for it. From the coarsest margin to the full table:

1. primary: counts 0..t-1 are hidden, all alike; so is a cell that holds more than
   `group_share_max` of its row or column (O1, O3);
2. secondary (O2): in every line (the cells that add up to one margin) nothing hidden may be found
   by subtraction: not one hidden cell alone, and not a hidden rest of fewer than t patients. The
   smallest shown cell of the line is hidden too, until that holds;
3. audit: linear programmes find the least and largest value that each hidden cell can have, given
   everything shown. A small cell must stay uncertain over at least t values, another hidden cell
   over at least one. Where that fails, the smallest shown neighbour is hidden and 2 starts again.

Step 2 alone leaves cells that are fixed by several lines together, or by counts not being negative.
Choosing complements by size is deterministic, so the same table always hides the same cells.
Reference: the problem is the cell suppression problem of Willenborg and De Waal, Elements of
Statistical Disclosure Control (2001), chapters 4 and 8; this is its plain greedy solution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.query.terms import Terms

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Dims = tuple[int, ...]

_SLACK = 1e-6  # the solver's own tolerance is 1e-7


@dataclass
class _Block:
    """The table summed to some of its dimensions, and what is hidden of it.

    `people`: a number of patients that is surely behind each cell. A patient may have rows in
    several cells, so that patients do not add up as rows do.
    """

    dims: Dims
    counts: Counts
    people: Counts
    primary: Mask
    hidden: Mask


def hidden_cells(
    counts: Counts,
    terms: Terms,
    also: Mask | None = None,
    *,
    patients: Counts | None = None,
    sensitive: Sequence[bool] | None = None,
) -> Mask:
    """Return which cells of `counts` (one axis per dimension, any number) must be hidden.

    `also`, in the shape of `counts`: cells that must be hidden whatever their number. `patients`,
    in the same shape: the patients behind each cell, when a row counted is not a patient; a cell is
    small when either is. `sensitive`: per axis, whether rule O3 is about its variable.
    """
    about = [True] * counts.ndim if sensitive is None else list(sensitive)
    blocks: dict[Dims, _Block] = {}
    for size in range(counts.ndim + 1):
        for dims in combinations(range(counts.ndim), size):
            block = _summed(counts, patients, dims)
            block.primary = _primary(block, blocks, terms, about)
            if also is not None and size == counts.ndim:
                block.primary = block.primary | also
            block.hidden = block.primary.copy()
            blocks[dims] = block
            _settle(block, blocks, terms)
    return blocks[tuple(range(counts.ndim))].hidden


def _summed(counts: Counts, patients: Counts | None, dims: Dims) -> _Block:
    others = tuple(axis for axis in range(counts.ndim) if axis not in dims)
    total = np.asarray(counts.sum(axis=others), dtype=np.int64)
    # at least as many patients as behind the fullest of the cells that are summed
    people = total if patients is None else np.asarray(patients.max(axis=others), dtype=np.int64)
    nothing = np.zeros(total.shape, dtype=np.bool_)
    return _Block(dims, total, people, nothing, nothing)


def _primary(
    block: _Block, blocks: dict[Dims, _Block], terms: Terms, sensitive: list[bool]
) -> Mask:
    small = np.minimum(block.counts, block.people) < terms.t_cell
    if not terms.zero_is_small:
        small &= block.counts > 0
    found = np.asarray(small, dtype=np.bool_)
    if len(block.dims) < 2:
        return found
    for axis, margin in _margins(block, blocks):
        # a line of one cell has a share of 1 by nature
        if sensitive[block.dims[axis]] and block.counts.shape[axis] > 1:
            whole = np.expand_dims(margin.counts, axis)
            found |= (whole >= terms.t_cell) & (block.counts > terms.group_share_max * whole)
    return found


def _margins(block: _Block, blocks: dict[Dims, _Block]) -> Iterator[tuple[int, _Block]]:
    """Yield, for each axis of the block, the block that is left when it is summed away."""
    for axis in range(len(block.dims)):
        yield axis, blocks[block.dims[:axis] + block.dims[axis + 1 :]]


def _settle(block: _Block, blocks: dict[Dims, _Block], terms: Terms) -> None:
    while True:
        while _complete_lines(block, blocks, terms):
            pass
        if not _hide_next_to_exposed(block, blocks, terms):
            return


def _lines(
    block: _Block, blocks: dict[Dims, _Block]
) -> Iterator[tuple[tuple[Any, ...], _Block, tuple[int, ...]]]:
    """Yield every line as (index of its cells, block of its margin, index of the margin)."""
    for axis, margin in _margins(block, blocks):
        for index in np.ndindex(margin.counts.shape):
            yield (*index[:axis], slice(None), *index[axis:]), margin, index


def _complete_lines(block: _Block, blocks: dict[Dims, _Block], terms: Terms) -> bool:
    """Hide complements in every line that needs one; tell whether anything was hidden."""
    changed = False
    for cells, margin, index in _lines(block, blocks):
        line = _Line(block, cells, margin, index)
        while not line.hidden.all() and line.is_open(terms.t_cell):
            line.hidden[_smallest_shown(line.counts, line.hidden)] = True
            changed = True
    return changed


class _Line:
    """The cells that add up to one margin. `hidden` is a view: what is hidden here is hidden."""

    def __init__(
        self, block: _Block, cells: tuple[Any, ...], margin: _Block, index: tuple[int, ...]
    ) -> None:
        self.counts, self.hidden = block.counts[cells], block.hidden[cells]
        # None where every row is a patient
        self._people = None if block.people is block.counts else block.people[cells]
        self._whole = min(int(margin.counts[index]), int(margin.people[index]))
        self._whole_hidden = bool(margin.hidden[index])

    def is_open(self, threshold: int) -> bool:
        """Tell whether subtraction within this line gives a hidden number or a small rest."""
        number = int(self.hidden.sum())
        if number + self._whole_hidden == 0:
            return False
        if number == 0 or number + self._whole_hidden == 1:
            return True
        return self._whole >= threshold and self._rest() < threshold

    def _rest(self) -> int:
        """What is left of the whole when all that is shown is taken off: rows, surely patients."""
        rows = int(self.counts[self.hidden].sum())
        if self._people is None:
            return rows
        return min(rows, int(self._people[self.hidden].max()))


def _smallest_shown(counts: Counts, hidden: Mask) -> int:
    shown = np.flatnonzero(~hidden)
    return int(shown[np.argmin(counts.ravel()[shown])])


def _hide_next_to_exposed(block: _Block, blocks: dict[Dims, _Block], terms: Terms) -> bool:
    """Hide one more cell next to the first exposed one; tell whether anything was hidden.

    When the whole block is hidden already, nothing more can be done here: what is still implied
    then follows from the margins alone, not from this table.
    """
    if len(block.dims) < 2 or not block.hidden.any() or block.hidden.all():
        return False
    exposed = next(_exposed(block, blocks, terms), None)
    if exposed is None:
        return False
    barred = block.hidden | ~_neighbours(exposed, block.hidden.shape)
    if barred.all():
        barred = block.hidden
    block.hidden.ravel()[_smallest_shown(block.counts, barred.ravel())] = True
    return True


def _hidden_of(block: _Block) -> Iterator[tuple[int, ...]]:
    """Yield the index of every hidden cell."""
    for index in np.argwhere(block.hidden).tolist():
        yield tuple(index)


def _neighbours(cell: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """Return the cells that share a line with `cell`."""
    found = np.zeros(shape, dtype=np.bool_)
    for axis in range(len(cell)):
        line: tuple[int | slice, ...] = (*cell[:axis], slice(None), *cell[axis + 1 :])
        found[line] = True
    return found


def _exposed(block: _Block, blocks: dict[Dims, _Block], terms: Terms) -> Iterator[tuple[int, ...]]:
    """Yield the hidden cells whose value everything shown pins down too closely."""
    system = _System(block, blocks)
    for cell in _hidden_of(block):
        width = float(terms.t_cell) if block.primary[cell] else 1.0
        if not system.is_uncertain(cell, width):
            yield cell


class _System:
    """What an outsider knows: the sums of every line, and that no count is negative.

    The unknowns are the hidden cells of the block and of its margins.
    """

    def __init__(self, block: _Block, blocks: dict[Dims, _Block]) -> None:
        self.block = block
        parts = [
            blocks[dims]
            for size in range(len(block.dims) + 1)
            for dims in combinations(block.dims, size)
        ]
        self.number: dict[tuple[Dims, tuple[int, ...]], int] = {}
        for part in parts:
            for cell in _hidden_of(part):
                self.number[part.dims, cell] = len(self.number)
        rows: list[npt.NDArray[np.float64]] = []
        sums: list[float] = []
        for part in parts:
            for cells, margin, index in _lines(part, blocks):
                row, known = self._row(part, cells, margin, index)
                if row.any():
                    rows.append(row)
                    sums.append(known)
        self.rows = np.array(rows)
        self.sums = np.array(sums)
        # the least and largest value of each unknown in the solutions seen so far
        true = np.array(
            [float(blocks[dims].counts[cell]) for dims, cell in self.number], dtype=np.float64
        )
        self.least, self.largest = true.copy(), true.copy()

    def _row(
        self, part: _Block, cells: tuple[Any, ...], margin: _Block, index: tuple[int, ...]
    ) -> tuple[npt.NDArray[np.float64], float]:
        row = np.zeros(len(self.number))
        known = 0.0
        if margin.hidden[index]:
            row[self.number[margin.dims, index]] = -1.0
        else:
            known = float(margin.counts[index])
        axis = next(i for i, step in enumerate(cells) if isinstance(step, slice))
        for level in range(part.counts.shape[axis]):
            cell = (*cells[:axis], level, *cells[axis + 1 :])
            if part.hidden[cell]:
                row[self.number[part.dims, cell]] = 1.0
            else:
                known -= float(part.counts[cell])
        return row, known

    def is_uncertain(self, cell: tuple[int, ...], width: float) -> bool:
        """Tell whether the possible values of a hidden cell span at least `width`."""
        from scipy.optimize import linprog  # late: a site needs it for results of its own only

        unknown = self.number[self.block.dims, cell]
        for sign in (-1.0, 1.0):
            if self.largest[unknown] - self.least[unknown] >= width - _SLACK:
                return True
            aim = np.zeros(len(self.number))
            aim[unknown] = sign
            # the cap keeps an unbounded unknown finite; it is far above any width that is asked
            found = linprog(
                aim,
                A_eq=self.rows,
                b_eq=self.sums,
                bounds=(0, self._cap()),
                method="highs",
            )
            if found.x is not None:
                np.minimum(self.least, found.x, out=self.least)
                np.maximum(self.largest, found.x, out=self.largest)
        return bool(self.largest[unknown] - self.least[unknown] >= width - _SLACK)

    def _cap(self) -> float:
        return float(self.largest.max() + np.abs(self.sums).sum() + 1.0)
