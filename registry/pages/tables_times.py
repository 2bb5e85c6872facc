"""Tables of waiting times and of trends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.finding_times import chart_of, rule_in_words
from registry.pages.tables_hospitals import by_name
from registry.pages.tables_models import value_table
from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import number
from registry.translate import translate as _

#: Single days are drawn and listed up to here; the file of the answer has them all.
MOST_BARS = 60


def waiting_time(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    """Each hospital where allowed, then all together: their days, their norms, their spread."""
    tables = [_hospitals(shown, analysis)]
    result = shown.result
    if not result:
        return tables
    rows = [
        (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
        (shown.text(_("Half within (days)"), "median"), shown.interval(result.get("median"))),
        (shown.text(_("80% within (days)"), "p80"), shown.interval(result.get("p80"))),
        (
            shown.text(
                _("More than %(cap)s days", cap=_day(result.get("cap"))),
                "over_cap",
            ),
            shown.count(result.get("over_cap")),
        ),
    ]
    tables.append(value_table(_("All hospitals together"), rows))
    heads = (
        Head(_("Norm (days)"), "days"),
        Head(_("Patients within it"), "n"),
        Head(_("Share"), "share"),
    )
    within = [
        (
            Cell(_day(norm.get("days")), norm.get("days")),
            shown.total(norm.get("n")),
            shown.share(norm.get("share")),
        )
        for norm in result.get("within") or []
    ]
    tables.append(Table(_("Within the norms"), heads, tuple(within)))
    bins = list(result.get("bins") or [])
    if len(bins) <= MOST_BARS:
        tables.append(_spread(shown, bins))
    return tables


def _spread(shown: Shown, bins: list[Mapping[str, Any]]) -> Table:
    heads = (Head(_("Days"), "days", False), Head(_("Patients"), "n"))
    rows = tuple(
        (
            shown.text(f"{_day(bar.get('low'))}–{_day(bar.get('high'))}"),
            shown.count(bar.get("n")),
        )
        for bar in bins
    )
    return Table(_("Patients per number of days"), heads, rows)


def _day(value: int | None) -> str:
    return "…" if value is None else number(value)


def _hospitals(shown: Shown, analysis: Mapping[str, Any]) -> Table:
    """One row per hospital in the order of their names: never of their numbers."""
    norms = list(analysis.get("norms") or [])
    heads = (
        Head(_("Hospital"), "hospital", False),
        Head(_("Half within (days)"), "median"),
        Head(_("80% within (days)"), "p80"),
        *(Head(_("Within %(days)s days", days=number(n)), f"within_{n}") for n in norms),
        Head(_("Others: half within (days)"), "others"),
        Head(_("Twice as long?"), "signal", False),
        Head(_("Patients"), "n"),
    )
    names = shown.names
    rows = []
    for slug, part in by_name(shown.envelope.get("by_site") or {}, names):
        label = shown.text(names.hospital(slug), slug)
        if "median" not in part:  # refused, sealed or silent: said elsewhere
            nothing = Cell(_("not shown"), "hidden", hidden=True)
            rows.append((label, *([nothing] * (len(heads) - 1))))
            continue
        rule = part.get("rule") or {}
        shares = {norm["days"]: norm.get("share") for norm in part.get("within") or []}
        rows.append(
            (
                label,
                shown.interval(part.get("median")),
                shown.interval(part.get("p80")),
                *(shown.share(shares.get(n)) for n in norms),
                shown.interval(rule.get("others")),
                shown.text(signal_in_words(rule), str(rule.get("signal"))),
                shown.count(part.get("n")),
            )
        )
    return Table(_("Hospitals"), heads, tuple(rows))


def signal_in_words(rule: Mapping[str, Any]) -> str:
    """Whether the rule says so; no traffic lights."""
    if rule.get("signal") is not None:
        return _("yes") if rule["signal"] else _("no")
    why = {
        "few_patients": _("too few patients to compare"),
        "few_hospitals": _("too few hospitals to compare with"),
    }
    return why.get(str(rule.get("why")), _("not shown"))


def trend(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    """One row per quarter, and what the rules of the control chart say."""
    result = shown.result
    quarters = list(result.get("quarters") or [])
    timed = result.get("variable") is not None
    watched = any(quarter.get("cusum") for quarter in quarters)
    heads = [
        Head(_("Quarter"), "quarter", False),
        Head(_("Patients"), "n"),
        Head(_("With the outcome"), "observed"),
        Head(_("Share"), "share"),
        Head(_("Expected"), "expected"),
        Head(_("Expected less observed, added up"), "vlad"),
    ]
    heads += [Head(_("Half within (days)"), "median")] if timed else []
    heads += [Head(_("Highest CUSUM"), "cusum"), Head(_("Signal"), "signal")] if watched else []
    rows = []
    counts = shown.counts([quarter.get("n") for quarter in quarters], result.get("n"))
    for quarter, count in zip(quarters, counts, strict=True):
        row = [
            shown.text(str(quarter["quarter"])),
            count,
            shown.total(quarter.get("observed")),
            shown.share(quarter.get("share")),
            shown.figure(quarter.get("expected"), 1),
            shown.figure(quarter.get("vlad"), 1),
        ]
        row += [shown.interval(quarter.get("median"))] if timed else []
        if watched:
            found = quarter.get("cusum") or {}
            said = _("not shown")
            if found.get("signal") is not None:
                said = _("yes") if found["signal"] else _("no")
            row += [shown.figure(found.get("max"), 1), shown.text(said, str(found.get("signal")))]
        rows.append(tuple(row))
    tables = [Table(_("Quarters"), tuple(heads), tuple(rows))]
    findings = chart_of(result).findings
    if findings:
        said_rows = tuple(
            (shown.text(each.label), shown.text(rule_in_words(each), each.rule))
            for each in findings
        )
        rule_heads = (
            Head(_("Quarter"), "quarter", False),
            Head(_("What stands out"), "rule", False),
        )
        tables.append(Table(_("More than chance"), rule_heads, said_rows))
    return tables
