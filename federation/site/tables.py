"""Reports of a site for people: tables on the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from federation.site.data.dated import dated_sentences
from federation.site.data.drift import FILLED, FIRST_DAYS, MEAN, NO_EVENTS
from federation.site.data.report import DataReport
from federation.site.errors import one_line

_MOST_VALUES = 5
_MOST_YEARS = 6


def show_report(report: DataReport, console: Console | None = None) -> None:
    """Print one data report: what was read, what fits, what is implausible, what can be asked."""
    out = console or Console(highlight=False)
    of = f" ({', '.join(report.studies)})" if report.studies else ""
    out.print(escape(f"{report.mapping}: {report.rows} rows, codebook {report.codebook}{of}"))
    if len(report.units) > 1:
        out.print(_units(report))
    out.print(_variables(report))
    for line in _remarks(report):
        out.print(escape(line))
    if report.rules:
        out.print()
        out.print(_rules(report))
    for line in (*_rule_remarks(report), "", *_answers(report), *_changes(report)):
        out.print(escape(line))


def _units(report: DataReport) -> Table:
    table = Table("one row is a", box=None, pad_edge=False)
    for name in ("rows", "of nobody", "number twice", "without parent", "put together", "excluded"):
        table.add_column(name, justify="right")
    for unit in report.units:
        numbers = (unit.rows, unit.without_patient, unit.repeated, unit.orphans, unit.collapsed)
        table.add_row(escape(unit.unit), *map(str, numbers), str(unit.excluded))
    return table


def _variables(report: DataReport) -> Table:
    several = len(report.units) > 1
    table = Table(box=None, pad_edge=False)
    # Names are long and alike (had_…): on a narrow terminal folded, never cut off. Values of the
    # data stand below, where they have room.
    table.add_column("variable", overflow="fold", min_width=24)
    if several:
        table.add_column("one row is a")
    for name in ("filled", "%", "missing", "no meaning", "out of range"):
        table.add_column(name, justify="right")
    for variable in report.variables:
        table.add_row(
            escape(variable.name),
            *([escape(variable.unit)] if several else []),
            str(variable.filled),
            f"{variable.percent:.1f}",
            str(variable.missing),
            str(variable.unmapped),
            str(variable.out_of_range),
        )
    return table


def _listed(values: Sequence[tuple[str, int]]) -> str:
    """Values of the data with their counts, the commonest first."""
    more = " …" if len(values) > _MOST_VALUES else ""
    return ", ".join(f"{one_line(v, 60)!r} {n}×" for v, n in values[:_MOST_VALUES]) + more


def _remarks(report: DataReport) -> Iterator[str]:
    if report.not_mapped:
        yield f"Not mapped, cannot be answered here: {', '.join(report.not_mapped)}"
    if report.without_key:
        yield f"Rows without a patient number, never counted: {report.without_key}"
    if report.repeated:
        yield (
            f"Rows whose number stands in an earlier row: {report.repeated}. "
            "Until this is repaired every question is refused."
        )
    for unit in report.units:
        for name, n in unit.unmatched.items():
            if n:
                yield f"Rows of {unit.unit} that found nothing in {name}: {n}"
        for name, n in unit.ambiguous.items():
            if n:
                yield f"Rows of {unit.unit} that found more than one row in {name}: {n}"
        for name, n in unit.disagreeing.items():
            yield f"Rows of {unit.unit} that contradict each other in {name}: {n}"
    for variable in report.variables:
        if variable.values:
            yield f"Without a meaning, {variable.name}: {_listed(variable.values)}"
    for variable in report.variables:
        for value, raws in variable.merged.items():
            yield f"Made one value, {variable.name} = {value}: {_listed(raws)}"
    yield from report.unexpected
    yield from dated_sentences(report.dates)


def _rules(report: DataReport) -> Table:
    table = Table("implausible", box=None, pad_edge=False)
    table.add_column("rows", justify="right")
    for name in ("one row is a", "then", "by year of incidence"):
        table.add_column(name)
    for rule in report.rules:
        table.add_row(
            escape(rule.text),
            str(rule.rows),
            escape(rule.unit),
            "not counted" if rule.severity == "E" else "counted",
            escape(_years(rule.years)),
        )
    return table


def _years(years: Mapping[int, int]) -> str:
    shown = sorted(years.items(), reverse=True)
    more = " …" if len(shown) > _MOST_YEARS else ""
    return ", ".join(f"{y or 'unknown'}: {n}" for y, n in shown[:_MOST_YEARS]) + more


def _rule_remarks(report: DataReport) -> Iterator[str]:
    if report.rules_checked or report.rules_not_checked:
        yield f"Plausibility rules checked: {report.rules_checked}, broken: {len(report.rules)}"
    lacking = sorted({name for lacks in report.rules_not_checked.values() for name in lacks})
    if lacking:
        n = len(report.rules_not_checked)
        yield f"Rules not checked: {n}, for want of {', '.join(lacking)}"
    for unit in report.units:
        if unit.excluded:
            yield f"Rows of {unit.unit} that cannot be true and are never counted: {unit.excluded}"


def _answers(report: DataReport) -> Iterator[str]:
    can = [one.name for one in report.kinds if not one.missing]
    yield f"Kinds of analysis that can be answered here: {', '.join(can) or 'none'}"
    for one in report.kinds:
        if one.missing:
            yield f"{one.name}: not answerable here, nothing for {', '.join(one.missing)}"
    for one in report.indicators:
        if one.missing:
            yield f"{one.label}: not answerable here, missing {', '.join(one.missing)}"
        else:
            yield f"{one.label}: answerable here"


def _changes(report: DataReport) -> Iterator[str]:
    if report.compared_with is not None:
        n = sum(one.kind in (FILLED, MEAN) for one in report.drift)
        yield ""
        when = f"{report.compared_with:%Y-%m-%d %H:%M} UTC"
        yield f"Changed since the data of {when}: {n or 'nothing'}"
    never = [one.variable for one in report.drift if one.kind == NO_EVENTS]
    if never:
        yield f"Never yes: {', '.join(never)}"
    first = [one.variable for one in report.drift if one.kind == FIRST_DAYS]
    if first:
        yield f"Always the first of a month, so the day is not known: {', '.join(first)}"
    for one in report.drift:
        if one.kind == FILLED:
            yield f"{one.variable}: {one.before:.1f}% filled before, {one.now:.1f}% now"
        elif one.kind == MEAN:
            yield f"{one.variable}: mean {one.before:.4g} before, {one.now:.4g} now"


def show_status(status: dict[str, Any], console: Console | None = None) -> None:
    """Print the state of a site."""
    out = console or Console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")  # half a fingerprint is none
    for key, value in status.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{name} {n}" for name, n in value.items()) or "none"
        elif isinstance(value, list):
            shown = ", ".join(value) or "none"
        table.add_row(key.replace("_", " "), escape(str(shown)))
    out.print(table)
