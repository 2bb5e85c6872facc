"""With and without something, such as prehabilitation: both shares, never a ratio alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from federation.methods.funnel import share_interval
from registry.pages.figure import Figure, both
from registry.pages.round_words import Row, headline, title
from registry.pictures.strips import Strip, StripAxis, StripWords, strips
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


def groups_of(indicator: Row, names: Names) -> list[Group]:
    """With and without, of the hospitals that show all four counts; empty when none does."""
    found = indicator.get("difference") or {}
    if not found.get("n") or not found.get("other_n"):
        return []
    exposure = str(indicator["definition"].get("exposure") or "")
    label = names(exposure, None) if exposure else ""
    return [
        Group(_("with: %(name)s", name=label), int(found["events"]), int(found["n"])),
        Group(
            _("without: %(name)s", name=label), int(found["other_events"]), int(found["other_n"])
        ),
    ]


def difference(indicator: Row, names: Names) -> Figure:
    """Both shares with their intervals. ValueError when a count is hidden."""
    made = [
        Strip(group.name, f"{percent(group.share)} ({number(group.n)})", group.share, group.span)
        for group in groups_of(indicator, names)
    ]
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Share of patients, with 95% interval"),
    )
    axis = StripAxis(percent=True, holds=(0.0,))
    return Figure(
        _("With and without"),
        _(
            "All hospitals together. Patients with and without it may differ in more than this: it "
            "shows that things go together, not why."
        ),
        both(lambda s: strips(made, words=words, shape=s, axis=axis, writer=number)),
    )
