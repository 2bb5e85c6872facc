"""A random intercept per hospital over any split equals the likelihood of the joined rows.

Two oracles: the dense likelihood written out below, matrix by matrix, solved to the last digits;
and statsmodels' MixedLM within its own tolerance (its default optimiser; `lbfgs` diverges without
a word, so a finite likelihood is asserted).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize

from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.refusals import Refused

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "y": {"type": "number"},
            "age": {"type": "integer", "min": 18, "max": 110},
            "year": {"type": "number"},
            "x": {"type": "number", "min": -10, "max": 10},
            "g": {"type": "category", "levels": ["a", "b", "c", "never"]},
            "h": {"type": "category", "levels": ["no", "yes"]},
            "dead": {"type": "boolean"},
        },
    }
)
FORMULA = "y ~ age + year + x + g + h"
TERMS = ["(intercept)", "age", "year", "x", "g[b]", "g[c]", "h[yes]"]


def _random(seed: int, n: int, sites: int, between: float) -> list[pd.DataFrame]:
    """Hospitals of 2 to 5 patients, of one, of none, and large ones."""
    rng = np.random.default_rng(seed)
    sizes = np.array([2, 3, 5, 4, 1, 0, 2][: max(sites - 3, 0)])
    weights = rng.dirichlet(np.ones(sites - sizes.size))
    rest = rng.multinomial(n - sizes.sum(), weights)
    frames = []
    for size in [*sizes, *rest]:
        x = rng.normal(size=size)
        age = rng.integers(30, 90, size).astype(float)
        g = rng.choice(["a", "b", "c"], size)
        level = rng.normal(0, between)
        frames.append(
            pd.DataFrame(
                {
                    "age": age,
                    "year": rng.integers(2010, 2021, size).astype(float),
                    "x": x,
                    "g": g,
                    "h": rng.choice(["no", "yes"], size),
                    "y": 20 + 0.1 * age + 1.5 * x - (g == "c") + level + rng.normal(0, 3, size),
                }
            )
        )
    return frames


def _with_gaps(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    rng = np.random.default_rng(9)
    made = []
    for frame in frames:
        gapped = frame.copy()
        for name in ("y", "age", "g"):
            holes = rng.random(len(frame)) < 0.1
            gapped[name] = gapped[name].astype(object).where(~holes, None)
        made.append(gapped)
    return made


SPLITS = {
    "two hospitals": _random(1, 150, 2, 2.0),
    "three": _random(2, 200, 3, 2.0),
    "ten, some tiny": _random(3, 300, 10, 2.0),
    "eighteen, some tiny": _random(4, 400, 18, 1.0),
    "tiny ones only": [f.iloc[: 2 + i] for i, f in enumerate(_random(5, 400, 12, 3.0)[8:])],
    "hardly any difference": _random(6, 300, 10, 0.35),
    "great differences": _random(7, 300, 10, 60.0),
    "gaps": _with_gaps(_random(8, 300, 10, 2.0)),
}


@dataclass
class Joined:
    """Complete rows of all hospitals: design with intercept, outcome, hospital."""

    x: np.ndarray
    y: np.ndarray
    site: np.ndarray

    @classmethod
    def of(cls, frames: list[pd.DataFrame]) -> Joined:
        rows = pd.concat([f.assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
        rows = rows.dropna(subset=["y", "age", "year", "x", "g", "h"])
        columns = [np.ones(len(rows)), *(rows[k].astype(float) for k in ("age", "year", "x"))]
        columns += [rows["g"] == "b", rows["g"] == "c", rows["h"] == "yes"]
        x = np.column_stack([np.asarray(c, dtype=float) for c in columns])
        return cls(x, rows["y"].to_numpy(float), rows["site"].to_numpy())


class Dense:
    """The likelihood of Laird and Ware with whole n by n matrices."""

    def __init__(self, data: Joined, *, reml: bool) -> None:
        self.data, self.reml = data, reml
        self.same = (data.site[:, None] == data.site[None, :]).astype(float)
        n, q = data.x.shape
        self.freedom = n - q if reml else n

    def at(self, ratio: float) -> tuple[np.ndarray, np.ndarray, float, float, float]:
        """beta, its covariance, residual variance, log likelihood, derivative in the ratio."""
        x, y = self.data.x, self.data.y
        v = np.eye(len(y)) + ratio * self.same
        inverse = np.linalg.inv(v)
        covariance = np.linalg.inv(x.T @ inverse @ x)
        beta = covariance @ x.T @ inverse @ y
        left = (y - x @ beta) @ inverse @ (y - x @ beta)
        residual = left / self.freedom
        deviance = self.freedom * (np.log(2 * np.pi * residual) + 1) + np.linalg.slogdet(v)[1]
        project = inverse - inverse @ x @ covariance @ x.T @ inverse
        trace = np.sum((project if self.reml else inverse) * self.same)
        slope = trace - self.freedom * (y @ project @ self.same @ project @ y) / left
        if self.reml:
            deviance -= np.linalg.slogdet(covariance)[1]
        return beta, residual * covariance, residual, -deviance / 2, -slope / 2

    def best(self) -> float:
        if self.at(0.0)[4] <= 0:
            return 0.0
        top = 1e-6
        while self.at(top)[4] > 0:
            top *= 10
        return float(
            optimize.brentq(lambda r: self.at(r)[4], top / 10, top, xtol=1e-15, rtol=1e-14)
        )


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("split", SPLITS)
def test_equals_the_dense_likelihood(split: str, reml: bool, federation: Any) -> None:
    data = Joined.of(SPLITS[split])
    dense = Dense(data, reml=reml)
    ratio = dense.best()
    beta, covariance, residual, loglik, _ = dense.at(ratio)
    fed = federation(SPLITS[split], CODEBOOK)
    result = fed.ask("mixed", formula=FORMULA, reml=reml)
    assert fed.rounds <= 20
    assert result["n"] == len(data.y)
    assert result["method"] == ("reml" if reml else "ml")
    terms = [t for t in result["terms"] if t["estimate"] is not None]
    assert [t["term"] for t in terms] == TERMS
    se = np.sqrt(np.diag(covariance))
    # Years are far from 0, so the dense oracle itself keeps about ten digits.
    assert np.abs([t["estimate"] for t in terms] - beta).max() < 1e-6 * np.abs(beta).max()
    assert (np.abs([t["estimate"] for t in terms] - beta) / se).max() < 1e-7
    assert [t["se"] for t in terms] == pytest.approx(se.tolist(), rel=1e-7)
    assert result["variance"]["residual"] == pytest.approx(residual, rel=1e-8)
    assert result["variance"]["between"] == pytest.approx(ratio * residual, rel=1e-6, abs=1e-12)
    assert result["icc"] == pytest.approx(ratio / (1 + ratio), rel=1e-6, abs=1e-12)
    assert result["loglik"] == pytest.approx(loglik, abs=1e-7)
    chi2 = 2 * (loglik - dense.at(0.0)[3])
    assert result["between_test"]["chi2"] == pytest.approx(chi2, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("split", ["gaps", "ten, some tiny", "eighteen, some tiny"])
def test_equals_statsmodels(split: str, reml: bool, federation: Any) -> None:
    data = Joined.of(SPLITS[split])
    fitted = sm.MixedLM(data.y, data.x, groups=data.site).fit(reml=reml)
    assert np.isfinite(fitted.llf)
    result = federation(SPLITS[split], CODEBOOK).ask("mixed", formula=FORMULA, reml=reml)
    assert result["loglik"] == pytest.approx(fitted.llf, abs=1e-5)
    assert result["loglik"] >= fitted.llf - 1e-8
    terms = [t for t in result["terms"] if t["estimate"] is not None]
    found = np.array([t["estimate"] for t in terms])
    assert (np.abs(found - fitted.fe_params) / fitted.bse_fe).max() < 1e-3
    assert result["variance"]["between"] == pytest.approx(float(fitted.cov_re[0, 0]), rel=5e-3)
    assert result["variance"]["residual"] == pytest.approx(fitted.scale, rel=1e-4)


def test_no_difference_between_hospitals_is_said_and_is_least_squares(federation: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.tile(np.arange(10.0) - 5, 12)
    y = 2 * x + np.tile(rng.normal(size=10), 12)
    frames = [pd.DataFrame({"x": x[i::12], "y": y[i::12]}) for i in range(12)]
    # Every hospital has the same mean residual, so nothing is left to lie between them.
    frames = [f.assign(y=f["y"] - (f["y"] - 2 * f["x"]).mean()) for f in frames]
    released = federation(frames, CODEBOOK).release("mixed", formula="y ~ x")
    joined = pd.concat(frames)
    plain = sm.OLS(joined["y"], sm.add_constant(joined["x"])).fit()
    assert released.result["variance"]["between"] == 0.0
    assert released.result["icc"] == 0.0
    assert released.result["between_test"] == {"chi2": 0.0, "p": 1.0}
    assert any("lower bound" in text for text in released.warnings)
    found = [t["estimate"] for t in released.result["terms"]]
    assert found == pytest.approx(plain.params.tolist(), rel=1e-10, abs=1e-12)
    assert [t["se"] for t in released.result["terms"]] == pytest.approx(
        plain.bse.tolist(), rel=1e-10
    )


def test_the_known_answer_of_a_balanced_design(federation: Any) -> None:
    """With k hospitals of m patients REML equals the analysis of variance (Searle 1971)."""
    rng = np.random.default_rng(3)
    k, m = 8, 6
    y = rng.normal(0, 2, (k, 1)) + rng.normal(0, 1, (k, m)) + 5
    frames = [pd.DataFrame({"y": row, "x": rng.normal(size=m)}) for row in y]
    x = np.concatenate([f["x"] for f in frames])
    # An outcome that is free of x inside and between hospitals: take x out of it first.
    columns = np.column_stack([np.kron(np.eye(k), np.ones((m, 1)))])
    inside = x - columns @ (columns.T @ x) / m
    for i, frame in enumerate(frames):
        frame["x"] = inside[i * m : (i + 1) * m]
        frame["y"] = y[i]
    slope = inside @ y.ravel() / (inside @ inside)
    result = federation(frames, CODEBOOK).ask("mixed", formula="y ~ x")
    within = ((y.ravel() - columns @ y.mean(axis=1) - slope * inside) ** 2).sum() / (
        k * (m - 1) - 1
    )
    between = m * ((y.mean(axis=1) - y.mean()) ** 2).sum() / (k - 1)
    assert result["variance"]["residual"] == pytest.approx(within, rel=1e-9)
    assert result["variance"]["between"] == pytest.approx((between - within) / m, rel=1e-9)
    assert result["terms"][0]["estimate"] == pytest.approx(y.mean(), rel=1e-10)
    assert result["terms"][0]["se"] == pytest.approx(np.sqrt(between / (k * m)), rel=1e-9)


class TestNoFit:
    """Refused by name, or empty with a reason; never a nan."""

    def _refused(self, fed: Any, formula: str) -> Refused:
        with pytest.raises(Refused) as caught:
            fed.ask("mixed", formula=formula)
        return caught.value

    def test_one_hospital(self, federation: Any) -> None:
        released = federation([SPLITS["three"][0]], CODEBOOK).release("mixed", formula=FORMULA)
        assert released.result["n"] > 0
        assert not released.result["converged"]
        assert any("two hospitals" in text for text in released.warnings)

    def test_one_patient_in_each(self, federation: Any) -> None:
        frames = [SPLITS["three"][1].iloc[i : i + 1] for i in range(20)]
        released = federation(frames, CODEBOOK).release("mixed", formula="y ~ x")
        assert released.result["variance"] == {"between": None, "residual": None}

    def test_no_rows(self, federation: Any) -> None:
        empty = SPLITS["three"][0].iloc[:0]
        result = federation([empty] * 3, CODEBOOK).ask("mixed", formula=FORMULA)
        assert (result["n"], result["missing"]) == (0, 0)

    def test_nothing_varies_inside_hospitals(self, federation: Any) -> None:
        frames = [f.assign(y=float(i)) for i, f in enumerate(SPLITS["ten, some tiny"])]
        assert self._refused(federation(frames, CODEBOOK), FORMULA).code == "MODEL_UNSTABLE"

    def test_perfect_fit(self, federation: Any) -> None:
        frames = [f.assign(y=3 * f["x"] + 1) for f in SPLITS["three"]]
        assert self._refused(federation(frames, CODEBOOK), "y ~ x").code == "MODEL_UNSTABLE"

    def test_collinear(self, federation: Any) -> None:
        frames = [f.assign(year=2 * f["age"] + 1900) for f in SPLITS["three"]]
        refusal = self._refused(federation(frames, CODEBOOK), "y ~ age + year + x")
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("age", "year"))

    def test_constant_outcome(self, federation: Any) -> None:
        frames = [f.assign(y=1.0) for f in SPLITS["three"]]
        refusal = self._refused(federation(frames, CODEBOOK), "y ~ x")
        assert refusal.code == "MODEL_UNSTABLE"

    def test_more_terms_than_patients(self, federation: Any) -> None:
        frames = [f.iloc[:3] for f in SPLITS["three"][:2]]
        refusal = self._refused(federation(frames, CODEBOOK), "y ~ age + year + x + h + g")
        assert refusal.code == "MODEL_TOO_RICH"

    def test_an_outcome_that_is_no_number(self, federation: Any) -> None:
        with pytest.raises(QueryError, match="'dead' cannot be the outcome") as caught:
            federation(SPLITS["three"], CODEBOOK).ask("mixed", formula="dead ~ x")
        assert caught.value.where == "analysis.formula"

    def test_an_unused_level_is_left_out_and_said(self, federation: Any) -> None:
        released = federation(SPLITS["three"], CODEBOOK).release("mixed", formula=FORMULA)
        assert [t["term"] for t in released.result["terms"] if t["se"] is None] == ["g[never]"]
        assert any("g[never]" in text for text in released.warnings)


def test_units_do_not_matter(federation: Any) -> None:
    frames = SPLITS["ten, some tiny"]
    plain = federation(frames, CODEBOOK).ask("mixed", formula="y ~ x + age")
    moved = [f.assign(y=1e6 + f["y"] * 1e-3, x=f["x"] * 1e-6) for f in frames]
    other = federation(moved, CODEBOOK).ask("mixed", formula="y ~ x + age")
    assert other["icc"] == pytest.approx(plain["icc"], rel=1e-5)
    assert other["terms"][1]["estimate"] == pytest.approx(
        plain["terms"][1]["estimate"] * 1e3, rel=1e-5
    )
    assert other["variance"]["residual"] == pytest.approx(
        plain["variance"]["residual"] * 1e-6, rel=1e-5
    )


@pytest.mark.parametrize("reml", [True, False])
def test_no_ratio_on_a_fine_row_is_better(reml: bool, federation: Any) -> None:
    """Sixty splits of hospitals from 1 to 60 patients, from no difference to a thousandfold."""
    row = np.concatenate([[0.0], np.geomspace(1e-5, 1e6, 60)])
    rounds = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frames = []
        for size in rng.choice([1, 2, 3, 5, 8, 20, 60], rng.integers(4, 12)):
            x = rng.normal(rng.normal(), 1, size)
            level = rng.normal(0, [0, 0.3, 2, 1000][seed % 4])
            frames.append(pd.DataFrame({"x": x, "y": x + level + rng.standard_t(3, size)}))
        fed = federation(frames, CODEBOOK)
        result = fed.ask("mixed", formula="y ~ x", reml=reml)
        rounds.append(result["rounds"])
        rows = pd.concat([f.assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
        x = np.column_stack([np.ones(len(rows)), rows["x"]])
        dense = Dense(Joined(x, rows["y"].to_numpy(), rows["site"].to_numpy()), reml=reml)
        assert result["loglik"] >= max(dense.at(ratio)[3] for ratio in row) - 1e-7
    assert max(rounds) <= 20  # of the 25 that the strictest policy allows
