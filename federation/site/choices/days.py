"""Between which days the data of rows lie, and whether that is inside a data window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.snapshot import NO_END, NO_START, Mask
from federation.site.data.values import Places

Floats = NDArray[np.float64]
_DAY: Final = 24 * 60 * 60 * 1000
_AHEAD: Final = 2 * 60 * 60 * 1000
"""A Dutch day begins at most two hours before the UTC day."""


@dataclass(frozen=True)
class Days:
    """Per row the first and the last day of its data, days since 1970-01-01; nan: nobody can say.

    A date of which only the month or the year is known may be any day of it.
    """

    first: Floats
    last: Floats

    def take(self, places: Places) -> Days:
        """Of these rows; nan where there is none."""
        return Days(*(np.append(each, np.nan)[places] for each in (self.first, self.last)))

    def joined(self, other: Days) -> Days:
        """Of both together; nan where one of them cannot tell."""
        return Days(np.minimum(self.first, other.first), np.maximum(self.last, other.last))

    def within(self, since: NDArray[np.int64], until: NDArray[np.int64]) -> Mask:
        """Which rows lie whole in their window, in milliseconds. Where nothing is limited it does
        not matter whether the days are known.

        The day of the yes counts, that of the "no" to new data does not; where UTC and the
        Netherlands disagree on which day that is, the one that counts less.
        """
        begins, ends = (since + _AHEAD) // _DAY, until // _DAY
        after = (since == NO_START) | (self.first >= begins)
        return np.asarray(after & ((until == NO_END) | (self.last < ends)))


def unknown(n: int) -> Days:
    """Of `n` rows of which nobody can say it."""
    return Days(np.full(n, np.nan), np.full(n, np.nan))
