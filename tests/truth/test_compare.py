"""Comparisons of groups over any split equal scipy on the joined rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "compared/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110, "cuts": {"step": 5}},
            "far": {"type": "number", "min": 1e6, "max": 1.1e6},
            "free": {"type": "number"},
            "days": {"type": "duration", "min": 0, "max": 1000},
            "arm": {"type": "category", "levels": ["old", "new"]},
            "stage": {"type": "category", "levels": ["I", "II", "III", "IV"]},
            "treated": {"type": "boolean"},
        },
    }
)
SPLITS = [1, 2, 10, 18]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 600
    made = pd.DataFrame(
        {
            "age": rng.integers(18, 111, n).astype(float),
            "far": 1e6 + rng.normal(500, 1, n),
            "free": rng.normal(0, 1e4, n),
            "days": np.floor(rng.exponential(100, n)).clip(0, 1000),
            "arm": rng.choice(["old", "new"], n, p=[0.3, 0.7]),
            "stage": rng.choice(["I", "II", "III"], n),  # nobody has IV
            "treated": rng.random(n) < 0.4,
        }
    )
    for name in ("age", "free", "arm", "stage", "days"):
        made.loc[rng.random(n) < 0.1, name] = None
    return made


def parts(frame: pd.DataFrame, variable: str, by: str, levels: list[Any]) -> list[Any]:
    return [frame.loc[frame[by] == level, variable].dropna().to_numpy(float) for level in levels]


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("variable", ["age", "far", "free", "days"])
def test_two_groups(variable: str, sites: int, frame: Any, federation: Any, split: Any) -> None:
    result = federation(split(frame, sites), CODEBOOK).ask("compare", variable=variable, by="arm")
    first, second = parts(frame, variable, "arm", ["old", "new"])
    expected = stats.ttest_ind(first, second, equal_var=False)
    test = result["welch_t"]
    assert test["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
    assert test["df"] == pytest.approx(expected.df, rel=1e-9)
    assert test["p"] == pytest.approx(expected.pvalue, rel=1e-8)
    assert test["difference"] == pytest.approx(first.mean() - second.mean(), rel=1e-9)
    interval = expected.confidence_interval()
    assert (test["ci_low"], test["ci_high"]) == pytest.approx(tuple(interval), rel=1e-9)
    ranks = stats.mannwhitneyu(first, second, method="asymptotic")
    assert result["mann_whitney"]["on"] == "values"
    assert result["mann_whitney"]["statistic"] == ranks.statistic
    assert result["mann_whitney"]["p"] == pytest.approx(ranks.pvalue, rel=1e-9)
    for group, values in zip(result["groups"], (first, second), strict=True):
        assert group["n"] == values.size
        assert group["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert group["sd"] == pytest.approx(values.std(ddof=1), rel=1e-9)
    assert result["n"] == first.size + second.size
    assert result["missing"] == len(frame) - result["n"]


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("variable", ["age", "far", "free", "days"])
def test_more_groups_one_of_them_empty(
    variable: str, sites: int, frame: Any, federation: Any, split: Any
) -> None:
    result = federation(split(frame, sites), CODEBOOK).ask("compare", variable=variable, by="stage")
    groups = parts(frame, variable, "stage", ["I", "II", "III"])
    expected = stats.f_oneway(*groups)
    assert result["anova"]["statistic"] == pytest.approx(expected.statistic, rel=1e-8)
    assert result["anova"]["p"] == pytest.approx(expected.pvalue, rel=1e-8)
    assert result["anova"]["df"] == 2
    assert result["anova"]["df_resid"] == sum(map(len, groups)) - 3
    ranks = stats.kruskal(*groups)
    assert result["kruskal"]["statistic"] == pytest.approx(ranks.statistic, rel=1e-8)
    assert result["kruskal"]["p"] == pytest.approx(ranks.pvalue, rel=1e-8)
    assert result["kruskal"]["df"] == 2
    assert [group["n"] for group in result["groups"]] == [*map(len, groups), 0]


@pytest.mark.parametrize("sites", SPLITS)
def test_categories(sites: int, frame: Any, federation: Any, split: Any) -> None:
    result = federation(split(frame, sites), CODEBOOK).ask("compare", variable="stage", by="arm")
    table = pd.crosstab(frame["arm"], frame["stage"]).loc[["old", "new"]]
    expected = stats.chi2_contingency(table, correction=False)
    assert result["chi2"]["statistic"] == pytest.approx(expected.statistic, rel=1e-12)
    assert result["chi2"]["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert result["chi2"]["df"] == 2
    for cell in result["cells"]:
        found = table.get(cell["by"]["stage"], pd.Series({"old": 0, "new": 0}))
        assert cell["n"] == found[cell["by"]["arm"]]
    assert [group["n"] for group in result["groups"]] == table.sum(axis=1).tolist()


def test_two_by_two_also_gives_the_corrected_test(frame: Any, federation: Any, split: Any) -> None:
    fed = federation(split(frame, 5), CODEBOOK)
    test = fed.ask("compare", variable="treated", by="arm")["chi2"]
    expected = stats.chi2_contingency(pd.crosstab(frame["arm"], frame["treated"]))
    assert test["yates"]["statistic"] == pytest.approx(expected.statistic, rel=1e-12)
    assert test["yates"]["p"] == pytest.approx(expected.pvalue, rel=1e-9)


def test_two_levels_that_a_cohort_leaves_are_two_groups(frame: Any, federation: Any) -> None:
    frame = frame[frame["stage"].isin(["I", "III"])]
    fed = federation([frame], CODEBOOK)
    fed.cohort = {"all": [{"var": "stage", "op": "in", "value": ["I", "III"]}]}
    result = fed.ask("compare", variable="age", by="stage")
    assert [group["level"] for group in result["groups"]] == ["I", "III"]
    expected = stats.ttest_ind(*parts(frame, "age", "stage", ["I", "III"]), equal_var=False)
    assert result["welch_t"]["p"] == pytest.approx(expected.pvalue, rel=1e-8)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0, 3.0]])
def test_nothing_to_compare_is_null_with_a_word(values: list[float], federation: Any) -> None:
    frame = pd.DataFrame(
        {"free": values * 2, "arm": (["old"] * len(values) + ["new"] * len(values))}
    )
    released = federation([frame], CODEBOOK).release("compare", variable="free", by="arm")
    assert released.result["welch_t"] is None
    assert released.result["mann_whitney"] is None
    assert len(released.warnings) == 2


def test_published_sleep(federation: Any) -> None:
    """Student's sleep data, one hospital per patient: R's t.test(extra ~ group, data = sleep)."""
    hours = {
        "old": [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
        "new": [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    }
    frames = [
        pd.DataFrame({"free": pair, "arm": ["old", "new"]})
        for pair in zip(*hours.values(), strict=True)
    ]
    test = federation(frames, CODEBOOK).ask("compare", variable="free", by="arm")["welch_t"]
    assert test["statistic"] == pytest.approx(-1.8608, abs=5e-5)
    assert test["df"] == pytest.approx(17.776, abs=5e-4)
    assert test["p"] == pytest.approx(0.07939, abs=5e-6)
    assert (test["ci_low"], test["ci_high"]) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
