"""The groups of a cause analysis count what the indicator counts, whatever its condition says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from federation.indicators.catalogue import shipped
from federation.indicators.definition import Indicator
from federation.query.builtin import builtin_codebook
from federation.query.cohort import parse_cohort
from federation.rounds.answers import Answer
from federation.rounds.strata import strata_of

CODEBOOK = builtin_codebook("oncomin/1")
MARGIN = {"R0": 70, "R1": 20, "R2": 10}


def one_row(numerator: Mapping[str, Any], levels: Mapping[str, int | None]) -> Mapping[str, Any]:
    """The row of the only hospital and group of an indicator that counts `numerator`."""
    assert CODEBOOK is not None
    shares = shipped()["r0_resection"]
    node = parse_cohort(dict(numerator), CODEBOOK)
    indicator: Indicator = replace(shares, numerator=node)
    name = str(numerator["var"])
    cells = [{"by": {"stage_group": "II", name: each}, "n": n} for each, n in levels.items()]
    answer = Answer(("a",), (), None, {"by_site": {"a": {"n": 100, "cells": cells}}}, None)
    [found] = strata_of(indicator, {"stratum:stage_group": answer}, CODEBOOK)
    [row] = found["rows"]
    return row  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("numerator", "levels", "observed"),
    [
        ({"var": "margin", "op": "=", "value": "R0"}, MARGIN, 70),
        ({"var": "margin", "op": "!=", "value": "R0"}, MARGIN, 30),
        ({"var": "margin", "op": "in", "value": ["R1", "R0"]}, MARGIN, 90),
        ({"var": "severe_complication", "op": "=", "value": True}, {"false": 80, "true": 20}, 20),
        ({"var": "severe_complication", "op": "=", "value": False}, {"false": 80, "true": 20}, 80),
        ({"var": "severe_complication", "op": "!=", "value": True}, {"false": 80, "true": 20}, 80),
    ],
)
def test_a_table_gives_the_share_for_whom_the_condition_holds(
    numerator: dict[str, Any], levels: dict[str, int | None], observed: int
) -> None:
    row = one_row(numerator, levels)
    assert (row["n"], row["observed"], row["value"]) == (100, observed, observed / 100)
    assert row["hidden"] is None


def test_a_hidden_cell_among_those_that_add_up_hides_the_share() -> None:
    levels = {**MARGIN, "R2": None}
    row = one_row({"var": "margin", "op": "!=", "value": "R0"}, levels)
    assert (row["observed"], row["value"], row["hidden"]) == (None, None, "small")


def test_a_mix_gives_its_parts_and_a_volume_its_number_and_neither_is_called_small() -> None:
    assert CODEBOOK is not None
    for name, kinds in (
        ("treatment_mix_treatment", {"surgery": 30, "none": 10}),
        ("volume_colon", {}),
    ):
        indicator = shipped()[name]
        counted: Mapping[str, int] = kinds or {"": 40}
        cells = [
            {
                "by": {"stage_group": "II", **({str(indicator.variable): kind} if kind else {})},
                "n": n,
            }
            for kind, n in counted.items()
        ]
        answer = Answer(("a",), (), None, {"by_site": {"a": {"n": 40, "cells": cells}}}, None)
        [found] = strata_of(indicator, {"stratum:stage_group": answer}, CODEBOOK)
        [row] = found["rows"]
        assert (row["n"], row["value"], row["hidden"]) == (40, None if kinds else 40, None)
        assert [(each["level"], each["n"], each["share"]) for each in row.get("levels", ())] == [
            (kind, n, n / 40) for kind, n in kinds.items()
        ]
