"""A condition as outcome of a pooled question: its cells are sets like any, for the hub as well."""

from __future__ import annotations

from typing import Any

import pytest

DEAD = {"var": "death", "op": "=", "value": True}
EITHER = {"any": [DEAD, {"var": "hist", "op": "=", "value": "8502"}]}


@pytest.fixture
def net(build: Any, five: dict[str, list[dict[str, str]]]) -> Any:
    """One patient of each hospital has the condition and is alive."""
    for rows in five.values():
        for number, row in enumerate(rows):
            row["HDR_HIST"] = "8502" if number < 21 else "8140"
            row["HDR_DEATH"] = "ja" if 1 <= number < 50 else "nee"
    return build(five)


@pytest.mark.parametrize("formula", [None, "age + C(sex)"], ids=["crude", "model"])
def test_a_cohort_beside_it_that_sets_few_apart_is_refused(net: Any, formula: str | None) -> None:
    """One at each hospital, five in all: together the two answers would tell of them."""
    first = net.ask({"kind": "standardise", "outcome": EITHER, "formula": formula})
    assert first.status == "complete"
    assert first.envelope["result"]["observed"] == 50 * 5
    beside = net.ask({"kind": "count"}, cohort=DEAD)
    assert (beside.status, beside.code) == ("refused", "SMALL_GROUP")
    other = net.ask({"kind": "standardise", "outcome": "death", "formula": formula})
    assert (other.status, other.code) == ("refused", "MODEL_TOO_RICH")
    same = net.ask({"kind": "count"}, cohort=EITHER)
    assert (same.status, same.envelope["result"]["n"]) == ("complete", 50 * 5)
