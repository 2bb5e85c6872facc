"""The Cox partial likelihood, its score and its information, from sorted rows.

Two ways to sum, one arithmetic. With strata by site every risk set lies inside one hospital:
`local_sums` gives the three sums that leave. Without, the risk sets span hospitals: each site
sends sums per event time (`risk_sums`), the hub adds them (`profile`), and each site then turns
the pooled denominators into its part of the information (`local_information`). Splitting it in
two keeps messages short: p numbers per event time leave instead of p (p + 1) / 2.

Ties after Efron (1977) or Breslow (1974); Efron's l-th of d tied events, l = 0 .. d-1, sees the
risk set with the tied events at weight 1 - l/d. See Therneau and Grambsch (2000), section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import counts_by, sums_by

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Rows per block of the weighted cross-product: the block and its weighted copy stay in cache.
_BLOCK = 4096


@dataclass(frozen=True)
class RiskRows:
    """Rows in order of cell, where a cell is one event time of one stratum.

    A row's `cell` is the last event time of its stratum at or before its own time: it is at
    risk in that cell and in every earlier one of the stratum. Rows never at risk are left out.
    z (n, p); cell, event (n,); `present` the cells that hold rows and `starts` where each begins;
    `first` (cells,) the first cell of each cell's stratum.
    """

    z: Floats
    cell: Ints
    event: Bools
    present: Ints
    starts: Ints
    first: Ints

    @property
    def cells(self) -> int:
        return self.first.size


def arrange(
    z: Floats, time: Floats, event: Bools, stratum: Ints, times: Floats, strata: Ints
) -> RiskRows:
    """Sort rows into the cells (`strata`, `times`), which ascend by stratum and then by time.

    `z` float (n, p); `time`, `event`, `stratum` (n,); `times`, `strata` (cells,). Every event
    must lie on a cell.
    """
    cell = np.full(time.size, -1, dtype=np.int64)
    for code in np.unique(strata):
        low, high = np.searchsorted(strata, (code, code + 1))
        mine = stratum == code
        place = np.searchsorted(times[low:high], time[mine], side="right") - 1
        cell[mine] = np.where(place >= 0, place + low, -1)
    order = np.argsort(cell, kind="stable")
    order = order[np.count_nonzero(cell < 0) :]
    cell = cell[order]
    present, starts = np.unique(cell, return_index=True)
    return RiskRows(
        np.ascontiguousarray(z[order]),
        cell,
        event[order],
        present.astype(np.int64),
        starts.astype(np.int64),
        stratum_starts(strata),
    )


def stratum_starts(strata: Ints) -> Ints:
    """For each cell, in ascending order of stratum, the first cell of its stratum."""
    return np.searchsorted(strata, strata, side="left").astype(np.int64)


def own_cells(time: Floats, event: Bools) -> tuple[Floats, Ints]:
    """The distinct event times of one stratum, ascending, as (times, strata)."""
    times = np.unique(time[event])
    return times, np.zeros(times.size, dtype=np.int64)


def linear_predictor(z: Floats, beta: Floats) -> Floats:
    """z @ beta, (n,), added column by column so that equal rows get equal bits (ties count)."""
    eta = np.zeros(z.shape[0])
    for j in range(beta.size):
        eta += z[:, j] * beta[j]
    return eta


@dataclass(frozen=True)
class RiskSums:
    """Per cell: deaths d, and sums of w = exp(eta) and w z over the risk set and the deaths.

    deaths int (cells,); s0, e0 (cells,); s1, e1 (cells, p). `z_deaths` (p,) is the sum of z over
    all deaths.
    """

    deaths: Ints
    s0: Floats
    s1: Floats
    e0: Floats
    e1: Floats
    z_deaths: Floats


def risk_sums(rows: RiskRows, weight: Floats) -> RiskSums:
    """This site's sums for weights exp(eta) (n,) in the order of `rows`."""
    p = rows.z.shape[1]
    weighted = rows.z * weight[:, None]
    s0 = sums_by(rows.cell, weight, rows.cells)
    s1 = np.zeros((rows.cells, p))
    if rows.starts.size:
        s1[rows.present] = np.add.reduceat(weighted, rows.starts, axis=0)
    dead = rows.cell[rows.event]
    e0 = sums_by(dead, weight[rows.event], rows.cells)
    e1 = np.zeros((rows.cells, p))
    for j in range(p):
        e1[:, j] = sums_by(dead, weighted[rows.event, j], rows.cells)
    deaths = counts_by(dead, rows.cells)
    return RiskSums(
        deaths,
        _from_the_end(s0[:, None], rows.first)[:, 0],
        _from_the_end(s1, rows.first),
        e0,
        e1,
        rows.z[rows.event].sum(axis=0),
    )


def _from_the_end(values: Floats, first: Ints) -> Floats:
    """Suffix sums along axis 0 inside each stratum."""
    total = np.empty_like(values)
    bounds = [*np.unique(first).tolist(), values.shape[0]]
    for low, high in pairwise(bounds):
        total[low:high] = np.cumsum(values[low:high][::-1], axis=0)[::-1]
    return total


@dataclass(frozen=True)
class Profile:
    """What pooled risk sums say: log likelihood, score (p,), and the parts of the information.

    `at_risk` (cells,): what a weight counts for in each cell it is at risk, summed from the
    start of the stratum; `at_death` (cells,): what is taken off again for a death in the cell.
    `outer` (p, p) is the product term. Information = sum of local_information - outer.
    """

    loglik: float
    score: Floats
    at_risk: Floats
    at_death: Floats
    outer: Floats


def profile(sums: RiskSums, first: Ints, beta: Floats, *, efron: bool) -> Profile:
    """Log likelihood and score at `beta` (p,) from sums over every site."""
    cells = sums.deaths.size
    cell = np.repeat(np.arange(cells), sums.deaths)
    starts = np.cumsum(sums.deaths) - sums.deaths
    turn = np.arange(cell.size) - starts[cell]
    share = turn / sums.deaths[cell] if efron else np.zeros(cell.size)
    rest = sums.s0[cell] - share * sums.e0[cell]
    inverse = 1.0 / rest

    def per_cell(values: Floats) -> Floats:
        return sums_by(cell, values, cells)

    once, shared = per_cell(inverse), per_cell(inverse * share)
    twice, mixed = per_cell(inverse**2), per_cell(inverse**2 * share)
    both = per_cell(inverse**2 * share**2)
    cross = sums.s1.T @ (mixed[:, None] * sums.e1)
    outer = (
        sums.s1.T @ (twice[:, None] * sums.s1)
        - cross
        - cross.T
        + sums.e1.T @ (both[:, None] * sums.e1)
    )
    # A row at risk in its cell is at risk in every earlier cell of its stratum.
    running = np.cumsum(once)
    before = np.concatenate(([0.0], running))[first] if cells else running
    return Profile(
        float(sums.z_deaths @ beta - np.log(rest).sum()),
        sums.z_deaths - once @ sums.s1 + shared @ sums.e1,
        running - before,
        shared,
        outer,
    )


def local_information(rows: RiskRows, weight: Floats, at_risk: Floats, at_death: Floats) -> Floats:
    """This site's part (p, p) of the first term of the information."""
    v = weight * at_risk[rows.cell]
    v[rows.event] -= weight[rows.event] * at_death[rows.cell[rows.event]]
    p = rows.z.shape[1]
    total = np.zeros((p, p))
    for low in range(0, v.size, _BLOCK):
        block = rows.z[low : low + _BLOCK]
        total += block.T @ (block * v[low : low + _BLOCK, None])
    return total


def local_sums(rows: RiskRows, beta: Floats, *, efron: bool) -> tuple[float, Floats, Floats]:
    """Log likelihood, score (p,) and information (p, p) of one site as its own stratum."""
    p = beta.size
    if rows.cell.size == 0:
        return 0.0, np.zeros(p), np.zeros((p, p))
    eta = rows.z @ beta
    # A constant in eta cancels within a stratum; taking off the largest keeps exp() finite.
    top = float(eta.max())
    weight = np.exp(eta - top)
    sums = risk_sums(rows, weight)
    found = profile(sums, rows.first, beta, efron=efron)
    information = local_information(rows, weight, found.at_risk, found.at_death) - found.outer
    deaths = int(sums.deaths.sum())
    return found.loglik - deaths * top, found.score, information


def pack_symmetric(matrix: Floats) -> Floats:
    """The upper triangle of a symmetric (p, p) matrix as p (p + 1) / 2 numbers, by row."""
    return np.asarray(matrix[np.triu_indices(matrix.shape[0])])


def unpack_symmetric(packed: Floats, p: int) -> Floats:
    """The symmetric matrix (p, p) that `pack_symmetric` took apart."""
    matrix = np.zeros((p, p))
    matrix[np.triu_indices(p)] = packed
    return np.asarray(matrix + np.triu(matrix, 1).T)
