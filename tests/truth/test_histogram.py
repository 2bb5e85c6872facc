"""Histograms over any split equal numpy on the joined rows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "drawn/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110, "cuts": {"step": 5}},
            "marker": {"type": "number", "min": 0, "max": 1e6, "cuts": [1, 10, 100, 1000]},
            "days": {"type": "duration", "min": 0, "max": 400, "cuts": {"step": 1}},
            "children": {"type": "integer", "min": 1, "max": 9},
            "stage": {"type": "category", "levels": ["I", "II", "III"]},
        },
    }
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 800
    made = pd.DataFrame(
        {
            "age": rng.integers(18, 111, n).astype(float),
            "marker": np.exp(rng.normal(4, 2, n)),
            "days": rng.integers(0, 401, n).astype(float),
            "children": rng.integers(1, 10, n).astype(float),
            "stage": rng.choice(["I", "II", "III"], n),
        }
    )
    for name in made:
        made.loc[rng.random(n) < 0.1, name] = None
    made.loc[:3, "age"] = [18.0, 25.0, 110.0, 109.0]
    return made


@pytest.mark.parametrize("sites", [1, 2, 10, 18])
@pytest.mark.parametrize("by", [None, "stage", "children"])
@pytest.mark.parametrize("variable", ["age", "marker", "days"])
def test_bins_equal_numpy(
    variable: str, by: str | None, sites: int, frame: Any, federation: Any, split: Any
) -> None:
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("histogram", variable=variable, **({"by": by} if by else {}))
    known = frame[frame[variable].notna() & (frame[by].notna() if by else True)]
    edges = CODEBOOK.variables[variable].edges
    counts, _ = np.histogram(known[variable], edges)
    assert [(b["low"], b["high"]) for b in result["bins"]] == list(itertools.pairwise(edges))
    assert [b["n"] for b in result["bins"]] == counts.tolist()
    assert (result["n"], result["missing"]) == (len(known), len(frame) - len(known))
    assert len(result["groups"]) == {None: 0, "stage": 3, "children": 9}[by]
    for group in result["groups"]:
        mine = known[known[by].map(lambda v: str(v).removesuffix(".0")) == group["level"]]
        counts, _ = np.histogram(mine[variable], edges)
        assert [b["n"] for b in group["bins"]] == counts.tolist()
        assert group["n"] == len(mine)


def test_whole_numbers_without_cuts_have_a_bar_each(frame: Any, federation: Any) -> None:
    result = federation([frame], CODEBOOK).ask("histogram", variable="children")
    for value, bar in enumerate(result["bins"], start=1):
        assert (bar["low"], bar["high"]) == (value, value)
        assert bar["n"] == (frame["children"] == value).sum()
