"""Runs that belong to an approved round: submitted and approved in one go, under its plan.

The committee approved the frozen plan, with every question in it; so the run carries that approval.
It is kept from every reader until the round is released (federation/runs/embargo.py), and its audit
lines come then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from federation.runs import embargo, envelope, service
from federation.runs.models import Run, RunProgress, RunReply, RunSite
from federation.runs.states import APPROVED, CANCELLED, FINAL
from studies.actor import SYSTEM, Actor
from studies.events import announce


@dataclass(frozen=True)
class Approval:
    """Who planned a round, who approved its plan and when. Times in UTC."""

    round_id: str
    plan_sha256: str
    planned_by: str
    planned_by_name: str
    by: str
    by_name: str
    at: datetime


def submit(
    session: Session,
    *,
    query: Mapping[str, Any],
    study: str,
    place: str,
    under: Approval,
    now: datetime,
) -> Run:
    """The run of a place in a round, approved; the same run for the same place, ever.

    Raises RunError (STUDY_NOT_FOUND, STUDY_NOT_OPEN, NO_SITES, OUTPUT_NOT_ALLOWED, NO_FORM) or
    QueryError when it cannot be asked now.
    """
    there = session.scalar(select(Run).where(Run.planned == place))
    if there is not None:
        return there
    found, parsed = service.check(session, query, study)
    planner = Actor("user", under.planned_by, name=under.planned_by_name)
    run = service.stored(found, parsed, planner, now)
    run.round_id, run.planned, run.embargoed = under.round_id, place, True
    run.state = APPROVED
    run.decided_by, run.decided_by_name, run.decided_at = under.by, under.by_name, under.at
    session.add(run)
    session.flush()
    session.add(RunProgress(run_id=run.id))
    session.flush()
    embargo.silently(session, run)
    return run


@dataclass(frozen=True)
class UnderWay:
    """Runs of a round that are not finished. ``looking``: those of them that the hospitals have not
    been asked a first number of, so that none counts them among its answers yet."""

    all: int = 0
    looking: int = 0


def under_way(session: Session) -> dict[str, UnderWay]:
    """How many runs of each round are not finished. Needs a seeing session."""
    looking = case((func.coalesce(RunProgress.step, 0) < 1, 1), else_=0)
    counted = (
        select(Run.round_id, func.count(), func.sum(looking))
        .outerjoin(RunProgress, RunProgress.run_id == Run.id)
        .where(Run.state.not_in(FINAL), Run.round_id.is_not(None))
        .group_by(Run.round_id)
    )
    return {row[0]: UnderWay(row[1], int(row[2])) for row in session.execute(counted)}


def forget(session: Session, run: Run, now: datetime) -> None:
    """A hospital left, or the round was cancelled: nobody will ever see what this run gave.

    Its numbers are removed; what it left for the auditor of histories stays, because the hospitals
    remember it as answered.
    """
    if run.state not in FINAL:
        service.end(session, run, CANCELLED, "CANCELLED", now)
    else:
        query = service.query_of(run)
        empty = envelope.withheld(
            run.id,
            CANCELLED,
            "CANCELLED",
            query,
            sites=envelope.site_report(len(run.roster or {}), 0),
        )
        session.execute(
            update(Run)
            .where(Run.id == run.id)
            .values(state=CANCELLED, code="CANCELLED", outcome=empty)
            .execution_options(synchronize_session=False)
        )
        session.refresh(run)
    for table in (RunReply, RunSite):
        for row in session.scalars(select(table).where(table.run_id == run.id)):
            session.delete(row)
    session.flush()
    embargo.silently(session, run)


def replace_outcome(
    session: Session, run: Run, outcome: Mapping[str, Any], out: Collection[str]
) -> None:
    """Keep an answer without hospitals ``out``, before anybody saw it; their replies go."""
    session.execute(
        update(Run)
        .where(Run.id == run.id, Run.embargoed.is_(True))
        .values(outcome=dict(outcome))
        .execution_options(synchronize_session=False)
    )
    session.refresh(run)
    gone = select(RunReply).where(RunReply.run_id == run.id, RunReply.site.in_(sorted(out)))
    for reply in session.scalars(gone):
        session.delete(reply)
    session.flush()
    embargo.silently(session, run)


def tell(session: Session, run: Run) -> None:
    """Write the audit line of a run that nobody was told of, when its round is released."""
    announce(
        session,
        actor=SYSTEM,
        action=f"run.{run.state}",
        about=f"run:{run.id}",
        facts={"study": run.study, **embargo.held_facts(run)},
    )
