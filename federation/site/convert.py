"""Raw values of the hospital as typed columns of the codebook.

A value that the codebook does not have (another level, out of min and max, not a number) counts
as missing and is counted for the hospital itself (query.md); it never leaves the site.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook, Variable
from federation.site.errors import DataError
from federation.site.mapping import Mapped, MappedVariable
from federation.site.source_options import SourceOptions
from federation.site.sources import Raw

Values = NDArray[Any]

LARGEST = 1e12
"""A number beyond this is not data; the bound keeps sums within the fixed-point range."""

_MISSING = -1.0
_BAD_CODE = -2.0
_MEMO_LIMIT = 50_000
_WATCH_LIMIT = 1_000
_BOOLEANS = {
    **dict.fromkeys(("0", "false", "no", "f", "n"), 0.0),
    **dict.fromkeys(("1", "true", "yes", "t", "y"), 1.0),
}
_DATE_PARTS = {
    "%d": r"(?P<d>[0-9]{1,2})",
    "%m": r"(?P<m>[0-9]{1,2})",
    "%Y": r"(?P<Y>[0-9]{4})",
    "%H": r"[0-9]{2}",
    "%M": r"[0-9]{2}",
    "%S": r"[0-9]{2}(?:\.[0-9]{1,9})?",
}


@dataclass
class Tally:
    """What was found in one variable. `values` counts raw texts without a meaning, for
    `site check` only."""

    missing: int = 0
    unmapped: int = 0
    out_of_range: int = 0
    values: Counter[str] = field(default_factory=Counter)


class VariableReader:
    """Reads one variable block by block. `watch` keeps the raw texts that have no meaning."""

    def __init__(
        self,
        variable: Variable,
        mapped: MappedVariable,
        source: SourceOptions,
        *,
        watch: bool = False,
    ) -> None:
        self.variable = variable
        self.mapped = mapped
        self.tally = Tally()
        self._watch = watch
        self._coded = variable.type in ("category", "boolean")
        self._memo = _Memo(source.null, self._meaning(source.decimal))

    def _meaning(self, decimal: str) -> Callable[[str], float]:
        if self.mapped.form in ("days_between", "years_between"):
            return _days_reader(self.mapped.format, years=self.mapped.form == "years_between")
        if self._coded:
            return _code_reader(self.variable, self.mapped)
        if self.variable.type == "date":
            return _month_reader(self.mapped.format, self.variable.resolution)
        return _number_reader(decimal, self.mapped)

    def read(self, columns: Sequence[Sequence[Raw]]) -> Values:
        """Typed values of one block: int16 codes or float64, as `methods.base.Column` has them.

        `columns`: the raw columns that the mapping names, equally long.
        """
        parts = [self._memo.all(column) for column in columns]
        if self._coded:
            return self._codes(parts[0], columns)
        return self._numbers(_joined(self.mapped.form, parts), columns)

    def _codes(self, codes: NDArray[np.float64], raw: Sequence[Sequence[Raw]]) -> Values:
        bad = codes == _BAD_CODE
        self._count(bad, np.isnan(codes), raw)
        return np.where(np.isnan(codes) | bad, _MISSING, codes).astype(np.int16)

    def _numbers(self, values: NDArray[np.float64], raw: Sequence[Sequence[Raw]]) -> Values:
        bad = np.isinf(values)
        if self.variable.type == "integer":
            with np.errstate(invalid="ignore"):
                bad |= values % 1 > 0
        values = np.where(bad, np.nan, values)
        missing = np.isnan(values) & ~bad
        low, high = self.variable.min, self.variable.max
        outside = np.abs(values) > LARGEST
        if low is not None:
            outside |= values < low
        if high is not None:
            outside |= values > high
        self._count(bad, missing, raw)
        self.tally.out_of_range += int(np.count_nonzero(outside))
        values[outside] = np.nan
        return values

    def _count(
        self, bad: NDArray[np.bool_], missing: NDArray[np.bool_], raw: Sequence[Sequence[Raw]]
    ) -> None:
        self.tally.missing += int(np.count_nonzero(missing))
        self.tally.unmapped += int(np.count_nonzero(bad))
        if self._watch and len(self.tally.values) < _WATCH_LIMIT:
            for place in np.flatnonzero(bad).tolist():
                self.tally.values[" … ".join(text_of(column[place]) for column in raw)] += 1


def readers(
    codebook: Codebook, mapped: Mapped, *, watch: bool = False
) -> dict[str, VariableReader]:
    """A reader per mapped variable; DataError when mapping and codebook do not fit."""
    check_fit(codebook, mapped)
    return {
        name: VariableReader(codebook.variables[name], variable, mapped.source, watch=watch)
        for name, variable in mapped.variables.items()
    }


def check_fit(codebook: Codebook, mapped: Mapped) -> None:
    """DataError("MAPPING_…", variable) when a mapping cannot make what the codebook says."""
    for name, variable in mapped.variables.items():
        known = codebook.variables.get(name)
        if known is None:
            raise DataError("MAPPING_UNKNOWN_VARIABLE", name)
        if known.type in ("category", "boolean", "date") and variable.form != "column":
            raise DataError("MAPPING_FORM", name)
        if variable.values is None:
            continue
        if known.type == "category":
            levels = {level.code for level in known.levels}
            meant = {_level_text(value) for value in variable.values.values()}
            if not meant <= levels:
                raise DataError("MAPPING_LEVEL", name)
        elif known.type == "boolean":
            if not all(_level_text(v).lower() in _BOOLEANS for v in variable.values.values()):
                raise DataError("MAPPING_LEVEL", name)
        elif known.type == "date":
            raise DataError("MAPPING_FORM", name)


def text_of(value: Raw) -> str:
    """A raw value as the text that maps and local numbers use: 3.0 and 3 are both "3"."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


class _Memo(dict[Raw, float]):
    """Raw value -> number, each worked out once; emptied when it grows too large."""

    def __init__(self, null: frozenset[str], meaning: Callable[[str], float]) -> None:
        super().__init__()
        self._null = null
        self._meaning = meaning

    def __missing__(self, raw: Raw) -> float:
        text = text_of(raw)
        found = math.nan if raw is None or text in self._null else self._meaning(text)
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        self[raw] = found
        return found

    def all(self, column: Sequence[Raw]) -> NDArray[np.float64]:
        return np.fromiter(map(self.__getitem__, column), np.float64, len(column))


def _joined(form: str, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if form == "column":
        return parts[0]
    first, second = parts
    bad = np.isinf(first) | np.isinf(second)
    with np.errstate(invalid="ignore"):
        gap = first - second if form == "subtract" else second - first
    if form == "years_between":
        gap = np.floor(gap / _YEAR)
    return np.where(bad, np.inf, gap)


def _level_text(value: str | bool) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _code_reader(variable: Variable, mapped: MappedVariable) -> Callable[[str], float]:
    if variable.type == "boolean":
        known = dict(_BOOLEANS)
    else:
        known = {level.code: float(place) for place, level in enumerate(variable.levels)}
    if mapped.values is not None:
        meant = {raw: _level_text(value) for raw, value in mapped.values.items()}
        if variable.type == "boolean":
            meant = {raw: value.lower() for raw, value in meant.items()}
        known = {raw: known[value] for raw, value in meant.items()}
        return lambda text: known.get(text, _BAD_CODE)
    if variable.type == "boolean":
        return lambda text: known.get(text.lower(), _BAD_CODE)
    return lambda text: known.get(text, _BAD_CODE)


def _number_reader(decimal: str, mapped: MappedVariable) -> Callable[[str], float]:
    """Text to number; infinity stands for "not a number"."""

    def number(text: str) -> float:
        if mapped.values is not None:
            if text not in mapped.values:
                return math.inf
            text = _level_text(mapped.values[text])
        elif decimal == ",":
            if "." in text:
                return math.inf
            text = text.replace(",", ".")
        try:
            value = math.inf if "_" in text else float(text)
        except ValueError:
            return math.inf
        return value * mapped.times if math.isfinite(value) else math.inf

    return number


_YEAR = 372.0
"""Days as year * 372 + (month - 1) * 31 + (day - 1): whole years between two dates are then
whole multiples, whatever the leap years."""


def _date_reader(form: str) -> Callable[[str], date | None]:
    pieces = re.split(r"(%[dmYHMS])", form)
    pattern = re.compile("".join(_DATE_PARTS.get(piece, re.escape(piece)) for piece in pieces))

    def read(text: str) -> date | None:
        found = pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        try:
            return date(int(parts["Y"]), int(parts.get("m") or 1), int(parts.get("d") or 1))
        except ValueError:
            return None

    return read


def _days_reader(form: str, *, years: bool) -> Callable[[str], float]:
    read = _date_reader(form)

    def days(text: str) -> float:
        day = read(text)
        if day is None:
            return math.inf
        if years:
            return day.year * _YEAR + (day.month - 1) * 31 + day.day - 1
        return float(day.toordinal())

    return days


def _month_reader(form: str, resolution: str) -> Callable[[str], float]:
    """Months since year 0; the first month of the year when the codebook knows years only."""
    read = _date_reader(form)

    def months(text: str) -> float:
        day = read(text)
        if day is None:
            return math.inf
        return float(day.year * 12 + (0 if resolution == "year" else day.month - 1))

    return months
