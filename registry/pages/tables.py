"""Which tables each kind of analysis gives, the main one first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from registry.pages.naming import Names
from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import number, percent
from registry.translate import translate as _


def tables_of(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> list[Table]:
    """Every table of a released result, the main one first; none when nothing was released."""
    shown = Shown(envelope, names)
    if not shown.result:
        return []
    made = TABLES.get(str(envelope.get("analysis")), _plain)(shown, query["analysis"])
    return [table for table in made if table.rows]


def _count(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    by = list(analysis.get("by") or [])
    total = shown.result.get("total", shown.result.get("n"))
    heads = [Head(shown.names.variable(v), v, numeric=False) for v in by]
    heads += [Head(_("Patients"), "n"), Head(_("Share"), "share")]
    rows = []
    for cell in shown.result.get("cells") or []:
        n = cell.get("n")
        share = n / total if n is not None and total else None
        levels = [
            shown.text(shown.names.level(v, cell["by"].get(v)), str(cell["by"].get(v))) for v in by
        ]
        rows.append((*levels, shown.count(n), shown.share(share) if n is not None else Cell("–")))
    if by:
        rows.append(
            (
                shown.text(_("Total"), "total"),
                *(Cell("", "") for _v in by[1:]),
                shown.total(total),
                Cell(percent(1.0, 1), 1) if total else Cell("–"),
            )
        )
        return [Table(_("Patients per group"), tuple(heads), tuple(rows)), *_test(shown)]
    alone = (Head(_("Group"), "group", False), Head(_("Patients"), "n"))
    row = (shown.text(_("All patients in the question"), "total"), shown.total(total))
    return [Table(_("Patients"), alone, (row,))]


def _test(shown: Shown) -> list[Table]:
    test = shown.result.get("test")
    if not test:
        return []
    heads, row = _chi_squared(shown, shown.text(_("Pearson chi-squared"), "chi2"), test)
    heads = (*heads, Head(_("Cramér’s V"), "cramers_v"))
    row = (*row, shown.figure(test.get("cramers_v"), 3))
    return [Table(_("Do the two go together?"), heads, (row,))]


def _chi_squared(
    shown: Shown, name: Cell, test: Mapping[str, Any]
) -> tuple[tuple[Head, ...], tuple[Cell, ...]]:
    """Heads and the one row of a test with a chi-squared statistic."""
    heads = (
        Head(_("Test"), "test", False),
        Head(_("Statistic"), "chi2"),
        Head(_("Degrees of freedom"), "df"),
        Head(_("p-value"), "p"),
    )
    row = (
        name,
        shown.figure(test.get("chi2"), 2),
        shown.figure(test.get("df"), 0),
        shown.p(test.get("p")),
    )
    return heads, row


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
    for i, group in enumerate(shown.result.get("groups") or []):
        label = shown.text(
            shown.names.level(by, group.get("level")) if by else _("Everyone"),
            str(group.get("level") if by else "all"),
        )
        rows.append(
            (
                label,
                shown.count(group.get("n")),
                shown.count(group.get("events")),
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
                    _share_interval(point),
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


def _share_interval(point: Mapping[str, Any]) -> Cell:
    low, high = point.get("low"), point.get("high")
    if low is None or high is None:
        return Cell(_("not shown"), "hidden", hidden=True)
    text = _("%(low)s to %(high)s", low=percent(low), high=percent(high))
    return Cell(text, f"{low:g}-{high:g}")


def _logrank(shown: Shown) -> list[Table]:
    test = shown.result.get("logrank")
    if not test:
        return []
    heads, row = _chi_squared(shown, shown.text(_("Log-rank"), "logrank"), test)
    return [Table(_("Do the groups differ?"), heads, (row,))]


def _cox(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    heads = (
        Head(_("Term"), "term", False),
        Head(_("Hazard ratio"), "exp"),
        Head(_("95% interval"), "ci"),
        Head(_("p-value"), "p"),
        Head(_("Coefficient"), "estimate"),
        Head(_("Standard error"), "se"),
    )
    rows = []
    for term in shown.result.get("terms") or []:
        low, high = term.get("exp_ci_low"), term.get("exp_ci_high")
        if low is None or high is None:
            low, high = ratio_bounds(term)
        rows.append(
            (
                shown.text(shown.names.term(term["term"]), term["term"]),
                shown.figure(term.get("exp"), 2),
                Cell(shown.range(low, high, 2), f"{low}-{high}", hidden=low is None),
                shown.p(term.get("p")),
                shown.figure(term.get("estimate"), 4),
                shown.figure(term.get("se"), 4),
            )
        )
    return [Table(_("Hazard ratios"), heads, tuple(rows)), *_fit(shown)]


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


def ratio_bounds(term: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The 95% interval of a hazard ratio, from the interval of its coefficient."""
    low, high = term.get("ci_low"), term.get("ci_high")
    if low is None or high is None:
        return None, None
    return math.exp(min(low, 50.0)), math.exp(min(high, 50.0))


def _fit(shown: Shown) -> list[Table]:
    result = shown.result
    lr = result.get("lr") or {}
    rows = [
        (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
        (shown.text(_("Events"), "events"), shown.total(result.get("events"))),
        (shown.text(_("Concordance"), "concordance"), shown.figure(result.get("concordance"), 3)),
        (shown.text(_("Likelihood-ratio test, p-value"), "lr_p"), shown.p(lr.get("p"))),
        (shown.text(_("Log likelihood"), "loglik"), shown.figure(result.get("loglik"), 3)),
        (shown.text(_("Rounds"), "rounds"), shown.figure(result.get("rounds"), 0)),
    ]
    return [
        Table(
            _("How well it fits"),
            (Head(_("Figure"), "figure", False), Head(_("Value"), "value")),
            tuple(rows),
        )
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
    "cox": _cox,
    "describe": _describe,
}
