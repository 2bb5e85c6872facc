from __future__ import annotations

import numpy as np
import pytest

from federation.methods.logrank import LogrankSums, logrank_statistic, logrank_sums


def test_one_patient_at_risk_has_no_variance() -> None:
    sums = logrank_sums(np.array([[1], [0]]), np.array([[1], [0]]))
    assert sums.variance.tolist() == [[0, 0], [0, 0]]
    assert (sums.observed.tolist(), sums.expected.tolist()) == ([1, 0], [1, 0])
    assert logrank_statistic(sums) is None


def test_no_event_is_no_test() -> None:
    sums = logrank_sums(np.zeros((3, 0), dtype=np.int64), np.zeros((3, 0), dtype=np.int64))
    assert logrank_statistic(sums) is None


def test_two_groups_by_hand() -> None:
    # time 1: one of two in each group at risk, the event in the first: E = 1/2, V = 1/4;
    # time 2: one against two, event in the second: E = 1/3, V = 2/9
    sums = logrank_sums(np.array([[1, 0], [0, 1]]), np.array([[2, 1], [2, 2]]))
    assert sums.expected.tolist() == pytest.approx([1 / 2 + 1 / 3, 1 / 2 + 2 / 3])
    assert sums.variance[0, 0] == pytest.approx(1 / 4 + 2 / 9)
    chi2, df = logrank_statistic(sums) or (None, None)
    assert chi2 == pytest.approx((1 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert df == 1


def test_strata_in_which_groups_never_meet_cost_degrees_of_freedom() -> None:
    pair = np.array([[1.0, -1.0], [-1.0, 1.0]])
    variance = np.zeros((4, 4))
    variance[:2, :2], variance[2:, 2:] = pair, pair
    sums = LogrankSums(np.array([2.0, 1, 1, 1]), np.array([1.0, 2, 1, 1]), variance)
    assert logrank_statistic(sums) == (pytest.approx(1.0), 2)
