"""Cumulative incidence and Gray's test over any split.

The rows of bone_marrow.csv are the 177 transplants of Scrucca, Santucci and Aversa (Bone Marrow
Transplantation 2007;40:381 and 2010;45:1388), as in R's casebase::bmtcrr; the numbers are what R's
cmprsk::cuminc prints for them. lifelines' estimator moves tied times apart, so that the other
oracles here are written out, one patient after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "transplant/1",
        "variables": {
            "months": {"type": "duration", "unit": "months", "min": 0, "max": 200},
            "status": {"type": "category", "levels": ["0", "1", "2", "3"]},
            "disease": {"type": "category", "levels": ["ALL", "AML", "CML"]},
            "three": {"type": "integer", "min": 0, "max": 2},
        },
    }
)
SPLITS = [1, 2, 10, 18]
QUESTION = {"time": "months", "event": "status"}


@pytest.fixture(scope="module")
def transplants() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parent / "bone_marrow.csv")


@pytest.fixture(scope="module")
def tied() -> pd.DataFrame:
    """Few distinct times, three kinds of event, missing values."""
    rng = np.random.default_rng(12)
    n = 500
    made = pd.DataFrame(
        {
            "months": np.ceil(rng.exponential(10, n)).clip(0, 30),
            "status": rng.choice(["0", "1", "2", "3"], n, p=[0.3, 0.4, 0.2, 0.1]),
            "three": rng.integers(0, 3, n).astype(float),
        }
    )
    for name in made:
        made.loc[rng.random(n) < 0.05, name] = None
    return made


def incidence(time: Any, status: Any, cause: str, t: float) -> tuple[float, float]:
    """F(t) and its variance by the definitions, with plain loops."""
    times = sorted({u for u, s in zip(time, status, strict=True) if s != "0" and u <= t})
    survived, total, steps = 1.0, 0.0, []
    for u in times:
        y = sum(x >= u for x in time)
        own = sum(x == u and s == cause for x, s in zip(time, status, strict=True))
        other = sum(x == u and s not in ("0", cause) for x, s in zip(time, status, strict=True))
        before = survived
        survived *= (y - own - other) / y
        total += before * own / y
        steps.append((total, before, survived, y, own, other))
    variance = 0.0
    for f, before, after, y, own, other in steps:
        ahead = (total - f) / after if after > 0 else 0.0
        for d, weight in ((own, 1.0 - ahead), (other, -ahead)):
            ties = (y - d) / (y - 1) if d > 1 else 1.0
            variance += weight**2 * before**2 * ties * d / y**2
    return total, variance


@pytest.mark.parametrize("sites", SPLITS)
def test_published_gray_tests(sites: int, transplants: Any, federation: Any, split: Any) -> None:
    fed = federation(split(transplants, sites), CODEBOOK)
    relapse = fed.ask("competing_risks", **QUESTION, cause="1", by="disease")["gray"]
    assert relapse["chi2"] == pytest.approx(2.8623325, abs=5e-8)
    assert relapse["p"] == pytest.approx(0.09067592, abs=5e-9)
    assert relapse["df"] == 1
    death = fed.ask("competing_risks", **QUESTION, cause=2, by="disease")["gray"]
    assert death["chi2"] == pytest.approx(0.4481279, abs=5e-8)
    assert death["p"] == pytest.approx(0.50322531, abs=5e-9)


@pytest.mark.parametrize("sites", SPLITS)
def test_published_incidences(sites: int, transplants: Any, federation: Any, split: Any) -> None:
    fed = federation(split(transplants, sites), CODEBOOK)
    at = [20, 40, 60, 100, 120]
    published = {
        ("1", "ALL"): [0.3713851, 0.3875571, 0.3875571, 0.3875571, 0.3875571],
        ("1", "AML"): [0.2414530, 0.2663827, 0.2810390, 0.2810390, None],
        ("2", "ALL"): [0.3698630, 0.3860350, 0.3860350, 0.3860350, 0.3860350],
        ("2", "AML"): [0.4439103, 0.4551473, 0.4551473, 0.4551473, None],
    }
    for cause in ("1", "2"):
        result = fed.ask("competing_risks", **QUESTION, cause=cause, by="disease", at=at)
        for group in result["groups"][:2]:
            found = [point["cif"] for point in group["at"]]
            for one, other in zip(found, published[cause, group["level"]], strict=True):
                assert one == (None if other is None else pytest.approx(other, abs=5e-8))
        assert result["groups"][2] == {
            "level": "CML",
            "n": 0,
            "events": 0,
            "competing": 0,
            "curve": [],
            "at": [
                dict.fromkeys(("cif", "se", "low", "high")) | {"t": t, "at_risk": 0} for t in at
            ],
        }


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("cause", ["1", "2", "3"])
def test_curves_with_ties_are_the_definition(
    cause: str, sites: int, tied: Any, federation: Any, split: Any
) -> None:
    fed = federation(split(tied, sites), CODEBOOK)
    result = fed.ask("competing_risks", **QUESTION, cause=cause, by="three", at=[0, 3, 10.5, 30])
    known = tied.dropna()
    assert (result["n"], result["missing"]) == (len(known), len(tied) - len(known))
    for k, group in enumerate(result["groups"]):
        mine = known[known["three"] == k]
        time, status = mine["months"].tolist(), mine["status"].tolist()
        assert group["n"] == len(mine)
        assert group["events"] == status.count(cause)
        assert group["competing"] == len(mine) - status.count(cause) - status.count("0")
        for point in group["curve"]:
            f, variance = incidence(time, status, cause, point["t"])
            assert point["cif"] == pytest.approx(f, rel=1e-12, abs=1e-15)
            assert point["at_risk"] == sum(u >= point["t"] for u in time)
        for point in group["at"]:
            f, variance = incidence(time, status, cause, point["t"])
            assert point["cif"] == pytest.approx(f, rel=1e-12, abs=1e-15)
            assert point["se"] == pytest.approx(np.sqrt(variance), rel=1e-9, abs=1e-12)
            assert point["at_risk"] == sum(u >= point["t"] for u in time)
            if 0 < f < 1:
                size = 1.959963984540054 * np.sqrt(variance) / np.log(f)
                inner = np.log(-np.log(f)) + np.array([-1, 1]) * size / f
                assert sorted((point["low"], point["high"])) == pytest.approx(
                    sorted(np.exp(-np.exp(inner))), rel=1e-9
                )
                assert point["low"] < f < point["high"]


def test_without_other_events_it_is_one_minus_kaplan_meier(federation: Any) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"months": rng.integers(0, 40, 200).astype(float), "status": rng.choice(["0", "1"], 200)}
    )
    result = federation([frame], CODEBOOK).ask("competing_risks", **QUESTION, cause="1")
    fitted = KaplanMeierFitter().fit(frame["months"], frame["status"] == "1")
    for point in result["groups"][0]["curve"]:
        assert 1 - point["cif"] == pytest.approx(fitted.predict(point["t"]), rel=1e-10)


def test_causes_and_survival_add_to_one(tied: Any, federation: Any, split: Any) -> None:
    fed = federation(split(tied, 6), CODEBOOK)
    parts = [
        fed.ask("competing_risks", **QUESTION, cause=cause, at=[12])["groups"][0]["at"][0]["cif"]
        for cause in ("1", "2", "3")
    ]
    known = tied.dropna(subset=["months", "status"])
    fitted = KaplanMeierFitter().fit(known["months"], known["status"] != "0")
    assert sum(parts) == pytest.approx(1 - fitted.predict(12), rel=1e-12)


def test_the_level_for_censored_can_be_named(tied: Any, federation: Any) -> None:
    moved = tied.assign(status=tied["status"].map({"0": "3", "1": "1", "2": "2", "3": "0"}))
    plain = federation([tied], CODEBOOK).ask("competing_risks", **QUESTION, cause="1", by="three")
    named = federation([moved], CODEBOOK).ask(
        "competing_risks", **QUESTION, cause="1", censored="3", by="three"
    )
    assert named.pop("censored") == "3"
    assert plain.pop("censored") == "0"
    assert named == plain


@pytest.mark.parametrize("status", [[], ["0"], ["1"], ["0", "2"], ["1", "1", "2"]])
def test_hardly_any_patients(status: list[str], federation: Any) -> None:
    frame = pd.DataFrame(
        {"months": [5.0] * len(status), "status": status, "three": [0.0] * len(status)}
    )
    result = federation([frame], CODEBOOK).ask(
        "competing_risks", **QUESTION, cause="1", by="three", at=[0, 5, 9]
    )
    assert result["gray"]["chi2"] is None
    share = status.count("1") / max(len(status), 1)
    for point in result["groups"][0]["curve"]:
        assert point["cif"] == (pytest.approx(share) if point["t"] == 5 else 0)
