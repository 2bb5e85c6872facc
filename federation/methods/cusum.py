"""The risk-adjusted CUSUM of one hospital: does its outcome get worse, patient after patient?

Each patient moves the sum by how much better the outcome fits odds that are `ratio` times those the
model expects than the expected odds themselves; below nought it starts again:

    W = y ln(R) - ln(1 - p + R p),    C = max(0, C + W),    a signal where C > h.

Source: S. Steiner, R. Cook, V. Farewell and T. Treasure, Monitoring surgical performance using
risk-adjusted cumulative sum charts, Biostatistics 1 (2000) 441-452. There R = 2 and h = 4.5. How
often chance alone gives a signal depends on h, the risks and the number of patients: with h = 4.5
in 16 of 100 hospitals with 500 patients and a risk of 0.2, in 43 of 100 with 1,500
(`chance_of_signal`). After a signal the sum goes on; it does not start again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GRID = 1000


def weights(outcome: Floats, risk: Floats, ratio: float) -> Floats:
    """W of each patient, (n,); `outcome` 0 or 1, `risk` the expected probability."""
    return np.asarray(outcome * np.log(ratio) - np.log1p((ratio - 1.0) * risk))


def sums(steps: Floats) -> Floats:
    """C after each patient in order of time, (n,).

    C is how far the plain sum of W stands above the least it ever was, its start included.
    """
    total = np.cumsum(steps)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0))


def patients_behind(path: Floats, people: Ints | None = None) -> Ints:
    """Of how many patients C is made at each point, int64 (n,): those since it was last nought, and
    none where it is. `people` (n,): whose each row is, where a patient may have several."""
    starts = np.maximum.accumulate(np.where(path > 0, -1, np.arange(path.size)))
    if people is None:
        return np.asarray(np.arange(path.size) - starts, dtype=np.int64)
    found, run = np.zeros(path.size, dtype=np.int64), set[int]()
    for place, (value, person) in enumerate(zip(path, people, strict=True)):
        run = run | {int(person)} if value > 0 else set()
        found[place] = len(run)
    return found


@lru_cache(maxsize=256)
def chance_of_signal(patients: int, risk: float, limit: float, ratio: float = 2.0) -> float:
    """How likely C is above `limit` at least once while nothing changes: `patients` one after
    another, each with the outcome with probability `risk`, 0 < risk < 1.

    The chain of D. Brook and D. Evans, Biometrika 59 (1972) 539-549, on a grid of C; a step that
    ends between two points is parted over both, so that its mean is right.
    """
    up, down = weights(np.array([1.0, 0.0]), np.full(2, risk), ratio) * (_GRID / limit)
    state = np.zeros(_GRID + 1)
    state[0] = 1.0
    for _ in range(patients):
        state = risk * _moved(state, up) + (1.0 - risk) * _moved(state, down)
    return float(min(max(1.0 - state.sum(), 0.0), 1.0))


def _moved(state: Floats, step: float) -> Floats:
    """Probabilities after a move of `step` points of the grid: below nought is nought, and what is
    beyond the last point has gone."""
    whole = int(np.floor(step))
    found = np.zeros_like(state)
    for places, share in ((whole, 1.0 - (step - whole)), (whole + 1, step - whole)):
        if places >= 0:
            found[places:] += share * state[: max(state.size - places, 0)]
        else:
            found[: places or None] += share * state[-places:]
            found[0] += share * state[:-places].sum()
    return found


def highest(path: Floats, period: Ints, periods: int) -> Floats:
    """The highest C within each period, (periods,); nan where nobody was. `period` (n,) of each
    patient, from 0."""
    found = np.full(periods, -np.inf)
    np.maximum.at(found, period, path)
    return np.where(np.isfinite(found), found, np.nan)
