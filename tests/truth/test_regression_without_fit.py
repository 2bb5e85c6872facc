"""Regression models that have no fit, or hardly one: refused by name, or said to be so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from regression_oracle import (
    CODEBOOK,
    DATA,
)

from federation.query.refusals import Refused


def _refused(fed: Any, **params: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        fed.ask("regression", **params)
    return caught.value


@pytest.mark.parametrize(
    ("family", "response"), [("gaussian", "crp"), ("binomial", "yes"), ("poisson", "relapses")]
)
@pytest.mark.parametrize("sites", [1, 10])
class TestNoFit:
    """A model without an answer is refused by name, or empty; never a nan, never a LinAlgError."""

    def test_constant_column(
        self, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        fed = federation(split(DATA["random"].assign(x=2.5), sites), CODEBOOK)
        refusal = _refused(fed, family=family, formula=f"{response} ~ age + x")
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("x",))

    def test_collinear_columns(
        self, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        frame = DATA["random"].assign(marker=lambda f: 2 * f["age"] + 19)
        fed = federation(split(frame, sites), CODEBOOK)
        refusal = _refused(fed, family=family, formula=f"{response} ~ age + marker + x")
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("age", "marker"))

    def test_no_reference_level(
        self, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        frame = DATA["random"][lambda f: f["g"] != "a"].reset_index(drop=True)
        refusal = _refused(
            federation(split(frame, sites), CODEBOOK),
            family=family,
            formula=f"{response} ~ g + x",
        )
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("g[b]", "g[c]"))

    def test_more_terms_than_patients(
        self, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        frame = DATA["random"].iloc[:5]
        fed = federation(split(frame, sites), CODEBOOK)
        refusal = _refused(fed, family=family, formula=f"{response} ~ rcs(age) + x + marker")
        assert refusal.code in ("MODEL_TOO_RICH", "MODEL_UNSTABLE")

    @pytest.mark.parametrize("missing", ["outcome", "age", "g"])
    def test_everything_missing(
        self, missing: str, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        gone = response if missing == "outcome" else missing
        fed = federation(split(DATA["random"].assign(**{gone: None}), sites), CODEBOOK)
        released = fed.release("regression", family=family, formula=f"{response} ~ age + g")
        assert (released.result["n"], released.result["missing"]) == (0, 400)
        assert {t["estimate"] for t in released.result["terms"]} == {None}
        assert released.result["converged"] is False
        assert released.warnings == [
            "Nothing was fitted: no patient has a value for everything in the model."
        ]

    def test_no_rows(
        self, family: str, response: str, sites: int, federation: Any, split: Any
    ) -> None:
        fed = federation([DATA["random"].iloc[:0]] * sites, CODEBOOK)
        result = fed.ask("regression", family=family, formula=f"{response} ~ age + g", robust=True)
        assert (result["n"], result["missing"], result["loglik"]) == (0, 0, None)


@pytest.mark.parametrize("sites", [1, 10])
class TestSeparation:
    def test_perfect(self, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["random"].assign(yes=lambda f: f["h"] == "yes")
        fed = federation(split(frame, sites), CODEBOOK)
        assert _refused(fed, family="binomial", formula="yes ~ age + h").code == "MODEL_UNSTABLE"

    def test_by_a_line(self, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["random"].assign(yes=lambda f: f["age"] > 60)
        fed = federation(split(frame, sites), CODEBOOK)
        assert _refused(fed, family="binomial", formula="yes ~ age").code == "MODEL_UNSTABLE"

    def test_of_one_level(self, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["random"].assign(yes=lambda f: f["yes"] & (f["g"] != "c"))
        fed = federation(split(frame, sites), CODEBOOK)
        assert _refused(fed, family="binomial", formula="yes ~ age + g").code == "MODEL_UNSTABLE"
        frame = DATA["random"].assign(relapses=lambda f: f["relapses"] * (f["g"] != "c"))
        fed = federation(split(frame, sites), CODEBOOK)
        assert _refused(fed, family="poisson", formula="relapses ~ g").code == "MODEL_UNSTABLE"

    @pytest.mark.parametrize(("value", "said"), [(False, "no patient"), (True, "every patient")])
    def test_one_outcome_only(
        self, value: bool, said: str, sites: int, federation: Any, split: Any
    ) -> None:
        fed = federation(split(DATA["random"].assign(yes=value), sites), CODEBOOK)
        released = fed.release("regression", family="binomial", formula="yes ~ age")
        assert released.result["terms"][0]["estimate"] is None
        assert said in released.warnings[0]


def test_an_unused_level_is_left_out_and_said(federation: Any) -> None:
    released = federation([DATA["random"]], CODEBOOK).release(
        "regression", family="gaussian", formula="crp ~ g*h + age"
    )
    empty = [t["term"] for t in released.result["terms"] if t["estimate"] is None]
    assert empty == ["g[never]", "g[never]:h[yes]"]
    assert any("g[never]" in text for text in released.warnings)


def test_a_saturated_line_has_no_errors(federation: Any) -> None:
    frame = DATA["random"].iloc[:3]
    result = federation([frame], CODEBOOK).ask(
        "regression", family="gaussian", formula="crp ~ age + x"
    )
    assert result["df_resid"] == 0
    assert {t["se"] for t in result["terms"]} == {None}
    assert all(np.isfinite(t["estimate"]) for t in result["terms"])


def test_a_constant_outcome(federation: Any) -> None:
    frame = DATA["random"].assign(crp=7.0)
    result = federation([frame], CODEBOOK).ask(
        "regression", family="gaussian", formula="crp ~ age + x"
    )
    estimates = [t["estimate"] for t in result["terms"]]
    assert estimates == pytest.approx([7.0, 0.0, 0.0], abs=1e-12)


def test_extreme_values_do_not_overflow(federation: Any) -> None:
    """A first step far too long is halved until the numbers fit again."""
    rng = np.random.default_rng(8)
    x = np.append(rng.normal(size=200) / 100, 9.9)
    frame = pd.DataFrame({"x": x, "relapses": np.append(rng.poisson(5, 200), 900.0)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = sm.add_constant(x)
        start = np.array([np.log(5.0), 0.5])
        fitted = sm.GLM(frame["relapses"], matrix, family=sm.families.Poisson()).fit(
            start_params=start, tol=1e-13
        )
    result = federation([frame], CODEBOOK).ask(
        "regression", family="poisson", formula="relapses ~ x"
    )
    estimates = [t["estimate"] for t in result["terms"]]
    assert estimates == pytest.approx(fitted.params.tolist(), rel=1e-8)
