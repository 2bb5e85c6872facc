"""What a step of a hospital asks for: small questions about plain facts, no database.

The facts are gathered by studies/hospitals/facts.py. A guard that is not met is named to people
with its sentence; the step waits until all of its guards are met.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

from studies.hospitals.pathway import Pathway, Step


@dataclass(frozen=True)
class SiteFacts:
    """What is known about a hospital's part in a study on a day.

    `taken` are the states it has been in since it was last invited, `held_from` the state from
    which it was put on hold. `milestones`: kind -> day. `annexes`: department -> "ok", "not_ok" or
    None while it is awaited. `vgo` and `contract`: signed by the board, and valid today.
    `decision` is the outcome of the committee, None without one. `in_force` and `in_use`: kind of
    document -> version. `agreement` is None where no query needs one.
    """

    today: date
    state: str
    pathway: Pathway
    taken: frozenset[str] = frozenset()
    held_from: str | None = None
    interest: bool | None = None
    investigator: str = ""
    gcp_until: date | None = None
    annexes: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    vgo: bool = False
    contract: bool = False
    decision: str | None = None
    conditions_open: int = 0
    milestones: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    in_force: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    in_use: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    agreement: bool | None = None
    archive_until: date | None = None


@dataclass(frozen=True)
class Guard:
    """One thing that must be so before a step: who sees to it, and in words what to do."""

    code: str
    owner: str
    words_nl: str
    words_en: str
    holds: Callable[[SiteFacts, str], bool]

    def words(self, language: str) -> str:
        """What is still to do, in Dutch for "nl", in English otherwise."""
        return self.words_nl if language == "nl" else self.words_en


def _reached(milestone: str) -> Callable[[SiteFacts, str], bool]:
    def holds(facts: SiteFacts, _to: str) -> bool:
        day = facts.milestones.get(milestone)
        return day is not None and day <= facts.today

    return holds


def _gcp(facts: SiteFacts, _to: str) -> bool:
    return facts.gcp_until is not None and facts.gcp_until >= facts.today


def _annexes(facts: SiteFacts, _to: str) -> bool:
    return bool(facts.annexes) and all(said == "ok" for said in facts.annexes.values())


def _versions(facts: SiteFacts, _to: str) -> bool:
    return all(facts.in_use.get(kind) == version for kind, version in facts.in_force.items())


def _held_while_open(facts: SiteFacts, _to: str) -> bool:
    return facts.state != "on_hold" or facts.held_from != "closed_to_accrual"


_ALL: Final = (
    Guard(
        "interest",
        "coordinator",
        "Noteer dat het ziekenhuis mee wil doen.",
        "Note that the hospital is interested.",
        lambda facts, _to: facts.interest is True,
    ),
    Guard(
        "investigator",
        "coordinator",
        "Noem de hoofdonderzoeker van dit ziekenhuis.",
        "Name the principal investigator of this hospital.",
        lambda facts, _to: bool(facts.investigator),
    ),
    Guard(
        "gcp",
        "coordinator",
        "Het GCP-certificaat van de hoofdonderzoeker ontbreekt of is verlopen.",
        "The investigator’s GCP certificate is missing or has ended.",
        _gcp,
    ),
    Guard(
        "annexes",
        "coordinator",
        "Niet elke afdeling die is gevraagd, vindt het goed.",
        "Not every department that was asked agrees.",
        _annexes,
    ),
    Guard(
        "vgo",
        "board",
        "De raad van bestuur moet de geldige VGO tekenen.",
        "The board must sign the valid declaration of suitability (VGO).",
        lambda facts, _to: facts.vgo,
    ),
    Guard(
        "contract",
        "board",
        "De raad van bestuur moet het geldige contract tekenen.",
        "The board must sign the valid contract.",
        lambda facts, _to: facts.contract,
    ),
    Guard(
        "decision",
        "coordinator",
        "Er is nog geen positief besluit van de commissie.",
        "The committee has not decided positively yet.",
        lambda facts, _to: facts.decision in ("positive", "conditions"),
    ),
    Guard(
        "conditions",
        "coordinator",
        "Niet aan elke voorwaarde is voldaan.",
        "Not every condition is met.",
        lambda facts, _to: facts.conditions_open == 0,
    ),
    Guard(
        "initiation_visit",
        "coordinator",
        "Het initiatiebezoek is er nog niet geweest.",
        "The initiation visit has not taken place.",
        _reached("initiation_visit"),
    ),
    Guard(
        "delegation_log",
        "coordinator",
        "De delegatielijst is nog niet compleet.",
        "The delegation log is not complete.",
        _reached("delegation_log"),
    ),
    Guard(
        "versions",
        "coordinator",
        "Het ziekenhuis gebruikt nog niet de versies die nu gelden.",
        "The hospital does not use the versions that are in force.",
        _versions,
    ),
    Guard(
        "agreement",
        "board",
        "Er is geen geldige overeenkomst voor vragen aan de gegevens.",
        "There is no valid agreement for questions to the data.",
        lambda facts, _to: facts.agreement is not False,
    ),
    Guard(
        "green_light",
        "coordinator",
        "De opdrachtgever heeft nog geen groen licht gegeven.",
        "The sponsor has not given the green light.",
        _reached("green_light"),
    ),
    Guard(
        "held_while_open",
        "coordinator",
        "Het ziekenhuis was al gesloten voor nieuwe deelnemers. Kies die stap.",
        "The hospital was closed to accrual before. Choose that step.",
        _held_while_open,
    ),
    Guard(
        "not_twice",
        "coordinator",
        "Deze stap is al gezet.",
        "This step has been taken already.",
        lambda facts, to: to not in facts.taken,
    ),
    Guard(
        "last_visit",
        "coordinator",
        "Noteer het laatste bezoek van de laatste patiënt.",
        "Note the last visit of the last patient.",
        _reached("last_visit"),
    ),
    Guard(
        "close_out_visit",
        "coordinator",
        "Het afsluitend bezoek is er nog niet geweest.",
        "The close-out visit has not taken place.",
        _reached("close_out_visit"),
    ),
    Guard(
        "archive",
        "coordinator",
        "Noteer tot wanneer het archief bewaard blijft.",
        "Note until when the archive is kept.",
        lambda facts, _to: facts.archive_until is not None and facts.archive_until > facts.today,
    ),
)
GUARDS: Final[Mapping[str, Guard]] = {guard.code: guard for guard in _ALL}


def missing(step: Step, facts: SiteFacts) -> tuple[Guard, ...]:
    """The guards of a step that the facts do not meet, in the order of the table."""
    found = (GUARDS[code] for code in step.guards)
    return tuple(guard for guard in found if not guard.holds(facts, step.code))


@dataclass(frozen=True)
class Button:
    """A step that may follow now, with what is still missing; `ready` when nothing is."""

    step: Step
    missing: tuple[Guard, ...]
    needs_reason: bool

    @property
    def ready(self) -> bool:
        """Whether the step can be taken now."""
        return not self.missing


def buttons(facts: SiteFacts) -> tuple[Button, ...]:
    """The steps that may follow the present state, in the order of the road."""
    return tuple(
        Button(step, missing(step, facts), facts.state in step.reason_from)
        for step in facts.pathway.next_from(facts.state)
    )
