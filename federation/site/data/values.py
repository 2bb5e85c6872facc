"""Columns while a mapping works on them: texts, numbers and dates, one value per row.

Each knows where there is no value (missing) and where there is one without a meaning (bad: not a
number, not a date, not in a map). Both count as missing later; the hospital sees how many of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

MISSING: Final = -1
BAD: Final = -2
LONGEST: Final = 200
"""A text that a mapping puts together is no longer than this; else it has no meaning."""

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = -150_000.0, 150_000.0  # the years 1559 to 2380


@dataclass(frozen=True)
class Texts:
    """`codes` int32 (n,): place in `texts`, MISSING or BAD. Different codes may share a text."""

    codes: NDArray[np.int32]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> Mask:
        return np.asarray(self.codes >= 0)

    @property
    def bad(self) -> Mask:
        return np.asarray(self.codes == BAD)

    def take(self, places: Places) -> Texts:
        """The values at `places`; missing where a place is negative."""
        if len(self.codes) == 0:
            return Texts(np.full(len(places), MISSING, np.int32), self.texts)
        return Texts(np.where(places < 0, MISSING, self.codes[places]).astype(np.int32), self.texts)

    def numbers(self, meaning: Callable[[str], float]) -> Floats:
        """`meaning` of each text, worked out once per text; nan missing, inf bad."""
        table = np.array([*map(meaning, self.texts), math.inf, math.nan], np.float64)
        return np.asarray(table[self.codes])

    def renamed(self, meaning: Callable[[str], str | None]) -> Texts:
        """Each text replaced by `meaning` of it; None is bad."""
        made = [meaning(text) for text in self.texts]
        good = np.array([text is not None for text in made] + [True, True], np.bool_)
        codes = np.where(good[self.codes], self.codes, BAD).astype(np.int32)
        return Texts(codes, ["" if text is None else text for text in made])

    def compact(self) -> Texts:
        """The same values with no text that no row has: at most as many texts as rows."""
        used, places = np.unique(self.codes[self.known], return_inverse=True)
        codes = np.where(self.known, 0, self.codes).astype(np.int32)
        codes[self.known] = places
        return Texts(codes, [self.texts[code] for code in used.tolist()])

    def ids(self) -> Floats:
        """A number per different text, for comparing rows; nan where there is none."""
        first: dict[str, int] = {}
        same = np.array([first.setdefault(t, i) for i, t in enumerate(self.texts)] + [0, 0])
        return np.where(self.known, same[self.codes].astype(np.float64), np.nan)

    def list(self) -> list[str]:
        """Each row's text; "" where there is none."""
        texts = [*self.texts, "", ""]
        return [texts[code] for code in self.codes.tolist()]


@dataclass(frozen=True)
class Numbers:
    """float64 (n,): nan missing, inf bad. True and false are 1 and 0."""

    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> Mask:
        return np.asarray(np.isfinite(self.values))

    @property
    def bad(self) -> Mask:
        return np.asarray(np.isinf(self.values))

    def take(self, places: Places) -> Numbers:
        return Numbers(_taken(self.values, places))

    def ids(self) -> Floats:
        return np.where(self.known, self.values, np.nan)


@dataclass(frozen=True)
class Dates:
    """What is known of a date in each row: low <= day <= high, days since 1970-01-01.

    Both are the same where the day is known; a date known to the month or year spans it. nan is
    missing, inf bad. `relative`: days since a day of the patient's own that nobody here knows.
    """

    low: Floats
    high: Floats
    relative: bool = False

    def __len__(self) -> int:
        return len(self.low)

    @property
    def known(self) -> Mask:
        return np.asarray(np.isfinite(self.low))

    @property
    def bad(self) -> Mask:
        return np.asarray(np.isinf(self.low))

    @property
    def exact(self) -> Mask:
        """Where the day itself is known."""
        return np.asarray(self.known & (self.low == self.high))

    def take(self, places: Places) -> Dates:
        return Dates(_taken(self.low, places), _taken(self.high, places), self.relative)

    def ids(self) -> Floats:
        return np.where(self.known, self.low * 1e6 + self.high, np.nan)

    def day(self) -> Numbers:
        """The day; bad where only the month or the year is known."""
        return Numbers(np.where(self.exact | ~self.known, self.low, np.inf))

    def month(self) -> Numbers:
        """Months since year 0; bad where the month is not known."""
        return self._coarse(_months)

    def year(self) -> Numbers:
        """The year; bad where it is not known, which it never is for relative days."""
        return self._coarse(lambda days: np.floor(_months(days) / 12))

    def plus(self, days: Floats) -> Dates:
        with np.errstate(invalid="ignore"):
            low, high = self.low + days, self.high + days
        return Dates(*_within(low, high), self.relative)

    def _coarse(self, unit: Callable[[Floats], Floats]) -> Numbers:
        if self.relative:
            return Numbers(np.where(self.known, np.inf, self.low))
        known = self.known
        low = unit(np.where(known, self.low, 0.0))
        high = unit(np.where(known, self.high, 0.0))
        found = np.where(low == high, low, np.inf)
        return Numbers(np.where(known, found, self.low))


Value = Texts | Numbers | Dates


def spans(texts: Texts, meaning: Callable[[str], tuple[date, date] | None]) -> Dates:
    """The dates that texts write; `meaning` gives the first and the last day one can mean."""
    found = [meaning(text) for text in texts.texts]
    ends = [math.inf, math.nan]
    low = [math.inf if each is None else float(each[0].toordinal() - _EPOCH) for each in found]
    high = [math.inf if each is None else float(each[1].toordinal() - _EPOCH) for each in found]
    return Dates(np.array(low + ends)[texts.codes], np.array(high + ends)[texts.codes])


def relative(days: Numbers) -> Dates:
    """Days since the patient's own unknown day."""
    low, high = _within(days.values, days.values)
    return Dates(low, high, relative=True)


def days_between(first: Dates, last: Dates) -> Numbers:
    """Days from `first` to `last`; bad where a day is not known to the day."""
    if first.relative != last.relative:
        return Numbers(np.where(first.known & last.known, np.inf, np.nan))
    return Numbers(combined(first.day().values, last.day().values, np.subtract, swap=True))


def years_between(first: Dates, last: Dates) -> Numbers:
    """Whole years from `first` to `last`; bad where the days that are not known could decide."""
    if first.relative or last.relative:
        return Numbers(np.where(first.known & last.known, np.inf, np.nan))
    known = first.known & last.known
    fewest = _birthdays(first.high, last.low, known)
    most = _birthdays(first.low, last.high, known)
    found = np.where(fewest == most, fewest, np.inf)
    bad = first.bad | last.bad
    return Numbers(np.where(known, found, np.where(bad, np.inf, np.nan)))


def combined(
    left: Floats,
    right: Floats,
    operation: Callable[[Floats, Floats], Floats],
    *,
    swap: bool = False,
) -> Floats:
    """`operation` row by row; bad where either is bad, missing where either is missing."""
    one, other = (right, left) if swap else (left, right)
    bad = np.isinf(left) | np.isinf(right)
    missing = np.isnan(left) | np.isnan(right)
    with np.errstate(invalid="ignore", over="ignore"):
        found = operation(one, other)
    return np.asarray(np.where(missing & ~bad, np.nan, np.where(bad, np.inf, found)))


def joined(left: Texts, right: Texts) -> Texts:
    """Texts put behind one another, row by row."""
    width = len(right.texts)
    known = left.known & right.known
    pairs = left.codes.astype(np.int64) * max(width, 1) + right.codes
    different, places = np.unique(pairs[known], return_inverse=True)
    texts = [left.texts[pair // width] + right.texts[pair % width] for pair in different.tolist()]
    codes = np.where(left.bad | right.bad, BAD, MISSING).astype(np.int32)
    codes[known] = places
    made = Texts(codes, texts)
    if any(len(text) > LONGEST for text in texts):
        return made.renamed(lambda text: text if len(text) <= LONGEST else None)
    return made


def constant(text: str, n: int) -> Texts:
    return Texts(np.zeros(n, np.int32), [text])


def _taken(values: Floats, places: Places) -> Floats:
    if len(values) == 0:
        return np.full(len(places), np.nan)
    return np.where(places < 0, np.nan, values[places])


def _within(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Days that no calendar here has are bad."""
    with np.errstate(invalid="ignore"):
        outside = (low < _FIRST_DAY) | (high > _LAST_DAY)
    return np.where(outside, np.inf, low), np.where(outside, np.inf, high)


def _parts(days: Floats) -> tuple[Floats, Floats]:
    """(months since year 0, day of the month from 0) of whole days since 1970-01-01."""
    whole = days.astype(np.int64).astype("datetime64[D]")
    months = whole.astype("datetime64[M]")
    day = (whole - months.astype("datetime64[D]")).astype(np.int64)
    return months.astype(np.int64).astype(np.float64) + 1970 * 12, day.astype(np.float64)


def _months(days: Floats) -> Floats:
    return _parts(days)[0]


def _birthdays(first: Floats, last: Floats, known: Mask) -> Floats:
    one_month, one_day = _parts(np.where(known, first, 0.0))
    other_month, other_day = _parts(np.where(known, last, 0.0))
    months = other_month - one_month - (other_day < one_day)
    return np.asarray(np.floor(months / 12))
