"""The picture of one indicator of a round, for the wide page and the phone.

Hospitals stand in the order of their letters, never of their results; the reader's own has a ring
or an arrow and bold letters. What is hidden says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from federation.methods.funnel import share_interval
from registry.pages.figure import Figure, both
from registry.pages.round_differences import difference
from registry.pages.round_funnels import funnel_of
from registry.pages.round_labels import Places
from registry.pages.round_words import (
    LONGEST_WAIT,
    SHARES,
    Row,
    as_pair,
    days_between,
    headline,
    hidden_short,
    interval_text,
    is_shown,
    last_time,
    measure,
    target_level,
    target_text,
    title,
    value_text,
    within_norm,
)
from registry.pictures.mix import MixBar, MixWords, mix
from registry.pictures.prom_change import Relevance, prom_change
from registry.pictures.strips import PLAIN_AXIS, Level, Strip, StripAxis, StripWords, strips
from registry.translate import number, percent
from registry.translate import translate as _

Names = Callable[[str, object], str]
Rows = Sequence[Row]
#: The smallest change in a score of 0 to 100 that patients call noticeable, where a definition
#: names none: D. Osoba and others, Journal of Clinical Oncology 16 (1998) 139-144.
RELEVANT_POINTS = 10.0
#: A median that is known to so many days is drawn as a line, else as a band.
CLOSE_DAYS = 1.0
#: With more hospitals than this the table is the picture.
MOST_ROWS = 40


def figure_of(
    indicator: Row, places: Places, level_name: Names, years: float = 1.0
) -> Figure | None:
    """The picture of an indicator; None when there is nothing to draw.

    `level_name` gives the label of a level of a variable of the codebook; `years`: how long the
    period is, because a volume's target is of a year.
    """
    rows = places.ordered(indicator["rows"])
    if indicator["status"] != "shown" or len(rows) > MOST_ROWS:
        return None
    try:
        if measure(indicator) == "difference":
            return difference(indicator, level_name)
        if measure(indicator) == "volume":
            return _volume(indicator, rows, places, years)
        draw = DRAW.get(measure(indicator))
        return None if draw is None else draw(indicator, rows, places, level_name)
    except ValueError:  # every number hidden: the table says so; or only what was expected
        return intervals_of(indicator, places)


def intervals_of(indicator: Row, places: Places) -> Figure | None:
    """The shares with their intervals, beside a funnel or beside days; None for others."""
    rows = places.ordered(indicator["rows"])
    if indicator["status"] != "shown" or len(rows) > MOST_ROWS:
        return None
    try:
        if measure(indicator) == "time":
            return _within(indicator, rows, places)
        if measure(indicator) != "share":
            return None
        return _strips(
            indicator, rows, places, _("Share per hospital, with its 95% interval"),
            _("Share of patients, with 95% interval"),
        )  # fmt: skip
    except ValueError:
        return None


def _strips(
    indicator: Row,
    rows: Rows,
    places: Places,
    heading: str,
    axis: str,
    caption: str = "",
    *,
    levels: Sequence[Level] | None = None,
    of: StripAxis | None = None,
    band: str = "",
) -> Figure:
    made = [strip_of(indicator, row, places) for row in rows]
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=axis,
        bar=_("median: half of the patients waited shorter"),
        later=_("80 of 100 patients waited shorter"),
        band=band,
        own=_("your hospital"),
    )
    lines = _lines(indicator) if levels is None else levels
    kind = of or (StripAxis(percent=True) if measure(indicator) in SHARES else PLAIN_AXIS)
    return Figure(
        heading,
        caption,
        both(lambda s: strips(made, words=words, shape=s, levels=lines, axis=kind, writer=number)),
    )


def strip_of(indicator: Row, row: Row, places: Places, label: str = "") -> Strip:
    """A hospital's line of the picture; `label` where the line is about a part of it."""
    site = str(row["site"])
    name, own = label or places.label(site), places.own(site)
    late = " (" + _("2× or more") + ")" if row.get("signal") else ""
    if not is_shown(indicator, row):
        return Strip(name, own=own, note=hidden_short(row.get("hidden")) + late)
    if measure(indicator) == "time":
        return Strip(
            name, value_text(indicator, row) + late, None, as_pair(row["median"]),
            as_pair(row["p80"]), own=own,
        )  # fmt: skip
    value = row["n"] if measure(indicator) == "volume" else row.get("value")
    interval = interval_text(indicator, row)
    text = value_text(indicator, row)
    return Strip(
        name,
        f"{text} ({interval})" if interval else text,
        float(value) if value is not None else None,
        as_pair([row.get("low"), row.get("high")]),
        outside=int(row.get("outside") or 0),
        own=own,
    )


def _lines(indicator: Row) -> list[Level]:
    """The network together and the agreed level."""
    found = []
    together = indicator["network"].get("value")
    if together is not None and measure(indicator) != "volume":
        text = value_text(indicator, indicator["network"])
        found.append(Level(float(together), _("together %(value)s", value=text), strong=True))
    level = target_level(indicator)
    if level is not None and measure(indicator) != "time":
        found.append(Level(float(level), _("target: %(level)s", level=target_text(indicator))))
    return found


def _time(indicator: Row, rows: Rows, places: Places, _names: Names) -> Figure:
    levels = [
        Level(float(norm), _("norm %(days)s", days=days_between([norm, norm])))
        for norm in indicator["definition"].get("norms") or ()
    ]
    together, band, text = as_pair(indicator["network"].get("median")), None, ""
    if together is not None:
        text = _("together %(value)s", value=days_between(together))
        if together[1] - together[0] <= CLOSE_DAYS:
            levels.append(Level(sum(together) / 2, text, strong=True))
        elif together[1] < LONGEST_WAIT:
            band = together  # a line in its middle would say more than is known
    caption = _(
        "The filled bar is the median, the open bar the time within which 80 of 100 patients were "
        "seen. Both are known between two days, because no hospital sends a single patient's days."
    )
    return _strips(
        indicator, rows, places, _("Days per hospital"), _("Days"), caption, levels=levels,
        of=StripAxis(band=band), band="" if band is None else text,
    )  # fmt: skip


def _within(indicator: Row, rows: Rows, places: Places) -> Figure | None:
    """The share within the agreed days: it is often known where a hospital's median is not."""
    target = indicator.get("target") or {}
    norms = indicator["definition"].get("norms") or ()
    days = target.get("within") or (norms[0] if norms else None)
    if days is None:
        return None
    made = []
    for row in rows:
        site = str(row["site"])
        found = within_norm(row, days)
        share = found.get("share") if found else None
        if found is None or share is None:
            note = hidden_short(row.get("hidden"))
            made.append(Strip(places.label(site), own=places.own(site), note=note))
            continue
        seen, n = found.get("n"), row.get("n")
        span = share_interval(seen, n) if seen is not None and n else None
        made.append(
            Strip(
                places.label(site),
                percent(share),
                share,
                span,
                outside=int(found.get("outside") or 0),
                own=places.own(site),
            )
        )
    level = target_level(indicator)
    levels = []
    if level is not None and target.get("within") == days:
        levels.append(Level(level, _("target: %(level)s", level=percent(level, 0))))
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Share within %(days)s days, with 95%% interval", days=number(days)),
        own=_("your hospital"),
    )
    axis = StripAxis(percent=True)
    return Figure(
        _("Share within %(days)s days", days=number(days)),
        _(
            "Held against that of all shown hospitals together: an open diamond lies outside the "
            "95% limits of chance, a square outside 99.8%; to the right is more within the norm."
        )
        if any(each.outside for each in made)
        else "",
        both(
            lambda s: strips(
                made, words=words, shape=s, levels=levels, axis=axis, writer=number, key="within"
            )
        ),
    )


def _survival(indicator: Row, rows: Rows, places: Places, _names: Names) -> Figure:
    last = next((last_time(row) for row in rows if last_time(row)), None)
    days = number(last["days"]) if last else ""
    return _strips(
        indicator, rows, places, _("Alive after %(days)s days", days=days),
        _("Share alive, with 95% interval"),
        _("Not adjusted for how ill patients were, unless the definition says so."),
    )  # fmt: skip


def _volume(indicator: Row, rows: Rows, places: Places, years: float) -> Figure:
    level, levels = target_level(indicator), []
    if level is not None:
        text = _("target: %(level)s", level=target_text(indicator))
        levels.append(Level(float(level) * years, text))
    return _strips(
        indicator, rows, places, _("Number per hospital"), _("Number in the period"),
        levels=levels, of=StripAxis(holds=(0.0,)),
    )  # fmt: skip


def _mean(indicator: Row, rows: Rows, places: Places, _names: Names) -> Figure:
    definition = indicator["definition"]
    if not definition.get("baseline"):
        return _strips(
            indicator, rows, places, _("Mean per hospital"), _("Mean, with 95% interval")
        )
    made = [strip_of(indicator, row, places) for row in rows]
    points = float(definition.get("relevant") or RELEVANT_POINTS)
    words = StripWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Change in points, with 95% interval"),
        band=_("too small to notice (less than %(points)s points)", points=number(points)),
        own=_("your hospital"),
    )
    relevance = Relevance(points, _("no change"))
    caption = _(
        "The shaded band holds changes that patients on average do not notice. A mark in it can be "
        "more than chance and still make no difference to people."
    )
    return Figure(
        _("Change per hospital"),
        caption,
        both(lambda s: prom_change(made, relevance, words=words, shape=s, writer=number)),
    )


def _mix(indicator: Row, rows: Rows, places: Places, names: Names) -> Figure:
    variable = str(indicator["definition"]["variable"])
    kinds = mix_kinds(indicator)
    made = []
    for row in rows:
        shares = {each["level"]: each.get("share") for each in row.get("levels") or ()}
        made.append(
            MixBar(
                places.label(str(row["site"])),
                tuple(shares.get(kind, 0.0 if shares else None) for kind in kinds),
                places.own(str(row["site"])),
                hidden_short(row.get("hidden")),
            )
        )
    words = MixWords(
        title=title(indicator),
        description=headline(indicator),
        axis=_("Share of patients"),
        hidden=_("not shown"),
    )
    labels = [names(variable, kind) for kind in kinds]
    return Figure(
        _("What patients got, per hospital"),
        _("The parts stand in the same order in every bar. Different is not better or worse."),
        both(lambda s: mix(made, labels, words=words, shape=s, writer=number)),
    )


def mix_kinds(indicator: Row) -> list[object]:
    """The kinds of a mix, in one order: the network's, then what only hospitals have."""
    found: dict[object, None] = {}
    for source in (indicator["network"], *indicator["rows"]):
        found.update(dict.fromkeys(each["level"] for each in source.get("levels") or ()))
    return list(found)


def _share(indicator: Row, rows: Rows, places: Places, _names: Names) -> Figure:
    return funnel_of(indicator, rows, places)


DRAW: Mapping[str, Callable[[Row, Rows, Places, Names], Figure]] = {
    "share": _share,
    "time": _time,
    "survival": _survival,
    "mean": _mean,
    "mix": _mix,
}
