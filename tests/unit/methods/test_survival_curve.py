from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.survival_curve import (
    first_at_or_below_half,
    kaplan_meier,
    median,
    merge_steps,
    restricted_mean,
)

GRID = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40)


def test_a_half_that_rounds_up_still_is_a_half() -> None:
    # (9/10)(8/9)...(5/6) is exactly 1/2, and comes out as 0.5000000000000001 or so
    at_risk = np.arange(10, 0, -1)
    curve = kaplan_meier(np.arange(10.0), np.ones(10, dtype=np.int64), at_risk)
    assert median(curve)[0] == 4.0
    assert first_at_or_below_half(np.array([1.0, 2.0]), np.array([0.7, 0.51])) is None


def test_nobody_at_risk_leaves_the_curve_where_it_was() -> None:
    curve = kaplan_meier(np.array([1.0, 2.0]), np.array([1, 0]), np.array([2, 0]))
    assert curve.s.tolist() == [0.5, 0.5]
    assert curve.before(0.5) == -1


def test_no_time_is_no_curve() -> None:
    curve = kaplan_meier(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert median(curve) == (None, (None, None))
    assert restricted_mean(curve, 10.0) == (10.0, 0.0)


@given(GRID, st.integers(1, 12), st.integers(1, 6), st.integers(0, 12))
def test_published_steps_keep_rule_o11(
    grid: list[tuple[int, int]], min_removed: int, min_events: int, min_left: int
) -> None:
    events = np.array([e for e, _ in grid], dtype=np.int64)
    removed = np.array([e + c for e, c in grid], dtype=np.int64)
    kept = merge_steps(
        events, removed, min_removed=min_removed, min_events=min_events, min_left=min_left
    )
    assert kept == sorted(set(kept))
    start = 0
    for index in kept:
        assert removed[start : index + 1].sum() >= min_removed
        assert events[start : index + 1].sum() >= min_events
        start = index + 1
    if kept:
        assert removed[start:].sum() >= min_left
        assert events[start:].sum() >= min_events


def test_open_terms_publish_every_grid_time_with_an_event() -> None:
    kept = merge_steps(
        np.array([1, 0, 2]), np.array([1, 3, 2]), min_removed=0, min_events=0, min_left=0
    )
    assert kept == [0, 1, 2]


@pytest.mark.parametrize("events_after", [0, 4, 5])
def test_the_last_step_goes_when_few_events_follow(events_after: int) -> None:
    events = np.array([10, 10, events_after])
    removed = np.array([10, 10, 30])
    kept = merge_steps(events, removed, min_removed=10, min_events=5, min_left=10)
    assert kept == ([0, 1] if events_after >= 5 else [0])
