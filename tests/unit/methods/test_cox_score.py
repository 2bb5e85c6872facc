"""The partial likelihood against sums written out one risk set at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.methods.cox_score import (
    arrange,
    joined_sums,
    leverages,
    local_sums,
    own_cells,
    own_sums,
    pack_symmetric,
    profile,
    risk_sums,
    stratum_starts,
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


@pytest.mark.parametrize("efron", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_sums_equal_the_definition(seed: int, efron: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    z, time = rng.normal(size=(n, 3)), np.floor(rng.exponential(6, n))
    event, beta = rng.random(n) < 0.6, rng.normal(size=3)
    times, strata = own_cells(time, event)
    rows = arrange(z, time, event, np.zeros(n, dtype=np.int64), times, strata)
    found = local_sums(rows, beta, efron=efron)
    expected = _written_out(z, time, event, beta, efron=efron)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("large", [600.0, -600.0])
def test_large_predictors_stay_finite_within_a_site(large: float) -> None:
    z = np.array([[1.0], [0.0], [1.0], [0.0]])
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=bool)
    times, strata = own_cells(time, event)
    rows = arrange(z, time, event, np.zeros(4, dtype=np.int64), times, strata)
    loglik, score, information = local_sums(rows, np.array([large]), efron=True)
    assert np.isfinite([loglik, *score, *information.ravel()]).all()


def test_strata_do_not_mix() -> None:
    rng = np.random.default_rng(3)
    z, time = rng.normal(size=(40, 2)), rng.integers(1, 8, 40).astype(np.float64)
    event, stratum = rng.random(40) < 0.7, rng.integers(0, 2, 40)
    pairs = np.unique(np.column_stack((stratum, time))[event], axis=0)
    beta = np.array([0.3, -0.2])
    together = arrange(z, time, event, stratum, pairs[:, 1], pairs[:, 0].astype(np.int64))
    found = local_sums(together, beta, efron=True)
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
        return dataclasses.replace(
            rows,
            all=dataclasses.replace(rows.all, z=rows.z[:, :2]),
            deaths=dataclasses.replace(rows.deaths, z=rows.deaths.z[:, :2]),
        ), rows.z[:, 2]

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
    weight = np.exp(rows.z @ beta)
    sums = risk_sums(rows, weight)
    hazard = profile(sums, rows.first, beta, efron=True).hazard
    means = sums.s1 / sums.s0[:, None]
    covariance = np.linalg.inv(local_sums(rows, beta, efron=True)[2])
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
