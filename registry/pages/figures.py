"""The picture of a result, drawn wide and for the phone, with its words in the page's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.figure import Figure, both, hidden_word, threshold
from registry.pages.figures_groups import compare, histogram, mantel_haenszel
from registry.pages.figures_models import adjusted_mean, cox, mixed, regression, standardise
from registry.pages.figures_times import trend, waiting_time
from registry.pages.finding import describe_rows, finding, group_name
from registry.pages.naming import Names
from registry.pictures.bars import Bar, BarGroup, BarWords, bars
from registry.pictures.canvas import Shape
from registry.pictures.forest import Estimate, ForestWords, forest
from registry.pictures.kaplan_meier import SurvivalWords, curves_of, kaplan_meier
from registry.translate import number
from registry.translate import translate as _


def figure_of(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure | None:
    """The figure of a released result; None when there is nothing to draw."""
    result = envelope.get("result")
    draw = DRAW.get(str(envelope.get("analysis")))
    if not isinstance(result, Mapping) or draw is None:
        return None
    if not result and draw not in _OF_HOSPITALS:  # each hospital for itself: see the tables
        return None
    try:
        return draw(envelope, query, names)
    except ValueError:  # every number hidden: the table says so
        return None


def svg_of(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> str | None:
    """The wide picture alone, as a file."""
    made = figure_of(envelope, query, names)
    return None if made is None else str(made.drawings).split("</svg>")[0] + "</svg>"


def _named_groups(
    envelope: Mapping[str, Any], by: str | None, names: Names
) -> list[dict[str, Any]]:
    """The groups of a result, each with its level as people call it; None without groups."""
    return [
        {**group, "level": names.level(by, group.get("level")) if by else None}
        for group in envelope["result"].get("groups") or []
    ]


def _survival(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure:
    analysis = query["analysis"]
    by = analysis.get("by")
    groups = _named_groups(envelope, by, names)
    words = _curve_words(envelope, query, names)
    curves = curves_of(groups, words.everyone)
    caption = _("The band is the 95% interval: chance alone could move the line within it.")
    if envelope.get("protection") != "none":
        caption += " " + _end_of_line(envelope)
    heading = (
        _("Share without event, by %(variable)s", variable=names.variable(by).lower())
        if by
        else _("Share without event")
    )
    return Figure(
        heading,
        caption,
        both(lambda shape: kaplan_meier(curves, words=words, shape=shape, writer=number)),
    )


def _curve_words(
    envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names
) -> SurvivalWords:
    strict = envelope.get("protection") != "none"
    return SurvivalWords(
        title=query["title"],
        description=finding(envelope, query, names),
        time_axis={
            "days": _("Days since the start"),
            "months": _("Months since the start"),
            "years": _("Years since the start"),
        },
        at_risk=_("Patients still followed"),
        too_few=f"<{threshold(envelope)}" if strict else "0",
        everyone=_("Everyone"),
    )


def _end_of_line(envelope: Mapping[str, Any]) -> str:
    return _(
        "A line ends where fewer than %(n)s patients remain. The number beneath the "
        "picture belongs to the next published moment.",
        n=number(threshold(envelope)),
    )


def _describe(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure | None:
    rows = describe_rows(envelope["result"])
    first = rows[0]["variable"] if rows else ""
    same = [r for r in rows if r["variable"] == first]
    if len(same) < 2:
        return None  # one mean is a line in the table, not a picture
    lines = [
        Estimate(group_name(r, names), r.get("mean"), r.get("ci_low"), r.get("ci_high"))
        for r in same
    ]
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Mean with 95%% interval: %(variable)s", variable=names.with_unit(first)),
        to=_("to"),
        hidden=_("not shown"),
    )
    return Figure(
        names.with_unit(first),
        _(
            "The mark is the mean, the line its 95% interval. It says how well the mean is known, "
            "not how far patients differ."
        ),
        both(
            lambda shape: forest(
                lines, words=words, shape=shape, ratio=False, writer=number, digits=1
            )
        ),
    )


def _count(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure | None:
    by = list(query["analysis"].get("by") or [])
    cells = envelope["result"].get("cells") or []
    if not by or len(cells) > 40:
        return None
    groups: dict[str, list[Bar]] = {}
    for cell in cells:
        levels = [cell["by"].get(v) for v in by]
        head = names.level(by[0], levels[0]) if len(by) > 1 else ""
        label = names.group(by[1:] or by, levels[1:] or levels)
        groups.setdefault(head, []).append(Bar(label, cell.get("n")))
    prefix = names.variable(by[0])
    made = [
        BarGroup(f"{prefix}: {head}" if head else "", tuple(found))
        for head, found in groups.items()
    ]
    words = BarWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Number of patients"),
        hidden=hidden_word(
            envelope, [cell.get("n") for cell in cells], envelope["result"].get("n")
        ),
    )

    def draw(shape: Shape) -> str:
        return bars(made, words=words, shape=shape, writer=number)

    caption = ""
    if any(bar.n is None for group in made for bar in group.bars):
        caption = _(
            "A dashed box is a hidden number. Its width says nothing: from 0 up they look alike."
        )
    heading = _(
        "Patients by %(groups)s", groups=_(" and ").join(names.variable(v).lower() for v in by)
    )
    return Figure(heading, caption, both(draw))


def _competing_risks(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure:
    analysis = query["analysis"]
    groups = _named_groups(envelope, analysis.get("by"), names)
    words = _curve_words(envelope, query, names)
    curves = curves_of(groups, words.everyone, "cif")
    cause = names.level(str(analysis["event"]), envelope["result"].get("cause"))
    heading = _("Share that had “%(cause)s”", cause=cause)
    caption = _(
        "Other events are counted as such: who had one can no longer have this one. The band is "
        "the 95% interval."
    )
    if envelope.get("protection") != "none":
        caption += " " + _end_of_line(envelope)
    return Figure(
        heading,
        caption,
        both(lambda shape: kaplan_meier(curves, words=words, shape=shape, writer=number)),
    )


_OF_HOSPITALS = (standardise, adjusted_mean, waiting_time, trend)

DRAW = {
    "survival": _survival,
    "competing_risks": _competing_risks,
    "describe": _describe,
    "count": _count,
    "cox": cox,
    "regression": regression,
    "mixed": mixed,
    "adjusted_mean": adjusted_mean,
    "waiting_time": waiting_time,
    "trend": trend,
    "standardise": standardise,
    "mantel_haenszel": mantel_haenszel,
    "histogram": histogram,
    "compare": compare,
}
