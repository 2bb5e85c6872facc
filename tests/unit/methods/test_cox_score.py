"""The partial likelihood against sums written out one risk set at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.methods.cox_rows import RiskRows, arrange, own_cells, stratum_starts
from federation.methods.cox_score import (
    OwnSums,
    joined_sums,
    leverages,
    local_sums,
    own_sums,
    pack_symmetric,
    profile,
    risk_sums,
    unpack_symmetric,
)

Floats = npt.NDArray[np.float64]


def _written_out(
    z: Floats, time: Floats, event: npt.NDArray[np.bool_], beta: Floats, *, efron: bool
) -> tuple[float, Floats, Floats]:
    p = beta.size
    loglik, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    w = np.exp(z @ beta)
    for t in np.unique(time[event]):
        risk, dead = time >= t, event & (time == t)
        d = int(dead.sum())
        for turn in range(d):
            share = turn / d if efron else 0.0
            v = w * risk - share * w * dead
            mean = v @ z / v.sum()
            loglik -= np.log(v.sum())
            score -= mean
            information += (z * v[:, None]).T @ z / v.sum() - np.outer(mean, mean)
        loglik += float((z[dead] @ beta).sum())
        score += z[dead].sum(axis=0)
    return loglik, score, information


def _sums(rows: RiskRows, beta: Floats, *, efron: bool) -> OwnSums:
    return local_sums(rows, beta @ rows.columns, beta, efron=efron)


@pytest.mark.parametrize("efron", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_sums_equal_the_definition(seed: int, efron: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    z, time = rng.normal(size=(n, 3)), np.floor(rng.exponential(6, n))
    event, beta = rng.random(n) < 0.6, rng.normal(size=3)
    times, strata = own_cells(time, event)
    rows = arrange(z, time, event, np.zeros(n, dtype=np.int64), times, strata)
    found = _sums(rows, beta, efron=efron)
    expected = _written_out(z, time, event, beta, efron=efron)
    for name, other in zip(("loglik", "score", "information"), expected, strict=True):
        assert getattr(found, name) == pytest.approx(other, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("large", [600.0, -600.0])
def test_large_predictors_stay_finite_within_a_site(large: float) -> None:
    z = np.array([[1.0], [0.0], [1.0], [0.0]])
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=bool)
    times, strata = own_cells(time, event)
    rows = arrange(z, time, event, np.zeros(4, dtype=np.int64), times, strata)
    found = _sums(rows, np.array([large]), efron=True)
    assert np.isfinite([found.loglik, *found.score, *found.information.ravel()]).all()


def test_nobody_at_risk_adds_nothing() -> None:
    time, event = np.array([3.0, 4.0]), np.zeros(2, dtype=bool)
    times, strata = own_cells(time, event)
    rows = arrange(np.ones((2, 3)), time, event, np.zeros(2, dtype=np.int64), times, strata)
    found = _sums(rows, np.ones(3), efron=True)
    assert rows.n == 0
    assert found.loglik == 0.0
    assert not found.score.any()
    assert not found.information.any()


def test_moved_columns_take_nothing_old_along() -> None:
    rng = np.random.default_rng(8)
    z, time, event = rng.normal(size=(30, 2)), rng.permutation(30) + 1.0, rng.random(30) < 0.5
    raw = z * np.array([7.0, 0.5]) + np.array([3.0, -2.0])
    nothing = np.zeros(30, dtype=np.int64)
    rows = arrange(raw, time, event, nothing, *own_cells(time, event))
    assert rows.z_deaths == pytest.approx(raw[event].sum(axis=0))
    moved = rows.moved(np.array([3.0, -2.0]), np.array([7.0, 0.5]))
    assert moved.z_deaths == pytest.approx(z[event].sum(axis=0))
    found = _sums(moved, np.array([0.2, -0.1]), efron=True)
    expected = _written_out(z, time, event, np.array([0.2, -0.1]), efron=True)
    assert found.score == pytest.approx(expected[1], rel=1e-10)


def test_strata_do_not_mix() -> None:
    rng = np.random.default_rng(3)
    z, time = rng.normal(size=(40, 2)), rng.integers(1, 8, 40).astype(np.float64)
    event, stratum = rng.random(40) < 0.7, rng.integers(0, 2, 40)
    pairs = np.unique(np.column_stack((stratum, time))[event], axis=0)
    beta = np.array([0.3, -0.2])
    together = arrange(z, time, event, stratum, pairs[:, 1], pairs[:, 0].astype(np.int64))
    sums = _sums(together, beta, efron=True)
    found = (sums.loglik, sums.score, sums.information)
    apart = [
        _written_out(z[stratum == s], time[stratum == s], event[stratum == s], beta, efron=True)
        for s in (0, 1)
    ]
    for i in range(3):
        assert found[i] == pytest.approx(apart[0][i] + apart[1][i], rel=1e-10)


@pytest.mark.parametrize("sites", [1, 3, 40])
def test_sums_of_own_cells_join_to_those_of_every_cell(sites: int) -> None:
    rng = np.random.default_rng(6)
    n = 60
    z, time = rng.normal(size=(n, 2)), np.floor(rng.exponential(8, n))
    event, stratum = rng.random(n) < 0.6, rng.integers(0, 3, n)
    pairs = np.unique(np.column_stack((stratum, time))[event], axis=0)
    times, strata = pairs[:, 1], pairs[:, 0].astype(np.int64)
    weight = rng.uniform(0.1, 3, n)
    site = rng.integers(0, sites, n)

    def at(chosen: npt.NDArray[np.bool_]) -> tuple[Any, Floats]:
        kept = (x[chosen] for x in (np.column_stack((z, weight)), time, event, stratum))
        rows = arrange(*kept, times, strata)
        return dataclasses.replace(rows, columns=rows.columns[:2]), rows.columns[2]

    expected = risk_sums(*at(np.ones(n, dtype=bool)))
    replies = [own_sums(*at(site == s)) for s in range(sites)]
    joined = {name: np.concatenate([reply[name] for reply in replies]) for name in replies[0]}
    assert joined["cell"].size <= n
    found = joined_sums(joined, expected.deaths, stratum_starts(strata))
    for name in ("deaths", "s0", "s1", "e0", "e1", "z_deaths"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12, abs=1e-12)


def test_leverages_add_up_to_the_number_of_coefficients() -> None:
    rng = np.random.default_rng(4)
    n, p = 80, 3
    z, time = rng.normal(size=(n, p)), rng.permutation(n).astype(np.float64)
    event, beta = rng.random(n) < 0.6, rng.normal(size=p) / 2
    times, strata = own_cells(time, event)
    rows = arrange(z, time, event, np.zeros(n, dtype=np.int64), times, strata)
    weight = np.exp(beta @ rows.columns)
    sums = risk_sums(rows, weight)
    hazard = profile(sums, rows.first, beta, efron=True).hazard
    means = sums.s1 / sums.s0[:, None]
    covariance = np.linalg.inv(_sums(rows, beta, efron=True).information)
    each = [
        leverages(
            arrange(z[[i]], time[[i]], event[[i]], np.zeros(1, dtype=np.int64), times, strata),
            np.exp(z[[i]] @ beta),
            hazard,
            means,
            covariance,
        )[0]
        for i in range(n)
        if time[i] >= times[0]
    ]
    assert sum(each) == pytest.approx(p, rel=1e-9)
    together = leverages(rows, weight, hazard, means, covariance)
    assert sorted(together) == pytest.approx(sorted(each))


def test_packing() -> None:
    matrix = np.array([[1.0, 2.0], [2.0, 3.0]])
    assert pack_symmetric(matrix).tolist() == [1, 2, 3]
    assert unpack_symmetric(pack_symmetric(matrix), 2).tolist() == matrix.tolist()
