"""One sum for hub and sites: what it adds, and what it does not take."""

from typing import Any

import numpy as np
import pytest

from federation.protocol.encoding import pack_array
from federation.protocol.errors import ProtocolError
from federation.protocol.pooling import CONTRIBUTION, pool, take_contribution
from federation.protocol.sums import flatten

SUMS = {"n": np.array([3]), "x": np.array([[0.5, -2.0]]), CONTRIBUTION: np.array([1, 3, 9])}


def plain(sums: dict[str, Any] = SUMS) -> dict[str, Any]:
    return {"plain": {name: pack_array(array) for name, array in sums.items()}}


def masked(sums: dict[str, Any] = SUMS) -> dict[str, Any]:
    layout, vector = flatten(sums)
    return {"layout": layout, "masked": pack_array(vector)}


@pytest.mark.parametrize("reply", [plain, masked])
def test_sums_over_the_roster(reply: Any) -> None:
    pooled = pool({"b": reply(), "a": reply()}, labelled=False)
    assert take_contribution(pooled) == (2, 6, 18)
    assert pooled["n"].tolist() == [6]
    assert pooled["x"].tolist() == [[1.0, -4.0]]


def test_a_labelled_step_is_joined_in_order_of_slug() -> None:
    claims = {"b": plain({"t": np.array([2.0])}), "a": plain({"t": np.array([1.0])})}
    assert pool(claims, labelled=True)["t"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("claims", "labelled", "code"),
    [
        ({"a": plain(), "b": masked()}, False, "MIXED_REPLIES"),
        ({"a": masked(), "b": plain()}, False, "MIXED_REPLIES"),
        ({"a": {**plain(), **masked()}, "b": {**plain(), **masked()}}, False, "MIXED_REPLIES"),
        ({"a": masked()}, True, "MIXED_REPLIES"),
        ({"a": {}}, False, "MIXED_REPLIES"),
        ({}, False, "MIXED_REPLIES"),
        ({"a": plain(), "b": plain({"n": np.array([3])})}, False, "BAD_LAYOUT"),
        (
            {"a": plain({"n": np.array([3])}), "b": plain({"n": np.array([3.0])})},
            False,
            "BAD_LAYOUT",
        ),
        ({"a": masked(), "b": masked({"n": np.array([3])})}, False, "BAD_LAYOUT"),
        ({"a": {"plain": [1]}}, False, "BAD_REPLY"),
        ({"a": {**masked(), "masked": pack_array(np.array([1]))}}, False, "BAD_ARRAY"),
    ],
)
def test_what_cannot_be_added(claims: Any, labelled: bool, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        pool(claims, labelled=labelled)
    assert caught.value.code == code


@pytest.mark.parametrize("found", [np.array([1.0, 3, 9]), np.array([1, 3]), np.zeros(0, np.int64)])
def test_a_contribution_is_three_whole_numbers(found: Any) -> None:
    with pytest.raises(ProtocolError):
        take_contribution({CONTRIBUTION: found})
    with pytest.raises(ProtocolError):
        take_contribution({})
