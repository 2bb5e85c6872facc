"""A trend over any split equals the quarters of all rows, with the pooled model of statsmodels; the
CUSUM equals a slow loop over the patients in order of their day."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from own_answers import ask_each

from federation.methods.base import Rows
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from tests.truth.conftest import rows_of

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "trend/1",
        "variables": {
            "seen": {"type": "date", "resolution": "month"},
            "age": {"type": "integer", "unit": "years", "min": 18, "max": 110},
            "died": {"type": "boolean"},
            "back": {"type": "boolean"},
            "wait": {
                "type": "duration",
                "unit": "days",
                "min": 0,
                "max": 2000,
                "cuts": [14, 21, 28],
            },
        },
    }
)
SHARE = {
    "kind": "trend",
    "date": "seen",
    "first": "2023-01",
    "last": "2024-12",
    "outcome": "died",
    "formula": "age",
    "cusum_h": 2.5,
}
TIME = {
    "kind": "trend",
    "date": "seen",
    "first": "2023-01",
    "last": "2023-12",
    "variable": "wait",
    "within": 21,
}
START = 2023 * 12


def _frame(rng: np.random.Generator, n: int) -> pd.DataFrame:
    day = rng.integers(-40, 800, n)  # from a while before the first quarter to after the last
    age = rng.integers(40, 90, n).astype(float)
    died = rng.random(n) < 1 / (1 + np.exp(-(-1 + 0.03 * (age - 65) + rng.normal(0, 0.5))))
    months = (np.datetime64("2023-01-01") + day).astype("datetime64[M]").astype(int) + 1970 * 12
    frame = pd.DataFrame({"seen": months.astype(float), "age": age, "day": day})
    frame["died"] = pd.Series(died, dtype=object).where(rng.random(n) > 0.04, None)
    frame["back"] = pd.Series(rng.random(n) < 0.2, dtype=object)
    frame["wait"] = np.floor(rng.gamma(2, 9, n))
    frame.loc[rng.random(n) < 0.03, "seen"] = np.nan
    return frame


def _made(seed: int, sizes: list[int]) -> list[pd.DataFrame]:
    rng = np.random.default_rng(seed)
    return [_frame(rng, size) for size in sizes]


def _site(frame: pd.DataFrame) -> Rows:
    """With the day beside the month, as a hospital that has it."""
    rows = rows_of(frame.drop(columns="day"), CODEBOOK)
    return dataclasses.replace(rows, times={"seen": frame["day"].to_numpy(dtype=np.float32)})


SPLITS = {"three": _made(1, [400, 300, 500]), "eight": _made(2, [500, 0, 3, 200, 90, 250, 40, 300])}


# Of these three show the outcome of every quarter under protection, and make the model.
LARGE = {"three": _made(3, [900, 800, 850]), "eight": _made(4, [900, 0, 3, 800, 90, 250, 40, 850])}


def _quarters(frame: pd.DataFrame, quarters: int) -> Any:
    place = np.floor((frame["seen"] - START) / 3)
    return place.where((place >= 0) & (place < quarters))


def _pooled(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """All complete rows with their quarter and the probability of one pooled model."""
    rows = pd.concat([f.assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    rows["q"] = _quarters(rows, 8)
    rows = rows.dropna(subset=["q", "died", "age"])
    x = sm.add_constant(rows[["age"]])
    y = rows["died"].astype(float)
    fitted = sm.GLM(y, x, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    return rows.assign(p=fitted.predict(x), y=y)


def _slow_cusum(y: list[float], p: list[float], ratio: float) -> list[float]:
    """C, one patient after the other, as Steiner (2000) writes it."""
    c, path = 0.0, []
    for outcome, risk in zip(y, p, strict=True):
        if outcome:
            w = math.log(ratio / (1 - risk + ratio * risk))
        else:
            w = math.log(1 / (1 - risk + ratio * risk))
        c = max(0.0, c + w)
        path.append(c)
    return path


@pytest.mark.parametrize("split", SPLITS)
def test_quarters_equal_those_of_all_rows(split: str, federation: Any) -> None:
    frames = SPLITS[split]
    rows = _pooled(frames)
    fed = federation([f.drop(columns="day") for f in frames], CODEBOOK)
    result = fed.ask(**SHARE)
    assert result["n"] == len(rows)
    assert result["missing"] == sum(map(len, frames)) - len(rows)
    assert [q["quarter"] for q in result["quarters"]] == [
        f"{year}-Q{q}" for year in (2023, 2024) for q in (1, 2, 3, 4)
    ]
    ahead = 0.0
    for place, quarter in enumerate(result["quarters"]):
        mine = rows[rows["q"] == place]
        assert (quarter["n"], quarter["observed"]) == (len(mine), mine["y"].sum())
        assert quarter["share"] == pytest.approx(mine["y"].mean(), rel=1e-12)
        assert quarter["expected"] == pytest.approx(mine["p"].sum(), rel=1e-8)
        ahead += mine["p"].sum() - mine["y"].sum()
        assert quarter["vlad"] == pytest.approx(ahead, abs=1e-6)
        assert quarter["cusum"] is None  # no order over hospitals
    assert quarter["vlad"] == pytest.approx(0, abs=1e-6)  # the model's numbers add up


@pytest.mark.parametrize("terms", [Terms.open_data(), Terms.strict()], ids=["open", "strict"])
@pytest.mark.parametrize("split", SPLITS)
def test_a_hospitals_own_trend_and_cusum(split: str, terms: Terms) -> None:
    strict = terms.protection == "strict"
    frames = (LARGE if strict else SPLITS)[split]
    rows = _pooled(frames)
    if strict:  # who has few with or without the outcome in a quarter shapes no model
        each = rows.groupby(["site", "q"])["y"].agg(["sum", "count"])
        small = (each["sum"] < 10) | (each["count"] - each["sum"] < 10)
        few = set(each[small].index.get_level_values("site"))
        rows = _pooled([f.iloc[:0] if i in few else f for i, f in enumerate(frames)])
    found = ask_each(SHARE, [_site(frame) for frame in frames], CODEBOOK, terms)
    seen = 0
    for site, own in enumerate(found.own):
        mine = rows[rows["site"] == site].sort_values("day", kind="stable")
        if own is None or mine.empty:
            continue
        path = _slow_cusum(mine["y"].tolist(), mine["p"].tolist(), 2.0)
        if strict:  # only what is made of ten patients or more
            runs = [0]
            for value in path:
                runs.append(runs[-1] + 1 if value > 0 else 0)
            path = [value if run >= 10 else 0 for value, run in zip(path, runs[1:], strict=True)]
        peaks = pd.Series(path, index=mine.index).groupby(mine["q"]).max()
        for place, quarter in enumerate(own.result["quarters"]):
            here = mine[mine["q"] == place]
            if quarter["n"] is not None:
                assert quarter["n"] == len(here)
                assert quarter["expected"] == pytest.approx(here["p"].sum(), rel=1e-5)
            if quarter["observed"] is None or here.empty:
                assert quarter["cusum"] is None
                continue
            assert quarter["observed"] == here["y"].sum()
            digits = 0.051 if strict else 1e-6
            assert (quarter["cusum"]["max"] or 0) == pytest.approx(peaks[place], abs=digits)
            assert quarter["cusum"]["signal"] == bool(peaks[place] > 2.5)
            seen += 1
    assert seen >= (24 if strict else 20)


def test_only_the_month_is_known() -> None:
    """Then patients of one month come in the order of the data."""
    frame = SPLITS["three"][0]
    rows = _pooled([frame])
    plain = rows_of(frame.drop(columns="day"), CODEBOOK)
    own = ask_each(SHARE, [plain], CODEBOOK, Terms.open_data()).results[0]
    mine = rows.sort_values("seen", kind="stable")
    path = _slow_cusum(mine["y"].tolist(), mine["p"].tolist(), 2.0)
    peaks = pd.Series(path, index=mine.index).groupby(mine["q"]).max()
    assert [q["cusum"]["max"] for q in own["quarters"]] == pytest.approx(peaks.tolist(), rel=1e-6)


def test_the_share_within_a_time(federation: Any) -> None:
    frames = SPLITS["eight"]
    fed = federation([f.drop(columns="day") for f in frames], CODEBOOK)
    result = fed.ask(**TIME)
    rows = pd.concat(frames)
    rows["q"] = _quarters(rows, 4)
    rows = rows.dropna(subset=["q", "wait"])
    share = (rows["wait"] <= 21).mean()
    for place, quarter in enumerate(result["quarters"]):
        days = rows[rows["q"] == place]["wait"]
        assert (quarter["n"], quarter["observed"]) == (days.size, (days <= 21).sum())
        true = int(np.quantile(np.minimum(days, 365), 0.5, method="inverted_cdf"))
        assert quarter["median"] == [true, true]
        assert quarter["expected"] == pytest.approx(days.size * share, rel=1e-12)


def test_a_condition_is_an_outcome_too(federation: Any) -> None:
    frames = SPLITS["three"]
    fed = federation([f.drop(columns="day") for f in frames], CODEBOOK)
    either = {"any": [{"var": v, "op": "=", "value": True} for v in ("died", "back")]}
    asked = {**SHARE, "outcome": either, "formula": None, "cusum_h": None}
    result = fed.ask(**asked)
    rows = pd.concat(frames)
    rows["q"] = _quarters(rows, 8)
    rows = rows.dropna(subset=["q"])
    known = rows["died"].notna() | (rows["back"] == True)  # noqa: E712
    rows = rows[known]
    bad = (rows["died"] == True) | (rows["back"] == True)  # noqa: E712
    assert [q["observed"] for q in result["quarters"]] == bad.groupby(rows["q"]).sum().tolist()
    assert result["n"] == len(rows)
