"""Rounds of a small hospital together: shown numbers only, nobody dropped, no letter told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from round_snapshot import whole
from scipy import stats

from federation.rounds.snapshot import Row, Snapshot
from federation.rounds.years import may_join, together, words

PERIODS = ({"first": "2024-01", "last": "2024-12"}, {"first": "2023-01", "last": "2023-12"},
           {"first": "2022-01", "last": "2022-12"})  # fmt: skip


def rounds(*numbers: tuple[int | None, int | None, float | None], **changes: Any) -> list[Snapshot]:
    """Snapshots of yearly rounds, the newest first, with n, observed and expected of `annabel`."""
    made = []
    for period, (n, observed, expected) in zip(PERIODS, numbers, strict=False):
        base = whole(names=changes.get("names", False))
        indicators = tuple(
            replace(one, rows=(Row("annabel", n=n, observed=observed, expected=expected),))
            if one.id == "mortality_30"
            else one
            for one in base.indicators
        )
        made.append(replace(base, indicators=indicators, round=replace(base.round, period=period)))
    return made


def test_years_are_added_back_until_there_are_enough() -> None:
    found = together(rounds((22, 2, 1.0), (31, 3, 1.5), (40, 9, 4.0)), "mortality_30", "annabel")
    assert found is not None
    assert (found.first, found.last, found.rounds) == ("2023-01", "2024-12", 2)
    assert (found.n, found.observed, found.expected, found.enough) == (53, 5, 2.5, True)
    exact = stats.binomtest(5, 53).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.ratio == 2.0
    chi = (stats.chi2.ppf(0.025, 5) / 5, stats.chi2.ppf(0.975, 7) / 5)
    assert found.limits95 == pytest.approx(chi)
    assert found.outside == 0
    assert "5 van 53" in words(found, "nl")
    assert "9.4%" in words(found, "en")


def test_all_years_stay_too_few_and_that_is_said() -> None:
    found = together(rounds((12, 0, 0.5), (11, 1, 0.6)), "mortality_30", "annabel")
    assert found is not None
    assert (found.n, found.enough) == (23, False)
    assert "chance weighs heavily" in words(found, "en")
    assert words(found, "nl").endswith("het toeval weegt zwaar.")


@pytest.mark.parametrize(
    "numbers",
    [
        [(60, 5, 4.0), (31, 3, 2.5)],  # enough by itself
        [(22, None, 1.5), (31, 3, 2.5)],  # hidden now
        [(22, 2, 1.5), (31, None, 2.5), (40, 9, 4.0)],  # hidden before: nothing is skipped
        [(None, None, None), (31, 3, 2.5)],
        [(22, 2, 1.5)],
    ],
)
def test_a_round_that_stands_by_itself(numbers: list[Any]) -> None:
    assert together(rounds(*numbers), "mortality_30", "annabel") is None


def test_only_rounds_that_count_alike_and_follow_each_other() -> None:
    made = rounds((22, 2, 1.5), (31, 3, 2.5))
    later = replace(made[1], round=replace(made[1].round, period=PERIODS[2]))
    assert together([made[0], later], "mortality_30", "annabel") is None
    other = tuple(replace(one, version=one.version + 1) for one in made[1].indicators)
    assert (
        together([made[0], replace(made[1], indicators=other)], "mortality_30", "annabel") is None
    )
    assert together(made, "access_time", "annabel") is None
    assert together(made, "mortality_30", "nobody") is None
    # without an expected number in one of them the share alone
    plain = together(rounds((22, 2, 1.5), (31, 3, None)), "mortality_30", "annabel")
    assert plain is not None
    assert (plain.share, plain.ratio, plain.limits95) == (pytest.approx(5 / 53), None, None)


def test_of_another_hospital_only_where_every_round_has_names() -> None:
    lettered = rounds((22, 2, 1.5), (31, 3, 2.5))
    named = rounds((22, 2, 1.5), (31, 3, 2.5), names=True)
    assert may_join(lettered, "annabel", {"annabel"})
    assert not may_join(lettered, "annabel", {"mmc"})
    assert may_join(named, "annabel", {"mmc"})
    assert not may_join([named[0], lettered[1]], "annabel", {"mmc"})
