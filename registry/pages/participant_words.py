"""Words of the participants' pages: states, what happened, ways of leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from registry.translate import language
from registry.translate import translate as _
from studies.days import local_day
from studies.participants.history import dated
from studies.participants.models import Participant, ParticipantEvent
from studies.participants.states import (
    LEAVINGS,
    MILESTONES,
    ONLY_BY_LEAVING,
    REASONS,
    STATES,
    after_leaving,
)


@dataclass(frozen=True)
class Line:
    """One line of a history. `at` is the date that stands; `first` another one that stood there."""

    number: int
    what: str
    at: date
    first: date | None
    recorded: date
    hospital: str
    by: str
    reason: str
    redatable: bool


def state_name(code: str) -> str:
    """Where a participant stands."""
    state = STATES[code]
    return state.name_nl if language() == "nl" else state.name_en


def next_states(state: str) -> list[tuple[str, str]]:
    """The states that may come next."""
    return [
        (code, state_name(code))
        for code, known in STATES.items()
        if state in known.follows and code not in ONLY_BY_LEAVING
    ]


def milestone_choices() -> list[tuple[str, str]]:
    """What can be written down as reached; the yes and the arm have forms of their own."""
    place = _place()
    own = ("consented", "randomised")
    return [(code, words[place]) for code, words in MILESTONES.items() if code not in own]


def reason_choices() -> list[tuple[str, str]]:
    """The reasons."""
    return [(code, words[_place()]) for code, words in REASONS.items()]


def leaving_choices(
    state: str, done: Sequence[str], *, again: bool = False
) -> list[tuple[str, str, str]]:
    """The ways of leaving that there still are: code, words, what it does.

    again: the patient said yes after they stopped, so each stop of data use is there again.
    """
    effects = {
        "treatment": _("The visits and the use of data go on as they were."),
        "follow_up": _("No more visits. Data that were collected stay in use, as agreed."),
        "data_from_now": _(
            "No more visits. From now on no hospital counts new data in this study. "
            "Older data stay in use."
        ),
        "data_all": _(
            "No more visits. No hospital counts anything of this patient in this study any more. "
            "Results that were made before stay."
        ),
    }
    if again:
        done = [code for code in done if LEAVINGS[code].level is None]
    if "data_all" in done:
        return []
    return [
        (code, way.name_nl if language() == "nl" else way.name_en, effects[code])
        for code, way in LEAVINGS.items()
        if code not in done and after_leaving(state, code) is not None
    ]


def lines(one: Participant, hospitals: Mapping[str, str], arms: Mapping[str, str]) -> list[Line]:
    """What happened, the newest last, each with the date that stands."""
    stands = {event.number: at for at, event in dated(one.events)}
    found = []
    for event in one.events:
        at = stands.get(event.number, event.at)
        found.append(
            Line(
                number=event.number,
                what=_what(event, hospitals, arms),
                at=_day(at),
                first=_day(event.at) if at != event.at else None,
                recorded=_day(event.recorded_at),
                hospital=hospitals.get(event.site, event.site),
                by=event.by,
                reason=REASONS.get(event.reason or "", ("", ""))[_place()],
                redatable=event.kind in ("state", "milestone", "left", "arm", "taken_over"),
            )
        )
    return found


def _what(event: ParticipantEvent, hospitals: Mapping[str, str], arms: Mapping[str, str]) -> str:
    place = hospitals.get(event.value, event.value)
    match event.kind:
        case "state":
            return state_name(event.value)
        case "milestone":
            return MILESTONES[event.value][_place()] + _how(event)
        case "left":
            way = LEAVINGS[event.value]
            return way.name_nl if language() == "nl" else way.name_en
        case "arm":
            return _("Arm: %(name)s", name=arms.get(event.value, event.value))
        case "offered":
            return _("Offered to %(hospital)s", hospital=place)
        case "taken_over":
            return _("Goes on at %(hospital)s", hospital=place)
        case "not_taken":
            return _("Not taken over by %(hospital)s", hospital=place)
        case "linked":
            return _("Letter of %(hospital)s linked", hospital=place)
        case "unlinked":
            return _("Letter of %(hospital)s unlinked", hospital=place)
        case "redated":
            return _("Date of line %(number)s put right", number=event.refers)
        case _other:
            return _("Entered by mistake")


def _how(event: ParticipantEvent) -> str:
    """How the yes was shown."""
    evidence = event.evidence or {}
    shown = evidence.get("shown")
    if evidence.get("invented"):
        return " " + _("(invented, for the demonstration)")
    if shown == "letter":
        return " " + _("(by letter)")
    if shown == "form":
        return " " + _("(signed form, text %(version)s)", version=evidence["text"])
    return ""


def _day(moment: datetime) -> date:
    return local_day(moment)


def _place() -> int:
    return 1 if language() == "nl" else 0
