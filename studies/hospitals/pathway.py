"""The road of a hospital in a study: the one table of steps.

It drives which step may follow which, what each asks for (studies/hospitals/guards.py), the names
of acts in the audit log, the inputs of reminders, the buttons of a page, the codes of an export,
and the page docs/reference/site-steps.md. The thirteen steps follow the Dutch start-up as it is
(DCRF: VGO since 2021, its revised form since June 2023; contract with suspensive conditions;
committee in parallel).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from studies.errors import StudiesError
from studies.states import PARTICIPATION_STATES, STUDY_KINDS


@dataclass(frozen=True)
class Step:
    """One step: what it may follow, what it asks for, and who takes it.

    `guards` are codes of studies/hospitals/guards.py. `reason_from`: states from which the step
    needs a reason. `dates` are milestones recorded in it, `documents` the kinds that belong to it.
    `fhir` is the status of a research study in FHIR (R4 words), `ctgov` the one of
    ClinicalTrials.gov. `owner` is the role that takes the step. `remind_days`: after so many days
    in the state without a word, somebody is reminded; None where nothing is waited for.
    """

    code: str
    number: int
    name_nl: str
    name_en: str
    follows: frozenset[str]
    fhir: str
    ctgov: str
    owner: str
    guards: tuple[str, ...] = ()
    reason_from: frozenset[str] = frozenset()
    dates: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    remind_days: int | None = 90

    @property
    def action(self) -> str:
        """The name of the act in the audit log."""
        return f"participation.{self.code}"

    def name(self, language: str) -> str:
        """Its name in Dutch for "nl", in English otherwise."""
        return self.name_nl if language == "nl" else self.name_en


_BEFORE_OPEN: Final = frozenset(
    {
        "invited",
        "feasibility",
        "local_review",
        "vgo_signed",
        "contract_signed",
        "approved",
        "initiated",
    }
)
_RUNNING: Final = frozenset({"open", "on_hold", "closed_to_accrual"})

STEPS: Final[tuple[Step, ...]] = (
    Step(
        "invited",
        1,
        "Uitgenodigd",
        "Invited",
        frozenset({"declined"}),
        "in-review",
        "NOT_YET_RECRUITING",
        "coordinator",
        dates=("questionnaire_sent",),
        remind_days=14,
    ),
    Step(
        "declined",
        2,
        "Doet niet mee",
        "Declined",
        _BEFORE_OPEN,
        "withdrawn",
        "WITHDRAWN",
        "coordinator",
        reason_from=_BEFORE_OPEN,
        remind_days=None,
    ),
    Step(
        "feasibility",
        3,
        "Haalbaarheid",
        "Feasibility",
        frozenset({"invited"}),
        "in-review",
        "NOT_YET_RECRUITING",
        "coordinator",
        guards=("interest",),
        dates=("questionnaire_answered",),
        documents=("questionnaire",),
        remind_days=14,
    ),
    Step(
        "local_review",
        4,
        "Lokale toetsing",
        "Local review",
        frozenset({"feasibility"}),
        "in-review",
        "NOT_YET_RECRUITING",
        "coordinator",
        guards=("investigator", "gcp"),
        documents=("gcp", "cv", "annex"),
    ),
    Step(
        "vgo_signed",
        5,
        "VGO getekend",
        "Site suitability declared (VGO)",
        frozenset({"local_review", "contract_signed"}),
        "in-review",
        "NOT_YET_RECRUITING",
        "board",
        guards=("not_twice", "annexes", "vgo"),
        documents=("vgo",),
    ),
    Step(
        "contract_signed",
        6,
        "Contract getekend",
        "Contract signed",
        frozenset({"local_review", "vgo_signed"}),
        "in-review",
        "NOT_YET_RECRUITING",
        "board",
        guards=("not_twice", "contract"),
        documents=("contract", "insurance"),
    ),
    Step(
        "approved",
        7,
        "Goedgekeurd",
        "Approved",
        frozenset({"vgo_signed", "contract_signed"}),
        "approved",
        "NOT_YET_RECRUITING",
        "coordinator",
        guards=("vgo", "contract", "decision", "conditions"),
        documents=("decision",),
    ),
    Step(
        "initiated",
        8,
        "Geïnitieerd",
        "Initiated",
        frozenset({"approved"}),
        "approved",
        "NOT_YET_RECRUITING",
        "coordinator",
        guards=("initiation_visit", "delegation_log", "versions"),
        dates=("initiation_visit", "delegation_log"),
        documents=("delegation_log", "initiation_report"),
    ),
    Step(
        "open",
        9,
        "Open",
        "Open",
        frozenset({"initiated", "on_hold"}),
        "active",
        "RECRUITING",
        "coordinator",
        guards=("held_while_open", "versions", "agreement", "green_light"),
        dates=("green_light",),
    ),
    Step(
        "on_hold",
        10,
        "Tijdelijk gestopt",
        "On hold",
        frozenset({"open", "closed_to_accrual"}),
        "temporarily-closed-to-accrual",
        "SUSPENDED",
        "coordinator",
        reason_from=frozenset({"open", "closed_to_accrual"}),
    ),
    Step(
        "closed_to_accrual",
        11,
        "Gesloten voor nieuwe deelnemers",
        "Closed to accrual",
        frozenset({"open", "on_hold"}),
        "closed-to-accrual",
        "ACTIVE_NOT_RECRUITING",
        "coordinator",
        reason_from=frozenset({"open"}),
        dates=("last_visit",),
    ),
    Step(
        "follow_up_done",
        12,
        "Nacontrole klaar",
        "Follow-up done",
        frozenset({"closed_to_accrual"}),
        "closed-to-accrual-and-intervention",
        "ACTIVE_NOT_RECRUITING",
        "coordinator",
        guards=("last_visit",),
        dates=("close_out_visit",),
    ),
    Step(
        "closed",
        13,
        "Afgesloten",
        "Closed",
        frozenset({"follow_up_done"}) | _RUNNING,
        "completed",
        "COMPLETED",
        "coordinator",
        guards=("close_out_visit", "archive"),
        reason_from=_RUNNING,
        documents=("close_out_report",),
        remind_days=None,
    ),
)
BY_CODE: Final[Mapping[str, Step]] = {step.code: step for step in STEPS}

# What may be recorded within a step, with the day it happened.
MILESTONES: Final[Mapping[str, tuple[str, str]]] = {
    "questionnaire_sent": ("Questionnaire sent", "Vragenlijst verstuurd"),
    "questionnaire_answered": ("Questionnaire answered", "Vragenlijst beantwoord"),
    "initiation_visit": ("Initiation visit", "Initiatiebezoek"),
    "delegation_log": ("Delegation log complete", "Delegatielijst compleet"),
    "green_light": ("Green light", "Groen licht"),
    "last_visit": ("Last visit of the last patient", "Laatste bezoek van de laatste patiënt"),
    "close_out_visit": ("Close-out visit", "Afsluitend bezoek"),
}

# Steps that no network can leave out: without them a study could not begin, pause or end.
ALWAYS: Final = frozenset({"invited", "declined", "approved", "open", "on_hold", "closed"})


@dataclass(frozen=True)
class Pathway:
    """The road of one kind of study in one network: its steps, with what each may follow here."""

    kind: str
    steps: tuple[Step, ...]
    gone: frozenset[str] = frozenset()

    def step(self, code: str) -> Step:
        """The step of a state; one that this road leaves out is given as the table has it."""
        return next((step for step in self.steps if step.code == code), BY_CODE[code])

    def has(self, code: str) -> bool:
        """Whether the step is on this road."""
        return any(step.code == code for step in self.steps)

    @property
    def asks_departments(self) -> bool:
        """Whether departments look at a study of this road."""
        return any("annex" in step.documents or "annexes" in step.guards for step in self.steps)

    def next_from(self, state: str) -> tuple[Step, ...]:
        """The steps that may follow a state, in the order of the road.

        A hospital may stand in a step that its network left out later; it goes on from there.
        """
        if state in self.gone:
            there = self.gone - {state}
            return tuple(
                s for s in self.steps if state in _follows(BY_CODE[s.code], there, self.kind)
            )
        return tuple(step for step in self.steps if state in step.follows)

    def allows(self, state: str, to: str) -> bool:
        """Whether `to` may follow `state`; what it asks for is another matter."""
        return any(step.code == to for step in self.next_from(state))

    def forward(self, state: str) -> Step | None:
        """The step that usually comes next, None at the end of the road."""
        if state == "on_hold":
            return self.step("open")
        if state == "declined":
            return None
        usual = [s for s in self.next_from(state) if s.code not in ("declined", "on_hold")]
        later = [s for s in usual if s.number > BY_CODE[state].number]
        # With the VGO and the contract in either order, the one that came first leads to the other.
        return next(iter(later or usual), None)

    def leads(self, state: str, to: str) -> bool:
        """Whether some road leads from one state to another one, or back to it."""
        seen: set[str] = set()
        ahead = [state]
        while ahead:
            for step in self.next_from(ahead.pop()):
                if step.code not in seen:
                    seen.add(step.code)
                    ahead.append(step.code)
        return to in seen


# What each kind of study leaves out of the thirteen, and the guards that it does not have.
# A study with existing data takes the short road; its hospitals may stop at any moment.
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "wmo": frozenset(),
    "nwmo": frozenset({"vgo_signed"}),
    "data": frozenset(
        {
            "local_review",
            "vgo_signed",
            "contract_signed",
            "initiated",
            "closed_to_accrual",
            "follow_up_done",
        }
    ),
}
_WITHOUT_GUARDS: Final[Mapping[str, frozenset[str]]] = {
    "wmo": frozenset(),
    "nwmo": frozenset({"vgo"}),
    "data": frozenset(
        {
            "interest",
            "vgo",
            "contract",
            "decision",
            "conditions",
            "green_light",
            "close_out_visit",
            "archive",
        }
    ),
}
# A guard that belongs to a step goes when a network leaves that step out.
_GUARD_OF: Final[Mapping[str, str]] = {"vgo": "vgo_signed", "contract": "contract_signed"}


def pathway(kind: str, left_out: Iterable[str] = ()) -> Pathway:
    """The road of a kind of study, without the steps that a network leaves out.

    Raises StudiesError `unknown_kind`, `unknown_step`, `step_needed`.
    """
    return _pathway(kind, frozenset(left_out))


@cache
def _pathway(kind: str, left_out: frozenset[str]) -> Pathway:
    if kind not in STUDY_KINDS:
        raise StudiesError("unknown_kind")
    if not left_out <= set(PARTICIPATION_STATES):
        raise StudiesError("unknown_step")
    if left_out & ALWAYS:
        raise StudiesError("step_needed")
    gone = _LEFT_OUT[kind] | left_out
    without = _WITHOUT_GUARDS[kind] | {g for g, step in _GUARD_OF.items() if step in gone}
    steps = (
        replace(
            step,
            follows=_follows(step, gone, kind),
            guards=tuple(guard for guard in step.guards if guard not in without),
            reason_from=frozenset()
            if kind == "data" and step.code == "closed"
            else step.reason_from,
        )
        for step in STEPS
        if step.code not in gone
    )
    return Pathway(kind, tuple(steps), gone)


def _follows(step: Step, gone: frozenset[str], kind: str) -> frozenset[str]:
    """What a step may follow when steps are left out: what those followed takes their place.

    Not when the left-out step stands beside another that is still there, such as the VGO beside the
    contract: the road goes on by way of the other, not around it.
    """
    there = step.follows - gone
    found = set(there)
    ahead = [code for code in step.follows & gone if not _beside(code) & there]
    seen = set(ahead)
    while ahead:
        before = BY_CODE[ahead.pop()].follows
        found |= before - gone - {step.code}
        ahead += before & gone - seen
        seen |= before & gone
    if kind == "data" and step.code == "closed":
        found |= {"invited", "feasibility", "approved"} - gone
    return frozenset(found)


def _beside(code: str) -> frozenset[str]:
    return frozenset(other for other in BY_CODE[code].follows if code in BY_CODE[other].follows)
