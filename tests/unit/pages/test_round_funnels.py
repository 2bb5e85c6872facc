"""The lines of a round's funnel are the limits against which its hospitals are held."""

from __future__ import annotations

import pytest
from shown_round import severe_complications

from federation.methods.funnel import LEVEL95, LEVEL998, binomial_limits, poisson_limits
from registry.pages.round_funnels import beyond_chance, drawn_limits

WIDENED = severe_complications(case_mix=True)["rows"]
BY_CHANCE = severe_complications()["rows"]


def test_hospitals_own_widened_limits_give_the_lines_that_are_drawn() -> None:
    beyond = beyond_chance(WIDENED)
    assert beyond is not None
    assert beyond.between == pytest.approx(0.02)
    for row in WIDENED:
        if row["widened95"]:
            assert beyond.limits(row["expected"], LEVEL95) == pytest.approx(row["widened95"])
            assert beyond.limits(row["expected"], LEVEL998) == pytest.approx(row["widened998"])


def test_the_lines_are_the_wider_of_both_and_of_chance_where_nobody_is_held_to_more() -> None:
    share, longest = 0.02, 120.0
    assert beyond_chance(BY_CHANCE) is None
    [chance, wider] = [
        drawn_limits(share, longest, beyond, adjusted=True)
        for beyond in (None, beyond_chance(WIDENED))
    ]
    for one, two in zip(chance, wider, strict=True):
        assert one.inner == poisson_limits(one.expected, LEVEL95)
        assert two.inner[0] <= one.inner[0]
        assert two.inner[1] >= one.inner[1]
    assert wider[-1].inner[1] > chance[-1].inner[1] * 1.1

    shares = drawn_limits(0.2, 400.0, beyond_chance(WIDENED), adjusted=False)
    last = shares[-1]
    found = binomial_limits(round(last.expected), 0.2, LEVEL95)
    assert found is not None
    assert last.inner[1] > found[1]
    beyond = beyond_chance(WIDENED)
    assert beyond is not None
    assert last.inner[1] == pytest.approx(0.2 * beyond.limits(0.2 * last.expected, LEVEL95)[1])
