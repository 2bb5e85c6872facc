"""An answer as text for a terminal: the numbers first, then who is in, what is hidden and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Longer lists (curves) are cut here; --json has them whole.
ROWS_SHOWN = 16
HIDDEN = "hidden"
#: Width of what stands between two columns of a table.
_BETWEEN = 3
#: Why a number is hidden, in words; an unknown reason is shown as it is.
WHY: Mapping[str, str] = {
    "small_cell": "too few patients",
    "secondary": "would follow from the other numbers",
    "group_share": "nearly everybody is in one group",
    "small_group": "too few patients",
    "dominance": "one patient, or two together, make up most of it",
    "no_spread": "all have the same value, so it would be each one's value",
    "no_cuts": "the codebook has no cut-points for this variable",
    "complete_cases": "only patients with all these data are counted; see missing",
    "follow_up_too_small": "too few patients were followed that long",
    "grid": "needs exact times, which do not leave a hospital",
}
#: Columns of a model's terms that only a ratio has.
RATIOS = ("exp", "exp_low", "exp_high")
#: Names of numbers that are patients: without a value they are hidden.
COUNTS = ("n", "missing", "total", "at_risk", "events", "observed", "competing", "patients")
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
    _show_hospitals(console, answer.get("by_site", {}))
    _show_sites(console, answer["sites"])
    _show_hidden(console, answer["hidden"])
    console.print(_thresholds(answer["provenance"]["policy"]), markup=False)
    for warning in answer["warnings"]:
        console.print(f"Note: {warning}", markup=False)
    console.print()


def _show_hospitals(console: Console, own: Mapping[str, Mapping[str, Any]]) -> None:
    """One table with a row per hospital where an answer is a few numbers, else one part each."""
    flat = {s: p for s, p in own.items() if "code" not in p and not any(map(_nested, p.values()))}
    if len(flat) > 1:
        rows = [{"hospital": site, **part} for site, part in sorted(flat.items())]
        empty = {key for key in rows[0] if all(_nothing(row.get(key)) for row in rows)}
        kept = [{k: v for k, v in row.items() if k not in empty} for row in rows]
        columns = list(dict.fromkeys(key for row in kept for key in row))
        _show_table(console, kept, columns, "hospitals")
    for site, part in sorted(own.items()):
        if len(flat) < 2 or site not in flat:
            console.print(f"[bold]Hospital {escape(site)}[/bold]")
            _show_part(console, part, "")


def _nothing(value: Any) -> bool:
    """Whether there is no number in it at all."""
    return value is None or (isinstance(value, list) and all(each is None for each in value))


def _show_sites(console: Console, sites: Mapping[str, Any]) -> None:
    console.print(f"Hospitals: {sites['asked']} asked, {sites['answered']} answered")
    for word in ("refused", "silent"):
        if sites[word]:
            console.print(f"  {word}: {', '.join(sites[word])}", markup=False)


def _show_hidden(console: Console, hidden: Sequence[Mapping[str, Any]]) -> None:
    """One line per reason: a description by group hides the same in each group."""
    places: dict[str, list[str]] = {}
    for entry in hidden:
        places.setdefault(str(entry["why"]), []).append(str(entry["where"]))
    for why, where in places.items():
        console.print(f"Hidden: {', '.join(where)} ({WHY.get(why, why)})", markup=False)


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
    if all(row.get(name) is None for row in flat for name in RATIOS):
        columns = [name for name in columns if name not in RATIOS]  # a model of differences
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
    """One table, or several below each other where the columns do not fit beside each other."""
    shown = [
        {c: number(row[c], c) if c in row else "" for c in columns} for row in flat[:ROWS_SHOWN]
    ]
    for place, band in enumerate(_bands(shown, columns, console.width)):
        table = Table(
            title=escape(name) if place == 0 else None,
            title_justify="left",
            show_edge=False,
            pad_edge=False,
        )
        for column in band:
            words = any(isinstance(row.get(column), str) for row in flat)
            table.add_column(escape(column), justify="left" if words else "right", overflow="fold")
        for cells in shown:
            table.add_row(*(escape(cells[c]) for c in band))
        console.print(table)
    if len(flat) > ROWS_SHOWN:
        console.print(f"… {len(flat) - ROWS_SHOWN} more rows; --json shows all.")


def _bands(
    shown: Sequence[Mapping[str, str]], columns: Sequence[str], width: int
) -> list[list[str]]:
    """The columns in groups that fit in ``width``; each begins with the first, the row's name."""
    wide = {c: max(cell_len(text) for text in (c, *(row[c] for row in shown))) for c in columns}
    bands: list[list[str]] = [list(columns[:1])]
    for column in columns[1:]:
        taken = sum(wide[c] + _BETWEEN for c in bands[-1])
        if taken + wide[column] > width and len(bands[-1]) > 1:
            bands.append(list(columns[:1]))
        bands[-1].append(column)
    return bands


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
        return HIDDEN if name in COUNTS else "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if name == "p" and value < 0.001:
            return "<0.001"
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
    if isinstance(value, list):
        return "-" if _nothing(value) else " to ".join(number(item) for item in value)
    return str(value)
