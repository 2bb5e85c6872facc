from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.concordance import concordance_counts

PATIENTS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 5)), min_size=0, max_size=60
)


def _by_pairs(patients: list[tuple[int, bool, int]]) -> tuple[int, int, int]:
    concordant = tied = pairs = 0
    for time, event, risk in patients:
        for other_time, other_event, other_risk in patients:
            later = other_time > time or (other_time == time and not other_event)
            if event and later:
                pairs += 1
                concordant += risk > other_risk
                tied += risk == other_risk
    return concordant, tied, pairs


@given(PATIENTS, st.booleans())
def test_counts_equal_all_pairs_one_by_one(
    patients: list[tuple[int, bool, int]], distinct: bool
) -> None:
    if distinct:  # no equal risks at all: the quick way through
        patients = [(t, e, 7 * r + i * 100) for i, (t, e, r) in enumerate(patients)]
    columns = list(zip(*patients, strict=True)) or [(), (), ()]
    time = np.array(columns[0], dtype=np.float64)
    event = np.array(columns[1], dtype=bool)
    risk = np.array(columns[2], dtype=np.float64)
    assert concordance_counts(time, event, risk) == _by_pairs(patients)


def test_many_patients_need_little_time_and_wide_counts() -> None:
    n = 70_000
    time = np.arange(n, dtype=np.float64)
    counts = concordance_counts(time, np.ones(n, dtype=bool), -time)
    assert counts == (n * (n - 1) // 2, 0, n * (n - 1) // 2)


@pytest.mark.parametrize("whole_days", [True, False])
@pytest.mark.parametrize("risks", [5, 300, 0])
def test_more_rows_than_a_block_and_more_times_than_a_digit(risks: int, whole_days: bool) -> None:
    rng = np.random.default_rng(3)
    n = 1500
    time = rng.exponential(400, n)
    time = np.ceil(time) if whole_days else time
    event = rng.random(n) < 0.5
    risk = rng.integers(0, risks, n).astype(np.float64) if risks else rng.normal(size=n)
    later = (time[None] > time[:, None]) | ((time[None] == time[:, None]) & ~event[None])
    later &= event[:, None]
    concordant = np.count_nonzero(later & (risk[None] < risk[:, None]))
    tied = np.count_nonzero(later & (risk[None] == risk[:, None]))
    assert concordance_counts(time, event, risk) == (concordant, tied, np.count_nonzero(later))
