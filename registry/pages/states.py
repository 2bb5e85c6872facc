"""The states of a question and of a hospital's part in it, in words and with their mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.runs.states import FINAL, RELEASED
from registry.translate import moment
from registry.translate import translate as _


@dataclass(frozen=True)
class StateWords:
    """A short label, the class of its tag, and one sentence on what happens next."""

    label: str
    tag: str
    sentence: str


def run_state(state: str) -> StateWords:
    """The state of a question."""
    known = {
        "submitted": (
            _("Waiting for approval"),
            "warn",
            _("The study’s data-access committee looks at this question. Nothing is sent yet."),
        ),
        "approved": (
            _("Approved"),
            "busy",
            _("The committee said yes. The question goes to the hospitals in a moment."),
        ),
        "open": (
            _("Being worked out"),
            "busy",
            _("The hospitals compute, each inside its own walls."),
        ),
        "complete": (_("Answered"), "good", _("Every hospital that was asked answered.")),
        "partial": (
            _("Partly answered"),
            "warn",
            _("Not every hospital answered in time. The result says which ones are missing."),
        ),
        "insufficient": (
            _("Too few hospitals"),
            "stop",
            _("Too few hospitals answered, so nothing was released."),
        ),
        "refused": (_("Refused"), "stop", _("No answer was released.")),
        "cancelled": (_("Withdrawn"), "", _("The question was withdrawn before it was answered.")),
        "expired": (
            _("Expired"),
            "",
            _("Nobody decided on this question in time. Submit it again."),
        ),
        "failed": (
            _("Failed"),
            "stop",
            _(
                "The hub could not work out an answer. Nothing was released; tell the network "
                "office the number of this question."
            ),
        ),
    }
    return StateWords(*known.get(state, (state, "", "")))


def site_state(state: str, step: int | None = None) -> StateWords:
    """A hospital's part in a question; `step` counts from 1 while the question is under way."""
    asked, answered = (
        (
            _("Sent; the hospital has not answered this step."),
            _("Its signed sums for this step are in."),
        )
        if step is None
        else (
            _("Step %(step)s was sent; the hospital has not answered yet.", step=step),
            _("Its signed sums for step %(step)s are in.", step=step),
        )
    )
    known = {
        "waiting": (_("waiting"), "", _("The question has not been sent yet.")),
        "asked": (_("computing"), "busy", asked),
        "answered": (_("answered"), "good", answered),
        "refused": (_("refused"), "stop", _("The hospital said no to this question.")),
        "needless": (_("not needed"), "", _("The question ended before this hospital answered.")),
        "silent": (_("silent"), "warn", _("No answer for a while; the hub keeps trying.")),
    }
    return StateWords(*known.get(state, (state, "", "")))


def unreachable(deadline: datetime | None) -> StateWords:
    """A hospital that has something to answer and cannot be reached now."""
    return StateWords(
        _("not reachable"),
        "warn",
        _("The hub keeps trying until %(time)s.", time=moment(deadline)),
    )


def is_final(state: str) -> bool:
    return state in FINAL


def has_result(state: str) -> bool:
    return state in RELEASED


def hidden_reason(why: str) -> str:
    """Why a number is not shown."""
    return {
        "small_cell": _(
            "Fewer than %(threshold)s patients, or a number that would give such a small number "
            "away by subtraction. 0 looks the same as any other small number."
        ),
        "dominance": _("One patient, or two together, make up most of this number."),
        "no_spread": _("All patients have the same value, so the mean would be each one’s value."),
        "no_cuts": _("The codebook has no cut-points for this variable."),
        "complete_cases": _(
            "A rate needs the same patients throughout; patients without a value were left out."
        ),
        "follow_up_too_small": _("Too few patients were followed that long."),
        "grid": _("It can only be worked out from exact times, which do not leave a hospital."),
    }.get(why, _("The hospitals’ rules do not allow this number to be shown."))


def participation_state(state: str) -> StateWords:
    """Where a hospital stands in a study."""
    known = {
        "invited": (_("Invited"), "", ""),
        "feasibility": (_("Checking feasibility"), "busy", ""),
        "approved": (_("Approved by the board"), "busy", ""),
        "open": (_("Taking part"), "good", ""),
        "on_hold": (_("On hold"), "warn", ""),
        "closed": (_("Stopped"), "", ""),
        "declined": (_("Does not take part"), "", ""),
        "local_review": (_("Departments are looking"), "busy", ""),
        "vgo_signed": (_("Declared suitable by the board"), "busy", ""),
        "contract_signed": (_("Contract signed"), "busy", ""),
        "initiated": (_("Ready to begin"), "busy", ""),
        "closed_to_accrual": (_("Takes no new participants"), "", ""),
        "follow_up_done": (_("Follow-up is done"), "", ""),
    }
    return StateWords(*known.get(state, (state, "", "")))
