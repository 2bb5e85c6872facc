"""Pictures of waiting times and of trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from federation.methods.control_charts import Chart
from federation.methods.waiting_time_days import STARTS
from registry.pages.figure import Figure, both, threshold
from registry.pages.finding import finding
from registry.pages.finding_times import chart_of, days
from registry.pages.naming import Names
from registry.pages.tables_hospitals import by_name
from registry.pictures.bars import Bar, BarGroup, BarWords, bars
from registry.pictures.run_chart import RunAxis, RunPoint, RunWords, Series, run_chart
from registry.pictures.strips import Level, Strip, StripWords, strips
from registry.translate import number
from registry.translate import translate as _

Envelope = Mapping[str, Any]
#: More bars than this are weeks in the picture.
MOST_BARS = 30
#: More hospitals than this do not fit under each other; the table has them all.
MOST_PANELS = 12


def waiting_time(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    """A strip per hospital where there are answers of hospitals, else a bar per class of days."""
    own = _answered(envelope, names)
    variable = names.with_unit(str(query["analysis"]["variable"]))
    if not own:
        return _spread(envelope, query, names) if envelope.get("result") else None
    rows = [
        Strip(
            label,
            numbers=_numbers(part),
            span=_pair(part.get("median")),
            later=_pair(part.get("p80")),
            note="" if _pair(part.get("median")) else _("too few patients to show"),
        )
        for label, part in own
    ]
    norms = query["analysis"].get("norms") or []
    levels = [Level(n, _("norm: %(days)s days", days=number(n)), strong=True) for n in norms]
    words = StripWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=variable,
        bar=_("half of the patients within (between two days)"),
        later=_("80% of the patients within"),
    )
    caption = _(
        "The hospitals stand in the order of their names. A median is known between two days, "
        "so that no single patient can be read from it."
    )
    return Figure(
        variable,
        caption,
        both(lambda s: strips(rows, words=words, shape=s, levels=levels, writer=number)),
    )


def _answered(envelope: Envelope, names: Names) -> list[tuple[str, Mapping[str, Any]]]:
    found = by_name(envelope.get("by_site") or {}, names)
    return [(names.hospital(slug), part) for slug, part in found if "n" in part]


def _pair(days_between: Sequence[int | None] | None) -> tuple[float, float] | None:
    if not days_between or days_between[0] is None or days_between[1] is None:
        return None
    # A whole day wide, so that one day is a bar, too.
    return float(days_between[0]), float(max(days_between[1], days_between[0] + 0.5))


def _numbers(part: Mapping[str, Any]) -> str:
    median, late = days(part.get("median")), days(part.get("p80"))
    if not median:
        return ""
    if not late:
        return _("%(median)s days", median=median)
    return _("%(median)s · 80%%: %(late)s", median=median, late=late)


def _spread(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    made = _by_weeks(envelope["result"].get("bins") or [])
    if not made or any(low is None or high is None for low, high, _n in made):
        return None
    found = tuple(Bar(_days_in_words(low, high), n) for low, high, n in made)
    if all(bar.n is None for bar in found):
        return None
    words = BarWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Number of patients"),
        hidden=f"<{threshold(envelope)}",
    )
    return Figure(
        names.with_unit(str(query["analysis"]["variable"])),
        _("Days with few patients are taken together. The last bar has everybody after it, too."),
        both(lambda s: bars([BarGroup("", found)], words=words, shape=s, writer=number)),
    )


def _by_weeks(bins: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any, int | None]]:
    """The released bars; of single days the weeks, so that the picture stays readable."""
    if len(bins) <= MOST_BARS:
        return [(bar.get("low"), bar.get("high"), bar.get("n")) for bar in bins]
    found: list[tuple[Any, Any, int | None]] = []
    for start, after in zip(STARTS, [*STARTS[1:], None], strict=True):
        inside = [b for b in bins if b["low"] >= start and (after is None or b["low"] < after)]
        if inside:
            n = sum(bar["n"] or 0 for bar in inside)
            found.append((inside[0]["low"], inside[-1]["high"], n))
    return found


def _days_in_words(low: int, high: int) -> str:
    if low == high:
        return number(low)
    return _("%(low)s to %(high)s", low=number(low), high=number(high))


def trend(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    """A control chart; a panel per hospital where there are answers of hospitals."""
    own = _answered(envelope, names)[:MOST_PANELS]
    parts = own or ([("", envelope["result"])] if envelope.get("result") else [])
    if not parts:
        return None
    series = [_series(label, part, chart_of(part)) for label, part in parts]
    words = RunWords(
        title=query["title"],
        description=finding(envelope, query, names),
        up=_("Share with the outcome"),
        centre=_("mean of the quarters shown"),
        limits=_("limits of chance (three standard errors)"),
        marked=_("more than chance: see the table"),
        hidden=_("hidden: too few with or without it"),
    )
    return Figure(
        _("Share per quarter"),
        _("Each point is a quarter. A diamond is a reason to look closer, not a verdict."),
        both(
            lambda s: run_chart(
                series, words=words, shape=s, writer=number, axis=RunAxis(percent=True)
            )
        ),
    )


def _series(label: str, part: Mapping[str, Any], chart: Chart) -> Series:
    marked = {found.place for found in chart.findings}
    points = tuple(
        RunPoint(
            str(quarter["quarter"]),
            quarter.get("share"),
            None if limits is None else limits[0],
            None if limits is None else limits[1],
            place in marked,
        )
        for place, (quarter, limits) in enumerate(
            zip(part.get("quarters") or [], chart.limits, strict=True)
        )
    )
    return Series(label, points, chart.centre)
