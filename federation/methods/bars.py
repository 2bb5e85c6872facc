"""The bars of a histogram: the codebook's classes, and how small ones are taken together (O6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.query.variables import Variable, number_text

Ints = npt.NDArray[np.int64]

Bar = tuple[int, int]
"""First and last class of a bar, both included."""


@dataclass(frozen=True)
class Classes:
    """Runs of the codebook's groups of one variable: `firsts` are where they start, out of `size`
    groups. What they are follows from codebook and thresholds alone, never from the data."""

    variable: Variable
    firsts: tuple[int, ...]
    size: int

    @property
    def count(self) -> int:
        """The number of classes."""
        return len(self.firsts)

    def codes(self, groups: Ints) -> Ints:
        """Class of each row from its group in the codebook, int64 (n,), -1 missing."""
        found = np.searchsorted(np.asarray(self.firsts), groups, side="right") - 1
        return np.asarray(np.where(groups < 0, -1, found), dtype=np.int64)

    def limits(self, bar: Bar) -> tuple[float, float]:
        """Lower and upper edge of a bar; of whole numbers without cut-points the first and last."""
        first, last = self.firsts[bar[0]], self._end(bar[1])
        edges = self.variable.edges
        if edges is not None:
            return edges[first], edges[last + 1]
        start = float(self.variable.min or 0)
        return start + first, start + last

    def label(self, bar: Bar) -> str:
        """As the codebook's labels are written; that of one of its groups when it is one."""
        first, last = self.firsts[bar[0]], self._end(bar[1])
        if first == last:
            return (self.variable.group_labels or ())[first]
        low, high = (number_text(edge) for edge in self.limits(bar))
        if self.variable.edges is None:
            return f"[{low},{high}]"
        return f"[{low},{high}{']' if last == self.size - 1 else ')'}"

    def labels(self) -> tuple[str, ...]:
        """The label of each class alone."""
        return tuple(self.label((i, i)) for i in range(self.count))

    def _end(self, place: int) -> int:
        """The last group of class `place`."""
        return (self.firsts[place + 1] if place + 1 < self.count else self.size) - 1


def classes_of(variable: Variable, max_bins: int) -> Classes:
    """Every k adjacent groups of `variable` as one class, with the least k for `max_bins`."""
    size = len(variable.group_labels or ())
    step = math.ceil(size / max(max_bins, 1))
    return Classes(variable, tuple(range(0, size, step)), size)


def merged(classes: int, is_releasable: Callable[[Bar], bool]) -> tuple[Bar, ...]:
    """Join classes from left to right until each bar is releasable; a rest joins the last bar.

    When no bar is, everyone is in one.
    """
    bars: list[Bar] = []
    start = 0
    for at in range(classes):
        if is_releasable((start, at)):
            bars.append((start, at))
            start = at + 1
    if start < classes:
        bars = [*bars[:-1], (bars[-1][0] if bars else 0, classes - 1)]
    return tuple(bars)


def is_cleared(bar: Bar, size: Callable[[Bar], int], hidden: Sequence[bool], t_cell: int) -> bool:
    """Whether a bar stands up to earlier answers, as far as its classes tell.

    `size` counts a bar's patients, `hidden` (classes,) are those that the hospitals' auditors do
    not let through. Whatever earlier answer is combined with the bar is combined with all its
    classes: one large class that may be combined with anything is enough. A class below `t_cell` is
    hidden for that alone and says nothing; a large one that is hidden needs a better one beside it.
    """
    inside = range(bar[0], bar[1] + 1)
    large = [i for i in inside if size((i, i)) >= t_cell]
    return not large or any(not hidden[i] for i in large)


def runs(count: int) -> tuple[Bar, ...]:
    """Every bar that can be made of `count` classes, in a fixed order."""
    return tuple((i, j) for i in range(count) for j in range(i, count))
