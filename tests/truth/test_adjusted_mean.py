"""Adjusted means over any split equal those of one pooled linear model of statsmodels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from federation.methods.base import Step
from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.terms import Terms
from tests.truth.conftest import rows_of

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "y": {"type": "number", "min": -100, "max": 100},
        },
    }
)
METHOD: Any = KINDS["adjusted_mean"]


def _made(seed: int, sizes: list[int]) -> list[pd.DataFrame]:
    rng = np.random.default_rng(seed)
    frames = []
    for size in sizes:
        frame = pd.DataFrame(
            {
                "age": rng.integers(40, 90, size).astype(float),
                "g": rng.choice(["a", "b", "c"], size),
            }
        )
        level = rng.normal(0, 4)
        y = 20 - 0.3 * frame["age"] + 6 * (frame["g"] == "c") + level + rng.normal(0, 9, size)
        frame["y"] = y.clip(-100, 100)
        for name in ("y", "g"):
            frame[name] = frame[name].astype(object).where(rng.random(size) > 0.06, None)
        frames.append(frame)
    return frames


SPLITS = {
    "three": _made(1, [150, 200, 90]),
    "some tiny": _made(2, [2, 0, 400, 1, 120, 77, 3]),
}


def _expected(frames: list[pd.DataFrame], formula: bool) -> tuple[pd.DataFrame, Any]:
    rows = pd.concat([f.assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    rows = rows.dropna(subset=["age", "g", "y"] if formula else ["y"])
    x = pd.DataFrame({"one": np.ones(len(rows))}, index=rows.index)
    if formula:
        x = x.assign(age=rows["age"], b=rows["g"] == "b", c=rows["g"] == "c")
    fitted = sm.OLS(rows["y"].astype(float), x.astype(float)).fit()
    made = pd.DataFrame(
        {"site": rows["site"], "n": 1, "y": rows["y"].astype(float), "e": fitted.fittedvalues}
    )
    return made.groupby("site").sum().reindex(range(len(frames)), fill_value=0.0), fitted


@pytest.mark.parametrize("formula", ["age + g", None])
@pytest.mark.parametrize("split", SPLITS)
def test_equals_ordinary_least_squares(split: str, formula: str | None, federation: Any) -> None:
    frames = SPLITS[split]
    sites, fitted = _expected(frames, formula is not None)
    fed = federation(frames, CODEBOOK)
    result = fed.ask("adjusted_mean", outcome="y", formula=formula)
    assert result["n"] == sites["n"].sum()
    assert result["mean"] == pytest.approx(sites["y"].sum() / sites["n"].sum(), rel=1e-9)
    assert result["sigma"] == pytest.approx(np.sqrt(fitted.scale), rel=1e-9)
    if formula:
        terms = result["terms"]
        assert [t["estimate"] for t in terms] == pytest.approx(fitted.params.tolist(), rel=1e-7)
        assert [t["se"] for t in terms] == pytest.approx(fitted.bse.tolist(), rel=1e-7)
    ask, finished = fed.finish({"kind": "adjusted_mean", "outcome": "y", "formula": formula})
    inner, outer = (stats.t.ppf(q, fitted.df_resid) for q in (0.975, 0.999))
    placed = set()
    for i, row in enumerate(sites.itertuples()):
        at = dataclasses.replace(ask, site=f"s{i:02d}")
        step = Step("adjusted_mean.own", finished.facts)
        own = METHOD.own_part(at, step, rows_of(fed.frames[i], CODEBOOK))
        shown = {t.name: np.ones(t.counts.shape, dtype=bool) for t in METHOD.tables(at, own)}
        found = METHOD.result(at, own, shown).result
        assert found["n"] == row.n
        assert found["missing"] == len(frames[i]) - row.n
        if row.n == 0:
            assert {found[k] for k in ("mean", "expected", "difference", "outside")} == {None}
            continue
        difference, se = (row.y - row.e) / row.n, np.sqrt(fitted.scale / row.n)
        assert found["mean"] == pytest.approx(row.y / row.n, rel=1e-9)
        assert found["expected"] == pytest.approx(row.e / row.n, rel=1e-8)
        assert found["difference"] == pytest.approx(difference, rel=1e-6)
        assert found["se"] == pytest.approx(se, rel=1e-8)
        assert (found["ci_low"], found["ci_high"]) == pytest.approx(
            (difference - inner * se, difference + inner * se), rel=1e-6
        )
        apart = abs(difference) / se
        assert found["outside"] == (998 if apart > outer else 95 if apart > inner else 0)
        placed.add(found["outside"])
    assert len(placed) > 1


def test_nobody_and_everybody_the_same(federation: Any) -> None:
    empty = [frame.iloc[:0] for frame in SPLITS["three"]]
    for formula in ("age", None):
        released = federation(empty, CODEBOOK).release(
            "adjusted_mean", outcome="y", formula=formula
        )
        assert (released.result["n"], released.result["mean"]) == (0, None)
        assert any("Nothing to compare" in text for text in released.warnings)
    same = [frame.assign(y=4.0) for frame in SPLITS["three"]]
    result = federation(same, CODEBOOK).ask("adjusted_mean", outcome="y")
    assert (result["mean"], result["sigma"]) == (4.0, 0.0)


def test_under_protection_the_pooled_answer_is_the_same_rounded(federation: Any) -> None:
    frames = SPLITS["three"]
    _, fitted = _expected(frames, True)
    fed = federation(frames, CODEBOOK, Terms.strict())
    result = fed.ask("adjusted_mean", outcome="y", formula="age + g")
    assert [t["estimate"] for t in result["terms"]] == pytest.approx(
        fitted.params.tolist(), rel=1e-5
    )
    assert set(result) == {"n", "missing", "mean", "sigma", "terms", "rounds"}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"outcome": "g"}, "needs a variable"),
        ({"outcome": "y", "formula": "age + y"}, "cannot also be a term"),
    ],
)
def test_wrong_parameters(params: dict[str, Any], says: str, federation: Any) -> None:
    with pytest.raises(QueryError, match=says):
        federation(SPLITS["three"], CODEBOOK).ask("adjusted_mean", **params)
