"""`site check`: how well the hospital's data fit the codebook. For the hospital's own eyes only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from federation.query.codebook import Codebook
from federation.site.data import drift
from federation.site.data.answerable import Answerable, indicators, kinds
from federation.site.data.columns import Table, data_version, read_table, unit_table
from federation.site.data.convert import Tally
from federation.site.data.dated import DatedUnit, dated
from federation.site.data.drift import Drift
from federation.site.data.mapping import Mapped
from federation.site.data.plausibility import Findings
from federation.site.data.sentences import sentence
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.store import open_store

__all__ = ["DataReport", "RuleReport", "UnitReport", "VariableReport", "check_data", "sentence"]

SHOWN_VALUES = 20


@dataclass(frozen=True)
class VariableReport:
    """One variable: rows with a value, without one, and with one that has no meaning.

    values: raw texts without a meaning and how often each occurs, the commonest first. merged: per
    value of the codebook the raw texts that a map makes that value, with how often each occurs,
    where these are two or more.
    """

    name: str
    unit: str
    rows: int
    filled: int
    missing: int
    unmapped: int
    out_of_range: int
    values: tuple[tuple[str, int], ...]
    merged: Mapping[str, tuple[tuple[str, int], ...]]

    @property
    def percent(self) -> float:
        """Rows with a value, in percent."""
        return 100.0 * self.filled / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class UnitReport:
    """The rows of one unit (patients, tumours …); with_patient: those that can be counted at all.

    without_patient: rows of the data without a patient who could have consented. repeated: rows
    whose own number came before. orphans: rows that belong to no row of the unit above.
    collapsed: rows of the data that became one with another. unmatched, ambiguous: per joined
    table the rows that found none, or more than one. disagreeing: per item the collapsed rows
    that contradict each other. excluded: rows that break a plausibility rule of severity E and
    are never counted.
    """

    unit: str
    rows: int
    with_patient: int
    without_patient: int
    repeated: int
    orphans: int
    collapsed: int
    excluded: int
    unmatched: Mapping[str, int]
    ambiguous: Mapping[str, int]
    disagreeing: Mapping[str, int]


@dataclass(frozen=True)
class RuleReport:
    """A plausibility rule that some row breaks: in which unit, and how often per year of incidence
    (0: the year is not known)."""

    rule: str
    unit: str
    severity: str
    text: str
    rows: int
    years: Mapping[int, int]


@dataclass(frozen=True)
class DataReport:
    """One mapping against one codebook.

    not_mapped: variables that cannot be answered here. rules_not_checked: rules with what they
    lack. drift: against the last reading of other data, which was at `compared_with`. unexpected:
    what the mapping's `expect` did not expect. dates: of how many rows the days are known.
    """

    codebook: str
    mapping: str
    studies: tuple[str, ...]
    units: tuple[UnitReport, ...]
    variables: tuple[VariableReport, ...]
    not_mapped: tuple[str, ...]
    rules_checked: int
    rules: tuple[RuleReport, ...]
    rules_not_checked: Mapping[str, tuple[str, ...]]
    kinds: tuple[Answerable, ...]
    indicators: tuple[Answerable, ...]
    drift: tuple[Drift, ...]
    compared_with: datetime | None
    unexpected: tuple[str, ...]
    dates: tuple[DatedUnit, ...]

    @property
    def rows(self) -> int:
        """Rows of the highest unit: patients."""
        return self.units[0].rows

    @property
    def without_key(self) -> int:
        """Rows of the highest unit without a patient number."""
        return self.units[0].without_patient

    @property
    def repeated(self) -> int:
        """Rows whose number came before, of all units."""
        return sum(unit.repeated for unit in self.units)

    @property
    def usable(self) -> bool:
        """Whether questions can be answered at all."""
        return self.repeated == 0 and self.units[0].with_patient > 0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON; see docs/reference/data-report.md."""
        return {
            "codebook": self.codebook,
            "mapping": self.mapping,
            "studies": list(self.studies),
            "usable": self.usable,
            "rows": self.rows,
            "without_key": self.without_key,
            "repeated": self.repeated,
            "unexpected": list(self.unexpected),
            "units": [_plain(asdict(unit)) for unit in self.units],
            "dates": [unit.to_dict() for unit in self.dates],
            "not_mapped": list(self.not_mapped),
            "variables": [_variable(each) for each in self.variables],
            "rules_checked": self.rules_checked,
            "rules": [
                {**asdict(rule), "years": {_year(y): n for y, n in rule.years.items()}}
                for rule in self.rules
            ],
            "rules_not_checked": {
                name: list(lacks) for name, lacks in self.rules_not_checked.items()
            },
            "kinds": [_answerable(each) for each in self.kinds],
            "indicators": [_answerable(each) for each in self.indicators],
            "drift": [asdict(each) for each in self.drift],
            "compared_with": self.compared_with.isoformat() if self.compared_with else None,
        }


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(each) if isinstance(each, Mapping) else each for key, each in value.items()}


def _variable(one: VariableReport) -> dict[str, Any]:
    return {
        "name": one.name,
        "unit": one.unit,
        "filled": one.filled,
        "filled_percent": round(one.percent, 1),
        "missing": one.missing,
        "unmapped": one.unmapped,
        "out_of_range": one.out_of_range,
        "values": [{"value": value, "n": n} for value, n in one.values],
        "merged": {
            value: [{"value": raw, "n": n} for raw, n in raws] for value, raws in one.merged.items()
        },
    }


def _answerable(one: Answerable) -> dict[str, Any]:
    return {"name": one.name, "answerable": not one.missing, "missing": list(one.missing)}


def _year(year: int) -> str:
    return str(year) if year else "unknown"


def check_data(
    directory: SiteDirectory,
    codebook: Codebook,
    mapped: Mapped,
    mapping: str,
    studies: Iterable[str] = (),
    now: datetime | None = None,
) -> DataReport:
    """Read all data once and count what does not fit. Raises DataError and SetupError.

    A few numbers of this reading are kept in site.sqlite, for the next one to be compared with.
    """
    tables = _tables(directory, codebook, mapped)
    variables = _variables(codebook, tables)
    summaries = {
        one.name: drift.summarise(codebook.variables[one.name], tables[one.unit].columns[one.name])
        for one in variables
    }
    changes, compared_with = _drift(directory, codebook, mapped, mapping, summaries, now)
    filled = {one.name for one in variables if one.filled}
    items = _items(mapped, codebook)
    rules, checked, missing = _rules(codebook, tables)
    units = tuple(_unit(unit, table) for unit, table in tables.items())
    return DataReport(
        codebook=codebook.id,
        mapping=mapping,
        studies=tuple(studies),
        units=units,
        variables=tuple(variables),
        not_mapped=tuple(n for n in codebook.variables if n not in {v.name for v in variables}),
        rules_checked=checked,
        rules=tuple(rules),
        rules_not_checked=missing,
        kinds=tuple(kinds(codebook, filled)),
        indicators=tuple(indicators(codebook, filled, items)),
        drift=(*changes, *drift.never(codebook.variables, summaries), *_first_days(tables)),
        compared_with=compared_with,
        unexpected=tuple(_unexpected(mapped, units, variables)),
        dates=dated(codebook, tables),
    )


def _tables(directory: SiteDirectory, codebook: Codebook, mapped: Mapped) -> dict[str, Table]:
    """The rows of every unit that is mapped, the highest first."""
    highest = next(iter(codebook.units)) if mapped.tables else codebook.unit
    first = read_table(codebook.at(highest), mapped, directory.handles, watch=True)
    return {
        highest: first,
        **{
            unit: unit_table(codebook.at(unit), first.units, directory.handles, "")
            for unit in first.units
            if unit != highest
        },
    }


def _unit(unit: str, table: Table) -> UnitReport:
    rows = table.units.get(unit)
    keyed = int(np.count_nonzero(table.keyed))
    none: Mapping[str, int] = {}
    return UnitReport(
        unit=unit,
        rows=table.n,
        with_patient=keyed,
        without_patient=table.n - keyed + (0 if rows is None else rows.unkeyed),
        repeated=table.repeated if rows is None else rows.repeated,
        orphans=0 if rows is None else rows.orphans,
        collapsed=0 if rows is None else rows.merged,
        excluded=table.n - int(np.count_nonzero(table.plausible)),
        unmatched=none if rows is None else rows.unmatched,
        ambiguous=none if rows is None else rows.ambiguous,
        disagreeing=none if rows is None else rows.disagreeing,
    )


def _variables(codebook: Codebook, tables: Mapping[str, Table]) -> list[VariableReport]:
    found = []
    for name, variable in codebook.variables.items():
        unit = variable.per if variable.per in tables else next(iter(tables))
        tally = tables[unit].tallies.get(name)
        if tally is not None:
            found.append(_counted(name, unit, tables[unit].n, tally))
    order = list(tables)
    return sorted(found, key=lambda one: order.index(one.unit))


def _counted(name: str, unit: str, rows: int, tally: Tally) -> VariableReport:
    merged: dict[str, list[tuple[str, int]]] = {}
    for (raw, value), n in tally.meant.most_common():
        merged.setdefault(value, []).append((raw, n))
    return VariableReport(
        name=name,
        unit=unit,
        rows=rows,
        filled=rows - tally.missing - tally.unmapped - tally.out_of_range,
        missing=tally.missing,
        unmapped=tally.unmapped,
        out_of_range=tally.out_of_range,
        values=tuple(tally.values.most_common(SHOWN_VALUES)),
        merged={value: tuple(raws) for value, raws in merged.items() if len(raws) > 1},
    )


def _rules(
    codebook: Codebook, tables: Mapping[str, Table]
) -> tuple[list[RuleReport], int, dict[str, tuple[str, ...]]]:
    """Broken rules, how many rules could be held, and the others with what they lack.

    A rule is counted once, in the first unit that has all it needs; a rule that no unit can hold
    lacks what it lacks in the unit that comes nearest.
    """
    held: dict[str, tuple[str, Findings]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for unit, table in tables.items():
        if table.findings is None:
            continue
        for rule in table.findings.rules.values():
            held.setdefault(rule.name, (unit, table.findings))
        for name, lacks in table.findings.missing.items():
            if name not in missing or len(lacks) < len(missing[name]):
                missing[name] = lacks
    reports = []
    for name, (unit, findings) in held.items():
        years = findings.by_year(name)
        if years:
            rule = next(each for each in findings.rules.values() if each.name == name)
            text, severity = rule.text.text("en"), rule.severity
            reports.append(RuleReport(name, unit, severity, text, sum(years.values()), years))
    reports.sort(key=lambda one: (one.severity, -one.rows))
    return reports, len(held), {n: lacks for n, lacks in missing.items() if n not in held}


def _first_days(tables: Mapping[str, Table]) -> list[Drift]:
    return [
        Drift(name, drift.FIRST_DAYS, 0.0, 0.0)
        for table in tables.values()
        if table.findings is not None
        for name in table.findings.first_days
    ]


def _items(mapped: Mapped, codebook: Codebook) -> set[str]:
    if not mapped.tables:
        return set(mapped.variables)
    return {name for table in mapped.plan(codebook).tables.values() for name in table.items}


def _drift(
    directory: SiteDirectory,
    codebook: Codebook,
    mapped: Mapped,
    mapping: str,
    summaries: Mapping[str, drift.Summary],
    now: datetime | None,
) -> tuple[list[Drift], datetime | None]:
    version = data_version(mapped, codebook)
    subject = f"{mapping} {codebook.sha256}"
    try:
        with closing(open_store(directory.database)) as database:
            last = drift.last_before(database, subject, version)
            drift.keep(database, subject, version, summaries, now or datetime.now(UTC))
    except (SetupError, sqlite3.Error, ValueError, TypeError):
        # A report that cannot be compared, or not be kept, is a report all the same.
        return [], None
    if last is None:
        return [], None
    return drift.compare(last.summaries, summaries), last.at


def _unexpected(
    mapped: Mapped, units: tuple[UnitReport, ...], variables: Iterable[VariableReport]
) -> list[str]:
    """What the mapping's own `expect` says should not be, as sentences."""
    expected, found = mapped.expected, []
    if expected.rows_min is not None and units[0].rows < expected.rows_min:
        found.append(f"{units[0].rows} rows were read; the mapping expects {expected.rows_min}.")
    if expected.unmapped_max_pct is not None:
        for one in variables:
            share = 100.0 * one.unmapped / one.rows if one.rows else 0.0
            if share > expected.unmapped_max_pct:
                found.append(
                    f"{one.name}: {share:.1f}% of the values have no meaning; the mapping expects"
                    f" at most {expected.unmapped_max_pct:g}%."
                )
    return found
