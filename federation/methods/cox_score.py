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

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import counts_by, stable_order, sums_by

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Rows per block of the weighted cross-product: the block and its weighted copy stay in cache.
_BLOCK = 4096


@dataclass(frozen=True)
class Block:
    """Rows in ascending order of cell: z (n, p), cell (n,), which cells are `present` and where
    each of those `starts`."""

    z: Floats
    cell: Ints
    present: Ints
    starts: Ints

    def sums(self, values: Floats, cells: int) -> Floats:
        """Sums of `values` (n, ...) by cell, (cells, ...)."""
        total = np.zeros((cells, *values.shape[1:]))
        if self.starts.size:
            total[self.present] = np.add.reduceat(values, self.starts, axis=0)
        return total


def _block(z: Floats, cell: Ints) -> Block:
    begins = np.ones(cell.size, dtype=bool)
    begins[1:] = cell[1:] != cell[:-1]
    starts = np.flatnonzero(begins)
    return Block(z, cell, cell[starts], starts)


@dataclass(frozen=True)
class RiskRows:
    """Rows in order of cell, where a cell is one event time of one stratum.

    A row's cell is the last event time of its stratum at or before its own time: it is at risk
    in that cell and in every earlier one of the stratum. Rows never at risk are left out.
    `dead` are the places in `all` of the rows with the event; `deaths` is that block, `number`
    (cells,) how many there are. `first` (cells,) is the first cell of each cell's stratum.
    `people` (n,) says which rows are of one patient, None when a row is a patient.
    """

    all: Block
    dead: Ints
    deaths: Block
    number: Ints
    first: Ints
    people: Ints | None = None

    @property
    def z(self) -> Floats:
        return self.all.z

    @property
    def cells(self) -> int:
        return self.first.size


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
    order = stable_order(cell + 1)
    order = order[np.count_nonzero(cell < 0) :]
    dead = np.flatnonzero(event[order])
    everyone = _block(np.ascontiguousarray(z[order]), cell[order])
    deaths = _block(everyone.z[dead], everyone.cell[dead])
    number = counts_by(deaths.cell, times.size)
    behind = None if people is None else people[order]
    return RiskRows(everyone, dead, deaths, number, stratum_starts(strata), behind)


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
    lost = weight[rows.dead]
    return RiskSums(
        rows.number,
        _from_the_end(rows.all.sums(weight, rows.cells), rows.first),
        _from_the_end(rows.all.sums(rows.z * weight[:, None], rows.cells), rows.first),
        rows.deaths.sums(lost, rows.cells),
        rows.deaths.sums(rows.deaths.z * lost[:, None], rows.cells),
        rows.deaths.z.sum(axis=0),
    )


def own_sums(rows: RiskRows, weight: Floats) -> dict[str, Floats | Ints]:
    """What `risk_sums` adds up, for the cells of this site's own rows only.

    `cell` (m,) with `weight` (m,) and `moment` (m, p), the sums of w and w z over the rows whose
    last cell it is; `lost_cell`, `lost` and `lost_moment` over the deaths; `z_deaths` (1, p).
    """
    lost = weight[rows.dead]
    every, deaths = rows.all, rows.deaths
    return {
        "cell": every.present,
        "weight": every.sums(weight, rows.cells)[every.present],
        "moment": every.sums(rows.z * weight[:, None], rows.cells)[every.present],
        "lost_cell": deaths.present,
        "lost": deaths.sums(lost, rows.cells)[deaths.present],
        "lost_moment": deaths.sums(deaths.z * lost[:, None], rows.cells)[deaths.present],
        "z_deaths": deaths.z.sum(axis=0, keepdims=True),
    }


def joined_sums(joined: Mapping[str, Floats], deaths: Ints, first: Ints) -> RiskSums:
    """The risk sums of all sites from their `own_sums`, joined along axis 0."""
    cells, p = deaths.size, joined["moment"].shape[1]

    def spread(cell: str, values: str) -> Floats:
        total = np.zeros((cells, *joined[values].shape[1:]))
        np.add.at(total, joined[cell].astype(np.int64), joined[values])
        return total

    return RiskSums(
        deaths,
        _from_the_end(spread("cell", "weight"), first),
        _from_the_end(spread("cell", "moment"), first),
        spread("lost_cell", "lost"),
        spread("lost_cell", "lost_moment"),
        joined["z_deaths"].sum(axis=0).reshape(p),
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
    `hazard` (cells,) are the steps behind `at_risk`. `outer` (p, p) is the product term:
    information = sum of local_information - outer.
    """

    loglik: float
    score: Floats
    at_risk: Floats
    at_death: Floats
    hazard: Floats
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

    once, shared = sums_by(cell, inverse, cells), sums_by(cell, inverse * share, cells)
    # Means instead of sums, and denominators as a share of s0: no square can overflow.
    part = sums.s0[cell] * inverse
    risk_mean, death_mean = sums.s1 / sums.s0[:, None], sums.e1 / sums.s0[:, None]
    twice, mixed = sums_by(cell, part**2, cells), sums_by(cell, part**2 * share, cells)
    both = sums_by(cell, part**2 * share**2, cells)
    cross = risk_mean.T @ (mixed[:, None] * death_mean)
    outer = (
        risk_mean.T @ (twice[:, None] * risk_mean)
        - cross
        - cross.T
        + death_mean.T @ (both[:, None] * death_mean)
    )
    return Profile(
        float(sums.z_deaths @ beta - np.log(rest).sum()),
        sums.z_deaths - once @ sums.s1 + shared @ sums.e1,
        _running(once[:, None], first)[:, 0],
        shared,
        once,
        outer,
    )


def _running(values: Floats, first: Ints) -> Floats:
    """Sums along axis 0 from the start of each stratum up to and including each cell."""
    total = np.cumsum(values, axis=0)
    before = np.concatenate((np.zeros((1, values.shape[1])), total))[first]
    return np.asarray(total - before)


def local_information(rows: RiskRows, weight: Floats, at_risk: Floats, at_death: Floats) -> Floats:
    """This site's part (p, p) of the first term of the information."""
    v = weight * at_risk[rows.all.cell]
    v[rows.dead] -= weight[rows.dead] * at_death[rows.deaths.cell]
    p = rows.z.shape[1]
    total = np.zeros((p, p))
    for low in range(0, v.size, _BLOCK):
        block = rows.z[low : low + _BLOCK]
        total += block.T @ (block * v[low : low + _BLOCK, None])
    return total


def local_sums(rows: RiskRows, beta: Floats, *, efron: bool) -> tuple[float, Floats, Floats]:
    """Log likelihood, score (p,) and information (p, p) of one site as its own stratum."""
    p = beta.size
    if rows.z.shape[0] == 0:
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


def leverages(
    rows: RiskRows, weight: Floats, hazard: Floats, means: Floats, covariance: Floats
) -> Floats:
    """The share (0 to about 1) that each row has in the information of the fit, (n,).

    The sum over the cells at risk of w * hazard times the squared distance, in the metric of
    `covariance` (p, p), to the risk set's mean (`means`, (cells, p)). All leverages add up to p,
    as in a generalised linear model (Breslow's form of the hazard).
    """
    if rows.z.shape[0] == 0:
        return np.zeros(0)
    moved = means @ covariance
    flat = np.column_stack((hazard, hazard[:, None] * moved, hazard * (moved * means).sum(axis=1)))
    along = _running(flat, rows.first)[rows.all.cell]
    own = (rows.z @ covariance * rows.z).sum(axis=1)
    distance = own * along[:, 0] - 2 * (rows.z * along[:, 1:-1]).sum(axis=1) + along[:, -1]
    return np.asarray(weight * distance)


def pack_symmetric(matrix: Floats) -> Floats:
    """The upper triangle of a symmetric (p, p) matrix as p (p + 1) / 2 numbers, by row."""
    return np.asarray(matrix[np.triu_indices(matrix.shape[0])])


def unpack_symmetric(packed: Floats, p: int) -> Floats:
    """The symmetric matrix (p, p) that `pack_symmetric` took apart."""
    matrix = np.zeros((p, p))
    matrix[np.triu_indices(p)] = packed
    return np.asarray(matrix + np.triu(matrix, 1).T)
