"""What the pages of the network share: the day that is looked at, and words for codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeVar

from flask import g, request

from registry.access import may_see_group
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.days import ZONE, local_day
from studies.exchange.importing import read_day
from studies.hospitals.pathway import BY_CODE
from studies.models import Institution, WorkingGroup
from studies.network.words import Words, word
from studies.states import INSTITUTION_KINDS, PARTICIPATION_ENDED

Line = TypeVar("Line")
_OPEN = frozenset({"open", "on_hold"})
_AFTER = frozenset({"closed_to_accrual", "follow_up_done"})
#: Who may open the page of a group, when the role is held for it; coordinators of its studies too.
OF_GROUP = ("chair", "group", "representative", "coordinator")


@dataclass(frozen=True)
class Day:
    """The day that a page shows: `at` its end (now when it is today), `text` what the field holds,
    `past` whether it is another day than today."""

    at: datetime
    text: str
    past: bool
    error: str | None = None


def chosen_day() -> Day:
    """The day in `?on=2020-01-31`, or as people here write it; without one, or with one that is
    none, today."""
    text = request.args.get("on", "").strip()
    today = local_day(g.now)
    if not text:
        return Day(g.now, "", past=False)
    day = read_day(text)
    if day is None:
        return Day(g.now, text[:40], False, _("Write the day as 23-11-2026"))
    text = day.isoformat()
    if day > today:
        return Day(g.now, text, False, _("This day is still to come. Choose an earlier one."))
    if day == today:
        return Day(g.now, text, past=False)
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZONE)
    return Day(midnight - timedelta(milliseconds=1), text, past=True)


def named(words: Words, code: str) -> str:
    """The name of a code of studies.network.words in the reader's language."""
    return word(words, code, language())


def small(words: Words, code: str) -> str:
    """The same inside a sentence: without its capital, but for abbreviations (MDL-arts)."""
    text = named(words, code)
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def institution_kind(institution: Institution) -> str:
    """What sort of institution it is."""
    english, dutch = INSTITUTION_KINDS.get(institution.kind, (institution.kind,) * 2)
    return dutch if language() == "nl" else english


def state_word(state: str) -> str:
    """Where a hospital stands in a study."""
    return BY_CODE[state].name(language()) if state in BY_CODE else state


def state_tag(state: str) -> str:
    """The class of a state's tag."""
    return {"open": "good", "on_hold": "warn", "declined": "", "closed": ""}.get(state, "busy")


def may_open(group: WorkingGroup) -> bool:
    """Whether the reader may open a group's own page."""
    roles = set(OF_GROUP) & g.actor.roles
    return may_see_group(current_session(), g.actor, group.key, roles)


def by_phase(lines: Sequence[tuple[Line, str]]) -> list[tuple[str, str, list[tuple[Line, str]]]]:
    """What a hospital does, each with its state, by how far that is: (id, caption, lines). The
    first is shown, the others open when asked for."""
    found: dict[str, list[tuple[Line, str]]] = {"open": [], "start": [], "after": [], "end": []}
    for line in lines:
        if line[1] in _OPEN:
            phase = "open"
        elif line[1] in _AFTER:
            phase = "after"
        else:
            phase = "end" if line[1] in PARTICIPATION_ENDED else "start"
        found[phase].append(line)
    captions = {
        "open": _("Open"),
        "start": _("Starting up"),
        "after": _("Closed to new participants"),
        "end": _("Declined or closed"),
    }
    sections = [(phase, captions[phase], rows) for phase, rows in found.items()]
    return [section for section in sections if section[2] or section[0] == "open"]
