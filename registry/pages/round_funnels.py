"""The funnel of an indicator of a round, with the limits against which its hospitals are held.

Where hospitals differ more than chance alone gives, each is held against wider limits (domain.md
3.3, federation/rounds/attention.py). Then those are drawn: a picture in which a hospital lies
outside the lines and is called inside would be read as a mistake, or as a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from federation.methods.funnel import (
    LEVEL95,
    LEVEL998,
    RARE,
    Limits,
    binomial_limits,
    ratio_limits_at,
    widened_limits,
)
from registry.pages.figure import Figure, both
from registry.pages.round_labels import Places
from registry.pages.round_words import Row, as_pair, headline, shown_rows, target_level, title
from registry.pictures.funnel import FunnelScale, FunnelWords, Limit, Mark, funnel
from registry.translate import number, percent
from registry.translate import translate as _

LIMIT_POINTS = 60
_Z95 = float(special.ndtri(0.5 + LEVEL95 / 2.0))


@dataclass(frozen=True)
class Beyond:
    """How far hospitals differ beyond chance, as their own limits say it.

    `between` is the variance of the ratio between hospitals; `each` the variance within one of
    whom one event was expected, so that of a hospital with E expected it is each / E.
    """

    between: float
    each: float

    def limits(self, expected: float, level: float) -> Limits:
        """The limits of observed / expected of a hospital of whom `expected` events were."""
        return widened_limits(self.each / expected, self.between, level)


def funnel_of(indicator: Row, rows: Sequence[Row], places: Places) -> Figure:
    """Shares around the network's, or with a case-mix model ratios around 1. ValueError when every
    number is hidden."""
    adjusted = bool(indicator["definition"].get("case_mix"))
    marks = _marks(rows, places, adjusted=adjusted)
    if not marks:
        raise ValueError("no released ratio to draw")
    longest = max(mark.expected for mark in marks) * 1.08
    share = _share_of_all(indicator)
    centre = 1.0 if adjusted else share
    beyond = beyond_chance(rows)
    limits = drawn_limits(share, longest, beyond, adjusted=adjusted)
    target = None if adjusted else target_level(indicator)
    inner, outer = _limit_words(beyond)
    words = FunnelWords(
        title=title(indicator),
        description=headline(indicator),
        across=_("Expected number of patients with the outcome")
        if adjusted
        else _("Number of patients"),
        up=_("Observed / expected") if adjusted else _("Share of patients"),
        inner=inner,
        outer=outer,
        centre=_("as expected") if adjusted else _("Together %(share)s", share=percent(centre)),
        target=_("Target: %(level)s", level=percent(target, 0)) if target is not None else "",
        own=_("your hospital"),
    )
    heading = (
        _("Observed against expected, per hospital")
        if adjusted
        else _("Share by number of patients")
    )
    scale = FunnelScale(centre, not adjusted, target)
    return Figure(
        heading,
        " ".join([_caption(beyond, adjusted=adjusted), *_left_out(rows, marks, places)]),
        both(lambda s: funnel(marks, limits, words=words, shape=s, writer=number, scale=scale)),
    )


def _marks(rows: Sequence[Row], places: Places, *, adjusted: bool) -> list[Mark]:
    made = []
    for row in rows:
        size, result = (
            (row.get("expected"), row.get("ratio"))
            if adjusted
            else (row.get("n"), row.get("value"))
        )
        if row.get("value") is None or not size or result is None:
            continue
        site = str(row["site"])
        made.append(
            Mark(
                places.label(site), float(size), float(result), int(row.get("outside") or 0),
                own=places.own(site), letter=places.letter(site),
            )
        )  # fmt: skip
    return made


def _left_out(rows: Sequence[Row], marks: Sequence[Mark], places: Places) -> list[str]:
    """Who shows a share and is not drawn, so that nobody looks for their own mark in vain."""
    drawn = {mark.label for mark in marks}
    missing = [
        places.name(str(row["site"]))
        for row in rows
        if row.get("value") is not None and places.label(str(row["site"])) not in drawn
    ]
    if not missing:
        return []
    return [
        _(
            "Not in this picture, because what was expected of them is hidden: %(names)s. Their "
            "shares stand in the table.",
            names=", ".join(missing),
        )
    ]


def beyond_chance(rows: Sequence[Row]) -> Beyond | None:
    """What the widened limits of the shown hospitals say; None where none is held against them."""
    between, each = [], []
    for row in rows:
        pair, variance, expected = (
            as_pair(row.get("widened95")),
            row.get("variance"),
            row.get("expected"),
        )
        if pair is None or not variance or not expected:
            continue
        between.append(((pair[1] - 1.0) / _Z95) ** 2 - variance / expected**2)
        each.append(variance / expected)
    if not between:
        return None
    return Beyond(max(float(np.median(between)), 0.0), float(np.median(each)))


def _limit_words(beyond: Beyond | None) -> tuple[str, str]:
    if beyond is None:
        return (
            _("95% limits (by chance 1 in 20 outside)"),
            _("99.8% limits (by chance 1 in 500 outside)"),
        )
    return _("95% limits, wider than chance alone"), _("99.8% limits, wider than chance alone")


def _caption(beyond: Beyond | None, *, adjusted: bool) -> str:
    said = [
        _(
            "Each mark is a hospital; its letter stands in the table. A disc lies inside expected "
            "variation, an open diamond outside 95%, a square outside 99.8%. Outside is a reason "
            "to look closer, not a verdict."
        )
    ]
    if beyond is not None:
        said.append(
            _(
                "The hospitals differ more than chance alone gives, so the limits are wider than "
                "those of chance; both stand in the table."
            )
        )
    said.append(
        _("What is expected allows for how ill patients were.")
        if adjusted
        else _("The shares are not adjusted for how ill patients were.")
    )
    # domain.md 3.3: the rule of thumb beside each funnel.
    said.append(_("By chance alone 100 patients with a risk of 3% give 0 to 7 events."))
    return " ".join(said)


def _share_of_all(indicator: Row) -> float:
    """The share of all shown hospitals together; where that is hidden, what each was expected."""
    found = indicator["network"].get("value")
    if found is not None:
        return float(found)
    shares = [r["expected"] / r["n"] for r in shown_rows(indicator) if r.get("expected")]
    if not shares:
        raise ValueError("no centre to draw")
    return float(np.median(shares))


def drawn_limits(
    share: float, longest: float, beyond: Beyond | None, *, adjusted: bool
) -> list[Limit]:
    """Around a share by number of patients, or of a ratio by expected number (`adjusted`)."""

    def at(size: float, level: float) -> Limits | None:
        if adjusted:
            chance = ratio_limits_at(size, share, level, rare=share <= RARE)
        else:
            chance = binomial_limits(max(round(size), 1), share, level)
        if chance is None or beyond is None:
            return chance
        unit = 1.0 if adjusted else share
        low, high = beyond.limits(size if adjusted else size * share, level)
        # The wider ones never put a hospital further out (attention.py).
        return min(chance[0], low * unit), max(chance[1], high * unit)

    sizes = np.geomspace(min(1 if adjusted else 8, longest / 4), longest, LIMIT_POINTS).tolist()
    pairs = ((size, at(size, LEVEL95), at(size, LEVEL998)) for size in sizes)
    return [Limit(size, inner, outer) for size, inner, outer in pairs if inner and outer]
