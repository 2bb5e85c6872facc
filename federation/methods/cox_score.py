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

from federation.methods.cox_rows import RiskRows, Turns, turns_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Rows per block of the weighted cross-product: the block and its weighted copy stay in cache.
_BLOCK = 4096


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


@dataclass(frozen=True)
class _Parts:
    """Sums of w and w z over the segments: (segments,) and (segments, p)."""

    weight: Floats
    moment: Floats


def _parts(rows: RiskRows, weight: Floats) -> _Parts:
    moment = np.empty((rows.columns.shape[0], rows.starts.size))
    for j, column in enumerate(rows.columns):
        moment[j] = rows.of_segments(column * weight)
    return _Parts(rows.of_segments(weight), moment.T)


def risk_sums(rows: RiskRows, weight: Floats) -> RiskSums:
    """This site's sums for weights exp(eta) (n,) in the order of `rows`."""
    parts = _parts(rows, weight)
    lost = np.zeros(rows.cells), np.zeros((rows.cells, rows.columns.shape[0]))
    _spread(rows, parts, lost, dead=True)
    every = lost[0].copy(), lost[1].copy()
    _spread(rows, parts, every, dead=False)
    s0, s1 = _from_the_end(every[0], rows.first), _from_the_end(every[1], rows.first)
    return RiskSums(rows.number, s0, s1, *lost, rows.z_deaths)


def own_sums(rows: RiskRows, weight: Floats) -> dict[str, Floats | Ints]:
    """What `risk_sums` adds up, for the cells of this site's own rows only.

    `cell` (m,) with `weight` (m,) and `moment` (m, p), the sums of w and w z over the rows whose
    last cell it is; `lost_cell`, `lost` and `lost_moment` over the events; `z_deaths` (1, p).
    """
    parts, dead = _parts(rows, weight), rows.dead
    every = np.zeros(rows.cells), np.zeros((rows.cells, rows.columns.shape[0]))
    _spread(rows, parts, every, dead=True)
    _spread(rows, parts, every, dead=False)
    present = np.unique(rows.cell)
    return {
        "cell": present,
        "weight": every[0][present],
        "moment": every[1][present],
        "lost_cell": rows.cell[dead],
        "lost": parts.weight[dead],
        "lost_moment": parts.moment[dead],
        "z_deaths": rows.z_deaths[None],
    }


def _spread(rows: RiskRows, parts: _Parts, total: tuple[Floats, Floats], *, dead: bool) -> None:
    """Add to the totals by cell what the segments with the event, or those without, hold."""
    mine = rows.dead == dead
    cell = rows.cell[mine]  # each at most once
    total[0][cell] += parts.weight[mine]
    total[1][cell] += parts.moment[mine]


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


def profile(
    sums: RiskSums, first: Ints, beta: Floats, *, efron: bool, turns: Turns | None = None
) -> Profile:
    """Log likelihood and score at `beta` (p,) from sums over every site.

    `turns` are those of the events in `sums`, where they are known already.
    """
    if turns is None:
        turns = turns_of(sums.deaths)
    cell, share = turns.cell, turns.share if efron else np.zeros(turns.cell.size)
    rest = sums.s0[cell] - share * sums.e0[cell]
    inverse = 1.0 / rest

    def by_cell(values: Floats) -> Floats:
        return np.add.reduceat(values, turns.starts) if turns.starts.size else np.zeros(0)

    once, shared = by_cell(inverse), by_cell(inverse * share)
    # Means instead of sums, and denominators as a share of s0: no square can overflow.
    part = sums.s0[cell] * inverse
    part *= part
    risk_mean, death_mean = sums.s1 / sums.s0[:, None], sums.e1 / sums.s0[:, None]
    twice = by_cell(part)
    part *= share
    mixed = by_cell(part)
    part *= share
    both = by_cell(part)
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
    counted = at_risk[rows.cell]
    counted[rows.dead] -= at_death[rows.cell[rows.dead]]
    v = rows.of_rows(counted)
    v *= weight
    p = rows.columns.shape[0]
    total, room = np.zeros((p, p)), np.empty((p, min(_BLOCK, rows.n)))
    for low in range(0, rows.n, _BLOCK):
        block = rows.columns[:, low : low + _BLOCK]
        weighted = room[:, : block.shape[1]]
        total += np.multiply(block, v[low : low + _BLOCK], out=weighted) @ block.T
    return total


@dataclass(frozen=True)
class OwnSums:
    """Log likelihood, score (p,) and information (p, p) of one site as its own stratum, and what
    they were made of: the weights (n,) as a part of the largest, the risk sums, the profile."""

    loglik: float
    score: Floats
    information: Floats
    weight: Floats
    sums: RiskSums
    found: Profile


def local_sums(rows: RiskRows, eta: Floats, beta: Floats, *, efron: bool) -> OwnSums:
    """The sums of one site at `beta` (p,), where its rows have the linear predictors `eta` (n,)."""
    # A constant in eta cancels within a stratum; taking off the largest keeps exp() finite.
    top = float(eta.max()) if eta.size else 0.0
    weight = np.exp(eta - top)
    sums = risk_sums(rows, weight)
    found = profile(sums, rows.first, beta, efron=efron, turns=rows.turns)
    information = local_information(rows, weight, found.at_risk, found.at_death) - found.outer
    loglik = found.loglik - int(sums.deaths.sum()) * top
    return OwnSums(loglik, found.score, information, weight, sums, found)


def leverages(
    rows: RiskRows, weight: Floats, hazard: Floats, means: Floats, covariance: Floats
) -> Floats:
    """The share (0 to about 1) that each row has in the information of the fit, (n,).

    The sum over the cells at risk of w * hazard times the squared distance, in the metric of
    `covariance` (p, p), to the risk set's mean (`means`, (cells, p)). All leverages add up to p,
    as in a generalised linear model (Breslow's form of the hazard).
    """
    moved = means @ covariance
    flat = np.column_stack((hazard, hazard[:, None] * moved, hazard * (moved * means).sum(axis=1)))
    along = _running(flat, rows.first)[rows.cell].T
    shares = rows.of_rows(along[-1])
    risen = rows.of_rows(along[0])
    for column, turned, each in zip(
        rows.columns, covariance @ rows.columns, along[1:-1], strict=True
    ):
        turned *= risen
        turned -= rows.of_rows(2.0 * each)
        turned *= column
        shares += turned
    shares *= weight
    return shares


def pack_symmetric(matrix: Floats) -> Floats:
    """The upper triangle of a symmetric (p, p) matrix as p (p + 1) / 2 numbers, by row."""
    return np.asarray(matrix[np.triu_indices(matrix.shape[0])])


def unpack_symmetric(packed: Floats, p: int) -> Floats:
    """The symmetric matrix (p, p) that `pack_symmetric` took apart."""
    matrix = np.zeros((p, p))
    matrix[np.triu_indices(p)] = packed
    return np.asarray(matrix + np.triu(matrix, 1).T)
