"""Where a finding may come from: its course by quarter, and the same by group of patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Any

from federation.methods.control_charts import Point, p_chart
from registry.pages.figure import Figure, both
from registry.pages.round_differences import by_group
from registry.pages.round_figures import strip_of
from registry.pages.round_labels import Places
from registry.pages.round_words import (
    SHARES,
    Row,
    as_pair,
    days_between,
    headline,
    hidden_cell,
    is_shown,
    measure,
    target_level,
    target_text,
    title,
    value_text,
    why_text,
)
from registry.pages.tidy import Cell, Head, Table
from registry.pictures.run_chart import Change, RunAxis, RunPoint, RunWords, Series, run_chart
from registry.pictures.strips import PLAIN_AXIS, StripAxis, StripWords, strips
from registry.translate import number, percent
from registry.translate import translate as _

Names = Callable[[str, object], str]
Deed = tuple[date, str, str | None]
MOST_STRIPS = 30
#: One quarter is no course.
LEAST_QUARTERS = 2
#: Panels of a run chart: the own hospital and a few others; the table has all.
MOST_PANELS = 6


@dataclass(frozen=True)
class Course:
    """How an indicator went by quarter: the table, what stands out, and the picture."""

    table: Table
    found: list[str]
    figure: Figure | None


@dataclass(frozen=True)
class Stratum:
    """An indicator by group of patients. `table` is None where the hospitals could not answer;
    then `why` says it."""

    heading: str
    table: Table | None
    figure: Figure | None
    why: str = ""


def trend_of(indicator: Row, places: Places, deeds: Sequence[Deed] = ()) -> Course | None:
    """The course of a released indicator; None without one. `deeds`: what was done from which day
    on at which hospital (None for all), to be marked in the picture."""
    trend = indicator.get("trend")
    if not trend or not trend.get("rows"):
        return None
    quarters = sorted({q["quarter"] for row in trend["rows"] for q in row["quarters"]})
    if len(quarters) < LEAST_QUARTERS:
        return None
    heads = (
        Head(_("Hospital"), "hospital", numeric=False),
        *(Head(quarter_words(quarter), quarter) for quarter in quarters),
    )
    rows = []
    for row in places.ordered(trend["rows"]):
        known = {q["quarter"]: q for q in row["quarters"]}
        label = Cell(places.label(str(row["site"])), row["site"], numeric=False)
        cells = (_quarter(known.get(quarter), measure(indicator)) for quarter in quarters)
        rows.append((label, *cells))
    said = [
        _(
            "%(name)s, %(quarter)s: %(rule)s.",
            name=places.name(str(found["site"])),
            quarter=quarter_words(str(found["quarter"])),
            rule=rule_words(str(found["rule"]), found.get("side")),
        )
        for found in trend.get("rules") or ()
    ]
    said = [text[:1].upper() + text[1:] for text in said]
    caption = _("%(name)s, by quarter", name=title(indicator))
    within = (indicator.get("target") or {}).get("within")
    if measure(indicator) == "time" and within is not None:
        caption += ": " + _("median / share within %(days)s days", days=number(within))
    figure = _run_chart(indicator, trend, quarters, places, deeds)
    return Course(Table(caption, heads, tuple(rows)), said, figure)


def _run_chart(
    indicator: Row, trend: Row, quarters: list[str], places: Places, deeds: Sequence[Deed]
) -> Figure | None:
    """The reader's own hospitals and those where a rule saw something; else the first few."""
    rules = {(str(r["site"]), str(r["quarter"])) for r in trend.get("rules") or ()}
    marked = {site for site, _quarter in rules}
    rows = places.ordered(trend["rows"])
    wanted = [r for r in rows if places.own(str(r["site"])) or str(r["site"]) in marked]
    wanted = (wanted or rows)[:MOST_PANELS]
    shares = any(q.get("share") is not None for row in wanted for q in row["quarters"])
    series = [
        replace(
            _series(row, quarters, rules, places, shares=shares),
            changes=_changes(deeds, str(row["site"]), quarters),
        )
        for row in wanted
    ]
    within = (indicator.get("target") or {}).get("within")
    up = _("Median, days")
    if shares:
        timed = measure(indicator) == "time" and within is not None
        up = _("Share within %(days)s days", days=number(within)) if timed else title(indicator)
    words = RunWords(
        title=_("%(name)s, by quarter", name=title(indicator)),
        description=headline(indicator),
        up=up,
        centre=_("this hospital’s own middle"),
        limits=_("what chance allows"),
        marked=_("a rule saw something: reason to look closer"),
        hidden=_("not shown"),
        target=_("Target: %(level)s", level=target_text(indicator)),
    )
    target = target_level(indicator) if shares else None
    axis = RunAxis(percent=shares)
    try:
        drawn = both(
            lambda s: run_chart(
                series,
                words=words,
                shape=s,
                writer=number,
                axis=axis,
                target=target,
            )
        )
    except ValueError:
        return None
    caption = _("A hospital is held against its own course, not against the others.")
    return Figure(_("Each hospital against its own course"), caption, drawn)


def _changes(deeds: Sequence[Deed], site: str, quarters: list[str]) -> tuple[Change, ...]:
    """What was done at a hospital, or at all of them, in one of the quarters."""
    found = []
    for due, words, where in deeds:
        quarter = f"{due.year}-Q{(due.month + 2) // 3}"
        if where in (None, site) and quarter in quarters:
            found.append(Change(quarters.index(quarter), words))
    return tuple(found)


def _series(
    row: Row, quarters: list[str], rules: set[tuple[str, str]], places: Places, *, shares: bool
) -> Series:
    site = str(row["site"])
    known = {q["quarter"]: q for q in row["quarters"]}
    shown = [q for q in row["quarters"] if q.get("n") and q.get("observed") is not None]
    chart = p_chart([Point(q["quarter"], q["n"], q["observed"]) for q in shown]) if shares else None
    limits = dict(zip((q["quarter"] for q in shown), chart.limits if chart else (), strict=False))
    points = []
    for quarter in quarters:
        found = known.get(quarter) or {}
        pair = as_pair(found.get("median"))
        value = found.get("share") if shares else None if pair is None else sum(pair) / 2
        low, high = limits.get(quarter) or (None, None)
        points.append(
            RunPoint(short_quarter(quarter), value, low, high, marked=(site, quarter) in rules)
        )
    values = [p.value for p in points if p.value is not None]
    centre = chart.centre if chart else float(median(values)) if values else None
    return Series(places.label(site), tuple(points), centre, own=places.own(site))


def short_quarter(quarter: str) -> str:
    """2025-Q3 below an axis."""
    year, _sep, n = quarter.partition("-Q")
    return _("Q%(n)s %(year)s", n=n, year=year)


def quarter_words(quarter: str) -> str:
    """2025-Q3 as people say it."""
    year, _sep, n = quarter.partition("-Q")
    return _("quarter %(n)s of %(year)s", n=n, year=year)


def rule_words(rule: str, side: int | None = None) -> str:
    """What a rule of the run chart saw; `side` 1 above the middle, -1 below it, None unknown."""
    sided = {
        ("outside", 1): _("above the limits of chance"),
        ("outside", -1): _("below the limits of chance"),
        ("one_side", 1): _("eight quarters in a row above the middle"),
        ("one_side", -1): _("eight quarters in a row below the middle"),
    }
    if side is not None and (rule, side) in sided:
        return sided[rule, side]
    return {
        "outside": _("outside the limits of chance"),
        "point_outside": _("outside the limits of chance"),
        "one_side": _("eight quarters in a row on one side of the middle"),
        "rising": _("six quarters in a row rising"),
        "falling": _("six quarters in a row falling"),
        "cusum": _("more bad outcomes in a row than chance gives"),
    }.get(rule, rule)


def _quarter(found: Row | None, kind: str) -> Cell:
    nothing = Cell(_("not shown"), "hidden", hidden=True)
    if found is None:
        return nothing
    share, median_ = found.get("share"), as_pair(found.get("median"))
    if kind != "time":
        return nothing if share is None else Cell(percent(share), share)
    if share is None and median_ is None:
        return nothing
    parts = ["–" if median_ is None else days_between(median_)]
    parts.append("–" if share is None else percent(share))
    return Cell(" / ".join(parts), " / ".join(parts))


def strata_of(indicator: Row, places: Places, names: Names) -> list[Stratum]:
    """The indicator by each group that its definition names."""
    found = []
    for part in indicator.get("strata") or ():
        variable = str(part["variable"])
        rows = places.ordered(row for row in part["rows"] if row.get("site"))
        together = [row for row in part["rows"] if row.get("difference")]
        heading = _("By group of patients: %(name)s", name=names(variable, None))
        if rows:
            found.append(_stratum(indicator, variable, heading, rows, places, names))
        elif together:
            table, figure = by_group(indicator, variable, heading, together, names)
            found.append(Stratum(heading, table, figure))
        else:
            why = next((row["hidden"] for row in part["rows"] if row.get("hidden")), None)
            found.append(Stratum(heading, None, None, why_text(why)))
    return found


def _stratum(
    indicator: Row, variable: str, heading: str, rows: list[Row], places: Places, names: Names
) -> Stratum:
    # A hospital that is hidden as a whole has one row, without a level, that says why.
    levels = list(dict.fromkeys(r["level"] for r in rows if r["level"] is not None))
    sites = list(dict.fromkeys(str(row["site"]) for row in rows))
    by = {(str(row["site"]), row["level"]): row for row in rows}
    heads = (
        Head(_("Hospital"), "hospital", numeric=False),
        *(Head(names(variable, level), str(level)) for level in levels),
    )
    lines = tuple(
        (
            Cell(places.label(site), site, numeric=False),
            *(
                _cell(indicator, by.get((site, level), by.get((site, None))), names)
                for level in levels
            ),
        )
        for site in sites
    )
    table = Table(f"{title(indicator)}. {heading}", heads, lines)
    return Stratum(heading, table, _figure(indicator, variable, heading, rows, places, names))


def _cell(indicator: Row, row: Row | None, names: Names) -> Cell:
    if row is None:
        return Cell(_("not shown"), "hidden", hidden=True)
    known = _same(indicator, row)
    if not is_shown(indicator, known):
        return Cell(hidden_cell(row.get("hidden")), row.get("hidden"), hidden=True)
    text = (
        value_text(indicator, known) if measure(indicator) != "mix" else _mix(indicator, row, names)
    )
    n = None if measure(indicator) == "volume" else row.get("n")
    return Cell(f"{text} ({number(n)})" if n is not None else text, text)


def _mix(indicator: Row, row: Row, names: Names) -> str:
    variable = str(indicator["definition"].get("variable"))
    shown = [each for each in row["levels"] if each["share"] is not None]
    return ", ".join(f"{names(variable, each['level'])} {percent(each['share'])}" for each in shown)


def _same(indicator: Row, row: Row) -> dict[str, Any]:
    """A row of a stratum with the value in the place where rows of the indicator have it."""
    value = row.get("value")
    pair = value if isinstance(value, list | tuple) else None if value is None else [value, value]
    made = {"p80": None, "hidden": None, **row, "value": None if isinstance(value, list) else value}
    return {**made, "median": row.get("median") or pair}


def _figure(
    indicator: Row, variable: str, heading: str, rows: list[Row], places: Places, names: Names
) -> Figure | None:
    rows, caption = [row for row in rows if row["level"] is not None], ""
    if len(rows) > MOST_STRIPS:
        # Group by group, so that hospitals stand beside each other; what is hidden in the table.
        levels = list(dict.fromkeys(row["level"] for row in rows))
        rows = [row for row in rows if is_shown(indicator, _same(indicator, row))]
        rows.sort(key=lambda row: levels.index(row["level"]))
        caption = _("Drawn are the groups that may be shown; the table has all of them.")
    if len(rows) > MOST_STRIPS or measure(indicator) == "mix":
        return None
    made = [
        strip_of(
            indicator,
            _same(indicator, row),
            places,
            f"{places.letter(str(row['site']))}: {names(variable, row['level'])}",
        )
        for row in rows
    ]
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Days") if measure(indicator) == "time" else title(indicator),
        own=_("your hospital"),
    )
    axis: StripAxis = StripAxis(percent=True) if measure(indicator) in SHARES else PLAIN_AXIS
    try:
        drawn = both(
            lambda s: strips(
                made, words=words, shape=s, axis=axis, writer=number, key=f"by-{variable}"
            )
        )
    except ValueError:
        return None
    return Figure(heading, caption, drawn)
