"""The rows of a Cox model in the order in which risk sets are summed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import counts_by, stable_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Turns:
    """The events of all cells one by one: whose `cell` each is, and its place l among the d events
    of the cell as `share` = l / d, both (events,); where each cell `starts`, (cells,)."""

    cell: Ints
    share: Floats
    starts: Ints


def turns_of(deaths: Ints) -> Turns:
    """From the number of events in each cell, at least one."""
    cell = np.repeat(np.arange(deaths.size), deaths)
    starts = np.cumsum(deaths) - deaths
    return Turns(cell, (np.arange(cell.size) - starts[cell]) / deaths[cell], starts)


@dataclass(frozen=True)
class RiskRows:
    """Rows in order of cell, where a cell is one event time of one stratum; in a cell those with
    the event come first.

    A row's cell is the last event time of its stratum at or before its own time: it is at risk
    in that cell and in every earlier one of the stratum. Rows never at risk are left out.
    `columns` (p, n). Rows of one cell that have the event, or have not, are a segment: `starts`,
    `cell` and `dead` (segments,) say where it begins, and of which cell and kind it is.
    `number` (cells,) is how many rows have the event. `first` (cells,) is the first cell of each
    cell's stratum. `people` (n,) says which rows are of one patient, None when a row is a patient.
    """

    columns: Floats
    starts: Ints
    cell: Ints
    dead: Bools
    number: Ints
    first: Ints
    people: Ints | None = None

    @property
    def z(self) -> Floats:
        """The columns, (n, p)."""
        return self.columns.T

    @property
    def n(self) -> int:
        """The number of rows."""
        return int(self.columns.shape[1])

    @cached_property
    def lengths(self) -> Ints:
        """The number of rows in each segment."""
        return np.diff(self.starts, append=self.n)

    @property
    def cells(self) -> int:
        """The number of cells."""
        return self.first.size

    def moved(self, centre: Floats, unit: Floats) -> RiskRows:
        """The same rows with columns less `centre` and divided by `unit`, both (p,). These take the
        place of the old ones: there is room for one copy."""
        for column, less, by in zip(self.columns, centre, unit, strict=True):
            if less:
                column -= less
            column *= 1.0 / by
        return replace(self)

    def of_segments(self, values: Floats) -> Floats:
        """The sum of `values` (n,) in each segment."""
        return np.add.reduceat(values, self.starts) if self.starts.size else np.zeros(0)

    def of_rows(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The value (segments,) of each row's segment, (n,)."""
        return np.repeat(values, self.lengths)

    @cached_property
    def turns(self) -> Turns:
        """The events one by one; they are the same in every round."""
        return turns_of(self.number)

    @cached_property
    def z_deaths(self) -> Floats:
        """The sum of the columns over all events, (p,)."""
        sums = [self.of_segments(column)[self.dead].sum() for column in self.columns]
        return np.array(sums, dtype=np.float64)


def arrange(
    z: Floats,
    time: Floats,
    event: Bools,
    stratum: Ints,
    times: Floats,
    strata: Ints,
    people: Ints | None = None,
) -> RiskRows:
    """Sort rows into the cells (`strata`, `times`), which ascend by stratum and then by time.

    `z` float (n, p); `time`, `event`, `stratum`, `people` (n,); `times`, `strata` (cells,). Every
    event must lie on a cell.
    """
    cell = np.full(time.size, -1, dtype=np.int64)
    for code in np.unique(strata):
        low, high = np.searchsorted(strata, (code, code + 1))
        mine = stratum == code
        place = np.searchsorted(times[low:high], time[mine], side="right") - 1
        cell[mine] = np.where(place >= 0, place + low, -1)
    key = 2 * cell + ~event  # below 0 for those never at risk
    order = stable_order(key + 2)
    order = order[np.count_nonzero(cell < 0) :]
    key = key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    columns = np.empty((z.shape[1], order.size))
    for column, old in zip(columns, z.T, strict=True):
        np.take(old, order, out=column)
    number = counts_by(cell[event], times.size)
    behind = None if people is None else people[order]
    of_segment, dead = key[starts] >> 1, key[starts] % 2 == 0
    return RiskRows(columns, starts, of_segment, dead, number, stratum_starts(strata), behind)


def stratum_starts(strata: Ints) -> Ints:
    """For each cell, in ascending order of stratum, the first cell of its stratum."""
    return np.searchsorted(strata, strata, side="left").astype(np.int64)


def own_cells(time: Floats, event: Bools) -> tuple[Floats, Ints]:
    """The distinct event times of one stratum, ascending, as (times, strata)."""
    times = np.unique(time[event])
    return times, np.zeros(times.size, dtype=np.int64)


def linear_predictor(columns: Floats, beta: Floats) -> Floats:
    """beta @ columns (p, n), added column by column so that equal rows get equal bits: ties
    count."""
    eta = np.zeros(columns.shape[1])
    for column, each in zip(columns, beta, strict=True):
        eta += column * each
    return eta
