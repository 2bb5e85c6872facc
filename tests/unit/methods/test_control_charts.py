"""Control charts: limits by hand, each rule on the point where it fires, and hidden periods."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods import cusum
from federation.methods.control_charts import Point, p_chart, p_limits, run_chart, vlad


def fired(values: list[float | None]) -> list[tuple[str, int, int, int]]:
    labels = [str(i) for i in range(len(values))]
    found = run_chart(values, labels).findings
    assert all(each.label == str(each.place) for each in found)
    return [(each.rule, each.first, each.place, each.side) for each in found]


def test_limits_of_a_share() -> None:
    """By hand: 0.3 +- 3 sqrt(0.3 x 0.7 / 100) = 0.3 +- 0.137477."""
    assert p_limits(0.3, 100) == pytest.approx((0.162523, 0.437477), abs=1e-6)
    assert p_limits(0.02, 30)[0] == 0.0
    assert p_limits(0.98, 30)[1] == 1.0


def test_one_point_outside() -> None:
    points = [Point(f"q{i}", 100, 30) for i in range(7)] + [Point("q7", 100, 50)]
    chart = p_chart(points)
    assert chart.centre == pytest.approx(260 / 800)
    assert [(f.rule, f.label, f.side) for f in chart.findings] == [("outside", "q7", 1)]
    low = p_chart([*points[:-1], Point("q7", 100, 10)])
    assert [(f.rule, f.side) for f in low.findings] == [("outside", -1)]
    # As far away among few patients is chance.
    assert p_chart([*points[:-1], Point("q7", 20, 10)]).findings == ()


def test_eight_on_one_side_fires_at_the_eighth_and_once() -> None:
    seven = [2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert fired(seven) == []
    eight = [2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 2.0, 3.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0]
    assert fired(eight) == [("one_side", 0, 7, 1), ("one_side", 8, 15, -1)]
    # A point on the centre neither counts nor breaks the run.
    nine = [9.0, 8.0, 9.0, 5.0, 8.0, 9.0, 8.0, 9.0, 8.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
    assert ("one_side", 0, 8, 1) in fired(nine)


def test_six_that_rise_or_fall() -> None:
    assert fired([5.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == [("rising", 1, 6, 1)]
    assert fired([1.0, 2.0, 3.0, 4.0, 5.0, 1.0]) == []
    assert fired([6.0, 5.0, 4.0, 4.0, 3.0, 2.0, 1.0]) == [("falling", 0, 6, -1)]


def test_a_hidden_period_breaks_a_run() -> None:
    """Nobody can say on which side it lies."""
    assert fired([1.0, 2.0, 3.0, None, 4.0, 5.0, 6.0]) == []
    chart = p_chart([Point("a", 50, 10), Point("b", None, None), Point("c", 50, None)])
    assert chart.centre == 0.2
    assert chart.limits[1] is None
    assert chart.limits[2] == chart.limits[0]
    assert p_chart([Point("a", None, None), Point("b", 0, 0)]).centre is None
    assert run_chart([None, None], ["a", "b"]).centre is None


def test_the_difference_added_up() -> None:
    assert vlad([2.0, 3.0, 1.0], [1, 5, 1]) == [1.0, -1.0, -1.0]
    assert vlad([2.0, None, 1.0], [1, 5, 1]) == [1.0, None, None]
    assert vlad([2.0, 3.0], [None, 5]) == [None, None]


def test_weights_of_a_cusum_by_hand() -> None:
    """R = 2, p = 0.1: ln 2 - ln 1.1 with the outcome, -ln 1.1 without."""
    found = cusum.weights(np.array([1.0, 0.0]), np.array([0.1, 0.1]), 2.0)
    assert found == pytest.approx([math.log(2) - math.log(1.1), -math.log(1.1)], rel=1e-14)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), max_size=80))
def test_a_cusum_equals_the_loop(patients: list[tuple[bool, float]]) -> None:
    c, path = 0.0, []
    for died, risk in patients:
        odds = (math.log(2.0) if died else 0.0) - math.log(1 - risk + 2.0 * risk)
        c = max(0.0, c + odds)
        path.append(c)
    y = np.array([float(died) for died, _ in patients])
    p = np.array([risk for _, risk in patients])
    assert cusum.sums(cusum.weights(y, p, 2.0)) == pytest.approx(path, abs=1e-9)


def test_how_often_chance_alone_gives_a_signal() -> None:
    """Against every order of ten patients, and against the published way of simulating it."""
    exact = 0.0
    for outcome in itertools.product((0.0, 1.0), repeat=10):
        y = np.array(outcome)
        if cusum.sums(cusum.weights(y, np.full(10, 0.3), 2.0)).max() > 1.5:
            exact += 0.3 ** y.sum() * 0.7 ** (10 - y.sum())
    assert cusum.chance_of_signal(10, 0.3, 1.5) == pytest.approx(exact, abs=1e-3)
    rng = np.random.default_rng(5)
    for n, risk in ((500, 0.2), (300, 0.5)):
        outcomes = (rng.random((1500, n)) < risk).astype(float)
        weight = cusum.weights(np.array([1.0, 0.0]), np.full(2, risk), 2.0)
        c, high = np.zeros(1500), np.zeros(1500)
        for patient in outcomes.T:
            c = np.maximum(0.0, c + np.where(patient > 0, weight[0], weight[1]))
            high = np.maximum(high, c)
        seen = float((high > 4.5).mean())
        assert cusum.chance_of_signal(n, risk, 4.5) == pytest.approx(seen, abs=0.035)
    # More patients, more often; of the shown hospitals review 8b.21 found 16, 41 and 12 of 100.
    found = [cusum.chance_of_signal(n, p, 4.5) for n, p in ((500, 0.2), (1500, 0.2), (1500, 0.03))]
    assert found == pytest.approx([0.16, 0.42, 0.11], abs=0.03)


def test_of_how_many_patients_a_cusum_is_made() -> None:
    path = np.array([0.0, 0.5, 0.3, 0.0, 0.2, 0.4, 0.6])
    assert cusum.patients_behind(path).tolist() == [0, 1, 2, 0, 1, 2, 3]
    people = np.array([7, 7, 7, 7, 1, 2, 1])  # rows of one patient count once
    assert cusum.patients_behind(path, people).tolist() == [0, 1, 1, 0, 1, 2, 2]
    assert cusum.patients_behind(np.zeros(0)).tolist() == []


def test_the_highest_of_each_period() -> None:
    found = cusum.highest(np.array([1.0, 3.0, 2.0, 0.5]), np.array([0, 0, 2, 2]), 4)
    assert found.tolist()[:3] == [3.0, pytest.approx(float("nan"), nan_ok=True), 2.0]
    assert np.isnan(found[3])
