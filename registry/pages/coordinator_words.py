"""Words of the coordinator's pages that several of them share: states, owners, kinds of study."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from babel.dates import format_date

from registry.pictures.state_marks import phase, symbol
from registry.translate import LOCALES, language
from registry.translate import translate as _
from studies.hospitals.pathway import BY_CODE
from studies.states import PARTICIPATION_STATES, STUDY_KINDS


@dataclass(frozen=True)
class Mark:
    """The symbol of a state on a page: its two paths."""

    state: str
    filled: str
    lined: str


def marks() -> list[Mark]:
    """One symbol per state, drawn once per page."""
    return [Mark(state, *symbol(state)) for state in PARTICIPATION_STATES]


def state_name(state: str) -> str:
    """Where a hospital stands in a study, in two or three words."""
    return BY_CODE[state].name(language()) if state in BY_CODE else state


def phase_names() -> dict[str, str]:
    """The parts of a study's life in a hospital."""
    return {
        "open": _("taking part"),
        "start": _("starting up"),
        "hold": _("on hold"),
        "ended": _("ended"),
        "declined": _("declined"),
    }


def state_tag(state: str) -> str:
    """The class of a state's tag."""
    return {"open": "good", "start": "busy", "hold": "warn"}.get(phase(state), "")


def kind_name(kind: str) -> str:
    """What sort of study it is, by law."""
    return STUDY_KINDS[kind][1 if language() == "nl" else 0] if kind in STUDY_KINDS else kind


def brief(found: date | None) -> str:
    """A day as short as it can be read, for example "3 jun 2027"."""
    if found is None:
        return "–"
    return str(format_date(found, format="d MMM y", locale=LOCALES[language()]))


def owner_name(role: str) -> str:
    """Whose turn it is."""
    return {
        "coordinator": _("coordinator"),
        "board": _("board of the hospital"),
        "committee": _("committee"),
        "steward": _("hospital"),
    }.get(role, role)
