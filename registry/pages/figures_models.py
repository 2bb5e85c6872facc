"""Pictures of the analyses that fit a model: forest plots, and the funnel of hospitals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from federation.methods.funnel import LEVEL95, LEVEL998, ratio_limits_at
from registry.pages.figure import Figure, both
from registry.pages.finding import finding
from registry.pages.naming import Names
from registry.pages.tables_hospitals import by_name
from registry.pages.tables_models import ratio_bounds, ratio_digits
from registry.pictures.canvas import Shape
from registry.pictures.forest import Estimate, ForestWords, forest
from registry.pictures.funnel import FunnelWords, Limit, Mark, funnel
from registry.translate import number
from registry.translate import translate as _

Envelope = Mapping[str, Any]
LIMIT_POINTS = 80


def cox(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure:
    """Hazard ratios."""
    caption = _(
        "A mark left of 1 means the event comes more slowly, right of 1 faster. A diamond stands "
        "clear of 1; a square does not. This shows that things go together, not why."
    )
    axis = _("Hazard ratio with 95% interval, logarithmic axis")
    sides = (_("slower than the reference"), _("faster than the reference"))
    return _ratios(envelope, query, names, (_("Hazard ratios"), caption, axis, *sides))


def regression(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure:
    """Odds ratios, rate ratios or differences, by family."""
    family = query["analysis"].get("family")
    if family == "gaussian":
        return mixed(envelope, query, names)
    caption = _(
        "A mark left of 1 means lower odds, right of 1 higher. A diamond stands clear of 1; a "
        "square does not. This shows that things go together, not why."
    )
    if family == "binomial":
        axis = _("Odds ratio with 95% interval, logarithmic axis")
        return _ratios(
            envelope,
            query,
            names,
            (_("Odds ratios"), caption, axis, _("lower odds"), _("higher odds")),
        )
    caption = _(
        "A mark left of 1 means a lower rate, right of 1 a higher one. A diamond stands clear of "
        "1; a square does not. This shows that things go together, not why."
    )
    axis = _("Rate ratio with 95% interval, logarithmic axis")
    sides = (_("lower rate"), _("higher rate"))
    return _ratios(envelope, query, names, (_("Rate ratios"), caption, axis, *sides))


def _ratios(
    envelope: Envelope,
    query: Mapping[str, Any],
    names: Names,
    said: tuple[str, str, str, str, str],
) -> Figure:
    """A forest of ratios; `said` is heading, caption, axis, and the words of the two sides."""
    heading, caption, axis, lower, higher = said
    lines = []
    for term in _shown_terms(envelope):
        low, high = ratio_bounds(term)
        digits = ratio_digits(low, high)
        lines.append(Estimate(names.term(term["term"]), term.get("exp"), low, high, digits=digits))
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=axis,
        lower_side=lower,
        higher_side=higher,
        to=_("to"),
        hidden=_("not shown"),
    )
    return Figure(
        heading,
        caption,
        both(lambda shape: forest(lines, words=words, shape=shape, ratio=True, writer=number)),
    )


def mixed(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure:
    """Differences in the outcome per term."""
    outcome = str(query["analysis"]["formula"]).partition("~")[0].strip()
    lines = [
        Estimate(names.term(t["term"]), t.get("estimate"), t.get("ci_low"), t.get("ci_high"))
        for t in _shown_terms(envelope)
    ]
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Difference in %(variable)s with 95%% interval", variable=names.with_unit(outcome)),
        lower_side=_("lower"),
        higher_side=_("higher"),
        to=_("to"),
        hidden=_("not shown"),
    )
    caption = _(
        "A mark left of 0 means a lower value, right of 0 a higher one. A diamond stands clear of "
        "0; a square does not. This shows that things go together, not why."
    )

    def draw(shape: Shape) -> str:
        return forest(
            lines, words=words, shape=shape, ratio=False, null=0.0, writer=number, digits=3
        )

    return Figure(_("Differences per term"), caption, both(draw))


def _shown_terms(envelope: Envelope) -> list[Mapping[str, Any]]:
    """Every term but the constant, which is no comparison."""
    return [t for t in envelope["result"].get("terms") or [] if t["term"] != "(intercept)"]


def standardise(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    """The funnel where there are results per hospital, else what the expected number allows for."""
    own = [
        (names.hospital(slug), part)
        for slug, part in sorted((envelope.get("by_site") or {}).items())
        if part.get("ratio") is not None and part.get("expected")
    ]
    if not own:
        return _expected_model(envelope, query, names)
    marks = [
        Mark(name, float(p["expected"]), float(p["ratio"]), int(p["outside"])) for name, p in own
    ]
    limits = _limits([p for _, p in own], max(mark.expected for mark in marks) * 1.08)
    words = FunnelWords(
        title=query["title"],
        description=finding(envelope, query, names),
        across=_("Expected number of patients with the outcome"),
        up=_("Observed / expected"),
        inner=_("95% limits (by chance 1 in 20 outside)"),
        outer=_("99.8% limits (by chance 1 in 500 outside)"),
    )
    caption = _(
        "Each mark is a hospital. A disc lies inside the limits, an open diamond outside 95%, a "
        "square outside 99.8%. Outside is a reason to look closer, not a verdict. The picture "
        "puts no hospital above another."
    )
    return Figure(
        _("Observed against expected, per hospital"),
        caption,
        both(lambda shape: funnel(marks, limits, words=words, shape=shape, writer=number)),
    )


def adjusted_mean(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    """Each hospital's difference from what is expected, in order of names; without results per
    hospital what the expected mean allows for."""
    outcome = str(query["analysis"]["outcome"])
    own = by_name(envelope.get("by_site") or {}, names)
    lines = [
        Estimate(names.hospital(slug), p["difference"], p.get("ci_low"), p.get("ci_high"))
        for slug, p in own
        if p.get("difference") is not None
    ]
    words = ForestWords(
        title=query["title"],
        description=finding(envelope, query, names),
        axis=_("Difference in %(unit)s, with 95%% interval", unit=unit)
        if (unit := names.unit(outcome))
        else _("Difference with 95% interval"),
        lower_side=_("lower than expected"),
        higher_side=_("higher than expected"),
        to=_("to"),
        hidden=_("not shown"),
    )
    heading = _("Mean less expected mean, per hospital")
    caption = _(
        "Each mark is a hospital, in order of names. An interval that holds 0 is what chance "
        "allows. Outside is a reason to look closer, not a verdict."
    )
    if not lines:
        lines = [
            Estimate(names.term(t["term"]), t.get("estimate"), t.get("ci_low"), t.get("ci_high"))
            for t in _shown_terms(envelope)
        ]
        if not lines:
            return None
        heading = _("What the expected mean allows for")
        caption = _(
            "A mark left of 0 means that a lower value is expected, right of 0 a higher one."
        )
        words = replace(words, lower_side=_("lower"), higher_side=_("higher"))

    def draw(shape: Shape) -> str:
        return forest(
            lines, words=words, shape=shape, ratio=False, null=0.0, writer=number, digits=2
        )

    return Figure(heading, caption, both(draw))


def _limits(parts: Sequence[Mapping[str, Any]], longest: float) -> list[Limit]:
    """The limits from one expected patient on, closer together where they bend.

    `parts` are the hospitals' answers; the limits stand at their common share, which without a
    model is that of each.
    """
    share = sum(p["expected"] for p in parts) / sum(p["n"] for p in parts)
    rare = parts[0].get("limits") != "binomial"
    found = []
    start = min(1.0, longest / 4)
    for expected in np.geomspace(start, longest, LIMIT_POINTS).tolist():
        inner, outer = (
            ratio_limits_at(expected, share, level, rare=rare) for level in (LEVEL95, LEVEL998)
        )
        if inner and outer:
            found.append(Limit(expected, inner, outer))
    return found


def _expected_model(envelope: Envelope, query: Mapping[str, Any], names: Names) -> Figure | None:
    if not _shown_terms(envelope):
        return None
    caption = _(
        "The expected number of a hospital allows for these. A mark left of 1 means lower odds of "
        "the outcome, right of 1 higher."
    )
    axis = _("Odds ratio with 95% interval, logarithmic axis")
    return _ratios(
        envelope,
        query,
        names,
        (
            _("What the expected number allows for"),
            caption,
            axis,
            _("lower odds"),
            _("higher odds"),
        ),
    )
