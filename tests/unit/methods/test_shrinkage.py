"""Shrinkage against the posterior by integration, and expected ranks against drawn levels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from federation.methods.shrinkage import expected_percentiles, expected_ranks, shrunken


@pytest.mark.parametrize(
    ("value", "within", "between"), [(1.8, 0.09, 0.04), (0.4, 0.5, 0.02), (1.1, 0.001, 0.3)]
)
def test_the_posterior_of_a_level(value: float, within: float, between: float) -> None:
    def density(level: float) -> float:
        prior = stats.norm.pdf(level, 1.0, between**0.5)
        return float(prior * stats.norm.pdf(value, level, within**0.5))

    total, _ = integrate.quad(density, -3, 5, points=[value, 1.0])
    mean, _ = integrate.quad(lambda t: t * density(t) / total, -3, 5, points=[value, 1.0])
    square, _ = integrate.quad(
        lambda t: (t - mean) ** 2 * density(t) / total, -3, 5, points=[value, 1.0]
    )
    found = shrunken(value, within, between)
    assert found is not None
    assert found.value == pytest.approx(mean, rel=1e-6)
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * square**0.5)
    assert min(value, 1.0) <= found.value <= max(value, 1.0)


def test_the_less_is_known_the_nearer_to_all() -> None:
    """Eight schools (D. Rubin, 1981; A. Gelman, Bayesian Data Analysis, section 5.5): with a spread
    between schools of 10 and a mean of 8 the effects of schools A and C."""
    a, c = shrunken(28.0, 15.0**2, 100.0, 8.0), shrunken(-3.0, 16.0**2, 100.0, 8.0)
    assert a is not None
    assert c is not None
    assert a.value == pytest.approx(8 + 20 * 100 / 325)
    assert c.value == pytest.approx(8 - 11 * 100 / 356)
    assert shrunken(1.4, 0.2, 0.0) is None  # no more than chance: no interval of nought
    exact = shrunken(1.4, 0.0, 0.1)
    assert exact is not None
    assert (exact.value, exact.low, exact.weight) == (1.4, 1.4, 1.0)


def test_expected_ranks_are_the_means_of_drawn_ranks() -> None:
    values = np.array([0.7, 1.0, 1.05, 1.6, 2.4])
    within, between = np.array([0.02, 0.4, 0.02, 0.1, 0.9]), 0.15
    weight = between / (between + within)
    draws = np.random.default_rng(1).normal(
        1 + weight * (values - 1), np.sqrt(weight * within), (200_000, 5)
    )
    wanted = 1 + draws.argsort(axis=1).argsort(axis=1).mean(axis=0)
    found = expected_ranks(values, within, between)
    np.testing.assert_allclose(found, wanted, atol=0.015)
    assert found.sum() == pytest.approx(15)
    np.testing.assert_allclose(
        expected_percentiles(values, within, between), 100 * (found - 0.5) / 5
    )


def test_without_differences_everybody_stands_in_the_middle() -> None:
    values = np.array([0.5, 1.0, 3.0])
    np.testing.assert_array_equal(expected_ranks(values, np.full(3, 0.2), 0.0), [2.0, 2.0, 2.0])
    np.testing.assert_allclose(expected_percentiles(values, np.full(3, 0.2), 0.0), 50.0)
    # and without chance in the order of their numbers, equals sharing their places
    sure = expected_ranks(np.array([3.0, 1.0, 1.0]), np.zeros(3), 1.0)
    np.testing.assert_allclose(sure, [3.0, 1.5, 1.5])
    assert expected_percentiles(np.zeros(0), np.zeros(0), 1.0).size == 0
