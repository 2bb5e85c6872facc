"""The pure core of generalised linear models, against sums written out row by row."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from federation.methods.cox_score import unpack_symmetric
from federation.methods.glm import (
    FAMILIES,
    GlmRows,
    check_local,
    check_pooled,
    leverages,
    local_sums,
    mean_of,
    meat,
    null_predictor,
    null_sums,
    residual_shares,
    start_weight,
    weights_of,
)
from federation.methods.glm_leverage import heavy_sums
from federation.methods.leverage import check_leverage
from federation.query.refusals import Refused
from federation.query.terms import Terms

ITER = Terms.strict().iter
Floats = npt.NDArray[np.float64]


def _rows(family: str, n: int, seed: int = 1, *, offset: bool = False) -> GlmRows:
    rng = np.random.default_rng(seed)
    columns = np.vstack([np.ones(n), rng.normal(size=(2, n))])
    eta = 0.5 * columns[1] - 0.2
    y = {
        "gaussian": eta + rng.normal(size=n),
        "binomial": (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": rng.poisson(np.exp(eta)).astype(float),
    }[family]
    return GlmRows(columns, y, rng.normal(size=n) if offset else None)


def _written_out(family: str, rows: GlmRows, beta: Floats, null: float) -> tuple[Any, ...]:
    loglik, score, information = 0.0, np.zeros(3), np.zeros((3, 3))
    weights = []
    for i in range(rows.n):
        x = rows.columns[:, i]
        eta = float(x @ beta) + null + (0.0 if rows.offset is None else float(rows.offset[i]))
        y = float(rows.y[i])
        if family == "gaussian":
            mu, w = eta, 1.0
            loglik -= (y - mu) ** 2 / 2
        elif family == "poisson":
            mu = w = math.exp(eta)
            loglik += y * eta - mu
        else:
            mu = 1 / (1 + math.exp(-eta))
            w = mu * (1 - mu)
            loglik += y * math.log(mu) + (1 - y) * math.log(1 - mu)
        score += x * (y - mu)
        information += w * np.outer(x, x)
        weights.append(w)
    return loglik, score, information, sum(weights), sum(w * w for w in weights)


@pytest.mark.parametrize("n", [0, 1, 50, 5000])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_sums_equal_the_definition(family: str, offset: bool, n: int) -> None:
    if offset and family != "poisson":
        return
    rows = _rows(family, n, offset=offset)
    beta, null = np.array([0.1, 0.3, -0.4]), -0.25
    found = local_sums(family, rows, beta, null)
    loglik, score, information, weight, square = _written_out(family, rows, beta, null)
    assert found.loglik == pytest.approx(loglik, rel=1e-10, abs=1e-12)
    assert found.score == pytest.approx(score, rel=1e-9, abs=1e-10)
    assert found.information == pytest.approx(information, rel=1e-10, abs=1e-12)
    assert (found.weight, found.square) == pytest.approx((weight, square), rel=1e-10)
    sums = found.sums()
    assert unpack_symmetric(sums["information"], 3) == pytest.approx(information, abs=1e-9)
    assert sums["runaway"].tolist() == [0]
    assert "information" not in found.sums(information=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_do_not_follow_from_the_rows(family: str) -> None:
    made = [local_sums(family, _rows(family, n), np.zeros(3), 0.0).sums() for n in (0, 1, 9)]
    shapes = [{k: (v.shape, v.dtype) for k, v in sums.items()} for sums in made]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("slope", [1e3, -1e3, 1e308])
def test_sums_that_outgrow_fixed_point_are_said_to(slope: float) -> None:
    sums = local_sums("poisson", _rows("poisson", 50), np.array([0.0, slope, 0.0]), 0.0).sums()
    assert sums["runaway"].tolist() == [1]
    assert all(np.all(array == 0) for name, array in sums.items() if name != "runaway")


@pytest.mark.parametrize("slope", [1e3, -1e3])
def test_a_logistic_model_never_overflows(slope: float) -> None:
    rows = _rows("binomial", 50)
    found = local_sums("binomial", rows, np.array([0.0, slope, 0.0]), 0.0)
    assert np.isfinite([found.loglik, *found.score, *found.information.ravel()]).all()
    assert found.sums()["runaway"].tolist() == [0]


@pytest.mark.parametrize("family", FAMILIES)
def test_means_and_weights(family: str) -> None:
    eta = np.array([-800.0, -2.0, 0.0, 3.0])
    step = 1e-6
    slope = (mean_of(family, eta + step) - mean_of(family, eta - step)) / (2 * step)
    assert weights_of(family, eta) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_the_null_model() -> None:
    assert null_predictor("gaussian", 10, 3.0, 10.0) == 0.0
    assert null_predictor("binomial", 100, 20.0, 100.0) == pytest.approx(math.log(0.25))
    assert null_predictor("poisson", 100, 20.0, 4000.0) == pytest.approx(math.log(0.005))


@pytest.mark.parametrize("family", FAMILIES)
def test_leverages_add_up_to_the_number_of_coefficients(family: str) -> None:
    rows = _rows(family, 6000, offset=family == "poisson")
    beta = np.array([0.1, 0.3, -0.4])
    found = local_sums(family, rows, beta, 0.2)
    shares = leverages(family, rows, beta, 0.2, np.linalg.inv(found.information))
    assert shares.sum() == pytest.approx(3.0, rel=1e-10)
    assert shares.min() > 0


def test_leverage_and_residual_share_are_the_leverage_beside_the_outcome() -> None:
    rows = _rows("gaussian", 80)
    x = rows.columns.T
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ rows.y
    rest = float(((rows.y - x @ beta) ** 2).sum())
    together = leverages("gaussian", rows, beta, 0.0, inverse) + residual_shares(rows, beta, rest)
    wide = np.column_stack([x, rows.y])
    expected = np.einsum("ij,jk,ik->i", wide, np.linalg.inv(wide.T @ wide), wide)
    assert together == pytest.approx(expected, rel=1e-9)
    assert residual_shares(rows, beta, 0.0).tolist() == [0.0] * 80


@pytest.mark.parametrize("family", FAMILIES)
def test_the_middle_of_the_sandwich(family: str) -> None:
    rows = _rows(family, 90)
    beta = np.array([0.1, 0.3, -0.4])
    mu = mean_of(family, beta @ rows.columns + 0.2)
    gradients = rows.columns * (rows.y - mu)
    assert meat(family, rows, beta, 0.2) == pytest.approx(gradients @ gradients.T, rel=1e-10)
    people = np.arange(90) // 3
    summed = gradients.reshape(3, 30, 3).sum(axis=2)
    clustered = dataclasses.replace(rows, people=people)
    assert meat(family, clustered, beta, 0.2) == pytest.approx(summed @ summed.T, rel=1e-10)
    assert meat(family, _rows(family, 0), beta, 0.2).tolist() == np.zeros((3, 3)).tolist()


@pytest.mark.parametrize("n", [0, 1, 5000])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_point_without_exponentials(family: str, offset: bool, n: int) -> None:
    if offset and family != "poisson":
        return
    rows = _rows(family, n, offset=offset)
    null = 0.0 if family == "gaussian" else -0.4
    expected = local_sums(family, rows, np.zeros(3), null)
    found, squares = null_sums(family, rows, null)
    for name in ("loglik", "score", "information", "weight", "square", "largest"):
        wanted = getattr(expected, name)
        assert getattr(found, name) == pytest.approx(wanted, rel=1e-10, abs=1e-9), name
    assert squares == pytest.approx((rows.columns**2).sum(axis=1), rel=1e-12)


@pytest.mark.parametrize("n", [30, 20_000])
@pytest.mark.parametrize("family", FAMILIES)
def test_leverages_not_worked_out_would_have_said_the_same(family: str, n: int) -> None:
    rows, beta, terms = _rows(family, n), np.array([0.1, 0.3, -0.4]), Terms.strict()
    found = local_sums(family, rows, beta, 0.2)
    covariance = np.linalg.inv(found.information)
    outcome = np.full(n, 1.0 / n) if family == "gaussian" else None
    shares = leverages(family, rows, beta, 0.2, covariance)
    assert shares.max() <= found.heaviest * rows.reach @ np.abs(covariance) @ rows.reach
    wanted = check_leverage(shares, rows.columns.T, None, terms, outcome)
    most = found.heaviest
    said = heavy_sums(family, rows, beta, 0.2, covariance, most, terms, outcome)
    assert {k: v.tolist() for k, v in said.items()} == {k: v.tolist() for k, v in wanted.items()}


def test_an_extreme_outcome_is_seen_among_many() -> None:
    rows, beta = _rows("gaussian", 20_000), np.zeros(3)
    covariance = np.linalg.inv(rows.columns @ rows.columns.T)
    outcome = np.zeros(20_000)
    outcome[7] = 0.6
    with pytest.raises(Refused):
        heavy_sums("gaussian", rows, beta, 0.0, covariance, 1.0, Terms.strict(), outcome)


class TestGuard:
    """Rule O9 at its edges."""

    def _found(self, **changes: float) -> Any:
        sums = local_sums("binomial", _rows("binomial", 100), np.zeros(3), 0.0)
        return dataclasses.replace(sums, **changes)

    @pytest.mark.parametrize(
        ("largest", "refused"), [(15.0, False), (15.001, True), (math.nan, True), (math.inf, True)]
    )
    def test_the_predictor(self, largest: float, refused: bool) -> None:
        self._judge(self._found(largest=largest), refused)

    @pytest.mark.parametrize(
        ("weight", "square", "refused"),
        [
            (0.24, 0.0576, True),  # one patient has all that is left, less than 0.01 of 25
            (0.26, 0.0676, False),  # more than 0.01
            (2.0, 4.0, False),  # one has all, but the hospital still tells a lot
            (0.24, 0.0057, False),  # little, spread over ten
            (0.24, 0.0058, True),  # spread over less than ten
            (25.0, 6.25, False),
        ],
    )
    def test_few_and_little(self, weight: float, square: float, refused: bool) -> None:
        self._judge(self._found(weight=weight, square=square), refused)

    def test_a_linear_model_has_no_weights(self) -> None:
        check_local(self._found(largest=1e6, weight=1.0, square=1.0), "gaussian", 1e9, ITER)
        check_pooled(np.array([1.0, 1.0]), "gaussian", 1e9, ITER)

    @pytest.mark.parametrize(
        ("weights", "refused"),
        [
            ([10.0, 10.0], False),  # ten alike
            ([9.99, 9.99], True),
            ([2.5, 0.1], False),  # a hundredth of 250 and more than ten
            ([2.49, 0.1], True),
            ([0.0, 0.0], True),
        ],
    )
    def test_all_hospitals_together(self, weights: list[float], refused: bool) -> None:
        if not refused:
            check_pooled(np.array(weights), "binomial", 250.0, ITER)
            return
        with pytest.raises(Refused) as caught:
            check_pooled(np.array(weights), "binomial", 250.0, ITER)
        assert caught.value.code == "MODEL_UNSTABLE"

    def _judge(self, found: Any, refused: bool) -> None:
        if not refused:
            check_local(found, "binomial", 25.0, ITER)
            return
        with pytest.raises(Refused) as caught:
            check_local(found, "binomial", 25.0, ITER)
        assert caught.value.code == "MODEL_UNSTABLE"


def test_the_weight_at_the_start() -> None:
    rows = _rows("poisson", 40, offset=True)
    assert start_weight("binomial", rows, 0.3) == 10.0
    assert start_weight("gaussian", rows, 0.3) == 40.0
    assert start_weight("poisson", rows, 0.3) == pytest.approx(np.exp(rows.offset + 0.3).sum())
    plain = dataclasses.replace(rows, offset=None)
    assert start_weight("poisson", plain, 0.3) == pytest.approx(40 * math.exp(0.3))
