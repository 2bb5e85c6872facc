"""The bars of a histogram: runs of the codebook's classes, joined where they are thin (rule O6).

A histogram may say no more than the count by the same variable does, which hides small classes and
others with them. So bars are made from what that count would show and hide: a bar holds no hidden
class at all, or hidden classes of enough patients together. Where the count shows every class, so
does the histogram, up to `hist.max_bins`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.query.terms import HistTerms
from federation.query.variables import Variable

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Bar = tuple[int, int]
"""First and last class of a bar, both included."""


@dataclass(frozen=True)
class Counted:
    """What a bar may be judged by. `rows` and `patients` (classes,) int: of all groups together,
    the same array where a row is a patient. `shown` (classes,) bool: what the gate lets through."""

    rows: Ints
    patients: Ints
    shown: Mask

    def is_large(self, bar: Bar, patients: int, terms: HistTerms, t_cell: int) -> bool:
        """Whether a bar with so many different `patients` may be released.

        It needs a class that is shown by itself: whatever earlier answer is combined with the bar
        is combined with that class too, and the hospitals' auditors have judged those
        combinations. Its hidden classes together need `t_cell` rows and patients; a patient in
        two classes makes the difference a lower bound.
        """
        inside = slice(bar[0], bar[1] + 1)
        shown = self.shown[inside]
        if min(int(self.rows[inside].sum()), patients) < terms.min_bin or not shown.any():
            return False
        if shown.all():
            return True
        rest = int(self.rows[inside][~shown].sum())
        return min(rest, patients - int(self.patients[inside][shown].sum())) >= t_cell


def starts(classes: int, max_bins: int) -> tuple[int, ...]:
    """Where bars may start: every k-th class, with the least k for at most `max_bins` bars."""
    return tuple(range(0, classes, math.ceil(classes / max(max_bins, 1))))


def runs(classes: int, max_bins: int) -> tuple[Bar, ...]:
    """Every bar that can come out for so many classes, in a fixed order."""
    first = starts(classes, max_bins)
    ends = [start - 1 for start in (*first[1:], classes)]
    return tuple((i, j) for i in first for j in ends if j >= i)


def limits(variable: Variable, bar: Bar) -> tuple[float, float]:
    """Lower and upper edge of a bar; of whole numbers without cut-points the first and last."""
    edges = variable.edges
    if edges is not None:
        return float(edges[bar[0]]), float(edges[bar[1] + 1])
    start = float(variable.min or 0)
    return start + bar[0], start + bar[1]
