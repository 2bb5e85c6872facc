"""Between which days the data of each record lie, and which records lie in a data window.

The codebook says which dates tell (federation/query/record_dates.py). A row holds what is said of
it and of everything it belongs to: a treatment row also the tumour and the patient. So all of these
must lie in the window, and where one of them cannot tell, the row does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from consent.snapshot import NO_END, NO_START, Mask, Snapshot
from federation.query.codebook import Codebook
from federation.query.dated import dates_of, named_in_dates
from federation.query.record_dates import DayOf
from federation.query.units import above
from federation.query.variables import Variable
from federation.site.choices.days import Days, Floats, unknown
from federation.site.data.evaluation import as_dates
from federation.site.data.joins import chain
from federation.site.data.units import UnitRows
from federation.site.data.values import Dates, Places, Texts

if TYPE_CHECKING:
    from federation.site.data.columns import Table


def rows_that_count(snapshot: Snapshot, table: Table, study: str, requires: Sequence[str]) -> Mask:
    """Which rows of `table` their patients let count for `study`, bool (n,).

    snapshot: as this hospital proved it. Raises ConsentError `requirement_set_empty`.
    """
    permitted = snapshot.permits(table.handles, study, requires)
    since, until = snapshot.limits(table.handles, study, requires)
    if not np.any(permitted & ((since != NO_START) | (until != NO_END))):
        return permitted
    return permitted & days_of(table).within(since, until)


def days_of(table: Table) -> Days:
    """The days of every row of a table, those of what it belongs to included."""
    codebook = table.codebook
    rows = table.units.get(codebook.unit)
    if rows is not None:
        return rows.days or unknown(table.n)
    variables = codebook.whole.variables
    dates = {
        name: _months(values, variables[name])
        for name, values in table.columns.items()
        if variables[name].type == "date"
    }
    found = _days(codebook, codebook.unit, dates, table.columns, table.n)
    for unit in above(codebook.units, codebook.unit)[1:]:
        if any(variables[name].per == unit for name in table.columns):
            found = found.joined(_days(codebook, unit, dates, table.columns, table.n))
    return found


def date_units(codebook: Codebook, units: Mapping[str, UnitRows]) -> dict[str, UnitRows]:
    """The rows of each unit with the days of their data. Unchanged for a codebook without dates."""
    if not dates_of(codebook):
        return dict(units)
    found: dict[str, UnitRows] = {}
    for unit, rows in units.items():
        days = _days(codebook, unit, *_seen(codebook, units, unit), rows.n)
        higher = found.get(str(codebook.units[unit]))
        if higher is not None and rows.parents is not None:
            days = days.joined((higher.days or unknown(higher.n)).take(rows.parents))
        found[unit] = replace(rows, days=days)
    return found


def _seen(
    codebook: Codebook, units: Mapping[str, UnitRows], unit: str
) -> tuple[dict[str, Dates], dict[str, NDArray[Any]]]:
    """The dates and the variables of each row, those of the units above included."""
    named = named_in_dates(codebook)
    dates: dict[str, Dates] = {}
    columns: dict[str, NDArray[Any]] = {}
    places: Places = np.arange(units[unit].n)
    for name in above(codebook.units, unit):
        rows = units.get(name)
        if rows is None:
            break
        for item, value in rows.items.items():
            if isinstance(value, Dates | Texts) and item in named:
                dates.setdefault(item, as_dates(value).take(places))
        for variable, values in rows.columns.items():
            if values.dtype.kind == "f":
                columns.setdefault(variable, np.append(values, np.nan)[places])
        if rows.parents is None:
            break
        places = chain(places, rows.parents)
    return dates, columns


def _days(
    codebook: Codebook,
    unit: str,
    dates: Mapping[str, Dates],
    columns: Mapping[str, NDArray[Any]],
    n: int,
) -> Days:
    """Of a unit's own dates, without what its rows belong to."""
    told = dates_of(codebook).get(unit)
    if told is None:
        return unknown(n)
    first, last = (_ends(day, dates, columns, n) for day in (told.first, told.last))
    return Days(first[0], last[1])


def _ends(
    day: DayOf | None, dates: Mapping[str, Dates], columns: Mapping[str, NDArray[Any]], n: int
) -> tuple[Floats, Floats]:
    """The earliest and the latest day that a date can be; nan where it is not known."""
    nobody = np.full(n, np.nan)
    found = None if day is None else dates.get(day.name)
    if day is None or found is None or found.relative:
        return nobody, nobody
    later = np.zeros(n) if not day.plus else columns.get(day.plus, nobody)
    known = found.known & np.isfinite(later)
    return (
        np.where(known, found.low + later, np.nan),
        np.where(known, found.high + later, np.nan),
    )


def _months(months: NDArray[Any], variable: Variable) -> Dates:
    """The days that a month since year 0 spans; those of its year when only years are known."""
    known = ~np.isnan(months)
    first = np.where(known, months, 1970 * 12).astype(np.int64) - 1970 * 12
    after = first + (12 if variable.resolution == "year" else 1)
    low, high = (
        each.astype("datetime64[M]").astype("datetime64[D]").astype(np.float64)
        for each in (first, after)
    )
    return Dates(np.where(known, low, np.nan), np.where(known, high - 1, np.nan))
