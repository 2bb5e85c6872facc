"""Linear, logistic and Poisson regression over any split equal statsmodels on the joined rows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from regression_oracle import (
    CODEBOOK,
    DATA,
    FORMULA,
    SPLITS,
    TERMS,
    compare,
    design,
    oracle,
)

from federation.query.codebook import Codebook

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
    known, matrix = design(frame, used, TERMS)
    fit = {"cov_type": "HC0"} if robust else {}
    fitted = oracle(family, known, matrix, response, offset=offset is not None, **fit)
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
    compare(result, fitted, TERMS)


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
    known, matrix = design(DATA["random"], [response], names)
    fitted = oracle(family, known, matrix, response, offset=False)
    result = federation(split(DATA["random"], sites), CODEBOOK).ask(
        "regression", family=family, formula=f"{response} ~ {formula}"
    )
    # statsmodels works on the powers themselves, and loses digits that ours keeps
    compare(result, fitted, names, exact=1e-6 if "^" in formula else 1e-8)


@pytest.mark.parametrize("sites", SPLITS)
def test_an_outcome_far_from_nought(sites: int, federation: Any, split: Any) -> None:
    known, matrix = design(DATA["random"], ["far"], TERMS)
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
        known, matrix = design(frame, [response], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family=family, formula=f"{response} ~ {FORMULA}"
        )
        compare(result, oracle(family, known, matrix, response, offset=False), TERMS)

    @pytest.mark.parametrize(
        ("family", "response"), [("gaussian", "crp"), ("binomial", "yes"), ("poisson", "relapses")]
    )
    def test_each_hospital_has_one_level(self, family: str, response: str, federation: Any) -> None:
        frame = DATA["random"]
        frames = [part for _, part in frame.groupby(["g", "h"])]
        known, matrix = design(frame, [response], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family=family, formula=f"{response} ~ {FORMULA}"
        )
        compare(result, oracle(family, known, matrix, response, offset=False), TERMS)

    def test_each_hospital_has_one_outcome(self, federation: Any) -> None:
        frame = DATA["random"]
        frames = [part for _, part in frame.groupby("yes")]
        known, matrix = design(frame, ["yes"], TERMS)
        result = federation(frames, CODEBOOK).ask(
            "regression", family="binomial", formula=f"yes ~ {FORMULA}"
        )
        compare(result, oracle("binomial", known, matrix, "yes", offset=False), TERMS)


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
    known, matrix = design(frame, ["crp"], ["age", "x"])
    fitted = oracle("poisson", known, matrix, "crp", offset=False)
    result = federation(split(frame, 3), CODEBOOK).ask(
        "regression", family="poisson", formula="crp ~ age + x"
    )
    compare(result, fitted, ["age", "x"])
