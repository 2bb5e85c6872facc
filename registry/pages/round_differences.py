"""With and without something, such as prehabilitation: both shares, never a ratio alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from federation.methods.funnel import share_interval
from registry.pages.figure import Figure, both
from registry.pages.round_words import Row, headline, hidden_cell, hidden_short, title
from registry.pages.tidy import Cell, Head, Table
from registry.pictures.strips import Level, Strip, StripAxis, StripWords, strips
from registry.translate import number, percent
from registry.translate import translate as _

Names = Callable[[str, object], str]


@dataclass(frozen=True)
class Group:
    """One of the two groups of a difference, all hospitals together."""

    name: str
    observed: int
    n: int

    @property
    def share(self) -> float:
        """Those with the outcome among all of the group."""
        return self.observed / self.n

    @property
    def span(self) -> tuple[float, float] | None:
        """The exact 95% interval of the share."""
        return share_interval(self.observed, self.n)


def groups_of(indicator: Row) -> list[Group]:
    """With and without, of the hospitals that show all four counts; empty when none does."""
    found = indicator.get("difference") or {}
    if not found.get("n") or not found.get("other_n"):
        return []
    return [
        Group(_("with"), int(found["events"]), int(found["n"])),
        Group(_("without"), int(found["other_events"]), int(found["other_n"])),
    ]


def exposure_of(indicator: Row, names: Names) -> str:
    """What the two groups are with and without, as the codebook calls it."""
    exposure = str(indicator["definition"].get("exposure") or "")
    return names(exposure, None) if exposure else ""


def difference(indicator: Row, names: Names) -> Figure:
    """Both shares with their intervals. ValueError when a count is hidden."""
    made = [
        Strip(group.name, f"{percent(group.share)} ({number(group.n)})", group.share, group.span)
        for group in groups_of(indicator)
    ]
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Share of patients, with 95% interval"),
    )
    axis = StripAxis(percent=True, holds=(0.0,))
    return Figure(
        _("With and without: %(name)s", name=exposure_of(indicator, names)),
        _(
            "All hospitals together. Patients with and without it may differ in more than this: it "
            "shows that things go together, not why."
        ),
        both(lambda s: strips(made, words=words, shape=s, axis=axis, writer=number)),
    )


def by_group(
    indicator: Row, variable: str, heading: str, rows: Sequence[Row], names: Names
) -> tuple[Table, Figure | None]:
    """With and without, for each group of `variable` of all hospitals together."""
    heads = (
        Head(names(variable, None), variable, numeric=False),
        Head(_("with"), "share_with"),
        Head(_("without"), "share_without"),
        Head(_("Difference, in 100 patients"), "risk_difference"),
        Head(_("Ratio"), "risk_ratio"),
        Head(_("Patients"), "n"),
    )
    lines = []
    for row in rows:
        label = names(variable, row["level"])
        lines.append((Cell(label, str(row["level"]), numeric=False), *_group_cells(row)))
    about = _("With and without: %(name)s", name=exposure_of(indicator, names))
    table = Table(f"{title(indicator)}. {about}. {heading}", heads, tuple(lines))
    return table, _group_figure(indicator, variable, heading, rows, names)


def _group_cells(row: Row) -> list[Cell]:
    found = row["difference"]
    if row["hidden"] is not None:
        # One of the four counts is too small, so none of what follows from them is shown.
        why = Cell(hidden_cell(row["hidden"]), row["hidden"], hidden=True)
        return [why, *([Cell(_("not shown"), "hidden", hidden=True)] * 4)]
    shares = (
        (found["events"], found["n"]),
        (found["other_events"], found["other_n"]),
    )
    low, high = found["difference_interval"]
    difference = _(
        "%(value)s (%(low)s to %(high)s)",
        value=number(100 * found["difference"], 1),
        low=number(100 * low, 1),
        high=number(100 * high, 1),
    )
    ratio, ends = found["ratio"], found["ratio_interval"]
    told = Cell("–", "")
    if ratio is not None and ends is not None:
        text = _(
            "%(value)s (%(low)s to %(high)s)",
            value=number(ratio, 2),
            low=number(ends[0], 2),
            high=number(ends[1], 2),
        )
        told = Cell(text, ratio)
    return [
        *(Cell(f"{percent(x / n)} ({number(n)})", x / n) for x, n in shares),
        Cell(difference, found["difference"]),
        told,
        Cell(number(row["n"]), row["n"]),
    ]


def _group_figure(
    indicator: Row, variable: str, heading: str, rows: Sequence[Row], names: Names
) -> Figure | None:
    made = []
    for row in rows:
        label, found = names(variable, row["level"]), row["difference"]
        if row["hidden"] is not None:
            made.append(Strip(label, note=hidden_short(row["hidden"])))
            continue
        low, high = found["difference_interval"]
        value = 100 * found["difference"]
        made.append(Strip(label, number(value, 1), value, (100 * low, 100 * high)))
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Difference in 100 patients, with 95% interval"),
    )
    none = [Level(0.0, _("no difference"), strong=True)]
    try:
        drawn = both(
            lambda s: strips(
                made, words=words, shape=s, levels=none, writer=number, key=f"by-{variable}"
            )
        )
    except ValueError:
        return None
    return Figure(heading, _("All hospitals together."), drawn)
