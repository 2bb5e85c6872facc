"""Waiting times over any split equal those of all rows; the rule equals medians of other rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from own_answers import ask_each

from federation.query.codebook import Codebook
from federation.query.terms import Terms
from tests.truth.conftest import rows_of

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "wait/1",
        "variables": {
            "wait": {
                "type": "duration",
                "unit": "days",
                "min": 0,
                "max": 2000,
                "cuts": [7, 14, 21, 28, 35, 42, 56, 90, 200],
            }
        },
    }
)


def _hospitals(seed: int, sizes: list[int]) -> list[pd.DataFrame]:
    """Skew waits that differ between hospitals, with gaps, errors and very long ones."""
    rng = np.random.default_rng(seed)
    frames = []
    for size in sizes:
        days = np.floor(rng.gamma(2.5, rng.uniform(3, 14), size))
        days[rng.random(size) < 0.05] = np.nan
        days[rng.random(size) < 0.02] = -3
        days[rng.random(size) < 0.02] = 800
        frames.append(pd.DataFrame({"wait": days}))
    return frames


SPLITS = {
    "three": _hospitals(1, [90, 200, 61]),
    "ten": _hospitals(2, [300, 250, 220, 180, 150, 140, 90, 60, 40, 33]),
    "tiny and empty": _hospitals(3, [120, 0, 1, 14, 80, 9, 10, 240]),
    "alike": _hospitals(4, [50] * 12),
}


def _known(frame: pd.DataFrame) -> Any:
    days = frame["wait"].to_numpy()
    return np.minimum(days[days >= 0], 365)


@pytest.mark.parametrize("split", SPLITS)
def test_equals_the_quantiles_and_shares_of_all_rows(split: str, federation: Any) -> None:
    frames = SPLITS[split]
    fed = federation(frames, CODEBOOK)
    result = fed.ask("waiting_time", variable="wait", norms=[21, 28, 200])
    raw = pd.concat(frames)["wait"].to_numpy()
    days = np.concatenate([_known(frame) for frame in frames])
    assert result["n"] == days.size
    assert result["missing"] == np.count_nonzero(~(raw >= 0))
    assert result["over_cap"] == np.count_nonzero(raw > 365)
    for key, share in (("median", 0.5), ("p80", 0.8)):
        true = int(np.quantile(days, share, method="inverted_cdf"))
        assert result[key] == [true, true]
    for norm in result["within"]:
        assert norm["n"] == np.count_nonzero(days <= norm["days"])
        assert norm["share"] == pytest.approx(np.mean(days <= norm["days"]), rel=1e-12)
        # A norm that is met is one within which the 80th percentile lies.
        assert (norm["share"] >= 0.8) == (result["p80"][1] <= norm["days"])
    for bar in result["bins"]:
        inside = (raw >= bar["low"]) & (raw <= bar["high"])
        assert bar["n"] == np.count_nonzero(inside)


@pytest.mark.parametrize("terms", [Terms.open_data(), Terms.strict()], ids=["open", "strict"])
@pytest.mark.parametrize("split", SPLITS)
def test_the_rule_equals_medians_of_all_other_rows(split: str, terms: Terms) -> None:
    """Without norms no hospital has anything to hide but its size: all of ten are pooled."""
    frames = SPLITS[split]
    asked = {"kind": "waiting_time", "variable": "wait"}
    found = ask_each(asked, [rows_of(frame, CODEBOOK) for frame in frames], CODEBOOK, terms)
    least = 10 if terms.protection == "strict" else 1
    seen = 0
    for i, own in enumerate(found.own):
        days = _known(frames[i])
        if own is None or days.size < 10:
            continue
        others = [_known(f) for j, f in enumerate(frames) if j != i]
        pooled = np.concatenate([each for each in others if each.size >= least])
        half, theirs = (np.quantile(x, 0.5, method="inverted_cdf") for x in (days, pooled))
        rule = own.result["rule"]
        assert rule["signal"] == bool(half >= 2 * theirs)
        low, high = rule["others"]
        assert low <= theirs <= high
        if rule["ratio"] is not None:  # rounded to six digits
            assert rule["ratio"][0] * 0.9999 <= half / theirs <= rule["ratio"][1] * 1.0001
        seen += 1
    assert seen == sum(_known(frame).size >= 10 for frame in frames)


def test_protection_gives_the_same_numbers_where_it_gives_any(federation: Any) -> None:
    frames = SPLITS["ten"]
    strict = federation(frames, CODEBOOK, Terms.strict())
    result = strict.ask("waiting_time", variable="wait", norms=[21, 28])
    days = np.concatenate([_known(frame) for frame in frames])
    for key, share in (("median", 0.5), ("p80", 0.8)):
        low, high = result[key]
        assert low <= np.quantile(days, share, method="inverted_cdf") <= high
        assert high - low <= 3
    bars = result["bins"]
    assert {21, 28} <= {bar["high"] for bar in bars}
    assert [b["low"] for b in bars[1:]] == [b["high"] + 1 for b in bars[:-1]]
    assert all(bar["n"] >= 10 for bar in bars)
    assert len(bars) >= 8
