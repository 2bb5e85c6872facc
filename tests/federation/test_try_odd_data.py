"""``oncokring try`` on files as people keep them: every number as of the rows in one table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_larynx
from lifelines.statistics import multivariate_logrank_test
from trying import Tried

Try = Callable[..., Tried]
STAGES = ["1", "2", "3", "4", "5"]
BOOK = {
    "codebook": "larynx/1",
    "variables": {
        "time": {"type": "duration", "unit": "years", "min": 0, "max": 20},
        "death": {"type": "boolean"},
        "age": {"type": "number", "min": 0, "max": 120, "cuts": [50, 60, 70]},
        "stage": {"type": "category", "levels": STAGES},
        "only": {"type": "category", "levels": ["one"]},
    },
}
OUTCOME = {"time": "time", "event": "death"}
AT = [0.5, 1.3, 7.25]
ASKED: list[dict[str, Any]] = [
    {"kind": "count", "by": ["stage", "death"]},
    {"kind": "describe", "variables": ["age", "time"], "by": "stage"},
    {"kind": "survival", **OUTCOME, "by": "only", "at": AT},
    {"kind": "survival", **OUTCOME, "by": "death"},
    {"kind": "cox", **OUTCOME, "formula": "age", "strata": None},
]


def larynx() -> pd.DataFrame:
    """Ninety men with times in tenths of years and many ties; some values taken away."""
    frame = load_larynx()
    stage = 1 + frame["Stage_II"] + 2 * frame["Stage_III"] + 3 * frame["Stage_IV"]
    made = frame[["time", "age", "death"]].astype(float).assign(stage=stage.astype(float))
    made["only"] = "one"
    made.loc[[3, 50], "age"] = np.nan
    made.loc[[5, 60], "stage"] = np.nan
    made.loc[[7], "time"] = np.nan
    return made


def write_odd_files(folder: Path, rows: pd.DataFrame) -> None:
    """One, no, and many rows; BOM, semicolon, decimal comma, codes like 1.0, Parquet, words."""
    dutch = rows.iloc[:40].assign(death=rows["death"].map({0.0: "Nee", 1.0: "1.0"}))
    dutch["death"] = dutch["death"].replace("Nee", "No")
    text = dutch.to_csv(index=False, sep=";", decimal=",")
    (folder / "Ziekenhuis é (nr. 1).CSV").write_bytes(text.encode("utf-8-sig"))
    rows.iloc[40:41].to_csv(folder / "one.csv", index=False)
    rows.iloc[:0].to_csv(folder / "none.csv", index=False)
    duckdb.from_df(rows.iloc[41:].astype({"death": bool})).write_parquet(
        str(folder / "rest.parquet")
    )


@pytest.fixture
def answers(folder: Path, tried: Try) -> list[dict[str, Any]]:
    (folder / "codebook.json").write_text(json.dumps(BOOK))
    write_odd_files(folder / "data", larynx())
    queries = [{"version": 1, "codebook": "larynx/1", "analysis": asked} for asked in ASKED]
    done = tried(*queries, options=("--json", "--policy", "open-data"))
    assert done.code == 0, done.words
    assert {answer["protection"] for answer in done.answer} == {"none"}
    assert {answer["sites"]["answered"] for answer in done.answer} == {4}
    return [answer["result"] for answer in done.answer]


def efron_score(rows: pd.DataFrame, beta: float) -> float:
    """Derivative of Efron's partial likelihood (1977) in the one coefficient, of `age`."""
    time, dead, age = (rows[name].to_numpy() for name in ("time", "death", "age"))
    weight = np.exp(beta * (age - age.mean()))
    score = 0.0
    for at in np.unique(time[dead == 1]):
        risk, dying = time >= at, (time == at) & (dead == 1)
        deaths = int(dying.sum())
        for place in range(deaths):
            left = weight * (risk - place / deaths * dying)
            score += age[dying].mean() - (left * age).sum() / left.sum()
    return float(score)


def test_odd_files_give_the_numbers_of_all_rows_together(answers: list[dict[str, Any]]) -> None:
    rows = larynx()
    count, described, survival, split, cox = answers
    for cell in count["cells"]:
        dead = float(cell["by"]["death"] == "true")
        here = (rows["stage"] == float(cell["by"]["stage"])) & (rows["death"] == dead)
        assert cell["n"] == here.sum()
    assert (count["n"], count["missing"]) == (88, 2)

    for entry in described["variables"]:
        for group in entry["groups"]:
            values = rows.loc[rows["stage"] == float(group["level"]), entry["variable"]]
            assert (group["n"], group["missing"]) == (values.count(), values.isna().sum())
            if group["n"]:
                assert group["mean"] == pytest.approx(values.mean(), rel=1e-12)
                assert group["sd"] == pytest.approx(values.std(), rel=1e-10)

    known = rows.dropna(subset=["time"])
    curve = lifelines.KaplanMeierFitter().fit(known["time"], known["death"])
    (group,) = survival["groups"]
    assert group["median"] == curve.median_survival_time_
    for point in group["at"]:
        assert point["s"] == pytest.approx(curve.predict(point["t"]), abs=1e-12)
        assert point["at_risk"] == (known["time"] >= point["t"]).sum()
    logrank = multivariate_logrank_test(known["time"], known["death"], known["death"])
    assert split["logrank"]["chi2"] == pytest.approx(logrank.test_statistic, rel=1e-9)

    model = rows[["time", "death", "age"]].dropna()
    fit = lifelines.CoxPHFitter().fit(model, "time", "death")
    (term,) = cox["terms"]
    # lifelines stops when its steps are small; the score is the sharper oracle.
    assert term["estimate"] == pytest.approx(fit.params_["age"], rel=1e-5)
    assert term["se"] == pytest.approx(fit.standard_errors_["age"], rel=1e-5)
    assert efron_score(model, term["estimate"]) == pytest.approx(0.0, abs=1e-6)
    assert cox["loglik"] == pytest.approx(fit.log_likelihood_, rel=1e-10)
    assert cox["concordance"] == pytest.approx(fit.concordance_index_, abs=1e-12)


def test_a_wrong_mapping_is_called_by_the_name_the_user_gave(folder: Path, tried: Try) -> None:
    (folder / "codebook.json").write_text(json.dumps(BOOK))
    write_odd_files(folder / "data", larynx())
    mapping = folder / "my-columns.yaml"
    mapping.write_text("codebook: larynx/1\nvariables:\n  age: {column: age}\n")
    query = {"version": 1, "codebook": "larynx/1", "analysis": {"kind": "count"}}
    done = tried(query, options=("--mapping", str(mapping)))
    assert (done.code, done.out) == (2, "")
    assert done.words.startswith("my-columns.yaml: ")
