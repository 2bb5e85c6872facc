"""The median of tumours: never of fewer than ten patients, and shown wherever ten are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.methods.base import Rows
from federation.methods.quantiles import quantile_bins
from federation.methods.waiting_time_days import patients_once

DAYS = 9
Ints = npt.NDArray[np.int64]

# A few patients on many days each, many on one: what would fool a sum over days.
waits = st.lists(
    st.tuples(st.integers(-1, 2 * DAYS - 1), st.integers(0, 60)), min_size=1, max_size=260
)


def distinct(cells: Ints, people: Ints, first: int, last: int) -> int:
    return len(set(people[(cells >= first) & (cells <= last)].tolist()))


@given(waits)
def test_the_first_days_of_a_run_are_never_more_than_its_patients(
    found: list[tuple[int, int]],
) -> None:
    cells, people = np.array(found, dtype=np.int64).T
    once = patients_once(Rows({}, cells.size, people), cells, DAYS, 2 * DAYS)
    for group in (0, DAYS):
        for first in range(group, group + DAYS):
            for last in range(first, group + DAYS):
                held = distinct(cells, people, first, last)
                assert once[first : last + 1].sum() <= held
                if first == group:  # up to a day it is exact
                    assert once[first : last + 1].sum() == held
    alone = patients_once(Rows({}, cells.size), cells, DAYS, 2 * DAYS)
    assert alone.tolist() == [int((cells == cell).sum()) for cell in range(2 * DAYS)]


@settings(max_examples=300)
@given(waits, st.sampled_from([0.5, 0.8]))
def test_no_quantile_of_fewer_than_ten_patients(found: list[tuple[int, int]], p: float) -> None:
    cells, people = np.array(found, dtype=np.int64).T
    cells, people = cells[(cells >= 0) & (cells < DAYS)], people[(cells >= 0) & (cells < DAYS)]
    counts = np.bincount(cells, minlength=DAYS)
    once = patients_once(Rows({}, cells.size, people), cells, DAYS, DAYS)
    shown = quantile_bins(counts, p, min_in_bin=10, min_each_side=10, patients=once, once=True)
    if shown is None:
        return
    exact = int(np.quantile(cells, p, method="inverted_cdf"))
    assert shown[0] <= exact <= shown[1]
    assert distinct(cells, people, *shown) >= 10
    assert (
        min(distinct(cells, people, 0, exact - 1), distinct(cells, people, exact + 1, DAYS)) >= 10
    )


@pytest.mark.parametrize(("each_day", "hidden"), [(4, True), (5, False)])
def test_ten_on_each_side_need_not_stand_on_one_day(each_day: int, hidden: bool) -> None:
    counts = np.full(5, each_day)  # two days before, the median's own, and two after it
    once = counts.copy()
    found = quantile_bins(counts, 0.5, min_in_bin=10, min_each_side=10, patients=once, once=True)
    assert (found is None) == hidden
    if not hidden:
        assert found == (1, 2)
    # Nine people who come back every day are nine people.
    few = patients_once(Rows({}, 45, np.repeat(np.arange(9), 5)), np.tile(np.arange(5), 9), 5, 5)
    assert quantile_bins(
        np.full(5, 9), 0.5, min_in_bin=10, min_each_side=10, patients=few, once=True
    ) is None  # fmt: skip
