"""An answer as text for a terminal: the numbers first, then who is in, what is hidden and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Longer lists (curves) are cut here; --json has them whole.
ROWS_SHOWN = 16
HIDDEN = "hidden"
#: Why a number is hidden, in words; an unknown reason is shown as it is.
WHY: Mapping[str, str] = {
    "small_cell": "too few patients",
    "secondary": "would follow from the other numbers",
    "group_share": "nearly everybody is in one group",
    "small_group": "too few patients",
}
_CODES = {
    "replay": "This question was asked before; the stored answer is repeated.",
}


def show(console: Console, answer: Mapping[str, Any], title: str) -> None:
    """Print one answer: released, refused or insufficient."""
    console.print(f"[bold]{escape(title)}[/bold]")
    if "result" not in answer:
        console.print(f"{answer['status']}: {answer['code']}", markup=False)
        console.print(str(answer["message"]), markup=False)
        _show_sites(console, answer["sites"])
        console.print()
        return
    if answer.get("protection") == "none":
        console.print("Open data: no disclosure rules were applied.")
    if answer.get("replayed"):
        console.print(f"{_CODES['replay']} Date: {answer['as_of']}", markup=False)
    _show_part(console, answer["result"], "")
    for site, own in sorted(answer.get("by_site", {}).items()):
        console.print(f"[bold]Hospital {escape(site)}[/bold]")
        _show_part(console, own, "")
    _show_sites(console, answer["sites"])
    for entry in answer["hidden"]:
        why = WHY.get(str(entry["why"]), str(entry["why"]))
        console.print(f"Hidden: {entry['where']} ({why})", markup=False)
    console.print(_thresholds(answer["provenance"]["policy"]), markup=False)
    for warning in answer["warnings"]:
        console.print(f"Note: {warning}", markup=False)
    console.print()


def _show_sites(console: Console, sites: Mapping[str, Any]) -> None:
    console.print(f"Hospitals: {sites['asked']} asked, {sites['answered']} answered")
    for word in ("refused", "silent"):
        if sites[word]:
            console.print(f"  {word}: {', '.join(sites[word])}", markup=False)


def _thresholds(policy: Mapping[str, Any]) -> str:
    if policy["protection"] == "none":
        return "Thresholds: none."
    return (
        f"Thresholds: cell {policy['t_cell']}, hospital {policy['t_cohort_site']} eligible, "
        f"hospitals {policy['min_sites']}, time grid {policy['time_grid_days']} days."
    )


def _show_part(console: Console, part: Mapping[str, Any], name: str) -> None:
    """Scalars in one line, small objects in one line each, lists of objects as tables."""
    scalars = {key: value for key, value in part.items() if not _nested(value)}
    if scalars:
        line = "  ".join(f"{key} {number(value, key)}" for key, value in scalars.items())
        console.print(f"{name}: {line}" if name else line, markup=False)
    for key, value in part.items():
        label = f"{name} {key}".strip()
        if isinstance(value, Mapping):
            _show_part(console, value, label)
        elif _nested(value):
            _show_list(console, value, label)


def _show_list(console: Console, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    holders = any(_nested(value) for row in rows for value in row.values())
    if not holders or any(isinstance(row[c], int | float) for row in flat for c in row):
        _show_table(console, flat, columns, name)
    for row in rows:
        label = next((str(v) for v in row.values() if isinstance(v, str)), "all")
        for key, value in row.items():
            if _nested(value) and isinstance(value, list):
                _show_list(console, value, f"{label} {key}".strip())


def _show_table(
    console: Console, flat: Sequence[Mapping[str, Any]], columns: Sequence[str], name: str
) -> None:
    table = Table(title=escape(name), title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        words = any(isinstance(row.get(column), str) for row in flat)
        table.add_column(escape(column), justify="left" if words else "right", overflow="fold")
    for cells in flat[:ROWS_SHOWN]:
        table.add_row(*(escape(number(cells[c], c)) if c in cells else "" for c in columns))
    console.print(table)
    if len(flat) > ROWS_SHOWN:
        console.print(f"… {len(flat) - ROWS_SHOWN} more rows; --json shows all.")


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """One level of a row: objects become columns (``by`` without its name), lists of objects are
    left for tables of their own."""
    made: dict[str, Any] = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            made.update(_flat(value, "" if key == "by" else f"{name} "))
        elif not _nested(value):
            made[name] = value
    return made


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def number(value: Any, name: str = "") -> str:
    """A released value as text; None is a hidden or undefined number."""
    if value is None:
        return HIDDEN if name in ("n", "missing", "total", "at_risk", "events") else "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if name == "p" and value < 0.001:
            return "<0.001"
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
    if isinstance(value, list):
        return " to ".join(number(item) for item in value) if value else "-"
    return str(value)
