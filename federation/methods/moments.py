"""Number, mean and spread per group in two rounds of sums, right to the last digits.

Squared deviations are taken from the pooled mean of each group: the one-round sum of squares loses
digits when the mean is large against the spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Array, Sums
from federation.methods.design import origin, span
from federation.methods.grouping import fine_unit, sums_by
from federation.methods.release import Release
from federation.query.variables import Variable

Ints = npt.NDArray[np.int64]

KEYS = ("mean", "sd", "se", "ci_low", "ci_high")


def first_sums(variable: Variable, values: Array, group: Ints, groups: int) -> Sums:
    """Of known values in their groups: `sum.V` (groups,) of (x - origin) / span, and `size.V`
    (1,), the sum of its absolute values."""
    moved = (values - origin(variable)) / span(variable)
    return {
        f"sum.{variable.name}": sums_by(group, moved, groups),
        f"size.{variable.name}": np.array([np.abs(moved).sum()]),
    }


def centre(variable: Variable, pooled: Sums, n: Array) -> tuple[list[float], float]:
    """The pooled mean of each group of `n` (groups,) patients, and the unit of deviations."""
    counted = np.maximum(n, 1)
    means = origin(variable) + span(variable) * pooled[f"sum.{variable.name}"] / counted
    size = span(variable) * float(pooled[f"size.{variable.name}"][0]) / int(counted.sum())
    return means.tolist(), fine_unit(size)


def second_sums(
    variable: Variable, values: Array, group: Ints, groups: int, means: Array, unit: float
) -> Sums:
    """`off.V` and `square.V` (groups,): deviations from the group means in `unit`, squared."""
    off = (values - means[group]) / unit
    return {
        f"off.{variable.name}": sums_by(group, off, groups),
        f"square.{variable.name}": sums_by(group, off**2, groups),
    }


def per_patient(
    values: Array, group: Ints, people: Ints | None
) -> tuple[npt.NDArray[np.float64], Ints]:
    """Sums of each patient's values within a group, and the group of each sum.

    `people` (n,) says which rows are of one patient; None when each row is a patient.
    """
    if people is None:
        return values, group
    pairs, place = np.unique(np.column_stack((group, people)), axis=0, return_inverse=True)
    return sums_by(place.reshape(-1), values, len(pairs)), pairs[:, 0]


@dataclass(frozen=True)
class Moments:
    """One group: what does not exist is None. `squares` is the sum of squared deviations."""

    n: int
    mean: float | None = None
    squares: float = 0.0

    @property
    def sd(self) -> float | None:
        """Standard deviation with n - 1."""
        return float(np.sqrt(self.squares / (self.n - 1))) if self.n > 1 else None

    @property
    def se(self) -> float | None:
        """Standard error of the mean."""
        return None if self.sd is None else self.sd / float(np.sqrt(self.n))

    def interval(self) -> tuple[float | None, float | None]:
        """The 95% interval of the mean, by Student's t."""
        from scipy import special

        if self.mean is None or self.se is None:
            return None, None
        half = float(special.stdtrit(self.n - 1, 0.975)) * self.se
        return self.mean - half, self.mean + half


def moments(n: int, mean: float, unit: float, off: float, square: float) -> Moments:
    """From one group's sums of the second round; `mean` and `unit` are those it was asked with."""
    if n == 0:
        return Moments(0)
    # The deviations do not add to exactly 0: their own mean corrects the rounded mean.
    rest = off / n
    return Moments(n, mean + rest * unit, max(square - n * rest**2, 0.0) * unit**2)


def moments_entry(
    release: Release, found: Moments, strict: bool, visible: bool, where: str
) -> Mapping[str, Any]:
    """The released keys mean, sd, se, ci_low, ci_high of one group at `where`."""
    if not visible:
        return dict.fromkeys(KEYS)
    if strict and not found.sd:
        # Everyone the same: the mean would be every single patient's value.
        release.hide(f"{where}.mean", "no_spread")
        return dict.fromkeys(KEYS)
    values = (found.mean, found.sd, found.se, *found.interval())
    return {key: release.sum(value) for key, value in zip(KEYS, values, strict=True)}
