"""Survival over any split equals lifelines on the joined rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_gbsg2, load_lung
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "t": {"type": "duration", "unit": "days", "min": 0, "max": 5000},
            "e": {"type": "boolean"},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "s": {"type": "category", "levels": ["x", "y", "z"]},
        },
    }
)
SPLITS = [1, 2, 10, 18]
PARAMS = {"time": "t", "event": "e"}


def _random(seed: int, n: int, *, ties: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    t = rng.exponential(300, n)
    return pd.DataFrame(
        {
            "t": np.floor(t / 40) if ties else t,
            "e": rng.random(n) < 0.6,
            "g": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "s": rng.choice(["x", "y"], n),
        }
    )


def _lung() -> pd.DataFrame:
    frame = load_lung()
    groups = frame["ph.ecog"].clip(upper=2).map({0: "a", 1: "b", 2: "c"})
    sex = frame["sex"].map({1: "x", 2: "y"})
    return pd.DataFrame({"t": frame["time"], "e": frame["status"] == 1, "g": groups, "s": sex})


def _gbsg() -> pd.DataFrame:
    frame = load_gbsg2()
    grade = frame["tgrade"].map({"I": "a", "II": "b", "III": "c"})
    hormone = frame["horTh"].map({"no": "x", "yes": "y"})
    return pd.DataFrame({"t": frame["time"], "e": frame["cens"] == 1, "g": grade, "s": hormone})


def _missing() -> pd.DataFrame:
    frame = _random(5, 300, ties=False)
    rng = np.random.default_rng(6)
    for name in ("t", "e", "g", "s"):
        frame[name] = frame[name].astype(object).where(rng.random(len(frame)) > 0.1, None)
    return frame


DATA = {
    "lung": _lung(),
    "gbsg": _gbsg(),
    "ties": _random(1, 400, ties=True),
    "fractions": _random(2, 150, ties=False),
    "missing": _missing(),
    "tiny": _random(3, 7, ties=True),
}


def _complete(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    known = frame.dropna(subset=names)
    return known.assign(t=known["t"].astype(float), e=known["e"].astype(bool))


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", DATA)
def test_curves_equal_lifelines(data: str, sites: int, federation: Any, split: Any) -> None:
    frame = DATA[data]
    known = _complete(frame, ["t", "e", "g"])
    at = [0, 1, 7.5, 100, 365, 500]
    result = federation(split(frame, sites), CODEBOOK).ask("survival", **PARAMS, by="g", at=at)
    assert result["n"] == len(known)
    assert result["missing"] == len(frame) - len(known)
    for group in result["groups"]:
        mine = known[known["g"] == group["level"]]
        assert group["n"] == len(mine)
        assert group["events"] == mine["e"].sum()
        if len(mine):
            _compare(group, mine)


def _compare(group: dict[str, Any], mine: pd.DataFrame) -> None:
    fitted = KaplanMeierFitter().fit(mine["t"], mine["e"])
    s = fitted.survival_function_["KM_estimate"]
    limits = fitted.confidence_interval_
    middle = fitted.median_survival_time_
    assert group["median"] == (None if np.isinf(middle) else middle)
    if s.iloc[-1] > 0:
        expected = median_survival_times(limits).to_numpy()[0]
        found = [np.inf if v is None else v for v in group["median_ci"]]
        assert found == expected.tolist()
    for point in group["curve"]:
        assert point["s"] == pytest.approx(s[point["t"]], rel=1e-9, abs=1e-12)
        if 0 < point["s"]:
            low, high = limits.loc[point["t"]]
            assert point["low"] == pytest.approx(low, rel=1e-9)
            assert point["high"] == pytest.approx(high, rel=1e-9)
        assert point["at_risk"] == (mine["t"] >= point["t"]).sum()
    # Every time at which lifelines' curve steps down is a point, and so is the end.
    assert set(mine["t"][mine["e"]]) <= {p["t"] for p in group["curve"]}
    assert group["curve"][-1]["t"] == mine["t"].max()
    for point in group["at"]:
        assert point["at_risk"] == (mine["t"] >= point["t"]).sum()
        if point["t"] <= mine["t"].max() or s.iloc[-1] == 0:
            expected = fitted.predict(point["t"])
            assert point["s"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        else:
            assert point["s"] is None
    mean = group["rmst"]
    if mean["value"] is not None:
        assert mean["value"] == pytest.approx(restricted_mean_survival_time(fitted, t=500))


@pytest.mark.parametrize("data", ["lung", "ties", "fractions"])
def test_standard_errors_by_greenwoods_formula(data: str, federation: Any, split: Any) -> None:
    frame = _complete(DATA[data], ["t", "e"])
    at = float(frame["t"].quantile(0.6))
    result = federation(split(frame, 10), CODEBOOK).ask("survival", **PARAMS, at=[at])
    s, total, area, steps = 1.0, 0.0, 0.0, []
    before = 0.0
    for t in sorted(set(frame["t"][frame["e"] & (frame["t"] <= at)])):
        y, d = (frame["t"] >= t).sum(), (frame["e"] & (frame["t"] == t)).sum()
        area += s * (t - before)
        before = t
        s *= 1 - d / y
        total += d / (y * (y - d))
        steps.append((t, d / (y * (y - d)), area))
    area += s * (at - before)
    group = result["groups"][0]
    assert group["at"][0]["se"] == pytest.approx(s * np.sqrt(total), rel=1e-9)
    variance = sum((area - so_far) ** 2 * part for _, part, so_far in steps)
    assert group["rmst"]["value"] == pytest.approx(area, rel=1e-9)
    assert group["rmst"]["se"] == pytest.approx(np.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", DATA)
def test_logrank_equals_lifelines(data: str, sites: int, federation: Any, split: Any) -> None:
    frame = DATA[data]
    known = _complete(frame, ["t", "e", "g"])
    test = federation(split(frame, sites), CODEBOOK).ask("survival", **PARAMS, by="g")["logrank"]
    expected = multivariate_logrank_test(known["t"], known["g"], known["e"])
    assert test["chi2"] == pytest.approx(expected.test_statistic, rel=1e-9)
    assert test["p"] == pytest.approx(expected.p_value, rel=1e-7)
    assert test["df"] == expected.degrees_of_freedom


def _naive_logrank(frames: list[pd.DataFrame]) -> float:
    """O - E and V one risk set at a time, in plain Python; the first group is dropped."""
    labels = sorted({g for f in frames for g in f["g"]})
    difference, variance = np.zeros(len(labels)), np.zeros((len(labels), len(labels)))
    for frame in frames:
        for t in set(frame["t"][frame["e"]]):
            risk = frame[frame["t"] >= t]
            y = len(risk)
            d = int((risk["e"] & (risk["t"] == t)).sum())
            p = np.array([(risk["g"] == g).sum() / y for g in labels])
            seen = risk[risk["e"] & (risk["t"] == t)]
            difference += np.array([(seen["g"] == g).sum() for g in labels]) - d * p
            if y > 1:
                variance += d * (y - d) / (y - 1) * (np.diag(p) - np.outer(p, p))
    return float(difference[1:] @ np.linalg.solve(variance[1:, 1:], difference[1:]))


@pytest.mark.parametrize("sites", SPLITS)
def test_logrank_stratified_by_site(sites: int, federation: Any, split: Any) -> None:
    frames = split(DATA["ties"], sites)
    test = federation(frames, CODEBOOK).ask("survival", **PARAMS, by="g", strata="site")["logrank"]
    assert test["chi2"] == pytest.approx(_naive_logrank(frames), rel=1e-9)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", ["lung", "ties", "missing"])
def test_logrank_stratified_by_a_variable(
    data: str, sites: int, federation: Any, split: Any
) -> None:
    frame = DATA[data]
    known = _complete(frame, ["t", "e", "g", "s"])
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("survival", **PARAMS, by="g", strata="s")
    strata = [mine for _, mine in known.groupby("s")]
    assert result["logrank"]["chi2"] == pytest.approx(_naive_logrank(strata), rel=1e-9)
    assert result["n"] == len(known)


@pytest.mark.parametrize("sites", SPLITS)
def test_a_grid_asked_for_equals_lifelines_on_gridded_times(
    sites: int, federation: Any, split: Any
) -> None:
    frame = DATA["fractions"]
    known = frame.assign(t=np.ceil(frame["t"] / 30) * 30)
    result = federation(split(frame, sites), CODEBOOK).ask("survival", **PARAMS, grid_days=30)
    fitted = KaplanMeierFitter().fit(known["t"], known["e"])
    for point in result["groups"][0]["curve"]:
        assert point["s"] == pytest.approx(fitted.predict(point["t"]), rel=1e-9, abs=1e-12)
    assert result["grid"] == 30
    assert result["groups"][0]["median"] == fitted.median_survival_time_


def test_every_split_gives_the_same_bits(federation: Any, split: Any) -> None:
    frame = DATA["gbsg"]
    answers = [
        federation(split(frame, sites, seed), CODEBOOK).ask("survival", **PARAMS, by="g", at=[365])
        for sites, seed in [(1, 1), (2, 2), (10, 3), (18, 4)]
    ]
    assert all(answer == answers[0] for answer in answers)


class TestNothingToSay:
    """Nulls, never an exception."""

    @pytest.mark.parametrize("strata", [None, "site", "s"])
    def test_no_rows(self, strata: str | None, federation: Any) -> None:
        empty = DATA["ties"].iloc[:0]
        fed = federation([empty, empty], CODEBOOK)
        result = fed.ask("survival", **PARAMS, by="g", at=[10], strata=strata)
        assert (result["n"], result["missing"]) == (0, 0)
        assert [g["n"] for g in result["groups"]] == [0, 0, 0]
        assert result["groups"][0]["median"] is None
        assert result["groups"][0]["curve"] == []
        assert result["groups"][0]["at"][0]["s"] is None
        assert result["groups"][0]["rmst"]["value"] is None
        assert result["logrank"]["chi2"] is None

    def test_everything_missing(self, federation: Any) -> None:
        frame = DATA["ties"].assign(t=np.nan)
        result = federation([frame], CODEBOOK).ask("survival", **PARAMS)
        assert (result["n"], result["missing"]) == (0, 400)

    def test_nobody_has_the_event(self, federation: Any, split: Any) -> None:
        frame = DATA["ties"].assign(e=False)
        result = federation(split(frame, 10), CODEBOOK).ask("survival", **PARAMS, by="g", at=[2])
        group = result["groups"][0]
        assert group["events"] == 0
        assert group["median"] is None
        assert [p["s"] for p in group["curve"]] == [1.0, 1.0]
        assert (group["at"][0]["s"], group["at"][0]["se"]) == (1.0, 0.0)
        assert result["logrank"]["p"] is None

    def test_one_event_in_one_group(self, federation: Any) -> None:
        frame = pd.DataFrame({"t": [5.0, 8.0, 9.0], "e": [True, False, False], "g": ["a"] * 3})
        result = federation([frame], CODEBOOK).ask("survival", **PARAMS, by="g")
        assert result["groups"][0]["curve"][1]["s"] == pytest.approx(2 / 3)
        assert result["logrank"]["chi2"] is None

    def test_everyone_has_the_event_at_once(self, federation: Any) -> None:
        frame = pd.DataFrame({"t": [5.0] * 4, "e": [True] * 4, "g": ["a", "a", "b", "b"]})
        result = federation([frame.iloc[:1], frame.iloc[1:]], CODEBOOK).ask(
            "survival", **PARAMS, by="g", at=[3, 5, 9]
        )
        group = result["groups"][0]
        assert group["median"] == 5
        assert group["curve"][-1] == {"t": 5.0, "at_risk": 2, "s": 0.0, "low": None, "high": None}
        assert [point["s"] for point in group["at"]] == [1.0, 0.0, 0.0]
        assert group["rmst"]["value"] == 5.0
        assert result["logrank"]["chi2"] is None
