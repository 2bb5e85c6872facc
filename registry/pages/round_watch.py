"""How a hospital's outcomes went against what was expected of them, quarter by quarter: the sum of
expected less observed (VLAD), and the highest value of the CUSUM that the hospital ran itself.

The CUSUM needs the order of patients, so it runs inside the hospital and only its highest value of
a quarter leaves, with whether that is a signal (domain.md 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from federation.indicators.asking import CUSUM_LIMIT
from federation.methods.cusum import chance_of_signal
from registry.pages.figure import Figure, both
from registry.pages.round_labels import Places
from registry.pages.round_strata import MOST_PANELS, Course, quarter_words, short_quarter
from registry.pages.round_words import Row, headline, title
from registry.pages.tidy import Cell, Head, Table
from registry.pictures.run_chart import RunAxis, RunPoint, RunWords, Series, run_chart
from registry.translate import number
from registry.translate import translate as _


def watch_of(indicator: Row, places: Places) -> Course | None:
    """The course against what was expected; None where no quarter of any hospital shows it."""
    rows = places.ordered((indicator.get("trend") or {}).get("rows") or ())
    quarters = sorted({q["quarter"] for row in rows for q in row["quarters"]})
    if not any(_known(q) for row in rows for q in row["quarters"]):
        return None
    heads = (
        Head(_("Hospital"), "hospital", numeric=False),
        *(Head(quarter_words(quarter), quarter) for quarter in quarters),
    )
    lines = []
    for row in rows:
        known = {q["quarter"]: q for q in row["quarters"]}
        label = Cell(places.label(str(row["site"])), row["site"], numeric=False)
        lines.append((label, *(_cell(known.get(quarter)) for quarter in quarters)))
    caption = _("%(name)s: expected less observed, added up / highest CUSUM", name=title(indicator))
    return Course(
        Table(caption, heads, tuple(lines)),
        _found(rows, places),
        _vlad(indicator, rows, quarters, places),
    )


def _known(quarter: Row) -> bool:
    return quarter.get("vlad") is not None or quarter.get("cusum") is not None


def _cell(quarter: Row | None) -> Cell:
    if quarter is None or not _known(quarter):
        return Cell(_("not shown"), "hidden", hidden=True)
    vlad, highest = quarter.get("vlad"), (quarter.get("cusum") or {}).get("max")
    parts = ["–" if vlad is None else number(vlad, 1)]
    parts.append("–" if highest is None else number(highest, 1))
    return Cell(" / ".join(parts), " / ".join(parts))


def _found(rows: Sequence[Row], places: Places) -> list[str]:
    """Each signal by hospital and quarter, and how many chance alone gives."""
    said, watched, by_chance = [], 0, 0.0
    for row in rows:
        chance = _chance(row["quarters"])
        if chance is None:
            continue
        watched += 1
        by_chance += chance
        for quarter in row["quarters"]:
            if (quarter.get("cusum") or {}).get("signal"):
                text = _(
                    "%(name)s, %(quarter)s: the CUSUM signals; more bad outcomes in a row than "
                    "were expected.",
                    name=places.name(str(row["site"])),
                    quarter=quarter_words(str(quarter["quarter"])),
                )
                said.append(text[:1].upper() + text[1:])
    if watched:
        said.append(
            _(
                "The CUSUM ran in %(watched)s hospitals. While nothing changes, chance alone gives "
                "a signal in about %(chance)s of them.",
                watched=number(watched),
                chance=number(by_chance, 1),
            )
        )
    return said


def _chance(quarters: Sequence[Mapping[str, object]]) -> float | None:
    """How likely a signal is while nothing changes: each patient with the mean expected share.
    None for a hospital without a CUSUM, or with a hidden number for it."""
    watched = [q for q in quarters if q.get("cusum") is not None]
    n = sum(_whole(q.get("n")) for q in watched)
    expected = [q.get("expected") for q in watched]
    if not n or not all(isinstance(each, int | float) for each in expected):
        return None
    risk = sum(float(each) for each in expected if isinstance(each, int | float)) / n
    return _by_chance(n, round(risk, 4)) if 0.00005 <= risk < 0.99995 else None


@lru_cache(maxsize=512)
def _by_chance(n: int, risk: float) -> float:
    """One step per patient: some milliseconds for a hospital, so not again for each reader."""
    return chance_of_signal(n, risk, CUSUM_LIMIT)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _vlad(
    indicator: Row, rows: Sequence[Row], quarters: Sequence[str], places: Places
) -> Figure | None:
    """The sums as lines around zero: the reader's own hospitals first, else the first few."""
    shown = [r for r in rows if any(q.get("vlad") is not None for q in r["quarters"])]
    signals = {
        (str(r["site"]), q["quarter"])
        for r in shown
        for q in r["quarters"]
        if (q.get("cusum") or {}).get("signal")
    }
    marked = {site for site, _quarter in signals}
    wanted = [r for r in shown if places.own(str(r["site"])) or str(r["site"]) in marked]
    series = [_series(r, quarters, signals, places) for r in (wanted or shown)[:MOST_PANELS]]
    words = RunWords(
        title=_("%(name)s, against what was expected", name=title(indicator)),
        description=headline(indicator),
        up=_("Expected less observed, added up"),
        centre=_("as expected"),
        marked=_("the CUSUM signals: reason to look closer"),
        hidden=_("not shown"),
    )
    try:
        drawn = both(
            lambda s: run_chart(
                series, words=words, shape=s, writer=number, axis=RunAxis(percent=False), key="vlad"
            )
        )
    except ValueError:
        return None
    caption = _(
        "A line that goes down: more outcomes than were expected. Each hospital is held against "
        "what the model expected of its own patients."
    )
    return Figure(_("Against what was expected"), caption, drawn)


def _series(
    row: Row, quarters: Sequence[str], signals: set[tuple[str, str]], places: Places
) -> Series:
    site = str(row["site"])
    known = {q["quarter"]: q.get("vlad") for q in row["quarters"]}
    points = tuple(
        RunPoint(short_quarter(quarter), known.get(quarter), marked=(site, quarter) in signals)
        for quarter in quarters
    )
    return Series(places.label(site), points, 0.0, own=places.own(site))
