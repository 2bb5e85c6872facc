"""Which tables each kind of analysis gives, the main one first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from registry.pages.naming import Names
from registry.pages.tables_groups import (
    chi_squared,
    compare,
    competing_risks,
    histogram,
    mantel_haenszel,
    pearson,
)
from registry.pages.tables_hospitals import adjusted_mean, by_name, standardise
from registry.pages.tables_models import cox, mixed, regression
from registry.pages.tables_times import trend, waiting_time
from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import number, percent
from registry.translate import translate as _

_COMPARING = frozenset({"standardise", "adjusted_mean", "waiting_time"})
"""The kinds that have their hospitals in their own main table."""


def tables_of(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> list[Table]:
    """Every table of a released result, the main one first; none when nothing was released.

    Answers of single hospitals stand in tables of their own, after those of all together.
    """
    shown = Shown(envelope, names)
    kind = str(envelope.get("analysis"))
    made: list[Table] = []
    if shown.result or (kind in _COMPARING and envelope.get("by_site")):
        made = TABLES.get(kind, _plain)(shown, query["analysis"])
    if kind not in _COMPARING:
        made += _of_hospitals(envelope, query, names)
    return [table for table in made if table.rows]


def _of_hospitals(
    envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names
) -> list[Table]:
    """The tables of each hospital's answer, those of one kind joined, the hospital in front."""
    joined: dict[tuple[str, tuple[Head, ...]], list[tuple[Cell, ...]]] = {}
    for slug, part in by_name(envelope.get("by_site") or {}, names):
        if "code" in part or "sealed" in part:
            continue
        own = {**envelope, "result": part, "hidden": part.get("hidden") or [], "by_site": None}
        name = Cell(names.hospital(slug), slug, numeric=False)
        for table in tables_of(own, query, names):
            rows = joined.setdefault((table.caption, table.heads), [])
            rows += [(name, *row) for row in table.rows]
    head = Head(_("Hospital"), "hospital", False)
    return [
        Table(_("%(caption)s, per hospital", caption=caption), (head, *heads), tuple(rows))
        for (caption, heads), rows in joined.items()
    ]


def _count(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    by = list(analysis.get("by") or [])
    total = shown.result.get("total", shown.result.get("n"))
    heads = [Head(shown.names.variable(v), v, numeric=False) for v in by]
    heads += [Head(_("Patients"), "n"), Head(_("Share"), "share")]
    rows = []
    cells = list(shown.result.get("cells") or [])
    counts = shown.counts([cell.get("n") for cell in cells], total)
    for cell, count in zip(cells, counts, strict=True):
        n = cell.get("n")
        share = n / total if n is not None and total else None
        levels = [
            shown.text(shown.names.level(v, cell["by"].get(v)), str(cell["by"].get(v))) for v in by
        ]
        rows.append((*levels, count, shown.share(share) if n is not None else Cell("–")))
    if by:
        rows.append(
            (
                shown.text(_("Total"), "total"),
                *(Cell("", "") for _v in by[1:]),
                shown.total(total),
                Cell(percent(1.0, 1), 1) if total else Cell("–"),
            )
        )
        return [
            Table(_("Patients per group"), tuple(heads), tuple(rows)),
            *pearson(shown, shown.result.get("test")),
        ]
    alone = (Head(_("Group"), "group", False), Head(_("Patients"), "n"))
    row = (shown.text(_("All patients in the question"), "total"), shown.total(total))
    return [Table(_("Patients"), alone, (row,))]


def _survival(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    by = analysis.get("by")
    heads = (
        Head(shown.names.variable(by) if by else _("Group"), "group", False),
        Head(_("Patients"), "n"),
        Head(_("Events"), "events"),
        Head(_("Median (days)"), "median"),
        Head(_("95% interval"), "median_ci"),
    )
    rows = []
    timed = []
    groups = list(shown.result.get("groups") or [])
    counts = shown.counts([group.get("n") for group in groups], shown.result.get("n"))
    for i, group in enumerate(groups):
        label = shown.text(
            shown.names.level(by, group.get("level")) if by else _("Everyone"),
            str(group.get("level") if by else "all"),
        )
        rows.append(
            (
                label,
                counts[i],
                shown.total(group.get("events")),
                _median(shown, group, f"groups[{i}].median"),
                _median_ci(shown, group),
            )
        )
        for point in group.get("at") or []:
            timed.append(
                (
                    label,
                    Cell(number(point["t"]), point["t"]),
                    shown.share(point.get("s")),
                    shown.share_range(point.get("low"), point.get("high")),
                    shown.count(point.get("at_risk")),
                )
            )
    at_heads = (
        heads[0],
        Head(_("Day"), "t"),
        Head(_("Without event"), "s"),
        Head(_("95% interval"), "ci"),
        Head(_("Still followed"), "at_risk"),
    )
    return [
        Table(_("Groups"), heads, tuple(rows)),
        Table(_("At the asked times"), at_heads, tuple(timed)),
        *_logrank(shown),
    ]


def _median(shown: Shown, group: Mapping[str, Any], where: str) -> Cell:
    median = group.get("median")
    if median is None and where not in shown.hidden_places:
        return Cell(_("not reached"), "not reached")
    if isinstance(median, Sequence):
        return shown.interval(median)
    return shown.figure(median, 0)


def _median_ci(shown: Shown, group: Mapping[str, Any]) -> Cell:
    pair = group.get("median_ci") or (None, None)
    if pair[0] is None and pair[-1] is None:
        return Cell("–", "")
    low = number(pair[0]) if pair[0] is not None else "…"
    high = number(pair[-1]) if pair[-1] is not None else _("not reached")
    return Cell(_("%(low)s to %(high)s", low=low, high=high), f"{pair[0]}-{pair[-1]}")


def _logrank(shown: Shown) -> list[Table]:
    test = shown.result.get("logrank")
    if not test:
        return []
    heads, row = chi_squared(shown, shown.text(_("Log-rank"), "logrank"), test)
    return [Table(_("Do the groups differ?"), heads, (row,))]


def _describe(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    heads = (
        Head(_("Value"), "variable", False),
        Head(_("Group"), "group", False),
        Head(_("Patients"), "n"),
        Head(_("Mean"), "mean"),
        Head(_("95% interval"), "ci"),
        Head(_("Standard deviation"), "sd"),
        Head(_("Lower quarter"), "q25"),
        Head(_("Median"), "median"),
        Head(_("Upper quarter"), "q75"),
    )
    level_heads = (
        heads[0],
        heads[1],
        Head(_("Answer"), "level", False),
        Head(_("Patients"), "n"),
        Head(_("Share"), "share"),
    )
    rows, levels = [], []
    for entry in shown.result.get("variables") or []:
        name, by = str(entry["variable"]), entry.get("by")
        label = shown.text(shown.names.with_unit(name), name)
        for group in entry.get("groups") or []:
            code = group.get("level")
            words = shown.names.level(by, code) if by else _("Everyone")
            of = shown.text(words, "all" if code is None else str(code))
            if "levels" in group:
                levels += [
                    (
                        label,
                        of,
                        shown.text(shown.names.level(name, each["level"]), each["level"]),
                        shown.count(each.get("n")),
                        shown.share(each.get("share")),
                    )
                    for each in group["levels"]
                ]
                continue
            quantiles = group.get("quantiles") or {}
            ci = shown.range(group.get("ci_low"), group.get("ci_high"), 1)
            rows.append(
                (
                    label,
                    of,
                    shown.count(group.get("n")),
                    shown.figure(group.get("mean"), 1),
                    Cell(ci, ci, hidden=group.get("ci_low") is None),
                    shown.figure(group.get("sd"), 1),
                    *(shown.interval(quantiles.get(key)) for key in ("0.25", "0.5", "0.75")),
                )
            )
    return [
        Table(_("Described values"), heads, tuple(rows)),
        Table(_("Described answers"), level_heads, tuple(levels)),
    ]


def _plain(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Any kind without a table of its own: its plain numbers, so that nothing stays unseen."""
    rows = []
    for key, value in shown.result.items():
        if isinstance(value, int | float | None) and not isinstance(value, bool):
            digits = 0 if isinstance(value, int) else 3
            rows.append((shown.text(key), shown.figure(value, digits)))
    heads = (Head(_("Figure"), "figure", False), Head(_("Value"), "value"))
    return [Table(_("Result"), heads, tuple(rows))]


Maker = Callable[[Shown, Mapping[str, Any]], list[Table]]
TABLES: dict[str, Maker] = {
    "count": _count,
    "survival": _survival,
    "cox": cox,
    "describe": _describe,
    "histogram": histogram,
    "compare": compare,
    "regression": regression,
    "competing_risks": competing_risks,
    "mantel_haenszel": mantel_haenszel,
    "mixed": mixed,
    "adjusted_mean": adjusted_mean,
    "waiting_time": waiting_time,
    "trend": trend,
    "standardise": standardise,
}
