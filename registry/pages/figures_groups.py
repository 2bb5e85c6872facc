"""Pictures of the analyses that count and compare groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.figure import Figure, both, hidden_word, threshold
from registry.pages.finding import finding
from registry.pages.naming import Names
from registry.pictures.bars import Bar, BarGroup, BarWords, bars
from registry.pictures.forest import Estimate, ForestWords, forest
from registry.pictures.histogram import Column, HistogramWords, Panel
from registry.pictures.histogram import histogram as draw_histogram
from registry.translate import number
from registry.translate import translate as _

#: More panels than this are too much for one picture; the table has them all.
MOST_PANELS = 6


def histogram(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure:
    """Standing bars, a panel for each group."""
    result = envelope["result"]
    variable, by = str(result["variable"]), str(result.get("by") or "")
    groups = list(result.get("groups") or [])
    if not 0 < len(groups) <= MOST_PANELS:
        groups = []
    parts = [("", result["bins"])]
    if groups:
        parts = [(names.level(by, g.get("level")), g["bins"]) for g in groups]
    panels = [Panel(label, _columns(bins, variable, names)) for label, bins in parts]
    words = HistogramWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=names.with_unit(variable),
        hidden=_hidden_bar(envelope, groups),
    )
    caption = _("The height is the number of patients per unit of width; the figure is the number.")
    if any(c.n is None for panel in panels for c in panel.columns):
        caption += " " + _(
            "A dashed box is a hidden number. Its height says nothing: from 0 up they look alike."
        )
    if envelope.get("protection") != "none":
        caption += " " + _("The first and the last bar are open: values beyond them count there.")
    return Figure(
        names.with_unit(variable),
        caption,
        both(lambda shape: draw_histogram(panels, words=words, shape=shape, writer=number)),
    )


def _hidden_bar(envelope: Mapping[str, Any], groups: list[Mapping[str, Any]]) -> str:
    """The word at hidden bars: "<10" only where all of them can be that small."""
    for i, each in enumerate(envelope["result"]["bins"]):
        values = [group["bins"][i].get("n") for group in groups]
        word = hidden_word(envelope, values, each.get("n") if groups else None)
        if None in values and word != f"<{threshold(envelope)}":
            return word
    return f"<{threshold(envelope)}"


def _columns(bins: list[Mapping[str, Any]], variable: str, names: Names) -> tuple[Column, ...]:
    """Open ends are drawn as wide as their neighbour; whole values one wide."""
    if not bins:
        raise ValueError("no bar to draw")
    found = []
    for i, each in enumerate(bins):
        low, high = _closed(bins, i)
        mark = ""
        if names.codebook.variables[variable].edges is None or low == high:
            mark = names.bar(variable, each.get("low"), each.get("high"), last=True)
            low, high = low - 0.5, high + 0.5
        found.append(Column(low, high, each.get("n"), mark))
    return tuple(found)


def _closed(bins: list[Mapping[str, Any]], i: int) -> tuple[float, float]:
    """Both edges of a bar. ValueError when it has none: one bar for everybody is no picture."""
    low, high = bins[i].get("low"), bins[i].get("high")
    if low is not None and high is not None:
        return float(low), float(high)
    if low is not None:
        return float(low), float(low) + _width(bins[i - 1], float(low))
    if high is not None:
        return float(high) - _width(bins[i + 1], float(high)), float(high)
    raise ValueError("no bar to draw")


def _width(near: Mapping[str, Any], fallback: float) -> float:
    low, high = near.get("low"), near.get("high")
    return float(high - low) if low is not None and high is not None else abs(fallback) or 1.0


def compare(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure:
    """Group means with intervals, or bars for two categories."""
    result = envelope["result"]
    variable, by = str(result["variable"]), str(result["by"])
    if result.get("type") == "categorical":
        return _cells(envelope, query, names, by, variable)
    lines = [
        Estimate(names.level(by, g.get("level")), g.get("mean"), g.get("ci_low"), g.get("ci_high"))
        for g in result.get("groups") or []
    ]
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Mean with 95%% interval: %(variable)s", variable=names.with_unit(variable)),
        to=_("to"),
        hidden=_("not shown"),
    )
    caption = _(
        "The mark is the mean, the line its 95% interval. It says how well the mean is known, "
        "not how far patients differ."
    )

    def draw(shape: Any) -> str:
        return forest(lines, words=words, shape=shape, ratio=False, writer=number, digits=1)

    return Figure(names.with_unit(variable), caption, both(draw))


def _cells(
    envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names, by: str, variable: str
) -> Figure:
    groups: dict[str, list[Bar]] = {}
    for cell in envelope["result"].get("cells") or []:
        head = f"{names.variable(by)}: {names.level(by, cell['by'][by])}"
        groups.setdefault(head, []).append(
            Bar(names.level(variable, cell["by"][variable]), cell.get("n"))
        )
    made = [BarGroup(head, tuple(found)) for head, found in groups.items()]
    words = BarWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Number of patients"),
        hidden=hidden_word(
            envelope,
            [cell.get("n") for cell in envelope["result"].get("cells") or []],
            envelope["result"].get("n"),
        ),
    )
    caption = ""
    if any(bar.n is None for group in made for bar in group.bars):
        caption = _(
            "A dashed box is a hidden number. Its width says nothing: from 0 up they look alike."
        )
    heading = _(
        "Patients by %(groups)s",
        groups=f"{names.variable(by).lower()}{_(' and ')}{names.variable(variable).lower()}",
    )
    return Figure(
        heading, caption, both(lambda shape: bars(made, words=words, shape=shape, writer=number))
    )


def mantel_haenszel(envelope: Mapping[str, Any], query: Mapping[str, Any], names: Names) -> Figure:
    """The common odds ratio on its own line."""
    result = envelope["result"]
    label = names.variable(str(result["exposure"]))
    line = Estimate(label, result.get("odds_ratio"), result.get("ci_low"), result.get("ci_high"))
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Odds ratio with 95% interval, logarithmic axis"),
        lower_side=_("lower odds"),
        higher_side=_("higher odds"),
        to=_("to"),
        hidden=_("not shown"),
    )
    caption = _(
        "A mark left of 1 means lower odds, right of 1 higher. A diamond stands clear of 1; a "
        "square does not. This shows that things go together, not why."
    )
    return Figure(
        _("Common odds ratio"),
        caption,
        both(lambda shape: forest([line], words=words, shape=shape, ratio=True, writer=number)),
    )
