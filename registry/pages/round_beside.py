"""What stands beside an indicator of a round: figures of others, its regions, a small hospital's
rounds together. None of it is in the locked result, and none of it asks a hospital anything."""

from __future__ import annotations

from flask import g

from federation.indicators.asking import Period
from federation.rounds import benchmarks, reading, rolling_up, years
from federation.rounds.errors import RoundError
from federation.rounds.snapshot import Snapshot
from registry.pages.round_reading import Reading
from registry.pages.round_words import SHARES, Row, measure, period, title, value_text
from registry.pages.tidy import Cell, Head, Table
from registry.transaction import current_session
from registry.translate import day, language, number, percent
from registry.translate import translate as _


def references(found: Reading, indicator: Row) -> Table | None:
    """Published figures for the same indicator, with source and date; None without any."""
    about = found.view["round"]
    known = benchmarks.beside(
        current_session(), about["network"], str(indicator["id"]), Period(**about["period"])
    )
    if not known:
        return None
    share = measure(indicator) in SHARES

    def write(value: float) -> str:
        return percent(value) if share else number(value, 1)

    heads = (
        Head(_("Source"), "source", numeric=False),
        Head(_("Region"), "region", numeric=False),
        Head(_("Value"), "value"),
        Head(_("95% interval"), "interval"),
        Head(_("Patients"), "n"),
        Head(_("Period"), "period", numeric=False),
        Head(_("Published"), "published", numeric=False),
    )
    rows = []
    for each in known:
        interval = Cell("–", "")
        if each.low is not None and each.high is not None:
            text = _("%(low)s to %(high)s", low=write(each.low), high=write(each.high))
            interval = Cell(text, f"{each.low:g}-{each.high:g}")
        rows.append(
            (
                Cell(each.source, each.source, numeric=False),
                Cell(each.region, each.region, numeric=False),
                Cell(write(each.value), each.value),
                interval,
                Cell(number(each.n), each.n),
                Cell(period(each.period.to_dict()), str(each.period), numeric=False),
                Cell(day(each.published), each.published.isoformat(), numeric=False),
            )
        )
    return Table(_("%(name)s, as others published it", name=title(indicator)), heads, tuple(rows))


def without(found: Reading, asked: str) -> str:
    """The hospital to leave out of the sums: one of a round with names; empty for none."""
    known = {str(each["site"]) for each in found.view["hospitals"]}
    return asked if found.view["round"]["names"] and asked in known else ""


def regions(found: Reading, indicator: Row, left_out: str = "") -> Table | None:
    """The sums per subnetwork and of the region, in a round with names only; `left_out`: without
    this hospital.

    Who knows which hospitals a subnetwork has could else tell from its sum whose letter is whose.
    """
    if not found.view["round"]["names"]:
        return None
    snapshot = reading.snapshot(current_session(), found.round)
    finding = next((i for i in snapshot.indicators if i.id == indicator["id"]), None)
    if finding is None:
        return None
    parts = rolling_up.parts_of(current_session(), found.round.network, g.now)
    heads = (
        Head(_("Region"), "region", numeric=False),
        Head(_("Value"), "value"),
        Head(_("Patients"), "n"),
        Head(_("Hospitals in"), "hospitals_in"),
        Head(_("Hospitals without numbers"), "hospitals_out"),
    )
    rows = []
    gone = [left_out] if left_out else []
    for each in rolling_up.roll_up(snapshot, finding, parts, without=gone):
        numbers = vars(each.numbers)
        rows.append(
            (
                Cell(each.part.name, each.part.slug, numeric=False),
                Cell(value_text(indicator, numbers), numbers["value"]),
                Cell(number(numbers["n"]), numbers["n"]),
                Cell(number(len(each.inside)), len(each.inside)),
                Cell(number(len(each.outside)), len(each.outside)),
            )
        )
    caption = _("%(name)s, per region", name=title(indicator))
    if left_out:
        caption = _(
            "%(name)s, per region without %(hospital)s",
            name=title(indicator),
            hospital=found.places.name(left_out),
        )
    return Table(caption, heads, tuple(rows))


def together(found: Reading, indicator: str) -> list[str]:
    """For the reader's own small hospitals: the last rounds taken together, in words."""
    history = _history(found)
    said = []
    for site in sorted(found.own):
        joined = years.together(history, indicator, site)
        if joined is not None and years.may_join(history, site, found.own):
            said.append(years.words(joined, language()))
    return said


def _history(found: Reading) -> list[Snapshot]:
    """This round and those before it in its series, the newest first, back to where one is not
    there any more."""
    session = current_session()
    known = [reading.snapshot(session, found.round)]
    for each in reading.series(session, found.round):
        try:
            known.append(reading.snapshot(session, each))
        except RoundError:
            break
    return known
