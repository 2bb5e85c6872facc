"""What was said and done about a round: notes, causes, help offered, actions with before and after.

Names of hospitals in an action go by the same letters as the results; the words that people wrote
are shown as they wrote them, with who wrote them and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from federation.rounds import reading
from federation.rounds.models import EvaluationRound, RoundAction, RoundNote
from registry.pages.figure import Figure, both
from registry.pages.round_reading import Reading
from registry.pages.round_words import (
    SHARES,
    Row,
    as_pair,
    days_between,
    hidden_short,
    interval_text,
    is_shown,
    measure,
    period,
    short_period,
    signal_text,
    title,
    value_text,
)
from registry.pictures.before_after import BeforeAfterWords, Measured, Pairing, before_after
from registry.pictures.strips import Level
from registry.transaction import current_session
from registry.translate import number
from registry.translate import translate as _


@dataclass(frozen=True)
class Deed:
    """An action as the page shows it."""

    action: RoundAction
    hospital: str
    indicator: str
    state: str
    measured: str
    figure: Figure | None
    sentence: str


@dataclass(frozen=True)
class Said:
    """All that was said, and what was done, of a round or of one indicator of it."""

    notes: list[tuple[RoundNote, str]]
    deeds: list[Deed]

    @property
    def empty(self) -> bool:
        """Whether nobody has said or done anything yet."""
        return not self.notes and not self.deeds


def said_of(found: Reading, indicator: str | None) -> Said:
    """What was said of an indicator; with None all of the round."""
    session = current_session()
    labels = Labels(found)
    notes = [
        (note, labels.note(note))
        for note in reading.notes(session, found.round)
        if indicator is None or note.indicator == indicator
    ]
    deeds = [
        _deed(found, labels, action)
        for action in reading.actions(session, found.round)
        if indicator is None or action.indicator == indicator
    ]
    return Said(notes, deeds)


def deeds_of(found: Reading, indicator: str) -> list[tuple[date, str, str | None]]:
    """The actions about an indicator in this round and those before it in its series: from which
    day on, what, and at which hospital of this round's view; to be marked in the course.

    Letters are drawn anew for each round: what was agreed in an earlier one stands at no letter of
    this one, but the reader's own, or who knows the action would know whose letter that is."""
    session, labels = current_session(), Labels(found)
    rounds = [found.round, *reading.series(session, found.round)]

    def may_stand(each: EvaluationRound, site: str | None) -> bool:
        if site is None:
            return True
        if labels.key(site) is None:
            return False
        named = bool(found.view["round"]["names"])
        return each.id == found.round.id or named or labels.own(site)

    found_there = (
        (action.due, action.text, labels.key(action.site))
        for each in rounds
        for action in reading.actions(session, each)
        if action.indicator == indicator
        and action.state != "cancelled"
        and may_stand(each, action.site)
    )
    return sorted(found_there, key=lambda deed: deed[:2])


class Labels:
    """What a hospital's own short name is called for this reader."""

    def __init__(self, found: Reading) -> None:
        # The view has letters for the others; the snapshot says which letter is whose.
        real = reading.snapshot(current_session(), found.round)
        self._letters = {h.site: h.letter for h in real.hospitals}
        self._places = found.places
        self._view = {str(h["letter"]): str(h["site"]) for h in found.places.hospitals}
        self._titles = {str(i["id"]): title(i) for i in found.view["indicators"]}

    def key(self, site: str | None) -> str | None:
        """The key under which the view knows a hospital."""
        return None if site is None else self._view.get(self._letters.get(site, ""), None)

    def hospital(self, site: str | None) -> str:
        """A hospital by name or letter; all of them for None."""
        key = self.key(site)
        return _("all hospitals") if key is None else self._places.name(key)

    def own(self, site: str | None) -> bool:
        """Whether the hospital is the reader's own."""
        key = self.key(site)
        return key is not None and self._places.own(key)

    def indicator(self, identity: str | None) -> str:
        """The title of an indicator."""
        return self._titles.get(str(identity), "")

    def note(self, note: RoundNote) -> str:
        """What a note is about."""
        about = self.indicator(note.indicator)
        if note.kind == "help":
            help_ = _(
                "%(from_)s offers help to %(to)s",
                from_=self.hospital(note.from_site),
                to=self.hospital(note.to_site),
            )
            return f"{about}: {help_}" if about else help_
        kind = _("Cause") if note.kind == "cause" else _("Note")
        return f"{about}: {kind.lower()}" if about else kind


def _deed(found: Reading, labels: Labels, action: RoundAction) -> Deed:
    indicator = next((i for i in found.view["indicators"] if i["id"] == action.indicator), None)
    states = {
        "open": _("under way"),
        "measuring": _("being measured again"),
        "closed": _("closed"),
        "cancelled": _("cancelled"),
    }
    measured = ""
    if action.first and action.last:
        measured = period({"first": action.first, "last": action.last})
    figure, sentence = None, ""
    if indicator is not None and action.before and action.after:
        sentence = _sentence(indicator, action.before, action.after)
        figure = _figure(found, labels, indicator, action)
    return Deed(
        action,
        labels.hospital(action.site),
        labels.indicator(action.indicator),
        states.get(action.state, action.state),
        measured,
        figure,
        sentence,
    )


def _sentence(indicator: Row, before: Row, after: Row) -> str:
    first, last = (_told(indicator, row) for row in (before, after))
    if not first and not last:
        return _("It was measured again; there were too few patients to show a number.")
    nothing = _("not shown")
    first, last = first or nothing, last or nothing
    return _(
        "Before: %(before)s. After: %(after)s. It changed after the action; that the action did it "
        "is not shown by this.",
        before=first,
        after=last,
    )


def _told(indicator: Row, row: Row) -> str:
    """The number and what the rule of waiting times said; empty when neither is there."""
    known: Row = {"median": None, "value": None, **row}
    text = value_text(indicator, known) if is_shown(indicator, known) else ""
    rule = signal_text(known)
    rule = rule[:1].lower() + rule.removesuffix(".")[1:]
    return ", ".join(part for part in (text, rule) if part)


def _figure(found: Reading, labels: Labels, indicator: Row, action: RoundAction) -> Figure | None:
    about: dict[str, Any] = found.view["round"]
    again = ""
    if action.first and action.last:
        again = short_period({"first": action.first, "last": action.last})
    name = labels.hospital(action.site)
    pair = Pairing(
        name[:1].upper() + name[1:],
        _measured(
            indicator,
            action.before or {},
            _("before: %(when)s", when=short_period(about["period"])),
        ),
        _measured(indicator, action.after or {}, _("after: %(when)s", when=again)),
        own=labels.own(action.site),
    )
    words = BeforeAfterWords(
        title=_("%(name)s before and after", name=title(indicator)),
        description=_sentence(indicator, action.before or {}, action.after or {}),
        axis=_("Days") if measure(indicator) == "time" else title(indicator),
    )
    share = measure(indicator) in SHARES
    levels = _levels(indicator)
    try:
        drawn = both(
            lambda s: before_after(
                [pair], words=words, shape=s, levels=levels, percent=share, writer=number
            )
        )
    except ValueError:
        return None
    return Figure(words.title, "", drawn)


def _levels(indicator: Row) -> Sequence[Level]:
    if measure(indicator) != "time":
        return ()
    return [
        Level(float(norm), _("norm %(days)s", days=days_between([norm, norm])))
        for norm in indicator["definition"].get("norms") or ()
    ]


def _measured(indicator: Row, row: Row, label: str) -> Measured:
    known: Row = {"median": None, "p80": None, "value": None, **row}
    if not is_shown(indicator, known):
        return Measured(label, "", None, None, hidden_short(row.get("hidden")))
    if measure(indicator) == "time":
        span = as_pair(known["median"])
        return Measured(label, value_text(indicator, known), span)
    value = known["n"] if measure(indicator) == "volume" else known["value"]
    span = as_pair([known.get("low"), known.get("high")]) or (float(value), float(value))
    interval = interval_text(indicator, known)
    text = value_text(indicator, known)
    return Measured(label, f"{text} ({interval})" if interval else text, span, float(value))
