"""Commands: what is done at a hospital between two steps. Each counts one change of its part."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import Fact, announce
from studies.free_text import one_line, optional_line
from studies.hospitals.change import begin_change
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.facts import (
    COMMITTEE,
    CONTRACT,
    conditions_of,
    milestones_of,
    road_of_study,
)
from studies.hospitals.models import (
    SiteAnnex,
    SiteCondition,
    SiteMilestone,
    SitePlan,
    StudyDocument,
)
from studies.hospitals.pathway import MILESTONES
from studies.hospitals.verdict import last_words
from studies.models import Participation
from studies.states import NOTE_CODES

OUTCOMES: Final = ("ok", "not_ok")


def answer_invitation(
    session: Session,
    part: Participation,
    *,
    interest: bool,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
    expected_per_year: int | None = None,
) -> Participation:
    """Note whether a hospital is interested, and how many patients a year it expects.

    Raises StudiesError `changed_meanwhile`, `step_not_allowed` when it is past that question,
    `bad_count`.
    """
    begin_change(session, part, expected)
    if part.state not in ("invited", "feasibility"):
        raise StudiesError("step_not_allowed")
    if expected_per_year is not None and expected_per_year < 0:
        raise StudiesError("bad_count")
    part.interest, part.confirmed_at = interest, now
    if expected_per_year is not None:
        part.expected_per_year = expected_per_year
    _done(session, part, actor, "answered", {"interest": int(interest)})
    return part


def describe_site(
    session: Session,
    part: Participation,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
    contact: str = "",
    investigator: str = "",
    gcp_until: date | None = None,
    insurance_until: date | None = None,
    answer_due: date | None = None,
    archive_until: date | None = None,
) -> Participation:
    """Who is responsible at a hospital and until when papers hold: all of it as it now is.

    Raises StudiesError `changed_meanwhile`, `bad_name` for more than 200 characters,
    `control_sign`, `points_at_somebody`.
    """
    begin_change(session, part, expected)
    words = [" ".join(text.split()) for text in (contact, investigator)]
    if max(map(len, words)) > 200:
        raise StudiesError("bad_name")
    part.contact, part.investigator = (optional_line(each, 200, now) for each in words)
    part.gcp_until, part.insurance_until = gcp_until, insurance_until
    part.answer_due, part.archive_until = answer_due, archive_until
    part.confirmed_at = now
    _done(session, part, actor, "described", {})
    return part


def confirm_state(
    session: Session,
    part: Participation,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> Participation:
    """Say that the state is still the right one. Raises StudiesError `changed_meanwhile`."""
    begin_change(session, part, expected)
    part.confirmed_at = now
    _done(session, part, actor, "confirmed", {"state": part.state})
    return part


def plan_step(
    session: Session,
    part: Participation,
    step: str,
    planned: date | None,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> None:
    """Plan a step for a day, or with None for no day.

    Raises StudiesError `changed_meanwhile`, `unknown_step`.
    """
    begin_change(session, part, expected)
    if not road_of_study(session, part.of_study).has(step):
        raise StudiesError("unknown_step")
    plan = session.get(SitePlan, (part.id, step))
    if planned is None:
        if plan is not None:
            session.delete(plan)
    elif plan is None:
        session.add(
            SitePlan(
                participation_id=part.id, step=step, planned=planned, set_by=actor.id, set_at=now
            )
        )
    else:
        plan.planned, plan.set_by, plan.set_at = planned, actor.id, now
    day = None if planned is None else planned.isoformat()
    _done(session, part, actor, "planned", {"step": step, "day": day})


def record_milestone(
    session: Session,
    part: Participation,
    kind: str,
    day: date,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    expected: int | None = None,
) -> SiteMilestone:
    """Write down when something happened; the row before it stays, and another day needs a reason.

    Raises StudiesError `changed_meanwhile`, `unknown_code`, `in_the_future`, `reason_needed`,
    `unknown_note`.
    """
    begin_change(session, part, expected)
    if kind not in MILESTONES:
        raise StudiesError("unknown_code")
    if day > local_day(now):
        raise StudiesError("in_the_future")
    if reason is not None and reason not in NOTE_CODES:
        raise StudiesError("unknown_note")
    if reason is None and milestones_of(session, part).get(kind, day) != day:
        raise StudiesError("reason_needed")
    count = session.scalar(
        select(func.max(SiteMilestone.number)).where(SiteMilestone.participation_id == part.id)
    )
    row = SiteMilestone(
        participation_id=part.id,
        number=(count or 0) + 1,
        kind=kind,
        day=day,
        recorded_at=now,
        by=actor.id,
        note_code=reason,
    )
    session.add(row)
    facts: dict[str, Fact] = {"kind": kind, "day": day.isoformat(), "note": reason}
    _done(session, part, actor, "milestone", facts)
    return row


def request_annex(
    session: Session,
    part: Participation,
    department: str,
    *,
    requested: date,
    actor: Actor,
    now: datetime,
    due: date | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> SiteAnnex:
    """Ask a department for its annex; asking again takes its earlier answer away, a no with a
    reason only. What it said before stays in the audit log.

    Raises StudiesError `changed_meanwhile`, `unknown_code`, `unknown_step` (no department looks at
    a study of this road), `in_the_future`, `bad_period`, `reason_needed`, `unknown_note`.
    """
    begin_change(session, part, expected)
    if department not in DEPARTMENTS:
        raise StudiesError("unknown_code")
    if not road_of_study(session, part.of_study).asks_departments:
        raise StudiesError("unknown_step")
    if requested > local_day(now):
        raise StudiesError("in_the_future")
    if due is not None and due < requested:
        raise StudiesError("bad_period")
    annex = session.get(SiteAnnex, (part.id, department))
    if annex is None:
        annex = SiteAnnex(participation_id=part.id, department=department, requested=requested)
        session.add(annex)
    facts: dict[str, Fact] = {"department": department, **_instead(annex.outcome, None, reason)}
    annex.requested, annex.due = requested, due
    annex.received = annex.outcome = annex.document_id = None
    _done(session, part, actor, "annex_requested", facts)
    return annex


def receive_annex(
    session: Session,
    part: Participation,
    department: str,
    outcome: str,
    *,
    received: date,
    actor: Actor,
    now: datetime,
    document_id: str | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> SiteAnnex:
    """Write down what a department said: "ok" or "not_ok"; a yes after a no needs a reason.

    Raises StudiesError `changed_meanwhile`, `unknown_code`, `not_found` (not asked, or not a
    document of this hospital), `in_the_future`, `bad_period`, `reason_needed`, `unknown_note`.
    """
    begin_change(session, part, expected)
    if outcome not in OUTCOMES:
        raise StudiesError("unknown_code")
    annex = session.get(SiteAnnex, (part.id, department))
    if annex is None:
        raise StudiesError("not_found")
    if received > local_day(now):
        raise StudiesError("in_the_future")
    if received < annex.requested:
        raise StudiesError("bad_period")
    if document_id is not None:
        document = session.get(StudyDocument, document_id)
        own = (part.study, part.institution)
        if document is None or (document.study, document.institution) != own:
            raise StudiesError("not_found")
    facts: dict[str, Fact] = {
        "department": department,
        "outcome": outcome,
        **_instead(annex.outcome, outcome, reason),
    }
    annex.received, annex.outcome, annex.document_id = received, outcome, document_id
    _done(session, part, actor, "annex_received", facts)
    return annex


def add_condition(
    session: Session,
    part: Participation,
    words: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> SiteCondition:
    """A suspensive condition of the contract. Raises StudiesError `changed_meanwhile`,
    `unknown_step` (a road without a contract), `empty_text`, `control_sign`,
    `points_at_somebody`."""
    begin_change(session, part, expected)
    if not road_of_study(session, part.of_study).has("contract_signed"):
        raise StudiesError("unknown_step")
    text = one_line(words[:300], 300, now)
    count = session.scalar(
        select(func.max(SiteCondition.number)).where(
            SiteCondition.participation_id == part.id, SiteCondition.source == CONTRACT
        )
    )
    row = SiteCondition(
        participation_id=part.id, source=CONTRACT, number=(count or 0) + 1, words=text
    )
    session.add(row)
    _done(session, part, actor, "condition_added", {"number": row.number})
    return row


def meet_condition(
    session: Session,
    part: Participation,
    source: str,
    number: int,
    met: date,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    expected: int | None = None,
) -> None:
    """Tick a condition off, of the contract or of a committee; another day needs a reason.

    Raises StudiesError `changed_meanwhile`, `not_found`, `in_the_future`, `reason_needed`,
    `unknown_note`.
    """
    begin_change(session, part, expected)
    if met > local_day(now):
        raise StudiesError("in_the_future")
    if reason is not None and reason not in NOTE_CODES:
        raise StudiesError("unknown_note")
    lines = conditions_of(session, part, last_words(session, part.study))
    line = next((each for each in lines if (each.source, each.number) == (source, number)), None)
    if line is None:
        raise StudiesError("not_found")
    if line.met not in (None, met) and reason is None:
        raise StudiesError("reason_needed")
    rows = session.scalars(
        select(SiteCondition).where(
            SiteCondition.participation_id == part.id, SiteCondition.source == source
        )
    ).all()
    # One of a committee is known by its words: its number moves when a body decides again.
    mine = [row for row in rows if row.words == line.words and source == COMMITTEE]
    mine += [row for row in rows if row.number == number and source == CONTRACT]
    if mine:
        row = mine[0]
    else:
        free = max((row.number for row in rows), default=0) + 1
        row = SiteCondition(participation_id=part.id, source=COMMITTEE, number=free)
        session.add(row)
    row.words, row.met, row.met_by = line.words, met, actor.id
    facts: dict[str, Fact] = {"source": source, "number": number}
    if line.met not in (None, met):
        facts |= {"before": line.met.isoformat() if line.met else None, "note": reason}
    _done(session, part, actor, "condition_met", facts)


def _instead(before: str | None, now: str | None, reason: str | None) -> dict[str, Fact]:
    """What an earlier answer of a department was, for the audit log; a no goes by a reason only."""
    if reason is not None and reason not in NOTE_CODES:
        raise StudiesError("unknown_note")
    if before is None or before == now:
        return {}
    if before == "not_ok" and reason is None:
        raise StudiesError("reason_needed")
    return {"before": before, "note": reason}


def _done(
    session: Session, part: Participation, actor: Actor, what: str, facts: Mapping[str, Fact]
) -> None:
    session.flush()
    announce(
        session,
        actor=actor,
        action=f"participation.{what}",
        about=f"study:{part.study}",
        facts={"institution": part.institution, **facts},
    )
