"""Funnel limits and spread against printed numbers.

Poisson limits: nhs-r-community/FunnelPlotR @ 9020d497, tests/testthat/test-poisson_limits.R, as in
published_truth.json (funnel_sr_poisson) and domain.md 3.3. Binomial: domain.md 3.3, "with n = 100
and p = 3% the exact 95% range is 0 to 7 events".
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from federation.methods.funnel import (
    LEVEL95,
    LEVEL998,
    Spread,
    added_variance,
    arcsine_limits,
    arcsine_spread,
    binomial_limits,
    binomial_range,
    dispersion,
    may_rank,
    outside,
    poisson_limits,
    rank_reason,
    rank_word,
    rankability,
    ratio_limits,
    share_interval,
    spread_of,
    spread_of_sums,
    typical_variance,
    widened_limits,
    winsorised,
)

EXPECTED = [15, 20, 30]
PRINTED = {
    LEVEL95: ([0.5596924, 0.610826, 0.6746958], [1.649348, 1.544419, 1.427562]),
    LEVEL998: ([0.386265, 0.4479107, 0.5289724], [2.082907, 1.902094, 1.702771]),
}


@pytest.mark.parametrize("level", PRINTED)
def test_poisson_limits_as_printed(level: float) -> None:
    found = [poisson_limits(e, level) for e in EXPECTED]
    for pair, low, high in zip(found, *PRINTED[level], strict=True):
        assert pair == pytest.approx((low, high), abs=5e-7)


@pytest.mark.parametrize(
    ("n", "share", "observed", "z", "where"),
    [
        (100, 0.95, 80, -6.9, 998),
        (200, 0.95, 175, -4.9, 998),
        (200, 0.85, 150, -4.0, 998),
        (200, 0.7, 120, -3.1, 95),
    ],
)
def test_of_an_outcome_that_most_have_far_fewer_is_not_chance(
    n: int, share: float, observed: int, z: float, where: int
) -> None:
    """The exact chance of so few is below 1 in 500 (at one side 1 in 1,000 lies outside 99.8%); by
    Poisson all four were inside, and a hospital could have had more events than patients."""
    expected = n * share
    inner, outer = (ratio_limits(n, expected, level, rare=False) for level in (LEVEL95, LEVEL998))
    assert inner is not None
    assert outer is not None
    assert (observed - expected) / math.sqrt(expected * (1 - share)) == pytest.approx(z, abs=0.05)
    assert stats.binom.cdf(observed, n, share) < 0.002
    assert outside(observed / expected, inner, outer) == where
    by_poisson = [poisson_limits(expected, level) for level in (LEVEL95, LEVEL998)]
    assert outside(observed / expected, *by_poisson) == 0
    assert outer[1] <= n / expected
    # As without a model; what chance leaves in is in, but for the edge, which is interpolated.
    plain = binomial_limits(n, share, LEVEL95)
    assert plain == pytest.approx((inner[0] * share, inner[1] * share))
    low, high = binomial_range(n, share, LEVEL95)
    assert outside((low + 1) / expected, inner, outer) == 0
    assert outside((high - 1) / expected, inner, outer) == 0


def test_ratio_limits_of_a_rare_outcome_are_the_printed_ones() -> None:
    for e, low, high in zip(EXPECTED, *PRINTED[LEVEL95], strict=True):
        assert ratio_limits(900, e, LEVEL95, rare=True) == pytest.approx((low, high), abs=5e-7)
    assert ratio_limits(900, 0.0, LEVEL95, rare=False) is None
    assert ratio_limits(9, 9.0, LEVEL95, rare=False) is None


def test_poisson_limits_are_chi_squared_quantiles() -> None:
    for e in (0.01, 0.5, 3.7, 1000.0):
        low = stats.chi2.ppf(0.025, 2 * e) / 2 / e
        high = stats.chi2.ppf(0.975, 2 * (e + 1)) / 2 / e
        assert poisson_limits(e, LEVEL95) == pytest.approx((low, high), rel=1e-9)
    assert poisson_limits(0.0, LEVEL95) is None


def test_binomial_limits() -> None:
    # The exact range is 0 to 7 of 100: the limits lie within one event of it.
    low, high = binomial_limits(100, 0.03, LEVEL95) or (1.0, 0.0)
    assert low == 0.0
    assert 6 <= 100 * high <= 7
    wide = binomial_limits(100, 0.03, LEVEL998)
    assert wide is not None
    assert wide[1] > high
    # Interpolation of Spiegelhalter (2005) by hand: F(2) of Binomial(10, 0.5) is 0.0546875.
    at = (0.0546875 - 0.025) / (0.0546875 - 0.0107421875)
    assert binomial_limits(10, 0.5, LEVEL95) == pytest.approx((0.2 - at / 10, 0.8 - (1 - at) / 10))
    large = binomial_limits(1_000_000, 0.3, LEVEL95)
    assert large == pytest.approx((0.3 - 1.96 * 0.000458, 0.3 + 1.96 * 0.000458), abs=3e-6)


@pytest.mark.parametrize(("n", "share"), [(0, 0.3), (10, 0.0), (10, 1.0)])
def test_no_binomial_limits_without_chance(n: int, share: float) -> None:
    assert binomial_limits(n, share, LEVEL95) is None


def test_winsorised_pulls_in_a_tenth_at_each_end() -> None:
    z = np.array([-9.0, -2, -1, 0, 0, 1, 1, 2, 3, 50, 7])
    found = winsorised(z)
    low, high = np.quantile(z, [0.1, 0.9])
    assert found.min() == low
    assert found.max() == high
    assert found[3] == 0.0
    assert winsorised(np.zeros(0)).size == 0


def test_spread_by_hand() -> None:
    """k phi - (k - 1) over sum w - sum w^2 / sum w, and tau^2 / (tau^2 + median s^2)."""
    z, variance = np.array([-2.0, 2.0, 3.0, -3.0, 0.0]), np.array([0.1, 0.2, 0.1, 0.4, 0.2])
    found = spread_of(z, variance)
    pulled = np.array([-2.0, 2.0, 2.6, -2.6, 0.0])
    phi = float((pulled**2).sum() / 5)
    # The weights are 10, 5, 10, 2.5 and 5.
    tau2 = (5 * phi - 4) / (32.5 - 256.25 / 32.5)
    assert found.phi == pytest.approx(phi)
    assert found.tau2 == pytest.approx(tau2)
    assert found.rankability == pytest.approx(tau2 / (tau2 + 0.2))
    assert Spread.from_json(found.to_json()) == found


def test_chance_alone_adds_no_variance() -> None:
    z, variance = np.array([0.5, -0.4, 0.1, 0.2]), np.full(4, 0.1)
    found = spread_of(z, variance)
    assert (found.tau2, found.rankability) == (0.0, 0.0)


def test_equal_hospitals_need_no_median() -> None:
    """With equal variances within, the median and the typical variance are the same."""
    z, s2 = np.array([2.0, -2.0, 1.0, -1.0, 0.5]), np.full(5, 0.3)
    sums = spread_of_sums(5, float((z**2).sum()), 5 / 0.3, 5 / 0.09)
    assert typical_variance(5, 5 / 0.3, 5 / 0.09) == pytest.approx(0.3)
    assert sums.tau2 == pytest.approx(0.3 * ((z**2).sum() - 4) / 4)
    whole = spread_of(z, s2)
    assert sums.phi is not None
    assert whole.phi is not None
    assert sums.phi >= whole.phi


def test_nobody_and_one_hospital() -> None:
    assert spread_of(np.zeros(0), np.zeros(0)) == Spread(0, None, 0.0, None)
    assert spread_of_sums(0, 0.0, 0.0, 0.0) == Spread(0, None, 0.0, None)
    assert spread_of(np.array([1.5]), np.array([0.2])) == Spread(1, 2.25, 0.0, None)
    assert spread_of_sums(1, 2.25, 5.0, 25.0) == Spread(1, 2.25, 0.0, None)
    assert dispersion(1.0, 0) is None
    assert added_variance(9.0, 3, 0.0, 0.0) == 0.0
    assert added_variance(9.0, 2, 5.0, 25.0) == 0.0
    assert typical_variance(2, 5.0, 25.0) is None
    assert rankability(0.0, 0.0) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, None),
        (0.0, "low"),
        (0.499, "low"),
        (0.5, "moderate"),
        (0.75, "moderate"),
        (0.76, "high"),
    ],
)
def test_rank_words(value: float | None, word: str | None) -> None:
    assert rank_word(value) == word


def test_outside() -> None:
    inner, outer = (0.6, 1.5), (0.4, 2.0)
    assert [outside(r, inner, outer) for r in (0.3, 0.5, 0.6, 1.0, 1.5, 1.7, 2.1)] == [
        998, 95, 0, 0, 0, 95, 998,
    ]  # fmt: skip
    assert outside(1.0, None, None) is None


def test_widened_limits() -> None:
    z = stats.norm.ppf(0.975)
    assert widened_limits(0.01, 0.03, LEVEL95) == pytest.approx((1 - z * 0.2, 1 + z * 0.2))
    assert widened_limits(4.0, 0.0, LEVEL95)[0] == 0.0
    assert math.isclose(widened_limits(0.01, 0.0, LEVEL998)[1], 1 + stats.norm.ppf(0.999) * 0.1)


def test_a_hundred_patients_and_three_percent() -> None:
    """The rule of thumb beside every funnel, domain.md 3.3."""
    assert binomial_range(100, 0.03, LEVEL95) == (0, 7)
    low, high = binomial_range(250, 0.2, LEVEL998)
    inside = stats.binom.cdf(high, 250, 0.2) - stats.binom.cdf(low - 1, 250, 0.2)
    assert inside >= 0.998


def test_arcsine_limits_as_funnelplotr_writes_them() -> None:
    """sin(asin(sqrt p) +- z sqrt(1 / 4n + tau^2))^2, domain.md 3.3."""
    for n, share, between in ((100, 0.03, 0.0), (40, 0.5, 0.01), (12, 0.97, 0.0)):
        z = stats.norm.ppf(0.975)
        angles = np.arcsin(np.sqrt(share)) + np.array([-1, 1]) * z * np.sqrt(1 / (4 * n) + between)
        wanted = np.sin(np.clip(angles, 0, np.pi / 2)) ** 2
        assert arcsine_limits(n, share, LEVEL95, between) == pytest.approx(tuple(wanted))
    low, high = arcsine_limits(10**6, 0.3, LEVEL998) or (0.0, 0.0)
    assert (low, high) == pytest.approx(binomial_limits(10**6, 0.3, LEVEL998), abs=3e-6)
    assert arcsine_limits(0, 0.3, LEVEL95) is None
    assert arcsine_limits(100, 0.0, LEVEL95) == pytest.approx((0.0, np.sin(0.098) ** 2), rel=1e-3)


def test_arcsine_spread_is_that_of_the_transformed_shares() -> None:
    observed, n = np.array([30.0, 12, 55, 9, 41, 22]), np.array([100.0, 60, 110, 90, 100, 80])
    found = arcsine_spread(observed, n)
    share = observed.sum() / n.sum()
    z = 2 * np.sqrt(n) * (np.arcsin(np.sqrt(observed / n)) - np.arcsin(np.sqrt(share)))
    pulled = np.clip(z, *np.quantile(z, [0.1, 0.9]))
    phi = (pulled**2).mean()
    w = 4 * n
    assert found.phi == pytest.approx(phi)
    assert found.tau2 == pytest.approx((6 * phi - 5) / (w.sum() - (w**2).sum() / w.sum()))
    # equal hospitals: less than chance adds nothing
    assert arcsine_spread(np.full(5, 20.0), np.full(5, 100.0)).tau2 == 0.0


def test_exact_intervals_of_a_share() -> None:
    for observed, n in ((0, 30), (7, 30), (30, 30), (250, 1000)):
        wanted = stats.binomtest(observed, n).proportion_ci(method="exact")
        assert share_interval(observed, n) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert share_interval(0, 0) is None


@pytest.mark.parametrize(
    ("value", "says"), [(None, "do not tell"), (0.38, "38%"), (0.75, "75%"), (0.7499, "74%")]
)
def test_no_order_below_three_quarters_and_why(value: float | None, says: str) -> None:
    """The Dutch audit: rankability 38%, so most of an order would be chance (domain.md 3.3)."""
    assert not may_rank(value)
    assert says in (rank_reason(value, "en") or "")
    assert (rank_reason(value, "nl") or "").startswith("Er is geen volgorde")
    assert rank_reason(0.76, "nl") is None
    assert may_rank(0.76)
