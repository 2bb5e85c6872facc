"""Data and the pooled oracle of statsmodels for the truth tests of regression models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines.datasets import load_gbsg2

from federation.query.codebook import Codebook

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


def outcomes(frame: pd.DataFrame, eta: Any, seed: int) -> pd.DataFrame:
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


def random(seed: int, n: int) -> pd.DataFrame:
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
    return outcomes(frame, eta, seed)


def gbsg() -> pd.DataFrame:
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


def missing() -> pd.DataFrame:
    frame = random(5, 500)
    rng = np.random.default_rng(6)
    for name in ("yes", "relapses", "crp", "followed", "age", "g", "h", "x"):
        frame[name] = frame[name].astype(object).where(rng.random(len(frame)) > 0.06, None)
    return frame


DATA = {"gbsg": gbsg(), "random": random(1, 400), "missing": missing(), "rare": random(9, 900)}
DATA["rare"]["yes"] &= np.random.default_rng(3).random(900) < 0.1

FORMULA = "age + marker + x + g*h"
TERMS = ["age", "marker", "x", "g[b]", "g[c]", "h[yes]", "g[b]:h[yes]", "g[c]:h[yes]"]


def spline(values: Any, knots: list[float]) -> list[Any]:
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


def design(frame: pd.DataFrame, used: list[str], terms: list[str]) -> tuple[Any, Any]:
    """Complete rows, and the matrix a library wants, columns named as our terms."""
    known = frame.dropna(subset=used).reset_index(drop=True)
    made = {"(intercept)": np.ones(len(known))}
    for term in terms:
        column = np.ones(len(known))
        for part in term.split(":"):
            name, _, rest = part.partition("[")
            if name.startswith("rcs("):
                variable = name[4:-1]
                basis = spline(known[variable], KNOTS[variable])
                column = column * basis[int(rest[:-1]) - 1]
            elif rest:
                column = column * (known[name] == rest[:-1]).to_numpy(float)
            else:
                variable, _, power = name.partition("^")
                column = column * known[variable].to_numpy(float) ** int(power or 1)
        made[term] = column
    return known, pd.DataFrame(made)


def oracle(
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


def compare(result: dict[str, Any], fitted: Any, names: list[str], *, exact: float = 1e-8) -> None:
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
