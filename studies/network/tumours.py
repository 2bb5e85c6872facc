"""Tumour types as ICD-10 codes and ranges: read, put in order, compared.

Source: ICD-10 (WHO), chapter II (C00-D48), and the two Z categories that a group for hereditary
cancer has (Z15 susceptibility, Z80 family history). Letters are upper case, a fourth sign is
allowed in a single code (`C50.4`), a range joins two categories (`C18-C20`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from studies.errors import StudiesError

_CODE = re.compile(r"([CDZ])(\d\d)(?:\.(\d))?")
_CHAPTER = ((("C", 0), ("D", 48)), (("Z", 15), ("Z", 15)), (("Z", 80), ("Z", 80)))
_FINE = 10  # tenths: a fourth sign


@dataclass(frozen=True, order=True)
class TumourRange:
    """Codes from `first` to `last`, both in; each is (letter, category * 10 + fourth sign)."""

    first: tuple[str, int]
    last: tuple[str, int]

    def __str__(self) -> str:
        if self.first[1] // _FINE == self.last[1] // _FINE and self.first[0] == self.last[0]:
            whole = self.first[1] % _FINE == 0 and self.last[1] % _FINE == _FINE - 1
            return _written(self.first, fine=not whole)
        return f"{_written(self.first, fine=False)}-{_written(self.last, fine=False)}"

    def overlaps(self, other: "TumourRange") -> bool:
        """Whether a code lies in both."""
        return self.first <= other.last and other.first <= self.last


def _written(place: tuple[str, int], *, fine: bool) -> str:
    category, sign = divmod(place[1], _FINE)
    return f"{place[0]}{category:02d}" + (f".{sign}" if fine else "")


def read_tumour(text: str) -> TumourRange:
    """One code or range. Raises StudiesError `bad_tumour`."""
    ends = [part.strip().upper() for part in text.replace("–", "-").split("-")]
    found = [_CODE.fullmatch(end) for end in ends]
    if len(ends) > 2 or not all(found):
        raise StudiesError("bad_tumour")
    (letter, category, sign), *rest = [match.groups() for match in found if match]
    first = (letter, int(category) * _FINE + int(sign or 0))
    if not rest:
        last = first if sign else (letter, first[1] + _FINE - 1)
    else:
        if sign or rest[0][2]:
            raise StudiesError("bad_tumour")
        last = (rest[0][0], int(rest[0][1]) * _FINE + _FINE - 1)
    made = TumourRange(first, last)
    if last < first or not any(_within(made, *block) for block in _CHAPTER):
        raise StudiesError("bad_tumour")
    return made


def _within(made: TumourRange, low: tuple[str, int], high: tuple[str, int]) -> bool:
    lowest = (low[0], low[1] * _FINE)
    highest = (high[0], high[1] * _FINE + _FINE - 1)
    return lowest <= made.first and made.last <= highest


def read_tumours(texts: Iterable[str]) -> tuple[TumourRange, ...]:
    """Codes and ranges in order. Raises StudiesError `bad_tumour`, also when two overlap."""
    found = sorted(read_tumour(text) for text in texts)
    if any(a.overlaps(b) for a, b in pairwise(found)):
        raise StudiesError("bad_tumour")
    return tuple(found)


def covers(ranges: Iterable[str], code: str) -> bool:
    """Whether one of the stored ranges shares a code with `code` (itself a code or range)."""
    wanted = read_tumour(code)
    return any(read_tumour(each).overlaps(wanted) for each in ranges)
