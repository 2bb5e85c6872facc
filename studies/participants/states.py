"""The states of a participant, which may follow which, milestones, ways of leaving: all as data.

States are those of FHIR R5 ResearchSubject (code system research-subject-state), in its meaning:
who leaves before coming on study is `withdrawn`, who leaves later is `off-study`, with the way of
leaving beside it. States exclude each other; milestones stay true once they happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Words = tuple[str, str]
"""English and Dutch."""


@dataclass(frozen=True)
class State:
    """A state. `stored`: whether somebody can be in it here; before consent nobody is."""

    code: str
    name_en: str
    name_nl: str
    follows: frozenset[str]
    stored: bool = True


def _state(code: str, english: str, dutch: str, follows: str = "", stored: bool = True) -> State:
    return State(code, english, dutch, frozenset(follows.split()), stored)


ENTRY: Final = "entry"
"""Where somebody comes from who was not here before."""

STATES: Final[Mapping[str, State]] = {
    one.code: one
    for one in (
        _state("potential-candidate", "Potential candidate", "Mogelijke kandidaat", stored=False),
        _state("candidate", "Candidate", "Kandidaat", stored=False),
        _state("screening", "Screening", "Screening", ENTRY),
        _state("eligible", "Eligible", "Geschikt", f"{ENTRY} screening"),
        _state(
            "ineligible", "Not eligible", "Niet geschikt", "screening eligible pending-on-study"
        ),
        _state(
            "pending-on-study", "Registration under way", "Inschrijving loopt", f"{ENTRY} eligible"
        ),
        _state(
            "not-registered",
            "Not registered",
            "Niet ingeschreven",
            "screening eligible pending-on-study",
        ),
        _state("on-study", "On study", "In de studie", f"{ENTRY} eligible pending-on-study"),
        _state(
            "on-study-intervention",
            "On study, treatment",
            "In de studie, behandeling",
            "on-study on-study-observation",
        ),
        _state(
            "on-study-observation",
            "On study, observation",
            "In de studie, observatie",
            "on-study on-study-intervention",
        ),
        _state(
            "follow-up",
            "Follow-up",
            "Follow-up",
            "on-study on-study-intervention on-study-observation",
        ),
        _state(
            "off-study",
            "Off study",
            "Uit de studie",
            "on-study on-study-intervention on-study-observation follow-up",
        ),
        _state(
            "withdrawn",
            "Withdrawn before the study",
            "Vóór de studie teruggetrokken",
            "screening eligible pending-on-study",
        ),
    )
}
ON_STUDY: Final = frozenset(
    {"on-study", "on-study-intervention", "on-study-observation", "follow-up", "off-study"}
)
"""Who is or was in one of these has come on study."""
ENDED: Final = frozenset({"ineligible", "not-registered", "off-study", "withdrawn"})
ONLY_BY_LEAVING: Final = frozenset({"withdrawn"})
"""States that nobody is moved to: they come of leaving."""

MILESTONES: Final[Mapping[str, Words]] = {
    "consented": ("Consent signed", "Toestemming getekend"),
    "screened": ("Screened", "Gescreend"),
    "randomised": ("Allocated to an arm", "Toegewezen aan een arm"),
    "treatment_started": ("Treatment began", "Behandeling begonnen"),
    "treatment_ended": ("Treatment ended", "Behandeling afgerond"),
    "primary_endpoint": ("Main outcome measured", "Belangrijkste uitkomst gemeten"),
    "last_visit": ("Last visit", "Laatste bezoek"),
}

CLOSING: Final = frozenset({"treatment_ended", "last_visit"})
"""Milestones that bring nobody further into the study: also for who does not agree any more."""


@dataclass(frozen=True)
class Leaving:
    """A way of leaving. `level`: the level of withdrawal (consent.withdrawing) that it is."""

    code: str
    name_en: str
    name_nl: str
    level: str | None = None


LEAVINGS: Final[Mapping[str, Leaving]] = {
    one.code: one
    for one in (
        Leaving(
            "treatment",
            "Stops the treatment, follow-up goes on",
            "Stopt met de behandeling, follow-up gaat door",
        ),
        Leaving(
            "follow_up",
            "Leaves; what was collected stays in use",
            "Stopt; wat er al is blijft in gebruik",
        ),
        Leaving(
            "data_from_now",
            "Leaves; nothing new may be used",
            "Stopt; er mag niets nieuws worden gebruikt",
            "W2",
        ),
        Leaving(
            "data_all",
            "Leaves; nothing may be used any more",
            "Stopt; er mag niets meer worden gebruikt",
            "W3",
        ),
    )
}

REASONS: Final[Mapping[str, Words]] = {
    "recorded_late": ("Written down later than it happened", "Later opgeschreven dan het gebeurde"),
    "taken_over": ("Taken over from earlier records", "Overgenomen uit eerdere gegevens"),
    "mistake": ("Written down by mistake", "Per ongeluk opgeschreven"),
    "completed": ("As planned", "Volgens plan"),
    "own_wish": ("The participant's wish", "Wens van de deelnemer"),
    "side_effects": ("Side effects", "Bijwerkingen"),
    "progression": ("The disease came back or grew", "De ziekte kwam terug of groeide"),
    "doctor_decided": ("The doctor decided", "De arts besloot"),
    "criteria": ("A criterion was not met", "Een criterium klopte niet"),
    "lost": ("Out of sight", "Uit beeld"),
    "moved": ("Treated at another hospital", "Behandeld in een ander ziekenhuis"),
    "died": ("Died", "Overleden"),
    "other": ("Another reason", "Een andere reden"),
}


def after_leaving(state: str, way: str) -> str | None:
    """The state that leaving brings about; None when one cannot leave so from here.

    The treatment is left only by who may have one. The use of data can be stopped at any time, also
    long after the study; then the state stays.
    """
    if way == "treatment":
        on = ("on-study", "on-study-intervention", "on-study-observation")
        return "follow-up" if state in on else None
    if state in ENDED:
        return state if LEAVINGS[way].level is not None else None
    return "off-study" if state in ON_STUDY else "withdrawn"
