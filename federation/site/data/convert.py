"""Raw values of the hospital as typed columns of the codebook.

A value that the codebook does not have (another level, out of min and max, not a number) counts
as missing and is counted for the hospital itself (query.md); it never leaves the site.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook, Variable
from federation.site.data.date_formats import day_reader
from federation.site.data.mapping import Mapped, MappedVariable
from federation.site.data.meanings import BOOLEANS, number_meaning, text_of
from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import Raw
from federation.site.errors import DataError

Values = NDArray[Any]

LARGEST = 1e12
"""A number beyond this is not data; the bound keeps sums within the fixed-point range."""

_MISSING = -1.0
_BAD_CODE = -2.0
_MEMO_LIMIT = 50_000
_EPOCH = date(1970, 1, 1).toordinal()
_WATCH_LIMIT = 1_000


@dataclass
class Tally:
    """What was found in one variable. For `site check` only: `values` counts raw texts without a
    meaning, `meant` the (raw text, value) pairs of a map."""

    missing: int = 0
    unmapped: int = 0
    out_of_range: int = 0
    values: Counter[str] = field(default_factory=Counter)
    meant: Counter[tuple[str, str]] = field(default_factory=Counter)


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
        self._days: _Memo | None = None
        if variable.type == "date":
            self._days = _Memo(source.null, _day_numbers(mapped.format))

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
        if self._watch and self.mapped.values is not None:
            self._count_meant(columns[0], self.mapped.values)
        if self._coded:
            return self._codes(parts[0], columns)
        return self._numbers(_joined(self.mapped.form, parts), columns)

    def times(self, columns: Sequence[Sequence[Raw]]) -> NDArray[np.float32] | None:
        """Of a date the day of one block (see UnitRows.times); None for any other variable."""
        return None if self._days is None else self._days.all(columns[0]).astype(np.float32)

    def _count_meant(self, column: Sequence[Raw], meanings: Mapping[str, str | bool]) -> None:
        for raw, n in Counter(column).items():
            text = text_of(raw)
            if text in meanings and len(self.tally.meant) < _WATCH_LIMIT:
                self.tally.meant[text, _level_text(meanings[text])] += n

    def _codes(self, codes: NDArray[np.float64], raw: Sequence[Sequence[Raw]]) -> Values:
        bad = codes == _BAD_CODE
        self._count(bad, np.isnan(codes), raw)
        return np.where(np.isnan(codes) | bad, _MISSING, codes).astype(np.int16)

    def _numbers(self, values: NDArray[np.float64], raw: Sequence[Sequence[Raw]]) -> Values:
        found = bounded(self.variable, values)
        self._count(found.bad, found.missing, raw)
        self.tally.out_of_range += int(np.count_nonzero(found.outside))
        return found.values

    def _count(
        self, bad: NDArray[np.bool_], missing: NDArray[np.bool_], raw: Sequence[Sequence[Raw]]
    ) -> None:
        self.tally.missing += int(np.count_nonzero(missing))
        self.tally.unmapped += int(np.count_nonzero(bad))
        if self._watch and len(self.tally.values) < _WATCH_LIMIT:
            for place in np.flatnonzero(bad).tolist():
                self.tally.values[" … ".join(text_of(column[place]) for column in raw)] += 1


@dataclass(frozen=True)
class Bounded:
    """Numbers as the codebook wants them, nan where there is none; and why there is none."""

    values: NDArray[np.float64]
    bad: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def bounded(variable: Variable, values: NDArray[np.float64]) -> Bounded:
    """Drop what has no meaning (infinity, a fraction of an integer) and what is out of bounds."""
    bad = np.isinf(values)
    if variable.type == "integer":
        with np.errstate(invalid="ignore"):
            bad |= values % 1 > 0
    values = np.where(bad, np.nan, values)
    missing = np.isnan(values) & ~bad
    outside = np.abs(values) > LARGEST
    if variable.min is not None:
        outside |= values < variable.min
    if variable.max is not None:
        outside |= values > variable.max
    values[outside] = np.nan
    return Bounded(values, bad, missing, outside)


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
    """DataError("MAPPING_…", variable) when a mapping of version 1 cannot make what the codebook
    says; SetupError with the whole sentence for one of version 2."""
    if mapped.tables:
        mapped.plan(codebook)
    rows = codebook.at(codebook.whole.unit)
    for name, variable in mapped.variables.items():
        known = codebook.variables.get(name)
        if known is None:
            raise DataError("MAPPING_UNKNOWN_VARIABLE", name)
        if name not in rows.variables:
            raise DataError("MAPPING_UNIT", name)
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
            if not all(_level_text(v).lower() in BOOLEANS for v in variable.values.values()):
                raise DataError("MAPPING_LEVEL", name)
        elif known.type == "date":
            raise DataError("MAPPING_FORM", name)


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


def code_meaning(variable: Variable) -> Callable[[str], float]:
    """Text to code of a category or boolean; infinity for a text that is no level."""
    known = _known_codes(variable)
    if variable.type == "boolean":
        return lambda text: known.get(text.lower(), math.inf)
    return lambda text: known.get(text, math.inf)


def _known_codes(variable: Variable) -> dict[str, float]:
    if variable.type == "boolean":
        return dict(BOOLEANS)
    return {level.code: float(place) for place, level in enumerate(variable.levels)}


def _code_reader(variable: Variable, mapped: MappedVariable) -> Callable[[str], float]:
    known = _known_codes(variable)
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

    plain = number_meaning("." if mapped.values is not None else decimal)

    def number(text: str) -> float:
        if mapped.values is not None:
            if text not in mapped.values:
                return math.inf
            text = _level_text(mapped.values[text])
        return plain(text) * mapped.times

    return number


_YEAR = 372.0
"""Days as year * 372 + (month - 1) * 31 + (day - 1): whole years between two dates are then
whole multiples, whatever the leap years."""


def _days_reader(form: str, *, years: bool) -> Callable[[str], float]:
    read = day_reader(form)

    def days(text: str) -> float:
        day = read(text)
        if day is None:
            return math.inf
        if years:
            return day.year * _YEAR + (day.month - 1) * 31 + day.day - 1
        return float(day.toordinal())

    return days


def _day_numbers(form: str) -> Callable[[str], float]:
    """Days since 1970; the first day that a text can mean, nan where it means none."""
    read = day_reader(form)

    def days(text: str) -> float:
        day = read(text)
        return math.nan if day is None else float(day.toordinal() - _EPOCH)

    return days


def _month_reader(form: str, resolution: str) -> Callable[[str], float]:
    """Months since year 0; the first month of the year when the codebook knows years only."""
    read = day_reader(form)

    def months(text: str) -> float:
        day = read(text)
        if day is None:
            return math.inf
        return float(day.year * 12 + (0 if resolution == "year" else day.month - 1))

    return months
