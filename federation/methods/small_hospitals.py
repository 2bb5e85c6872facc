"""Which years of a small hospital are taken together, so that it is compared and not left out.

A hospital refuses an answer about two years when one of them was hidden for being small and the
other was shown, because the two together tell the hidden one. So years are joined before the first
of them is asked about, or among years that were all shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class JoinedYears:
    """The years of one hospital that are taken together, both included, and its patients in them.

    `enough`: whether there are as many as were wanted. A hospital with too few in all its years
    stays in, with all of them.
    """

    first: int
    last: int
    n: int
    enough: bool

    @property
    def joined(self) -> bool:
        """Whether there is more than one year."""
        return self.first < self.last


def join_years(patients: Mapping[int, int | None], minimum: int) -> JoinedYears | None:
    """From the last year back until there are at least `minimum` patients. `patients` by year;
    None is a hidden number, of which no patient is counted on, nor is one of a year that is not
    there. None only where there is no year at all."""
    if not patients:
        return None
    last, n = max(patients), 0
    for year in range(last, min(patients) - 1, -1):
        n += patients.get(year) or 0
        if n >= minimum:
            return JoinedYears(year, last, n, True)
    return JoinedYears(min(patients), last, n, False)


def join_hospitals(
    patients: Mapping[str, Mapping[int, int | None]], minimum: int
) -> dict[str, JoinedYears]:
    """`join_years` of every hospital with a year, in the order given. None is dropped for being
    small."""
    found = {site: join_years(years, minimum) for site, years in patients.items()}
    return {site: joined for site, joined in found.items() if joined is not None}
