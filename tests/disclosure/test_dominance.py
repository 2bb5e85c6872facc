"""Attack 16 of disclosure.md section 6 against real sites: a mean that is mostly one patient's."""

from __future__ import annotations

from typing import Any

import pytest

MEAN = {"kind": "describe", "variables": ["ca125"]}
ALIKE = ["5", "6", "7"]


def spread(five: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """Five hospitals whose patients all have a value between 5 and 7: 800 patients, sum 4,800."""
    for rows in five.values():
        for number, row in enumerate(rows):
            row["HDR_CA125"] = ALIKE[number % 3]
    return five


@pytest.mark.parametrize(
    ("large", "hidden"),
    [
        ({"h0": "20000"}, True),  # one patient has 81 %
        ({"h0": "4000", "h1": "6500"}, True),  # two, at two hospitals, have 69 %
        ({"h0": "1200", "h1": "1200"}, False),  # 17 % each
    ],
)
def test_a_mean_is_hidden_when_few_make_it_up(
    build: Any, five: dict[str, list[dict[str, str]]], large: dict[str, str], hidden: bool
) -> None:
    rows = spread(five)
    for slug, value in large.items():
        rows[slug][0]["HDR_CA125"] = value
    outcome = build(rows).ask(MEAN)
    assert outcome.status == "complete"
    (group,) = outcome.envelope["result"]["variables"][0]["groups"]
    why = {each["where"]: each["why"] for each in outcome.envelope["hidden"]}
    if hidden:
        assert {group[key] for key in ("mean", "sd", "se", "ci_low", "ci_high")} == {None}
        assert why["variables[0].groups[0].mean"] == "dominance"
    else:
        assert group["mean"] is not None
        assert "variables[0].groups[0].mean" not in why
