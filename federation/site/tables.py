"""Reports of a site for people: tables on the terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from federation.site.report import DataReport

_MOST_VALUES = 5


def show_report(report: DataReport, console: Console | None = None) -> None:
    """Print one data report."""
    out = console or Console(highlight=False)
    out.print(f"{report.mapping}: {report.rows} rows, codebook {report.codebook}")
    table = Table("variable", box=None, pad_edge=False)
    for name in ("filled", "%", "missing", "no meaning", "out of range"):
        table.add_column(name, justify="right")
    table.add_column("values without a meaning")
    for variable in report.variables:
        listed = [f"{value!r} {n}×" for value, n in variable.values[:_MOST_VALUES]]
        more = " …" if len(variable.values) > _MOST_VALUES else ""
        table.add_row(
            variable.name,
            str(variable.filled),
            f"{variable.percent(report.rows):.1f}",
            str(variable.missing),
            str(variable.unmapped),
            str(variable.out_of_range),
            escape(", ".join(listed) + more),
        )
    out.print(table)
    if report.not_mapped:
        out.print(f"Not mapped, cannot be answered here: {', '.join(report.not_mapped)}")
    if report.without_key:
        out.print(f"Rows without a patient number, never counted: {report.without_key}")
    if report.repeated:
        out.print(
            f"Rows whose patient number stands in an earlier row: {report.repeated}. "
            "Until this is repaired every question is refused."
        )


def show_status(status: dict[str, Any], console: Console | None = None) -> None:
    """Print the state of a site."""
    out = console or Console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in status.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{name} {n}" for name, n in value.items()) or "none"
        elif isinstance(value, list):
            shown = ", ".join(value) or "none"
        table.add_row(key.replace("_", " "), escape(str(shown)))
    out.print(table)
