"""The numbers of a round as tables: what stands beside each picture; what is hidden, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from registry.pages.round_differences import exposure_of, groups_of
from registry.pages.round_figures import mix_kinds
from registry.pages.round_labels import Places
from registry.pages.round_words import (
    Row,
    as_pair,
    days_between,
    hidden_short,
    interval_text,
    is_shown,
    measure,
    title,
    value_text,
)
from registry.pages.tables_hospitals import where_it_lies
from registry.pages.tidy import Cell, Head, Table
from registry.translate import number, percent
from registry.translate import translate as _

Names = Callable[[str, object], str]
Column = tuple[Head, Callable[[Row], Cell]]


def _hidden() -> Cell:
    return Cell(_("not shown"), "hidden", hidden=True)


def _number(value: Any, digits: int = 0) -> Cell:
    return _hidden() if value is None else Cell(number(value, digits), value)


def _text(words: str) -> Cell:
    return Cell(words, words, numeric=False) if words else _hidden()


def _share(value: Any) -> Cell:
    return _hidden() if value is None else Cell(percent(value), value)


def _range(pair: Any, digits: int = 2) -> Cell:
    if not pair or None in pair:
        return _hidden()
    low, high = pair
    text = _("%(low)s to %(high)s", low=number(low, digits), high=number(high, digits))
    return Cell(text, f"{low:g}-{high:g}")


def table_of(indicator: Row, places: Places, names: Names) -> Table:
    """One row per hospital in the order of letters; the network, of the shown ones, as the last."""
    columns = _columns(indicator, names)
    heads = (Head(_("Hospital"), "hospital", numeric=False), *(head for head, _cell in columns))
    rows = []
    for row in places.ordered(indicator["rows"]):
        site = str(row["site"])
        label = places.label(site) + (f" ({_('yours')})" if places.own(site) else "")
        first = Cell(label, site, numeric=False)
        if is_shown(indicator, row) or row.get("n") is not None:
            rows.append((first, *(cell(row) for _head, cell in columns)))
        else:
            why = Cell(hidden_short(row.get("hidden")), row.get("hidden"), hidden=True)
            rows.append((first, why, *([_hidden()] * (len(columns) - 1))))
    together = indicator["network"]
    if together.get("n") is not None:
        first = Cell(_("All shown hospitals together"), "network", numeric=False)
        rows.append((first, *(cell(together) for _head, cell in columns)))
    return Table(_("%(name)s, per hospital", name=title(indicator)), heads, tuple(rows))


def _columns(indicator: Row, names: Names) -> list[Column]:
    kind = measure(indicator)
    found = {
        "time": _time_columns,
        "mix": lambda one: _mix_columns(one, names),
        "survival": _survival_columns,
        "share": _share_columns,
        "mean": _value_columns,
    }.get(kind, _no_columns)(indicator)
    found = [*found, (Head(_("Patients"), "n"), lambda row: _number(row.get("n")))]
    if kind != "volume":  # everybody who is counted is counted
        missing = Head(_("Missing"), "missing")
        found.append((missing, lambda row: _number(row.get("missing"))))
    return found


def _no_columns(_indicator: Row) -> list[Column]:
    return []


def _share_columns(indicator: Row) -> list[Column]:
    found = _value_columns(indicator)
    found.append((Head(_("Where it lies"), "outside", numeric=False), _lies))
    adjusted = bool(indicator["definition"].get("case_mix"))
    if adjusted:
        found.append((Head(_("Observed / expected"), "ratio"), _ratio))
    for name, words in (
        ("limits95", _("95% limits")),
        ("widened95", _("95% limits, wider than chance alone")),
    ):
        if any(as_pair(row.get(name)) for row in indicator["rows"]):
            found.append((Head(words, name), _limits(name, adjusted=adjusted)))
    if adjusted:
        found.append((Head(_("Expected"), "expected"), lambda row: _number(row.get("expected"), 1)))
    if any(row.get("shrunken") for row in indicator["rows"]):
        head = Head(_("Ratio drawn towards all"), "shrunken")
        found.append((head, _shrunken))
    found.append(
        (Head(_("With the outcome"), "observed"), lambda row: _number(row.get("observed")))
    )
    return found


def _ratio(row: Row) -> Cell:
    """Observed / expected; all together are what is expected."""
    return _number(row["ratio"], 2) if "ratio" in row else Cell("–", "")


def _limits(name: str, *, adjusted: bool) -> Callable[[Row], Cell]:
    """Limits of observed / expected, or as shares of the hospital's patients; all together have
    none."""

    def cell(row: Row) -> Cell:
        if name not in row:
            return Cell("–", "")
        pair, expected, n = as_pair(row[name]), row.get("expected"), row.get("n")
        if adjusted or pair is None:
            return _range(pair)
        if not expected or not n:
            return _hidden()
        low, high = (min(each * expected / n, 1.0) for each in pair)
        return _shares(low, high)

    return cell


def _shrunken(row: Row) -> Cell:
    if "shrunken" not in row:
        return Cell("–", "")
    return _number((row["shrunken"] or {}).get("value"), 2)


def _lies(row: Row) -> Cell:
    if "outside" not in row:  # the network is not judged against itself
        return Cell("–", "", numeric=False)
    return Cell(where_it_lies(row["outside"]), str(row["outside"]), numeric=False)


def _value_columns(indicator: Row) -> list[Column]:
    head = _("Share") if measure(indicator) == "share" else _("Mean")
    return [
        (Head(head, "value"), lambda row: Cell(value_text(indicator, row), row.get("value"))),
        (
            Head(_("95% interval"), "interval"),
            lambda row: _interval(indicator, row),
        ),
    ]


def _interval(indicator: Row, row: Row) -> Cell:
    text = interval_text(indicator, row)
    return Cell(text, _span(row.get("low"), row.get("high"))) if text else _hidden()


def _span(low: Any, high: Any) -> str:
    return "hidden" if low is None or high is None else f"{low:g}-{high:g}"


def _time_columns(indicator: Row) -> list[Column]:
    found: list[Column] = [
        (Head(_("Median"), "median"), lambda row: _days(row.get("median"))),
        (Head(_("80 of 100 within"), "p80"), lambda row: _days(row.get("p80"))),
    ]
    found.append((Head(_("Against all others"), "signal", numeric=False), _rule))
    for norm in indicator["definition"].get("norms") or ():
        head = Head(_("Within %(days)s days", days=number(norm)), f"within_{norm}")
        found.append((head, _within(norm)))
    return found


def _rule(row: Row) -> Cell:
    """What the rule of waiting times says of a hospital."""
    if "signal" not in row:  # all together is not held against itself
        return Cell("–", "", numeric=False)
    said = {True: _("at least twice"), False: _("less than twice")}
    found = row["signal"]
    return _hidden() if found is None else Cell(said[found], str(found).lower(), numeric=False)


def _days(found: Any) -> Cell:
    pair = as_pair(found)
    if pair is None:
        return _hidden()
    low, high = pair
    return Cell(days_between(found), low if low == high else f"{low:g}-{high:g}")


def _within(norm: int) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        found = next((w for w in row.get("within") or () if w["days"] == norm), None)
        return _hidden() if found is None else _share(found.get("share"))

    return cell


def _survival_columns(indicator: Row) -> list[Column]:
    found: list[Column] = []
    for days in indicator["definition"].get("at") or ():
        found.append((Head(_("After %(days)s days", days=number(days)), f"at_{days}"), _at(days)))
    found.append(
        (
            Head(_("95% interval"), "interval"),
            lambda row: _interval(indicator, row),
        )
    )
    return found


def _at(days: int) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        found = next((w for w in row.get("at") or () if w["days"] == days), None)
        return _hidden() if found is None else _share(found.get("share"))

    return cell


def _mix_columns(indicator: Row, names: Names) -> list[Column]:
    variable = str(indicator["definition"].get("variable"))
    return [(Head(names(variable, kind), str(kind)), _level(kind)) for kind in mix_kinds(indicator)]


def _level(kind: object) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        levels = row.get("levels") or ()
        found = next((each for each in levels if each["level"] == kind), None)
        return _share(found.get("share")) if found else _hidden() if not levels else _share(0.0)

    return cell


def difference_table(indicator: Row, names: Names) -> Table | None:
    """Both groups, then the difference and the ratio: always both (domain.md 3.6)."""
    found = indicator.get("difference") or {}
    groups = groups_of(indicator)
    if not groups or found.get("difference") is None:
        return None
    heads = (
        Head(_("Group"), "group", numeric=False),
        Head(_("Value"), "value"),
        Head(_("95% interval"), "interval"),
        Head(_("With the outcome"), "observed"),
        Head(_("Patients"), "n"),
    )
    rows = [
        (
            Cell(group.name, group.name, numeric=False),
            _share(group.share),
            _shares(*(group.span or (None, None))),
            _number(group.observed),
            _number(group.n),
        )
        for group in groups
    ]
    nothing = Cell("–", "")
    # A ratio alone never: it makes small differences look large.
    rows.append(
        (
            Cell(_("Difference, in 100 patients"), "risk_difference", numeric=False),
            _number(100 * found["difference"], 1),
            _points(found.get("difference_interval")),
            nothing,
            nothing,
        )
    )
    rows.append(
        (
            Cell(_("Ratio"), "risk_ratio", numeric=False),
            _number(found.get("ratio"), 2),
            _range(found.get("ratio_interval")),
            nothing,
            nothing,
        )
    )
    caption = _("%(name)s, with and without", name=title(indicator))
    return Table(f"{caption}: {exposure_of(indicator, names)}", heads, tuple(rows))


def _shares(low: Any, high: Any) -> Cell:
    if low is None or high is None:
        return _hidden()
    text = _("%(low)s to %(high)s", low=percent(low), high=percent(high))
    return Cell(text, f"{low:g}-{high:g}")


def _points(pair: Any) -> Cell:
    return _hidden() if not pair else _range([100 * pair[0], 100 * pair[1]], 1)
