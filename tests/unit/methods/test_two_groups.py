"""Difference and ratio against statsmodels and printed numbers, and never one without the other."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from federation.methods.two_groups import score_interval, two_groups, words


def test_prehabilitation_as_the_trial_reported_it() -> None:
    """domain.md 3.6: 17.1% against 29.7% of 251 patients is 12.6 points, and 42% of the risk."""
    found = two_groups(21, 123, 38, 128)
    assert found is not None
    assert round(100 * found.share, 1) == 17.1
    assert round(100 * found.other_share, 1) == 29.7
    assert round(100 * found.difference, 1) == -12.6
    assert found.ratio is not None
    assert 1 - found.ratio == pytest.approx(0.425, abs=0.0005)
    assert found.clear
    nl, en = words(found, "nl"), words(found, "en")
    assert "21 van 123 (17,1%)" in nl
    assert "−12,6 per 100" in nl
    assert "42,5% minder" in nl
    assert "21 of 123 (17.1%)" in en
    assert "−12.6 per 100" in en
    assert "42.5% less" in en
    assert "chance" not in en


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090)],
)
def test_newcombe_as_printed(given: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe 1998, table II, method 10."""
    found = two_groups(*given)
    assert found is not None
    assert found.difference_interval == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    "given", [(21, 123, 38, 128), (56, 70, 48, 80), (1, 40, 9, 35), (7, 7, 3, 9), (0, 20, 5, 25)]
)
def test_as_statsmodels(given: tuple[int, int, int, int]) -> None:
    found = two_groups(*given)
    assert found is not None
    wanted = confint_proportions_2indep(*given, method="newcomb", compare="diff")
    assert found.difference_interval == pytest.approx(wanted, abs=1e-9)
    assert score_interval(*given[:2]) == pytest.approx(
        proportion_confint(*given[:2], method="wilson"), abs=1e-9
    )
    if given[0] == 0:
        assert (found.ratio, found.ratio_interval) == (None, None)
        return
    ratio = confint_proportions_2indep(*given, method="log", compare="ratio", correction=False)
    assert found.ratio_interval == pytest.approx(ratio, rel=1e-6)


def test_what_may_be_chance_is_said_and_nobody_is_no_group() -> None:
    found = two_groups(5, 50, 6, 50)
    assert found is not None
    assert not found.clear
    assert words(found, "en").endswith("This may well be chance.")
    assert words(found, "nl").endswith("Dit kan goed toeval zijn.")
    # without an event in a group no ratio, and the difference all the same
    none = two_groups(0, 60, 12, 60)
    assert none is not None
    assert "−20.0 per 100" in words(none, "en")
    assert "times" not in words(none, "en")
    assert two_groups(0, 0, 3, 9) is None
    with pytest.raises(ValueError, match="more events"):
        two_groups(4, 3, 0, 1)
