"""Counts and descriptions over any split equal numpy and scipy on the joined rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "age": {"type": "integer", "unit": "years", "min": 18, "max": 110, "cuts": {"step": 5}},
            "marker": {"type": "number", "min": 0, "max": 1e6, "cuts": [1, 10, 100, 1000, 10000]},
            "offset": {"type": "number", "min": 1e6, "max": 1.1e6},
            "free": {"type": "number"},
            "children": {"type": "integer", "min": 0, "max": 9},
            "stage": {"type": "category", "levels": ["I", "II", "III", "IV"]},
            "treated": {"type": "boolean"},
        },
    }
)
SPLITS = [1, 2, 10, 18]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 700
    made = pd.DataFrame(
        {
            "age": rng.integers(18, 111, n).astype(float),
            "marker": np.exp(rng.normal(4, 2, n)),
            "offset": 1e6 + rng.normal(500, 1, n),
            "free": rng.normal(0, 1e4, n),
            "children": rng.poisson(1.5, n).clip(0, 9).astype(float),
            "stage": rng.choice(["I", "II", "III"], n),
            "treated": rng.random(n) < 0.4,
        }
    )
    for name in ("age", "marker", "free", "stage"):
        made.loc[rng.random(n) < 0.1, name] = None
    return made


@pytest.mark.parametrize("sites", SPLITS)
def test_cells_equal_a_crosstab(sites: int, frame: Any, federation: Any, split: Any) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("count", by=["stage", "treated", "children"])
    known = frame[frame["stage"].notna()]
    assert result["total"] == result["n"] == len(known)
    assert result["missing"] == len(frame) - len(known)
    for cell in result["cells"]:
        by = cell["by"]
        mine = (
            (known["stage"] == by["stage"])
            & (known["treated"] == (by["treated"] == "true"))
            & (known["children"] == int(by["children"]))
        )
        assert cell["n"] == mine.sum()


@pytest.mark.parametrize("sites", SPLITS)
def test_chi_squared_equals_scipy(sites: int, frame: Any, federation: Any, split: Any) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    test = fed.ask("count", by=["stage", "children"])["test"]
    table = pd.crosstab(frame["stage"], frame["children"])  # leaves the empty level IV out
    expected = stats.chi2_contingency(table, correction=False)
    assert test["chi2"] == pytest.approx(expected.statistic, rel=1e-12)
    assert test["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert test["df"] == expected.dof
    assert test["cramers_v"] == pytest.approx(stats.contingency.association(table), rel=1e-12)
    assert "yates" not in test


def test_two_by_two_also_gives_the_corrected_test(federation: Any) -> None:
    frame = pd.DataFrame({"stage": ["I"] * 9 + ["II"] * 12, "treated": [True] * 14 + [False] * 7})
    test = federation([frame], CODEBOOK).ask("count", by=["stage", "treated"])["test"]
    expected = stats.chi2_contingency(pd.crosstab(frame["stage"], frame["treated"]))
    assert test["yates"]["chi2"] == pytest.approx(expected.statistic, rel=1e-12)
    assert test["yates"]["p"] == pytest.approx(expected.pvalue, rel=1e-12)


def test_count_without_split_is_one_cell(frame: Any, federation: Any) -> None:
    result = federation([frame, frame.iloc[:0]], CODEBOOK).ask("count")
    assert result["cells"] == [{"by": {}, "n": 700}]
    assert result["missing"] == 0


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("by", [None, "stage", "age"])
def test_moments_equal_numpy(
    by: str | None, sites: int, frame: Any, federation: Any, split: Any
) -> None:
    names = ["age", "marker", "offset", "free", "children"]
    names = [name for name in names if name != by]
    fed = federation(split(frame, sites), CODEBOOK)
    params = {"variables": names, **({"by": by} if by else {})}
    result = fed.ask("describe", **params)
    edges = CODEBOOK.variables["age"].edges
    for described in result["variables"]:
        for k, group in enumerate(described["groups"]):
            chosen = frame
            if by == "stage":
                chosen = frame[frame["stage"] == group["level"]]
            if by == "age":
                low, high = edges[k], edges[k + 1]
                top = k == len(edges) - 2
                inside = (frame["age"] >= low) & (
                    (frame["age"] <= high) if top else (frame["age"] < high)
                )
                chosen = frame[inside]
            values = chosen[described["variable"]]
            x = values.dropna().to_numpy(dtype=float)
            assert group["n"] == x.size
            assert group["missing"] == len(values) - x.size
            if x.size == 0:
                assert group["mean"] is None
                continue
            assert group["mean"] == pytest.approx(x.mean(), rel=1e-12, abs=1e-12)
            if x.size < 2:
                assert group["sd"] is None
                continue
            sd = x.std(ddof=1)
            assert group["sd"] == pytest.approx(sd, rel=1e-9)
            assert group["se"] == pytest.approx(sd / np.sqrt(x.size), rel=1e-9)
            if sd > 0:
                interval = stats.t.interval(0.95, x.size - 1, x.mean(), stats.sem(x))
                assert (group["ci_low"], group["ci_high"]) == pytest.approx(interval, rel=1e-9)


@pytest.mark.parametrize("sites", SPLITS)
def test_quantile_intervals_hold_the_pooled_quantile(
    sites: int, frame: Any, federation: Any, split: Any
) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("describe", variables=["age", "marker", "children"])
    for described in result["variables"]:
        x = frame[described["variable"]].dropna().to_numpy(dtype=float)
        edges = CODEBOOK.variables[described["variable"]].edges
        for p, interval in described["groups"][0]["quantiles"].items():
            exact = np.quantile(x, float(p), method="inverted_cdf")
            assert interval[0] <= exact <= interval[1]
            if edges:
                assert edges.index(interval[1]) - edges.index(interval[0]) == 1
            else:
                assert interval == [exact, exact]


@pytest.mark.parametrize("sites", SPLITS)
def test_levels_of_categories(sites: int, frame: Any, federation: Any, split: Any) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("describe", variables=["stage", "treated"], by="children")
    for described in result["variables"]:
        for group in described["groups"]:
            mine = frame[frame["children"] == int(group["level"])]
            for level in group["levels"]:
                texts = mine[described["variable"]].map(
                    lambda v: str(v).lower() if isinstance(v, bool) else v
                )
                count = int((texts == level["level"]).sum())
                assert level["n"] == count
                if group["n"]:
                    assert level["share"] == pytest.approx(count / group["n"], rel=1e-12)
