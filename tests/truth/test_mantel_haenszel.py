"""The common odds ratio over any hospitals equals statsmodels' StratifiedTable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "strata/1",
        "variables": {
            "dead": {"type": "boolean"},
            "drug": {"type": "category", "levels": ["placebo", "active"]},
            "stage": {"type": "category", "levels": ["I", "II", "III", "IV"]},
            "old": {"type": "integer", "min": 0, "max": 1},
        },
    }
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 900
    stage = rng.integers(0, 3, n)
    drug = rng.random(n) < 0.3 + 0.1 * stage
    made = pd.DataFrame(
        {
            "dead": rng.random(n) < 0.2 + 0.15 * stage - 0.1 * drug,
            "drug": np.where(drug, "active", "placebo"),
            "stage": np.array(["I", "II", "III"])[stage],
            "old": rng.integers(0, 2, n),
        }
    ).astype(object)
    for name in ("dead", "drug", "stage"):
        made.loc[rng.random(n) < 0.05, name] = None
    return made


def table(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Exposed first and outcome first, as statsmodels wants them."""
    known = frame.dropna(subset=["dead", "drug"])
    return np.array(
        [
            [((known["drug"] == drug) & (known["dead"] == dead)).sum() for dead in (True, False)]
            for drug in ("active", "placebo")
        ]
    )


def check(result: dict[str, Any], tables: list[Any]) -> None:
    expected = StratifiedTable([t for t in tables if t.sum() > 0])
    assert result["odds_ratio"] == pytest.approx(expected.oddsratio_pooled, rel=1e-12)
    assert result["log_odds_ratio"] == pytest.approx(expected.logodds_pooled, rel=1e-10)
    assert result["se"] == pytest.approx(expected.logodds_pooled_se, rel=1e-10)
    interval = expected.oddsratio_pooled_confint()
    assert (result["ci_low"], result["ci_high"]) == pytest.approx(interval, rel=1e-10)
    test = expected.test_null_odds(correction=False)
    assert result["test"]["chi2"] == pytest.approx(test.statistic, rel=1e-9)
    assert result["test"]["p"] == pytest.approx(test.pvalue, rel=1e-8)
    informative = StratifiedTable([t for t in tables if t.sum(0).all() and t.sum(1).all()])
    for name, adjust in (("homogeneity", False), ("tarone", True)):
        found = result["homogeneity"]
        found = found if name == "homogeneity" else found["tarone"]
        # Only where the informative tables are all there is does statsmodels use the same ratio.
        if len(informative.table[0, 0]) == len(expected.table[0, 0]):
            test = expected.test_equal_odds(adjust=adjust)
            assert found["chi2"] == pytest.approx(test.statistic, rel=1e-8)
            assert found["p"] == pytest.approx(test.pvalue, rel=1e-7)
        assert found["df"] == len(informative.table[0, 0]) - 1


@pytest.mark.parametrize("sites", [2, 4, 10, 18])
@pytest.mark.parametrize("seed", range(3))
def test_hospitals_as_strata(
    sites: int, seed: int, frame: Any, federation: Any, split: Any
) -> None:
    frames = split(frame, sites, seed)
    result = federation(frames, CODEBOOK).ask("mantel_haenszel", outcome="dead", exposure="drug")
    check(result, [table(part) for part in frames])
    cells = table(frame)
    assert [cell["n"] for cell in result["cells"]] == [*cells[1, ::-1], *cells[0, ::-1]]
    assert result["n"] == cells.sum()
    assert result["missing"] == len(frame) - cells.sum()


def test_even_hospitals_agree_in_every_number(frame: Any, federation: Any) -> None:
    frames = [frame.iloc[i::6] for i in range(6)]  # every table is informative
    result = federation(frames, CODEBOOK).ask("mantel_haenszel", outcome="dead", exposure="drug")
    assert result["strata_used"] == 6
    check(result, [table(part) for part in frames])


@pytest.mark.parametrize("sites", [1, 2, 10, 18])
def test_a_variable_as_strata(sites: int, frame: Any, federation: Any, split: Any) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("mantel_haenszel", outcome="dead", exposure="drug", strata="stage")
    check(result, [table(part) for _, part in frame.groupby("stage")])
    assert result["strata_used"] == 3


@pytest.mark.parametrize("sites", [1, 5])
def test_without_strata_it_is_the_plain_odds_ratio(
    sites: int, frame: Any, federation: Any, split: Any
) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    released = fed.release("mantel_haenszel", outcome="dead", exposure="drug", strata=None)
    (a, b), (c, d) = table(frame).tolist()
    assert released.result["odds_ratio"] == pytest.approx(a * d / (b * c), rel=1e-12)
    se = np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert released.result["se"] == pytest.approx(se, rel=1e-10)
    assert released.result["homogeneity"] is None
    assert "homogeneity" in released.warnings[0]


def test_the_same_odds_everywhere_need_no_correction(federation: Any) -> None:
    """An odds ratio of exactly 1, where the textbook root is 0/0."""
    part = pd.DataFrame(
        {"dead": [True, False] * 20, "drug": (["active"] * 2 + ["placebo"] * 2) * 10}
    )
    result = federation([part, part], CODEBOOK).ask(
        "mantel_haenszel", outcome="dead", exposure="drug"
    )
    assert result["odds_ratio"] == 1.0
    assert result["test"]["chi2"] == 0.0
    assert result["homogeneity"]["chi2"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("dead", [[], [True], [True, True], [True, False, True]])
def test_nothing_to_divide_by_is_null(dead: list[bool], federation: Any) -> None:
    frame = pd.DataFrame({"dead": dead, "drug": ["active"] * len(dead)}, dtype=object)
    result = federation([frame], CODEBOOK).ask("mantel_haenszel", outcome="dead", exposure="drug")
    assert result["odds_ratio"] is None
    assert result["homogeneity"] is None


# Bickel, Hammel and O'Connell, Science 1975;187:398: admitted and rejected men, then women, per
# department, as in R's UCBAdmissions.
BERKELEY = {
    "A": (512, 313, 89, 19),
    "B": (353, 207, 17, 8),
    "C": (120, 205, 202, 391),
    "D": (138, 279, 131, 244),
    "E": (53, 138, 94, 299),
    "F": (22, 351, 24, 317),
}


def test_published_admissions_to_berkeley(federation: Any) -> None:
    """R's mantelhaen.test(UCBAdmissions): 0.9046968, 0.7719074 to 1.0603298; without correction
    for continuity X-squared 1.5246 (1.4269 with). DescTools' BreslowDayTest: 18.826, df 5."""
    frames = [
        pd.DataFrame(
            {
                "dead": [True] * a + [False] * b + [True] * c + [False] * d,
                "drug": ["active"] * (a + b) + ["placebo"] * (c + d),
            }
        )
        for a, b, c, d in BERKELEY.values()
    ]
    result = federation(frames, CODEBOOK).ask("mantel_haenszel", outcome="dead", exposure="drug")
    assert result["odds_ratio"] == pytest.approx(0.9046968, abs=5e-8)
    assert result["ci_low"] == pytest.approx(0.7719074, abs=5e-8)
    assert result["ci_high"] == pytest.approx(1.0603298, abs=5e-8)
    assert result["test"]["chi2"] == pytest.approx(1.5246, abs=5e-5)
    assert result["homogeneity"]["chi2"] == pytest.approx(18.826, abs=5e-4)
    assert result["homogeneity"]["df"] == 5
