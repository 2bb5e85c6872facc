"""How a study stands, worked out from what was decided and how far its hospitals are.

Nobody types it. `study.state` (draft, open, closed) is the short form of it, kept so that other
questions can ask for it; every command that changes what it follows from writes it anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.hospitals.models import StudyEvent, StudyFeasibility
from studies.hospitals.verdict import DATA_ACCESS, last_words, verdict
from studies.models import Study
from studies.states import PARTICIPATION_ENDED

# Standing -> short form, and the word in English and Dutch.
STANDINGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "draft": ("draft", "Being prepared", "In voorbereiding"),
    "idea": ("draft", "Idea", "Idee"),
    "feasibility": ("draft", "Feasibility", "Haalbaarheid"),
    "joint": ("draft", "Joint study", "Gezamenlijke studie"),
    "refused": ("draft", "Refused by the committee", "Afgewezen door de commissie"),
    "suspended": ("closed", "Approval withdrawn", "Goedkeuring ingetrokken"),
    "approved": ("open", "Approved, no hospital open yet", "Goedgekeurd, nog geen ziekenhuis open"),
    "recruiting": ("open", "Open for participants", "Open voor deelnemers"),
    "on_hold": ("open", "On hold everywhere", "Overal tijdelijk gestopt"),
    "closed_to_accrual": ("open", "Closed to accrual", "Gesloten voor nieuwe deelnemers"),
    "follow_up_done": ("open", "Follow-up done", "Nacontrole klaar"),
    "completed": ("closed", "Completed", "Afgerond"),
    "terminated": ("closed", "Stopped early", "Voortijdig gestopt"),
}
RUNNING: Final = frozenset({"open", "on_hold", "closed_to_accrual", "follow_up_done"})
# What a study as a whole goes through; the last word of each is what counts.
EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "proposed": ("Proposed by the group", "Voorgesteld door de groep"),
    "joint": ("Made a joint study", "Tot gezamenlijke studie gemaakt"),
    "opened": ("Allowed by data access", "Toegelaten door datatoegang"),
    "ended": ("Ended", "Beëindigd"),
}


@dataclass(frozen=True)
class StudyFacts:
    """What the standing follows from: the kind of study, its events, what all bodies together said
    (studies/hospitals/verdict.py, None while one that it needs was not heard), whether patients
    were counted for it, and the states of its hospitals."""

    kind: str
    events: frozenset[str]
    decision: str | None
    counted: bool
    sites: tuple[str, ...]


def derive(facts: StudyFacts) -> str:
    """The standing of a study: one of STANDINGS."""
    taking_part = [state for state in facts.sites if state not in PARTICIPATION_ENDED]
    finished = "closed" in facts.sites and not taking_part
    if "ended" in facts.events or finished:
        return "completed" if finished else "terminated"
    if facts.decision in ("negative", "withdrawn"):
        return "suspended" if RUNNING & set(facts.sites) else "refused"
    if facts.decision is None and not (facts.kind == "data" and "opened" in facts.events):
        return _before(facts)
    for state, standing in (
        ("open", "recruiting"),
        ("on_hold", "on_hold"),
        ("closed_to_accrual", "closed_to_accrual"),
    ):
        if state in taking_part:
            return standing
    if taking_part and set(taking_part) == {"follow_up_done"}:
        return "follow_up_done"
    return "approved"


def _before(facts: StudyFacts) -> str:
    if "joint" in facts.events:
        return "joint"
    if facts.counted:
        return "feasibility"
    return "idea" if "proposed" in facts.events else "draft"


def short(standing: str) -> str:
    """The short form of a standing: draft, open or closed."""
    return STANDINGS[standing][0]


def facts_of(session: Session, study: Study) -> StudyFacts:
    """What is known about a study."""
    found = session.scalars(select(StudyEvent.kind).where(StudyEvent.study == study.slug))
    events = frozenset(found)
    said = {row.body: row.outcome for row in last_words(session, study.slug)}
    if study.kind == "data" and "opened" in events:
        # "Allowed by data access", before the hub knew; its first word here takes that one's place.
        said.setdefault(DATA_ACCESS, "positive")
    decision = verdict(study.kind, study.asks_data, said)
    counted = session.scalars(
        select(StudyFeasibility.run_id).where(StudyFeasibility.study == study.slug).limit(1)
    ).first()
    sites = tuple(part.state for part in study.participations)
    return StudyFacts(study.kind, events, decision, counted is not None, sites)


def standing_of(session: Session, study: Study) -> str:
    """The standing of a study now."""
    return derive(facts_of(session, study))


def refresh(session: Session, study: Study) -> str:
    """Write the short form anew after something changed that it follows from; the standing."""
    session.flush()
    standing = standing_of(session, study)
    if study.state != short(standing):
        study.state = short(standing)
        session.flush()
        # By nobody: it follows from what somebody did, which is announced for itself.
        announce(
            session,
            actor=SYSTEM,
            action=f"study.now_{study.state}",
            about=f"study:{study.slug}",
            facts={"standing": standing},
        )
    return standing


def write_event(
    session: Session,
    study: Study,
    kind: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    note_code: str | None = None,
) -> StudyEvent:
    """Append one of EVENTS to a study; the caller announces what it means."""
    count = session.scalar(
        select(func.max(StudyEvent.number)).where(StudyEvent.study == study.slug)
    )
    event = StudyEvent(
        study=study.slug,
        number=(count or 0) + 1,
        kind=kind,
        at=now if at is None else at,
        recorded_at=now,
        by=actor.id,
        note_code=note_code,
    )
    session.add(event)
    session.flush()
    return event
