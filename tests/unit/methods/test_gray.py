"""Gray's test against the formulas of the paper, one time and one pair of groups at a time."""

from __future__ import annotations

import numpy as np
import pytest

from federation.methods.gray import gray_sums
from federation.methods.logrank import logrank_statistic


def by_hand(cause: np.ndarray, other: np.ndarray, at_risk: np.ndarray) -> tuple[list, np.ndarray]:
    """Scores, and their variance as a sum over groups and kinds of event of squared integrands."""
    groups, times = cause.shape
    s = np.ones(groups)
    f = np.zeros(groups)
    common = 0.0
    scores = np.zeros(groups)
    steps = []
    c = np.zeros((groups, groups))
    for t in range(times):
        y, d1, d2 = at_risk[:, t], cause[:, t], other[:, t]
        h = np.array([y[k] / s[k] if y[k] else 0.0 for k in range(groups)])
        r = h * (1 - f)
        a = np.array(
            [[h[i] * ((i == k) - h[k] / h.sum()) for k in range(groups)] for i in range(groups)]
        )
        scores += d1 - d1.sum() * r / r.sum()
        c = c + a * d1.sum() / (h.sum() * (1 - common))
        before = s.copy()
        for k in range(groups):
            if y[k]:
                f[k] += s[k] * d1[k] / y[k]
                s[k] *= (y[k] - d1[k] - d2[k]) / y[k]
        common += d1.sum() / h.sum()
        steps.append((a, c.copy(), before, s.copy(), common, y, d1.sum(), d2, h.sum()))
    variance = np.zeros((groups, groups))
    for a, c_t, before, after, f0, y, d1, d2, h in steps:
        for k in range(groups):
            if not y[k]:
                continue
            ratio = (1 - f0) / after[k] if after[k] > 0 else 0.0
            own = a[:, k] + (1 - ratio) * (c - c_t)[:, k]
            ties = 1 - (d1 - 1) / (h * before[k] - 1) if d1 > 1 else 1.0
            variance += np.outer(own, own) * ties * before[k] * d1 / (h * y[k])
            rest = ratio * (c - c_t)[:, k]
            ties = 1 - (d2[k] - 1) / (y[k] - 1) if d2[k] > 1 else 1.0
            variance += np.outer(rest, rest) * ties * before[k] ** 2 * d2[k] / y[k] ** 2
    return list(scores), variance


def tables(seed: int, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = 80 * groups
    time, kind, group = rng.integers(0, 15, n), rng.integers(0, 3, n), rng.integers(0, groups, n)
    line = np.arange(groups)[:, None]

    def counts(mask: np.ndarray) -> np.ndarray:
        return np.array(
            [[(mask & (group == g) & (time == t)).sum() for t in range(15)] for g in line[:, 0]]
        )

    at_risk = np.array(
        [[((group == g) & (time >= t)).sum() for t in range(15)] for g in line[:, 0]]
    )
    return counts(kind == 1), counts(kind == 2), at_risk


@pytest.mark.parametrize("groups", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_scores_and_variance(seed: int, groups: int) -> None:
    found = gray_sums(*tables(seed, groups))
    scores, variance = by_hand(*tables(seed, groups))
    assert found.observed - found.expected == pytest.approx(scores, rel=1e-9, abs=1e-9)
    assert found.variance == pytest.approx(variance, rel=1e-9, abs=1e-9)
    # The scores of all groups add to nothing, and so do the lines of their variance.
    assert sum(scores) == pytest.approx(0, abs=1e-9)
    assert found.variance.sum(axis=0) == pytest.approx(np.zeros(groups), abs=1e-9)


def test_without_competing_events_it_is_close_to_the_log_rank_test() -> None:
    cause, other, at_risk = tables(1, 3)
    found = logrank_statistic(gray_sums(cause, np.zeros_like(other), at_risk))
    assert found is not None
    assert found[1] == 2


def test_no_events_no_test() -> None:
    nothing = np.zeros((2, 3), dtype=np.int64)
    assert logrank_statistic(gray_sums(nothing, nothing, nothing + 5)) is None
    one = nothing.copy()
    one[0, 1] = 2
    assert logrank_statistic(gray_sums(nothing, one, nothing + 5)) is None
