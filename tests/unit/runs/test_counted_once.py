"""What pages say of patients who may be counted twice."""

from __future__ import annotations

from typing import Any

import pytest

from federation.runs.counted_once import ONE_HOSPITAL, Found, counted_once

DONE = Found("done", 24, as_of="2026-11-23")
FEW = Found("done", None, "SMALL_GROUP", "2026-11-23")


def said(**given: Any) -> dict[str, Any]:
    asked = {"hospitals": 3, "roles": ["any"], "match": None, "linked": None, "threshold": 10}
    return counted_once(**{**asked, **given})


@pytest.mark.parametrize(
    ("given", "state", "dutch", "english"),
    [
        ({}, "unknown", "niet bekend", "not known"),
        ({"roles": []}, "unknown", "niet bekend", "not known"),
        ({"roles": sorted(ONE_HOSPITAL)}, "roles", "bij één ziekenhuis", "one hospital only"),
        ({"roles": ["diagnosis", "any"]}, "unknown", "niet bekend", "not known"),
        ({"match": DONE}, "matched", "24 keer", "24 times"),
        ({"match": FEW}, "matched", "minder dan 10", "fewer than 10"),
        ({"match": Found("waiting")}, "unknown", "niet bekend", "not known"),
        ({"match": Found("refused", code="NO_MATCH")}, "unknown", "konden niet", "could not"),
        ({"hospitals": 1}, "unknown", "één ziekenhuis", "One hospital"),
        ({"linked": 30}, "unknown", "Minstens 30", "At least 30"),
    ],
)
def test_the_sentence_follows_from_what_is_known(
    given: dict[str, Any], state: str, dutch: str, english: str
) -> None:
    found = said(**given)
    assert found["state"] == state
    assert dutch in found["sentence"]["nl"]
    assert english in found["sentence"]["en"]
    assert "{" not in found["sentence"]["nl"] + found["sentence"]["en"]


def test_a_number_is_there_only_when_it_may_be_shown() -> None:
    assert (said(match=DONE)["count"], said(match=DONE)["hidden"]) == (24, None)
    hidden = said(match=FEW)
    assert (hidden["count"], hidden["hidden"]) == (None, "SMALL_GROUP")
    # a number that came with a match that was not finished is not told
    assert said(match=Found("refused", 24))["count"] is None
    assert "24" not in said(match=Found("refused", 24))["sentence"]["en"]


def test_roles_are_said_beside_a_match() -> None:
    both = said(match=DONE, roles=["treatment"])
    assert both["state"] == "matched"
    assert "each tumour counts at one hospital" in both["sentence"]["en"]
