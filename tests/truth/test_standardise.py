"""Observed against expected over any split equals the pooled logistic model of statsmodels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from federation.methods.base import Ask, Finished, Step
from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms
from tests.truth.conftest import Federation, rows_of

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110},
            "x": {"type": "number", "min": -10, "max": 10},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "died": {"type": "boolean"},
        },
    }
)
FORMULA = "age + x + g"
METHOD: Any = KINDS["standardise"]


def _made(seed: int, n: int, sites: int, between: float) -> list[pd.DataFrame]:
    """Large hospitals behind some of 2 to 5 patients and one without any."""
    rng = np.random.default_rng(seed)
    tiny = np.array([2, 3, 5, 4, 0][: max(sites - 4, 0)], dtype=int)
    rest = rng.multinomial(n - tiny.sum(), rng.dirichlet(np.full(sites - tiny.size, 3.0)))
    frames = []
    for size in [*tiny, *rest]:
        frame = pd.DataFrame(
            {
                "age": rng.integers(40, 90, size).astype(float),
                "x": rng.normal(rng.normal(0, 0.5), 1, size),
                "g": rng.choice(["a", "b", "c"], size),
            }
        )
        eta = -3 + 0.02 * frame["age"] + 0.6 * frame["x"] + 0.7 * (frame["g"] == "c")
        p = 1 / (1 + np.exp(-(eta + rng.normal(0, between))))
        frame["died"] = (rng.random(size) < p).astype(object)
        frames.append(frame)
    return frames


def _gaps(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    rng = np.random.default_rng(4)
    return [
        f.assign(
            **{k: f[k].astype(object).where(rng.random(len(f)) > 0.07, None) for k in ("died", "g")}
        )
        for f in frames
    ]


SPLITS = {
    "three": _made(1, 500, 3, 0.3),
    "ten, some tiny": _made(2, 1200, 10, 0.6),
    "eighteen, some tiny": _made(3, 1500, 18, 0.0),
    "great differences": _made(4, 3000, 12, 1.5),
    "gaps": _gaps(_made(5, 900, 9, 0.5)),
}


def _expected(frames: list[pd.DataFrame], formula: bool) -> tuple[pd.DataFrame, Any]:
    """n, observed, expected and variance per hospital, from one pooled model of statsmodels."""
    rows = pd.concat([f.assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    rows = rows.dropna(subset=["age", "x", "g", "died"] if formula else ["died"])
    y = rows["died"].astype(float)
    x = pd.DataFrame({"one": np.ones(len(rows))}, index=rows.index)
    if formula:
        x = x.assign(age=rows["age"], x=rows["x"], b=rows["g"] == "b", c=rows["g"] == "c")
    fitted = sm.GLM(y, x.astype(float), family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    p = fitted.predict(x.astype(float))
    made = pd.DataFrame({"site": rows["site"], "n": 1, "o": y, "e": p, "v": p * (1 - p)})
    return made.groupby("site").sum().reindex(range(len(frames)), fill_value=0.0), fitted


def _own(fed: Federation, ask: Ask, finished: Finished) -> list[dict[str, Any]]:
    """Each hospital's own answer."""
    found = []
    for i, frame in enumerate(fed.frames):
        at = dataclasses.replace(ask, site=f"s{i:02d}")
        own = METHOD.own_part(at, Step("standardise.own", finished.facts), rows_of(frame, CODEBOOK))
        shown = {t.name: np.ones(t.counts.shape, dtype=bool) for t in METHOD.tables(at, own)}
        found.append(METHOD.result(at, own, shown).result)
    return found


@pytest.mark.parametrize("formula", [FORMULA, None])
@pytest.mark.parametrize("split", SPLITS)
def test_equals_the_pooled_model(split: str, formula: str | None, federation: Any) -> None:
    frames = SPLITS[split]
    sites, fitted = _expected(frames, formula is not None)
    fed = federation(frames, CODEBOOK)
    result = fed.ask("standardise", outcome="died", formula=formula)
    assert result["n"] == sites["n"].sum()
    assert result["observed"] == sites["o"].sum()
    if formula:
        assert [t["term"] for t in result["terms"]] == ["(intercept)", "age", "x", "g[b]", "g[c]"]
        estimates = [t["estimate"] for t in result["terms"]]
        assert estimates == pytest.approx(fitted.params.tolist(), rel=1e-8)
        assert [t["se"] for t in result["terms"]] == pytest.approx(fitted.bse.tolist(), rel=1e-7)
        assert result["loglik"] == pytest.approx(fitted.llf, rel=1e-10)
    z = (sites["o"] - sites["e"]) / np.sqrt(sites["v"])
    known = sites[sites["v"] > 0].assign(z=z)
    low, high = np.quantile(known["z"], [0.1, 0.9])
    k = len(known)
    phi = (known["z"].clip(low, high) ** 2).sum() / k
    s2 = known["v"] / known["e"] ** 2
    w = 1 / s2
    tau2 = max(0.0, (k * phi - (k - 1)) / (w.sum() - (w**2).sum() / w.sum()))
    assert result["hospitals"] == k
    assert result["overdispersion"]["phi"] == pytest.approx(phi, rel=1e-8)
    assert result["overdispersion"]["tau2"] == pytest.approx(tau2, rel=1e-7, abs=1e-12)
    rank = tau2 / (tau2 + np.median(s2))
    assert result["rankability"]["value"] == pytest.approx(rank, rel=1e-7, abs=1e-12)
    assert result["rankability"]["may_rank"] == (rank > 0.75)


@pytest.mark.parametrize("formula", [FORMULA, None])
@pytest.mark.parametrize("split", SPLITS)
def test_each_hospital(split: str, formula: str | None, federation: Any) -> None:
    frames = SPLITS[split]
    sites, _ = _expected(frames, formula is not None)
    fed = federation(frames, CODEBOOK)
    ask, finished = fed.finish({"kind": "standardise", "outcome": "died", "formula": formula})
    p = sites["o"].sum() / sites["n"].sum()
    for own, row in zip(_own(fed, ask, finished), sites.itertuples(), strict=True):
        assert (own["n"], own["observed"]) == (row.n, row.o)
        assert own["expected"] == pytest.approx(row.e, rel=1e-9)
        if row.n == 0:
            assert own["ratio"] is None
            assert own["limits95"] == [None, None]
            continue
        assert own["ratio"] == pytest.approx(row.o / row.e, rel=1e-9)
        assert own["z"] == pytest.approx((row.o - row.e) / np.sqrt(row.v), rel=1e-7, abs=1e-9)
        for level, name in ((0.05, "limits95"), (0.002, "limits998")):
            # One event about the exact range of the binomial: nowhere is the outcome rare.
            events = np.array(own[name]) * row.e
            share = row.e / row.n if formula else p
            exact = stats.binom.ppf([level / 2, 1 - level / 2], row.n, share)
            assert np.abs(events - exact).max() <= 1 + 1e-9
        inside = own["limits95"][0] <= own["ratio"] <= own["limits95"][1]
        assert (own["outside"] == 0) == inside


def test_no_hospital_shows_in_the_pooled_answer(federation: Any) -> None:
    result = federation(SPLITS["three"], CODEBOOK).ask("standardise", outcome="died")
    assert not any(isinstance(value, list) and value for value in result.values())


def test_the_same_model_whatever_the_split(federation: Any) -> None:
    joined = pd.concat(SPLITS["gaps"], ignore_index=True)
    whole = federation([joined], CODEBOOK).ask("standardise", outcome="died", formula=FORMULA)
    parts = federation(SPLITS["gaps"], CODEBOOK).ask("standardise", outcome="died", formula=FORMULA)
    assert parts["observed"] == whole["observed"]
    for one, other in zip(parts["terms"], whole["terms"], strict=True):
        assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-9)
    assert whole["rankability"] == {"value": None, "word": None, "may_rank": False}


@pytest.mark.parametrize("formula", [FORMULA, None])
class TestNothingToCompare:
    @pytest.mark.parametrize("everybody", [False, True])
    def test_nobody_or_everybody(self, everybody: bool, formula: Any, federation: Any) -> None:
        frames = [f.assign(died=everybody) for f in SPLITS["three"]]
        fed = federation(frames, CODEBOOK)
        released = fed.release("standardise", outcome="died", formula=formula)
        assert released.result["overdispersion"]["phi"] is None
        assert any("Nothing to compare" in text for text in released.warnings)
        ask, finished = fed.finish({"kind": "standardise", "outcome": "died", "formula": formula})
        assert {own["expected"] for own in _own(fed, ask, finished)} == {None}

    def test_no_rows(self, formula: Any, federation: Any) -> None:
        empty = SPLITS["three"][0].iloc[:0]
        result = federation([empty] * 3, CODEBOOK).ask(
            "standardise", outcome="died", formula=formula
        )
        assert (result["n"], result["observed"]) == (0, 0)


def test_separation_is_refused(federation: Any) -> None:
    frames = [f.assign(died=f["g"] == "c") for f in SPLITS["three"]]
    with pytest.raises(Refused) as caught:
        federation(frames, CODEBOOK).ask("standardise", outcome="died", formula="g")
    assert caught.value.code == "MODEL_UNSTABLE"


def test_the_outcome_is_no_term(federation: Any) -> None:
    with pytest.raises(QueryError, match="cannot also be a term"):
        federation(SPLITS["three"], CODEBOOK).ask("standardise", outcome="died", formula="x + died")


@pytest.mark.parametrize("formula", [FORMULA, None])
def test_under_protection_the_same_sums_without_winsorising(
    formula: str | None, federation: Any
) -> None:
    frames = SPLITS["great differences"]
    sites, _ = _expected(frames, formula is not None)
    sites = sites[sites["n"] > 0]
    result = federation(frames, CODEBOOK, Terms.strict()).ask(
        "standardise", outcome="died", formula=formula
    )
    z2 = ((sites["o"] - sites["e"]) ** 2 / sites["v"]).sum()
    k, w = len(sites), sites["e"] ** 2 / sites["v"]
    tau2 = max(0.0, (z2 - (k - 1)) / (w.sum() - (w**2).sum() / w.sum()))
    typical = (k - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())
    assert result["overdispersion"]["winsorised"] == 0.0
    assert result["overdispersion"]["phi"] == pytest.approx(z2 / k, rel=1e-5)
    assert result["overdispersion"]["tau2"] == pytest.approx(tau2, rel=1e-5)
    assert result["rankability"]["value"] == pytest.approx(tau2 / (tau2 + typical), rel=1e-5)
    assert "hospitals" not in result
