"""Linear, logistic and Poisson regression over any split equal statsmodels on the joined rows."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines.datasets import load_gbsg2

from federation.query.codebook import Codebook
from federation.query.refusals import Refused

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "yes": {"type": "boolean"},
            "side": {"type": "category", "levels": ["left", "right"]},
            "relapses": {"type": "integer", "min": 0, "max": 1000},
            "crp": {"type": "number", "min": -1000, "max": 1000},
            "far": {"type": "number"},
            "followed": {"type": "duration", "unit": "days", "min": 0, "max": 5000},
            "age": {"type": "integer", "min": 18, "max": 110, "knots": [35, 50, 60, 70, 82]},
            "marker": {"type": "number", "min": 0, "max": 5000, "knots": [5, 50, 500]},
            "x": {"type": "number", "min": -10, "max": 10},
            "g": {"type": "category", "levels": ["a", "b", "c", "never"]},
            "h": {"type": "category", "levels": ["no", "yes"]},
        },
    }
)
SPLITS = [1, 2, 10, 18]
KNOTS = {"age": [35.0, 50, 60, 70, 82], "marker": [5.0, 50, 500]}


def _outcomes(frame: pd.DataFrame, eta: Any, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = len(frame)
    followed = rng.uniform(10, 4000, n).round()
    return frame.assign(
        yes=rng.random(n) < 1 / (1 + np.exp(-eta)),
        side=np.where(rng.random(n) < 1 / (1 + np.exp(0.5 * eta)), "right", "left"),
        relapses=rng.poisson(followed / 1000 * np.exp(eta)).astype(float),
        crp=5 * eta + rng.normal(size=n) * 3,
        far=1e6 + 5 * eta + rng.normal(size=n),
        followed=followed,
    )


def _random(seed: int, n: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(30, 90, n).astype(float),
            "marker": np.exp(rng.normal(4, 1.5, n)).clip(max=4999),
            "x": rng.normal(size=n),
            "g": rng.choice(["a", "b", "c"], n),
            "h": rng.choice(["no", "yes"], n),
        }
    )
    eta = 0.03 * (frame["age"] - 60) + 0.5 * (frame["g"] == "c") + 0.6 * frame["x"] - 0.3
    return _outcomes(frame, eta, seed)


def _gbsg() -> pd.DataFrame:
    frame = load_gbsg2()
    return pd.DataFrame(
        {
            "yes": frame["cens"] == 1,
            "side": np.where(frame["menostat"] == "Pre", "left", "right"),
            "relapses": frame["pnodes"].astype(float),
            "crp": frame["estrec"].astype(float).clip(upper=990),
            "far": 1e6 + frame["time"].astype(float),
            "followed": frame["time"].astype(float),
            "age": frame["age"].astype(float),
            "marker": frame["progrec"].astype(float),
            "x": frame["tsize"] / 20,
            "g": frame["tgrade"].map({"I": "a", "II": "b", "III": "c"}),
            "h": frame["horTh"],
        }
    )


def _missing() -> pd.DataFrame:
    frame = _random(5, 500)
    rng = np.random.default_rng(6)
    for name in ("yes", "relapses", "crp", "followed", "age", "g", "h", "x"):
        frame[name] = frame[name].astype(object).where(rng.random(len(frame)) > 0.06, None)
    return frame


DATA = {"gbsg": _gbsg(), "random": _random(1, 400), "missing": _missing(), "rare": _random(9, 900)}
DATA["rare"]["yes"] &= np.random.default_rng(3).random(900) < 0.1

FORMULA = "age + marker + x + g*h"
TERMS = ["age", "marker", "x", "g[b]", "g[c]", "h[yes]", "g[b]:h[yes]", "g[c]:h[yes]"]


def _spline(values: Any, knots: list[float]) -> list[Any]:
    """Harrell's basis, written from the book's formula and not from our code."""
    x = np.asarray(values, dtype=float)
    t, k = knots, len(knots)
    made = [x]
    for j in range(k - 2):
        terms = np.clip(x - t[j], 0, None) ** 3
        terms -= np.clip(x - t[k - 2], 0, None) ** 3 * (t[k - 1] - t[j]) / (t[k - 1] - t[k - 2])
        terms += np.clip(x - t[k - 1], 0, None) ** 3 * (t[k - 2] - t[j]) / (t[k - 1] - t[k - 2])
        made.append(terms / (t[k - 1] - t[0]) ** 2)
    return made


def _design(frame: pd.DataFrame, used: list[str], terms: list[str]) -> tuple[Any, Any]:
    """Complete rows, and the matrix a library wants, columns named as our terms."""
    known = frame.dropna(subset=used).reset_index(drop=True)
    made = {"(intercept)": np.ones(len(known))}
    for term in terms:
        column = np.ones(len(known))
        for part in term.split(":"):
            name, _, rest = part.partition("[")
            if name.startswith("rcs("):
                variable = name[4:-1]
                basis = _spline(known[variable], KNOTS[variable])
                column = column * basis[int(rest[:-1]) - 1]
            elif rest:
                column = column * (known[name] == rest[:-1]).to_numpy(float)
            else:
                variable, _, power = name.partition("^")
                column = column * known[variable].to_numpy(float) ** int(power or 1)
        made[term] = column
    return known, pd.DataFrame(made)


def _oracle(
    family: str,
    known: pd.DataFrame,
    matrix: pd.DataFrame,
    response: str,
    *,
    offset: bool,
    **fit: Any,
) -> Any:
    y = known[response].to_numpy()
    if response == "side":
        y = y == "right"
    y = y.astype(float)
    if family == "gaussian":
        return sm.OLS(y, matrix).fit(**fit)
    kind = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}[family]()
    exposure = known["followed"].to_numpy(float) if offset else None
    # by the parameters: at a deviance that no longer moves, standard errors are still off
    exact = {"tol_criterion": "params", "tol": 1e-11, "maxiter": 200}
    return sm.GLM(y, matrix, family=kind, exposure=exposure).fit(**exact, **fit)


def _compare(result: dict[str, Any], fitted: Any, names: list[str], *, exact: float = 1e-8) -> None:
    terms = {t["term"]: t for t in result["terms"] if t["estimate"] is not None}
    assert list(terms) == ["(intercept)", *names]
    limits = fitted.conf_int()
    for name, term in terms.items():
        se = fitted.bse[name]
        assert term["estimate"] == pytest.approx(fitted.params[name], rel=exact, abs=exact * se)
        assert term["se"] == pytest.approx(se, rel=exact)
        assert term["z"] == pytest.approx(fitted.tvalues[name], rel=exact, abs=exact)
        assert term["p"] == pytest.approx(fitted.pvalues[name], rel=1e-6, abs=1e-12)
        bounds = (term["ci_low"], term["ci_high"])
        assert bounds == pytest.approx(limits.loc[name].to_numpy(), rel=exact, abs=exact * se)
        if result["family"] == "gaussian":
            assert term["exp"] is None
        else:
            assert term["exp"] == pytest.approx(np.exp(term["estimate"]), rel=1e-12)
    assert result["loglik"] == pytest.approx(fitted.llf, rel=1e-11)
    assert result["aic"] == pytest.approx(fitted.aic, rel=1e-11)
    assert result["df_resid"] == fitted.df_resid
    assert result["converged"] is True
    if result["family"] == "gaussian":
        assert result["deviance"] == pytest.approx(fitted.ssr, rel=1e-10)
        assert result["sigma"] == pytest.approx(np.sqrt(fitted.mse_resid), rel=1e-10)
        assert result["r2"] == pytest.approx(fitted.rsquared, rel=1e-9)
    else:
        assert result["deviance"] == pytest.approx(fitted.deviance, rel=1e-10)


CASES = [
    ("gaussian", "crp", None),
    ("binomial", "yes", None),
    ("binomial", "side", None),
    ("poisson", "relapses", None),
    ("poisson", "relapses", "followed"),
    ("poisson", "yes", "followed"),
]


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize(("family", "response", "offset"), CASES)
@pytest.mark.parametrize("data", DATA)
def test_any_split_equals_the_pooled_model(
    data: str,
    family: str,
    response: str,
    offset: str | None,
    sites: int,
    robust: bool,
    federation: Any,
    split: Any,
) -> None:
    frame = DATA[data]
    used = ["age", "marker", "x", "g", "h", response, *([offset] if offset else [])]
    known, matrix = _design(frame, used, TERMS)
    fit = {"cov_type": "HC0"} if robust else {}
    fitted = _oracle(family, known, matrix, response, offset=offset is not None, **fit)
    result = federation(split(frame, sites), CODEBOOK).ask(
        "regression",
        family=family,
        formula=f"{response} ~ {FORMULA}",
        robust=robust,
        **({"offset": offset} if offset else {}),
    )
    assert (result["n"], result["missing"]) == (len(known), len(frame) - len(known))
    assert result["robust"] is robust
    if response in ("yes", "side"):
        positive = "right" if response == "side" else True
        assert result["events"] == (known[response] == positive).sum()
    else:
        assert "events" not in result
    _compare(result, fitted, TERMS)


BENT = {
    "age + age^2": ["age", "age^2"],
    "age + age^2 + age^3 + h": ["age", "age^2", "age^3", "h[yes]"],
    "x + x^2 + x:age + x^2:age + age": ["x", "x^2", "age", "x:age", "x^2:age"],
    "age*h + age^2*h": ["age", "h[yes]", "age^2", "age:h[yes]", "age^2:h[yes]"],
    "x + x^2 + age + age^2 + x:age + x^2:age + x:age^2 + x^2:age^2": [
        *("x", "x^2", "age", "age^2", "x:age", "x^2:age", "x:age^2", "x^2:age^2")
    ],
    "rcs(age)": ["rcs(age)[1]", "rcs(age)[2]", "rcs(age)[3]", "rcs(age)[4]"],
    "rcs(marker, knots) + rcs(age) + x": [
        *("rcs(marker)[1]", "rcs(marker)[2]"),
        *(f"rcs(age)[{k}]" for k in range(1, 5)),
        "x",
    ],
    "rcs(age)*h": [
        *(f"rcs(age)[{k}]" for k in range(1, 5)),
        "h[yes]",
        *(f"rcs(age)[{k}]:h[yes]" for k in range(1, 5)),
    ],
}


@pytest.mark.parametrize("sites", [1, 10])
@pytest.mark.parametrize("formula", BENT)
@pytest.mark.parametrize(
    ("family", "response"), [("gaussian", "crp"), ("binomial", "yes"), ("poisson", "relapses")]
)
def test_powers_and_splines(
    family: str, response: str, formula: str, sites: int, federation: Any, split: Any
) -> None:
    names = BENT[formula]
    known, matrix = _design(DATA["random"], [response], names)
    fitted = _oracle(family, known, matrix, response, offset=False)
    result = federation(split(DATA["random"], sites), CODEBOOK).ask(
        "regression", family=family, formula=f"{response} ~ {formula}"
    )
    # statsmodels works on the powers themselves, and loses digits that ours keeps
    _compare(result, fitted, names, exact=1e-6 if "^" in formula else 1e-8)


@pytest.mark.parametrize("sites", SPLITS)
def test_an_outcome_far_from_nought(sites: int, federation: Any, split: Any) -> None:
    known, matrix = _design(DATA["random"], ["far"], TERMS)
    # statsmodels loses digits to the distance, so it gets the outcome without it
    fitted = sm.OLS(known["far"] - 1e6, matrix).fit()
    result = federation(split(DATA["random"], sites), CODEBOOK).ask(
        "regression", family="gaussian", formula=f"far ~ {FORMULA}"
    )
    terms = [t for t in result["terms"] if t["estimate"] is not None]
    found = np.array([t["estimate"] for t in terms]) - np.eye(len(terms))[0] * 1e6
    assert found == pytest.approx(fitted.params.to_numpy(), rel=1e-7)
    assert [t["se"] for t in terms] == pytest.approx(fitted.bse.tolist(), rel=1e-8)
    assert result["deviance"] == pytest.approx(fitted.ssr, rel=1e-9)


def test_powers_of_years_are_more_exact_than_the_oracle(federation: Any, split: Any) -> None:
    """Against the same model in well-scaled powers, whose curve must be the same."""
    book = Codebook.from_dict(
        {
            "codebook": "made/1",
            "variables": {
                "year": {"type": "integer", "min": 2000, "max": 2030},
                "crp": {"type": "number", "min": -1000, "max": 1000},
            },
        }
    )
    rng = np.random.default_rng(2)
    year = rng.integers(2010, 2021, 600).astype(float)
    shifted = year - 2015
    crp = shifted + 0.3 * shifted**2 - 0.05 * shifted**3 + rng.normal(size=600)
    frame = pd.DataFrame({"year": year, "crp": crp})
    columns = np.column_stack([np.ones(600), shifted, shifted**2, shifted**3])
    fitted = sm.OLS(crp, columns).fit()
    result = federation(split(frame, 5), book).ask(
        "regression", family="gaussian", formula="crp ~ year + year^2 + year^3"
    )
    cubic = result["terms"][3]
    assert cubic["estimate"] == pytest.approx(fitted.params[3], rel=1e-9)
    assert cubic["se"] == pytest.approx(fitted.bse[3], rel=1e-9)
    assert result["loglik"] == pytest.approx(fitted.llf, rel=1e-11)


def test_every_split_gives_nearly_the_same_bits(federation: Any, split: Any) -> None:
    answers = [
        federation(split(DATA["gbsg"], sites, seed), CODEBOOK).ask(
            "regression", family="binomial", formula=f"yes ~ {FORMULA}"
        )
        for sites, seed in [(1, 1), (2, 2), (10, 3), (18, 4)]
    ]
    for answer in answers[1:]:
        for one, other in zip(answer["terms"], answers[0]["terms"], strict=True):
            if one["estimate"] is not None:
                assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-11, abs=1e-13)


class TestOddSplits:
    """Hospitals without rows, with a handful, or with one level only."""

    @pytest.mark.parametrize(
        ("family", "response"), [("gaussian", "crp"), ("binomial", "yes"), ("poisson", "relapses")]
    )
    def test_tiny_and_empty_hospitals(self, family: str, response: str, federation: Any) -> None:
        frame = DATA["random"]
        bounds = [0, 0, 1, 3, 6, 10, 15, 15, 400]
        frames = [frame.iloc[a:b] for a, b in pairwise(bounds)]
        known, matrix = _design(frame, [response], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family=family, formula=f"{response} ~ {FORMULA}"
        )
        _compare(result, _oracle(family, known, matrix, response, offset=False), TERMS)

    @pytest.mark.parametrize(
        ("family", "response"), [("gaussian", "crp"), ("binomial", "yes"), ("poisson", "relapses")]
    )
    def test_each_hospital_has_one_level(self, family: str, response: str, federation: Any) -> None:
        frame = DATA["random"]
        frames = [part for _, part in frame.groupby(["g", "h"])]
        known, matrix = _design(frame, [response], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family=family, formula=f"{response} ~ {FORMULA}"
        )
        _compare(result, _oracle(family, known, matrix, response, offset=False), TERMS)

    def test_each_hospital_has_one_outcome(self, federation: Any) -> None:
        frame = DATA["random"]
        frames = [part for _, part in frame.groupby("yes")]
        known, matrix = _design(frame, ["yes"], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family="binomial", formula=f"yes ~ {FORMULA}"
        )
        _compare(result, _oracle("binomial", known, matrix, "yes", offset=False), TERMS)


def test_negative_counts_and_no_time_are_missing(federation: Any) -> None:
    book = Codebook.from_dict(
        {
            "codebook": "made/1",
            "variables": {
                "k": {"type": "number"},
                "t": {"type": "duration", "unit": "days", "min": 0, "max": 100},
                "x": {"type": "number"},
            },
        }
    )
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"k": rng.poisson(2, 60) * 1.0, "t": rng.uniform(1, 9, 60), "x": rng.normal(size=60)}
    )
    odd = frame.copy()
    odd.loc[:2, "k"] = -1.0
    odd.loc[5:9, "t"] = 0.0
    used = frame.drop([0, 1, 2, 5, 6, 7, 8, 9])
    params = {"family": "poisson", "formula": "k ~ x", "offset": "t"}
    found = federation([odd], book).ask("regression", **params)
    expected = federation([used], book).ask("regression", **params)
    assert (found["n"], found["missing"]) == (52, 8)
    assert found["terms"] == expected["terms"]


def test_fractions_count_like_whole_numbers(federation: Any, split: Any) -> None:
    frame = DATA["random"].assign(crp=lambda f: (f["marker"] / 100).round(3))
    known, matrix = _design(frame, ["crp"], ["age", "x"])
    fitted = _oracle("poisson", known, matrix, "crp", offset=False)
    result = federation(split(frame, 3), CODEBOOK).ask(
        "regression", family="poisson", formula="crp ~ age + x"
    )
    _compare(result, fitted, ["age", "x"])


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
