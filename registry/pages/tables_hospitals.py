"""Tables with a row per hospital: only where results per hospital are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.naming import Names
from registry.pages.tables_models import ratio_name, term_table, value_table
from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import number
from registry.translate import translate as _


def standardise(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    """Each hospital where allowed, how far hospitals differ, and the expected model."""
    result = shown.result
    spread, rank = result.get("overdispersion") or {}, result.get("rankability") or {}
    rows = [
        (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
        (shown.text(_("With the outcome"), "observed"), shown.total(result.get("observed"))),
        (
            shown.text(_("Spread against chance (1 is chance alone)"), "phi"),
            shown.figure(spread.get("phi"), 2),
        ),
        (
            shown.text(_("Variance of the ratio beyond chance"), "tau2"),
            shown.figure(spread.get("tau2"), 4),
        ),
        (
            shown.text(_("Differences that are more than chance (rankability)"), "rankability"),
            shown.share(rank.get("value")),
        ),
        (
            shown.text(_("May hospitals be put in order?"), "may_rank"),
            shown.text(_("yes") if rank.get("may_rank") else _("no"), str(rank.get("may_rank"))),
        ),
    ]
    tables = [_hospitals(shown), _beside(shown)]
    if result:
        tables.append(value_table(_("How far hospitals differ"), rows))
    if result.get("terms"):
        caption = _("What the expected number allows for")
        tables.append(term_table(shown, caption, ratio_name(analysis)))
    return tables


def by_name(
    own: Mapping[str, Mapping[str, Any]], names: Names
) -> list[tuple[str, Mapping[str, Any]]]:
    """Slug and answer of each hospital, in the order of their names."""
    return sorted(own.items(), key=lambda pair: names.hospital(pair[0]).casefold())


def _hospitals(shown: Shown) -> Table:
    """One row per hospital in the order of their names: never of their numbers."""
    heads = (
        Head(_("Hospital"), "hospital", False),
        Head(_("Observed / expected"), "ratio"),
        Head(_("95% limits"), "limits95"),
        Head(_("99.8% limits"), "limits998"),
        Head(_("Where it lies"), "outside", False),
        Head(_("Observed"), "observed"),
        Head(_("Expected"), "expected"),
        Head(_("Patients"), "n"),
    )
    names = shown.names
    rows = []
    for slug, part in by_name(shown.envelope.get("by_site") or {}, names):
        label = shown.text(names.hospital(slug), slug)
        if "ratio" not in part:  # refused, sealed or silent: said elsewhere
            nothing = Cell(_("not shown"), "hidden", hidden=True)
            rows.append((label, *([nothing] * (len(heads) - 1))))
            continue
        rows.append(
            (
                label,
                shown.figure(part["ratio"], 2),
                _limits(shown, part.get("limits95")),
                _limits(shown, part.get("limits998")),
                shown.text(where_it_lies(part.get("outside")), str(part.get("outside"))),
                shown.total(part.get("observed")),
                shown.figure(part.get("expected"), 1),
                shown.count(part.get("n")),
            )
        )
    return Table(_("Hospitals"), heads, tuple(rows))


def _beside(shown: Shown) -> Table:
    """The plain share, and the ratio pulled towards all hospitals, as far as they are shown."""
    heads = (
        Head(_("Hospital"), "hospital", False),
        Head(_("Share"), "share"),
        Head(_("95% interval of the share"), "share_interval"),
        Head(_("Ratio with chance taken off"), "shrunken"),
        Head(_("95% interval with chance taken off"), "shrunken_interval"),
    )
    rows = []
    for slug, part in by_name(shown.envelope.get("by_site") or {}, shown.names):
        if "share" not in part:
            continue
        level = part.get("shrunken") or {}
        rows.append(
            (
                shown.text(shown.names.hospital(slug), slug),
                shown.share(part["share"]),
                shown.share_range(part.get("share_low"), part.get("share_high")),
                shown.figure(level.get("ratio"), 2),
                _limits(shown, [level.get("low"), level.get("high")]),
            )
        )
    return Table(_("Share, and ratio with chance taken off"), heads, tuple(rows))


def adjusted_mean(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Each hospital's mean against the expected one, and what that allows for."""
    result = shown.result
    tables = [_means(shown)]
    if result:
        rows = [
            (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
            (shown.text(_("Mean"), "mean"), shown.figure(result.get("mean"), 2)),
            (
                shown.text(_("Spread about the expected values"), "sigma"),
                shown.figure(result.get("sigma"), 2),
            ),
        ]
        tables.append(value_table(_("All hospitals together"), rows))
    if result.get("terms"):
        tables.append(term_table(shown, _("What the expected mean allows for"), ""))
    return tables


def _means(shown: Shown) -> Table:
    heads = (
        Head(_("Hospital"), "hospital", False),
        Head(_("Mean"), "mean"),
        Head(_("Expected mean"), "expected"),
        Head(_("Difference"), "difference"),
        Head(_("95% interval"), "ci"),
        Head(_("Where it lies"), "outside", False),
        Head(_("Patients"), "n"),
    )
    names = shown.names
    rows = []
    for slug, part in by_name(shown.envelope.get("by_site") or {}, names):
        label = shown.text(names.hospital(slug), slug)
        if "difference" not in part:  # refused, sealed or silent: said elsewhere
            nothing = Cell(_("not shown"), "hidden", hidden=True)
            rows.append((label, *([nothing] * (len(heads) - 1))))
            continue
        rows.append(
            (
                label,
                shown.figure(part.get("mean"), 2),
                shown.figure(part.get("expected"), 2),
                shown.figure(part["difference"], 2),
                _limits(shown, [part.get("ci_low"), part.get("ci_high")]),
                shown.text(where_it_lies(part.get("outside")), str(part.get("outside"))),
                shown.count(part.get("n")),
            )
        )
    return Table(_("Hospitals"), heads, tuple(rows))


def where_it_lies(outside: int | None) -> str:
    """Words for `outside`; no traffic lights."""
    return {
        0: _("inside expected variation"),
        95: _("outside 95%"),
        998: _("outside 99.8%"),
    }.get(-1 if outside is None else outside, _("not shown"))


def _limits(shown: Shown, pair: list[float | None] | None) -> Cell:
    low, high = pair or (None, None)
    if low is None or high is None:
        return Cell(_("not shown"), "hidden", hidden=True)
    text = _("%(low)s to %(high)s", low=number(low, 2), high=number(high, 2))
    return Cell(text, f"{low:g}-{high:g}")
