"""The plausibility rules of a codebook, held against the rows that a hospital's mapping made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Column
from federation.query.codebook import Codebook
from federation.query.rules import RuleBook, shipped_rules
from federation.query.variables import Variable
from federation.site.data.evaluation import as_dates, as_numbers
from federation.site.data.joins import chain
from federation.site.data.judging import Facts, Mask, Span
from federation.site.data.plausibility import Findings, Plausibility
from federation.site.data.units import UnitRows
from federation.site.data.values import Dates, Places, Value

FEWEST_DAYS = 20
_EPOCH = date(1970, 1, 1)


def judge_units(
    codebook: Codebook, units: Mapping[str, UnitRows], decimal: str, today: date | None = None
) -> dict[str, UnitRows]:
    """The rows of each unit with what the rules of `codebook` find in them, what the units above
    say of a row included. Unchanged for a codebook without rules."""
    book = shipped_rules(codebook.whole)
    if book is None:
        return dict(units)
    found: dict[str, UnitRows] = {}
    for unit, rows in units.items():
        above = found.get(str(codebook.units[unit]))
        told = None if above is None else above.findings
        findings = _judge_unit(codebook, units, unit, book, decimal, _day(today), told)
        found[unit] = replace(rows, findings=findings)
    return found


def judge_rows(
    codebook: Codebook,
    columns: Mapping[str, NDArray[Any]],
    handles: NDArray[Any],
    keyed: Mask,
    today: date | None = None,
) -> Findings | None:
    """The same for rows without units: of a date only the month is known, or the year.

    handles: (n,), of each row's patient where `keyed`. None for a codebook without rules.
    """
    book = shipped_rules(codebook.whole)
    if book is None:
        return None
    same = np.unique(handles, return_inverse=True)[1]
    people = np.where(keyed, same, -1 - np.arange(len(handles)))
    variables = {name: codebook.variables[name] for name in columns}
    spans = {
        name: _month_span(columns[name], variable)
        for name, variable in variables.items()
        if variable.type == "date"
    }
    rules = Plausibility(book, variables, spans)
    facts = Facts(
        n=len(people),
        columns={name: Column(variables[name], columns[name]) for name in rules.columns},
        dates={name: spans[name] for name in rules.dates},
        today=_day(today),
    )
    return _found(rules, facts, people)


def _judge_unit(
    codebook: Codebook,
    units: Mapping[str, UnitRows],
    unit: str,
    book: RuleBook,
    decimal: str,
    today: float,
    above: Findings | None,
) -> Findings:
    """`above`: what was found in the unit above; its rules are not held a second time."""
    variables: dict[str, Variable] = {}
    values: dict[str, tuple[NDArray[Any] | Value, Places]] = {}
    dates: dict[str, tuple[Dates, Places]] = {}
    rows = units[unit]
    places: Places = np.arange(rows.n)
    while True:
        for name, column in rows.columns.items():
            variables[name], values[name] = codebook.whole.variables[name], (column, places)
        for name, item in rows.items.items():
            known = name in rows.columns
            if isinstance(item, Dates) or (known and variables[name].type == "date"):
                dates.setdefault(name, (as_dates(item), places))
            elif not known and name not in variables:
                # An item that no query may see; rules may read it as a number.
                variables[name], values[name] = Variable(name, "number"), (item, places)
        if rows.parents is None:
            break
        places = chain(places, rows.parents)
        rows = units[str(codebook.units[rows.unit])]
    rules = Plausibility(book, variables, dates, () if above is None else above.rules)
    facts = Facts(
        n=len(places),
        columns={n: Column(variables[n], _at(*values[n], decimal)) for n in rules.columns},
        dates={name: _span(dates[name][0].take(dates[name][1])) for name in rules.dates},
        today=today,
        relative=frozenset(name for name in rules.dates if dates[name][0].relative),
    )
    nobody = places < 0
    found = _found(rules, facts, np.where(nobody, -1 - np.arange(len(places)), places))
    own = {n: value for n, value in units[unit].items.items() if isinstance(value, Dates)}
    first_days = tuple(n for n, value in own.items() if _always_first(value))
    parents = units[unit].parents
    if above is None or parents is None:
        return replace(found, first_days=first_days)
    return replace(
        found,
        rules={**above.rules, **found.rules},
        bits=found.bits | np.append(above.bits, np.uint64(0))[parents],
        first_days=first_days,
    )


def _always_first(dates: Dates) -> bool:
    days = dates.low[dates.exact]
    if dates.relative or len(days) < FEWEST_DAYS:
        return False
    whole = days.astype("datetime64[D]")
    return bool((whole == whole.astype("datetime64[M]").astype("datetime64[D]")).all())


def _found(rules: Plausibility, facts: Facts, people: NDArray[Any]) -> Findings:
    bits, years = rules.judge(facts)
    values = {name: column.values for name, column in facts.columns.items()}
    bits |= rules.compare_rows(values, people)
    return Findings(rules.rules, bits, years, rules.missing)


def _at(values: NDArray[Any] | Value, places: Places, decimal: str) -> NDArray[Any]:
    if not isinstance(values, np.ndarray):
        numbers = as_numbers(values, decimal)
        values = np.where(numbers.known, numbers.values, np.nan)
    missing = -1 if values.dtype.kind == "i" else np.nan
    return np.append(values, np.array([missing], values.dtype))[places]


def _span(dates: Dates) -> Span:
    return Span(*(np.where(dates.known, ends, np.nan) for ends in (dates.low, dates.high)))


def _month_span(months: NDArray[Any], variable: Variable) -> Span:
    """The days that a month since year 0 spans; those of its year when only years are known."""
    known = ~np.isnan(months)
    first = np.where(known, months, 1970 * 12).astype(np.int64) - 1970 * 12
    after = first + (12 if variable.resolution == "year" else 1)
    low, high = (_first_day(month) for month in (first, after))
    return Span(np.where(known, low, np.nan), np.where(known, high - 1, np.nan))


def _first_day(months: NDArray[np.int64]) -> NDArray[np.float64]:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.float64)


def _day(today: date | None) -> float:
    return float(((today or datetime.now(UTC).date()) - _EPOCH).days)
