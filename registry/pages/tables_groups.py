"""Tables of the analyses that count and compare groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import number
from registry.translate import translate as _


def chi_squared(
    shown: Shown, name: Cell, test: Mapping[str, Any]
) -> tuple[tuple[Head, ...], tuple[Cell, ...]]:
    """Heads and the one row of a test with a chi-squared statistic."""
    row = (
        name,
        shown.figure(test.get("chi2", test.get("statistic")), 2),
        shown.figure(test.get("df"), 0),
        shown.p(test.get("p")),
    )
    return _test_heads(), row


def _test_heads(degrees: bool = True) -> tuple[Head, ...]:
    df = (Head(_("Degrees of freedom"), "df"),) if degrees else ()
    return (
        Head(_("Test"), "test", False),
        Head(_("Statistic"), "chi2"),
        *df,
        Head(_("p-value"), "p"),
    )


def pearson(shown: Shown, test: Mapping[str, Any] | None) -> list[Table]:
    """Whether two categories go together."""
    if not test:
        return []
    heads, row = chi_squared(shown, shown.text(_("Pearson chi-squared"), "chi2"), test)
    heads = (*heads, Head(_("Cramér’s V"), "cramers_v"))
    row = (*row, shown.figure(test.get("cramers_v"), 3))
    return [Table(_("Do the two go together?"), heads, (row,))]


def histogram(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Patients per bar, a column for each group."""
    result, names = shown.result, shown.names
    variable, by = str(result["variable"]), str(result.get("by") or "")
    groups = list(result.get("groups") or [])
    heads = [Head(names.with_unit(variable), "bar", False), Head(_("Patients"), "n")]
    heads += [Head(names.level(by, g.get("level")), f"n_{g.get('level')}") for g in groups]
    rows = []
    bins = list(result.get("bins") or [])
    for i, each in enumerate(bins):
        closed = i == len(bins) - 1 and each.get("high") is not None
        words = names.bar(variable, each.get("low"), each.get("high"), last=closed)
        own = [shown.count(g["bins"][i].get("n")) for g in groups]
        value = f"{_edge(each.get('low'))}-{_edge(each.get('high'))}"
        rows.append((shown.text(words, value), shown.count(each.get("n")), *own))
    return [Table(_("Patients per bar"), tuple(heads), tuple(rows))]


def _edge(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def compare(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Means and their tests, or the table of two categories."""
    result, names = shown.result, shown.names
    variable, by = str(result["variable"]), str(result["by"])
    if result.get("type") == "categorical":
        return [_cells(shown, by, variable), *pearson(shown, result.get("chi2"))]
    heads = (
        Head(names.variable(by), "group", False),
        Head(_("Patients"), "n"),
        Head(_("Mean"), "mean"),
        Head(_("95% interval"), "ci"),
        Head(_("Standard deviation"), "sd"),
    )
    rows = []
    groups = list(result.get("groups") or [])
    counts = shown.counts([group.get("n") for group in groups], result.get("n"))
    for group, count in zip(groups, counts, strict=True):
        ci = shown.range(group.get("ci_low"), group.get("ci_high"), 1)
        rows.append(
            (
                shown.text(names.level(by, group.get("level")), str(group.get("level"))),
                count,
                shown.figure(group.get("mean"), 1),
                Cell(ci, ci, hidden=group.get("ci_low") is None),
                shown.figure(group.get("sd"), 1),
            )
        )
    return [Table(names.with_unit(variable), heads, tuple(rows)), *_number_tests(shown)]


def _number_tests(shown: Shown) -> list[Table]:
    """The tests of a number between groups, one row each."""
    words = {
        "welch_t": _("Welch’s t-test: equal means"),
        "anova": _("Analysis of variance: equal means"),
        "mann_whitney": _("Mann-Whitney test: equal distributions"),
        "kruskal": _("Kruskal-Wallis test: equal distributions"),
    }
    rows = []
    for key, name in words.items():
        test = shown.result.get(key)
        if test:
            df = test.get("df")
            rows.append(
                (
                    shown.text(name, key),
                    shown.figure(test.get("statistic"), 2),
                    Cell("–", "") if df is None else shown.figure(df, 1 if df % 1 else 0),
                    shown.p(test.get("p")),
                )
            )
    return [Table(_("Do the groups differ?"), _test_heads(), tuple(rows))] if rows else []


def _cells(shown: Shown, by: str, variable: str) -> Table:
    """A two-way table of counts, the groups in the rows."""
    names = shown.names
    cells = list(shown.result.get("cells") or [])
    columns = list(dict.fromkeys(str(c["by"][variable]) for c in cells))
    counts = shown.counts([c.get("n") for c in cells], shown.result.get("n"))
    found = {
        (str(c["by"][by]), str(c["by"][variable])): count
        for c, count in zip(cells, counts, strict=True)
    }
    rows = []
    for level in dict.fromkeys(str(c["by"][by]) for c in cells):
        row = [found.get((level, column)) or shown.total(None) for column in columns]
        rows.append((shown.text(names.level(by, level), level), *row))
    heads = [Head(names.variable(by), "group", False)]
    heads += [
        Head(f"{names.variable(variable)}: {names.level(variable, c)}", f"n_{c}") for c in columns
    ]
    return Table(_("Patients per group"), tuple(heads), tuple(rows))


def mantel_haenszel(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """The two-by-two table, the common odds ratio, and its tests."""
    result = shown.result
    ci = shown.range(result.get("ci_low"), result.get("ci_high"), 2)
    heads = (
        Head(_("Figure"), "figure", False),
        Head(_("Odds ratio"), "odds_ratio"),
        Head(_("95% interval"), "ci"),
    )
    row = (
        shown.text(_("Common odds ratio"), "odds_ratio"),
        shown.figure(result.get("odds_ratio"), 2),
        Cell(ci, ci, hidden=result.get("ci_low") is None),
    )
    tests = []
    homogeneity = result.get("homogeneity") or {}
    for name, key, test in (
        (_("Mantel-Haenszel: no association"), "test", result.get("test")),
        (_("Breslow-Day: one odds ratio for all"), "homogeneity", homogeneity),
        (_("Breslow-Day, Tarone’s correction"), "tarone", homogeneity.get("tarone")),
    ):
        if test:
            tests.append(chi_squared(shown, shown.text(name, key), test)[1])
    return [
        Table(_("Odds ratio"), heads, (row,)),
        Table(_("Tests"), _test_heads(), tuple(tests)),
        _cells(shown, str(result["exposure"]), str(result["outcome"])),
    ]


def competing_risks(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    """Groups, the incidence at the asked times, and Gray's test."""
    by, names = analysis.get("by"), shown.names
    first = Head(names.variable(by) if by else _("Group"), "group", False)
    heads = (
        first,
        Head(_("Patients"), "n"),
        Head(_("Events"), "events"),
        Head(_("Other events"), "competing"),
    )
    at_heads = (
        first,
        Head(_("Day"), "t"),
        Head(_("Had the event"), "cif"),
        Head(_("95% interval"), "ci"),
        Head(_("Still followed"), "at_risk"),
    )
    rows, timed = [], []
    groups = list(shown.result.get("groups") or [])
    counts = shown.counts([group.get("n") for group in groups], shown.result.get("n"))
    for group, count in zip(groups, counts, strict=True):
        label = shown.text(
            names.level(by, group.get("level")) if by else _("Everyone"),
            str(group.get("level") if by else "all"),
        )
        events = [shown.total(group.get(key)) for key in ("events", "competing")]
        rows.append((label, count, *events))
        for point in group.get("at") or []:
            timed.append(
                (
                    label,
                    Cell(number(point["t"]), point["t"]),
                    shown.share(point.get("cif")),
                    shown.share_range(point.get("low"), point.get("high")),
                    shown.count(point.get("at_risk")),
                )
            )
    tables = [
        Table(_("Groups"), heads, tuple(rows)),
        Table(_("At the asked times"), at_heads, tuple(timed)),
    ]
    if test := shown.result.get("gray"):
        found, row = chi_squared(shown, shown.text(_("Gray’s test"), "gray"), test)
        tables.append(Table(_("Do the groups differ?"), found, (row,)))
    return tables
