"""Attacks on the analyses that compare hospitals, against five real ones."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from federation.disclosure.policy import Policy

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
STANDARD = {"kind": "standardise", "outcome": "death", "formula": "age + C(sex)"}
CRUDE = {"kind": "standardise", "outcome": "death"}
MIXED = {"kind": "mixed", "formula": "ca125 ~ age + sex"}


def tame(rows: dict[str, list[dict[str, str]]]) -> None:
    """Markers without a long tail: one patient with most of the sum is another test's subject."""
    for site, found in enumerate(rows.values()):
        for i, row in enumerate(found):
            row["HDR_CA125"] = f"{20 + 3 * site + (i * 37) % 30}"


def deaths(rows: list[dict[str, str]], most: int) -> None:
    """Leave so many deaths in this hospital."""
    for row in [row for row in rows if row["HDR_DEATH"] == "ja"][most:]:
        row["HDR_DEATH"] = "nee"


@pytest.mark.parametrize("analysis", [STANDARD, CRUDE], ids=["model", "crude"])
def test_expected_numbers_do_not_add_up_to_the_hidden_one(
    analysis: dict[str, Any], build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Expected numbers of a logistic model add up to the observed ones: the sum of all expected
    less the other hospitals' observed would be what the fifth hospital hides."""
    answers = []
    for secret in (2, 7):
        rows = copy.deepcopy(five)
        deaths(rows["h0"], secret)
        net = build(rows, policy=WITH_FORM, study={"by_site": "hub"})
        answers.append(net.ask(analysis, output="by_site").envelope["by_site"])
    assert answers[0]["h0"]["observed"] is None
    assert answers[0]["h0"]["limits95"][0] is not None
    assert answers[0] == answers[1]


@pytest.mark.parametrize("analysis", [STANDARD, MIXED], ids=["standardise", "mixed"])
def test_one_patient_less_is_refused(
    analysis: dict[str, Any], build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    tame(five)
    for rows in five.values():
        for row in rows:
            row["HDR_HIST"] = "8140"
    five["h2"][0]["HDR_HIST"] = "8500"  # one patient of all five hospitals
    net = build(five)
    assert net.ask(analysis).status == "complete"
    without = {"all": [{"var": "hist", "op": "in", "value": ["8140", "8502"]}]}
    again = net.ask(analysis, cohort=without)
    assert (again.status, again.code) == ("refused", "SMALL_GROUP")


def test_a_pooled_answer_shows_no_hospital(
    build: Any, five: dict[str, list[dict[str, str]]], read: Any
) -> None:
    tame(five)
    net = build(five)
    for analysis in (STANDARD, MIXED):
        answer = net.ask(analysis).envelope
        assert answer["status"] == "complete"
        assert "by_site" not in answer
        assert "hospitals" not in answer["result"]
    said = [read(body) for body in net.bodies]
    assert any(claims.get("masked") for claims in said)
    assert not any(claims.get("plain") for claims in said)
