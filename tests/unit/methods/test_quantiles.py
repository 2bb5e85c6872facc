from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.quantiles import quantile_bins


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=12),
    st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]),
)
def test_without_thresholds_it_is_the_bin_of_the_order_statistic(
    counts: list[int], p: float
) -> None:
    values = np.repeat(np.arange(len(counts)), counts)
    found = quantile_bins(np.array(counts), p, min_in_bin=0, min_each_side=0)
    if values.size == 0:
        assert found is None
    else:
        exact = np.quantile(values, p, method="inverted_cdf")
        assert found == (exact, exact)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12), st.sampled_from([0.25, 0.5, 0.75]))
def test_under_protection_the_run_holds_enough_and_is_the_shortest(
    counts: list[int], p: float
) -> None:
    bins = np.array(counts)
    found = quantile_bins(bins, p, min_in_bin=10, min_each_side=10)
    if found is None:
        return
    first, last = found
    assert bins[first : last + 1].sum() >= 10
    values = np.repeat(np.arange(bins.size), bins)
    exact = np.quantile(values, p, method="inverted_cdf")
    assert first <= exact <= last
    assert (values.size - 1) * min(p, 1 - p) >= 9
    for start in range(bins.size):
        end = start + last - first - 1
        if start <= exact <= end < bins.size:
            assert bins[start : end + 1].sum() < 10


@pytest.mark.parametrize(("n", "hidden"), [(39, True), (40, True), (41, False)])
def test_ten_patients_on_either_side(n: int, hidden: bool) -> None:
    found = quantile_bins(np.array([0, n, 0]), 0.25, min_in_bin=10, min_each_side=10)
    assert (found is None) == hidden
