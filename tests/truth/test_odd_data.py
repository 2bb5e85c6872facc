"""Whatever the rows: an answer in strict JSON or a public refusal, and the split never matters."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.query.codebook import Codebook
from federation.query.refusals import Refused
from federation.query.terms import KmTerms, ModelTerms, QuantileTerms, Terms

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "odd/1",
        "variables": {
            "t": {"type": "duration", "min": 0, "max": 400},
            "e": {"type": "integer", "min": 0, "max": 1},
            "x": {"type": "number"},
            "k": {"type": "integer", "min": 0, "max": 3},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "b": {"type": "boolean"},
        },
    }
)
# Protection's ways of working, with thresholds that let a handful of patients through.
LENIENT = dataclasses.replace(
    Terms.strict(),
    t_cell=1,
    km=KmTerms(min_removed=1, min_events=1, min_at_risk_end=1, s_decimals=3),
    quantile=QuantileTerms(min_each_side=1, min_in_grid_bin=1),
    model=ModelTerms(
        n_per_param=1, epv=1, min_resid_df=1, min_dummy_level=1, min_dummy_pair=1, max_leverage=2.0
    ),
)
OUTCOME = {"time": "t", "event": "e"}
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("count", {"by": ["g", "k"]}),
    ("describe", {"variables": ["x", "k", "g", "t"], "by": "g"}),
    ("histogram", {"variable": "k", "by": "g"}),
    ("compare", {"variable": "x", "by": "b"}),
    ("compare", {"variable": "t", "by": "g"}),
    ("compare", {"variable": "g", "by": "k"}),
    ("competing_risks", {"time": "t", "event": "g", "cause": "b", "by": "k", "at": [0, 2, 50]}),
    ("competing_risks", {"time": "t", "event": "g", "cause": "b", "censored": "c"}),
    ("mantel_haenszel", {"outcome": "e", "exposure": "b"}),
    ("mantel_haenszel", {"outcome": "e", "exposure": "b", "strata": "g"}),
    ("mantel_haenszel", {"outcome": "e", "exposure": "b", "strata": None}),
    ("survival", {**OUTCOME, "by": "g", "at": [0, 2, 50]}),
    ("survival", {**OUTCOME, "by": "k", "strata": "site"}),
    ("survival", {**OUTCOME, "by": "e", "strata": "g"}),
    ("cox", {**OUTCOME, "formula": "x + g"}),
    ("cox", {**OUTCOME, "formula": "x*g", "strata": None}),
    ("cox", {**OUTCOME, "formula": "k + x", "strata": "g", "ties": "breslow"}),
    ("cox", {**OUTCOME, "formula": "g", "strata": "g"}),
]
PATIENT = st.tuples(
    st.sampled_from([None, 0, 1, 2, 2.5, 100, 399.9, 400, 401]),
    st.sampled_from([None, 0, 1, 1]),
    st.sampled_from([None, 0, 1, -3.5, 1e-9, 1e9, 7]),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([None, True, False]),
)
SPLIT_ALIKE = ("count", "histogram", "survival", "competing_risks")


def _said(fed: Any, kind: str, params: dict[str, Any]) -> Any:
    try:
        return fed.ask(kind, **params)
    except Refused as refusal:
        return refusal.code, refusal.terms


@pytest.mark.parametrize("terms", [Terms.open_data(), LENIENT], ids=["open", "lenient"])
@pytest.mark.parametrize(("kind", "params"), QUESTIONS)
@given(patients=st.lists(PATIENT, max_size=25), cut=st.integers(0, 25))
def test_an_answer_or_a_refusal(
    kind: str,
    params: dict[str, Any],
    terms: Terms,
    patients: list[tuple[Any, ...]],
    cut: int,
    federation: Any,
) -> None:
    frame = pd.DataFrame(patients, columns=["t", "e", "x", "k", "g", "b"], dtype=object)
    parts = [frame.iloc[:cut], frame.iloc[cut:]]
    found = _said(federation(parts, CODEBOOK, terms), kind, params)
    if isinstance(found, tuple):
        assert found[0] in ("MODEL_UNSTABLE", "MODEL_TOO_RICH")
        assert kind == "cox"
    elif kind in SPLIT_ALIKE and params.get("strata") != "site":
        assert found == _said(federation([frame], CODEBOOK, terms), kind, params)
