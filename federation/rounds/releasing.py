"""The release: at the agreed moment, to everybody at once, in one transaction, by the hub itself.

Nobody can do it earlier: `release` refuses before the moment of the plan, whoever calls it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federation.indicators.definition import Indicator
from federation.query.codebook import Codebook
from federation.rounds import states
from federation.rounds.answers import SMALL, Answer
from federation.rounds.coverage import able
from federation.rounds.errors import RoundError
from federation.rounds.events import happened, move
from federation.rounds.findings import finding_of
from federation.rounds.models import EvaluationRound, RoundPart, RoundQuestion, RoundSnapshot
from federation.rounds.plan import Plan, iso
from federation.rounds.planning import plan_of
from federation.rounds.running import current, parts_of
from federation.rounds.snapshot import About, Asked, Hospital, IndicatorFinding, Snapshot
from federation.rounds.strata import strata_of
from federation.rounds.without import silent_in, without
from federation.runs import embargo, matching, planned
from federation.runs.models import Run
from studies.actor import SYSTEM
from studies.models import Institution, Study, WorkingGroup

log = logging.getLogger("oncokring.rounds")


def due(row: EvaluationRound, now: datetime) -> bool:
    """Whether a round may be released now."""
    return row.state == states.READY and row.release_at <= now


def release(session: Session, row: EvaluationRound, now: datetime) -> Snapshot:
    """Lock what was found and let everybody see it. Needs a seeing session.

    Raises RoundError NOT_RELEASED before the agreed moment or while answers are missing.
    """
    if not due(row, now):
        raise RoundError("NOT_RELEASED")
    made = plan_of(session, row)
    _take_out(session, row)
    if row.kind == "strata":
        snapshot = _with_strata(session, row, made)
        home = session.get_one(EvaluationRound, row.parent)
    else:
        snapshot, home = _made(session, row, made, now), row
    move(session, row, states.RELEASED, released_at=now)
    keep(session, home, snapshot, now)
    embargo.lift(session, row.id, now)
    for run in session.scalars(select(Run).where(Run.round_id == row.id).order_by(Run.id)):
        session.refresh(run)
        planned.tell(session, run)
    matching.tell(session, row.id)
    gone = [part for part in parts_of(session, row).values() if part.state != states.IN]
    for part in gone:
        happened(
            session,
            row,
            "hospital_out",
            SYSTEM,
            now,
            site=part.site,
            state=part.state,
            why=part.why,
        )
    happened(session, row, "released", SYSTEM, now, snapshot=snapshot.sha256)
    return snapshot


def _take_out(session: Session, row: EvaluationRound) -> None:
    """Before anybody sees them: the numbers of hospitals that left, and what was worked out with
    them, in the answers that the hub keeps."""
    left = {site for site, part in parts_of(session, row).items() if part.state == states.LEFT}
    for question in current(session, row):
        run = None if question.run_id is None else session.get(Run, question.run_id)
        if run is None or run.outcome is None:
            continue
        out = left & set(question.sites) | silent_in(run.outcome)
        if out:
            planned.replace_outcome(session, run, without(run.outcome, out), out)


def keep(session: Session, row: EvaluationRound, snapshot: Snapshot, now: datetime) -> None:
    """Store a snapshot as the next one of its round."""
    last = session.scalar(
        select(func.max(RoundSnapshot.number)).where(RoundSnapshot.round_id == row.id)
    )
    session.add(
        RoundSnapshot(
            round_id=row.id,
            number=(last or 0) + 1,
            sha256=snapshot.sha256,
            body=snapshot.to_json(),
            made_at=now,
        )
    )
    session.flush()


def newest(session: Session, row: EvaluationRound) -> Snapshot | None:
    """The snapshot of a round with what was added last; None before its release."""
    kept = session.scalars(
        select(RoundSnapshot)
        .where(RoundSnapshot.round_id == row.id)
        .order_by(RoundSnapshot.number.desc())
        .limit(1)
    ).first()
    return None if kept is None else Snapshot.from_json(kept.body)


def _made(session: Session, row: EvaluationRound, made: Plan, now: datetime) -> Snapshot:
    parts = parts_of(session, row)
    indicators = tuple(
        _found(session, row, made, place, parts) for place in range(len(made.indicators))
    )
    group = session.get_one(WorkingGroup, row.group_id)
    return Snapshot(
        round=About(
            id=row.id,
            number=row.number,
            title=dict(made.title),
            group=f"{group.network}.{group.slug}",
            network=row.network,
            study=row.study,
            period=made.period.to_dict(),
            frozen_at=iso(row.started_at or row.freeze_at),
            released_at=iso(now),
            names=made.names,
            previous=row.previous,
            kind=row.kind,
            parent=row.parent,
        ),
        hospitals=_hospitals(session, parts, indicators),
        indicators=indicators,
        duplicates=matching.duplicates(
            session,
            study=row.study,
            sites=[site for site, part in parts.items() if part.state == states.IN],
            roles={each.role for each in made.indicators},
        ),
    )


def _hospitals(
    session: Session, parts: dict[str, RoundPart], indicators: tuple[IndicatorFinding, ...]
) -> tuple[Hospital, ...]:
    names: dict[str, str] = {
        slug: name
        for slug, name in session.execute(
            select(Institution.slug, Institution.name).where(Institution.slug.in_(parts))
        )
    }
    answered = {row.site for each in indicators for row in each.rows if row.n is not None}
    found = []
    for site, part in sorted(parts.items()):
        state: Any = part.state
        if state in (states.SILENT, states.REFUSED) and site in answered:
            state = states.IN  # for some indicators it did answer; their rows say for which not
        hidden = {r.hidden for each in indicators for r in each.rows if r.site == site}
        if state == states.IN and hidden == {states.NO_DATA}:
            state = states.NO_DATA
        found.append(Hospital(site, names.get(site, site), part.letter, state, part.why))
    return tuple(found)


def _found(
    session: Session,
    row: EvaluationRound,
    made: Plan,
    place: int,
    parts: dict[str, RoundPart],
) -> IndicatorFinding:
    answers = answers_of(session, row, place)
    names = {
        slug: name
        for slug, name in session.execute(
            select(Institution.slug, Institution.name).where(Institution.slug.in_(parts))
        )
    }
    indicator, out = (
        made.indicators[place],
        {site: _why_out(site, part, answers) for site, part in parts.items()},
    )
    try:
        found = finding_of(indicator, answers, out=out, period=made.period, names=names)
        return _with_who_has_no_data(session, row, indicator, found)
    except (ArithmeticError, ValueError, LookupError, TypeError) as error:
        # One answer that makes no sense must not keep the others from everybody.
        log.error("an indicator could not be worked out: %s", type(error).__name__)
        nothing = finding_of(indicator, {}, out=out, period=made.period, names=names)
        return replace(nothing, code="FAILED")


def _with_who_has_no_data(
    session: Session, row: EvaluationRound, indicator: Indicator, found: IndicatorFinding
) -> IndicatorFinding:
    """A hospital that does not record what is asked added nobody, as one with too few patients did;
    by what it said of its data before, readers are told which."""
    study = session.get_one(Study, row.study)
    few = [each.site for each in found.rows if each.hidden == SMALL and each.n is None]
    lacking = set(few) - set(able(session, study, indicator, few))
    return replace(
        found,
        rows=tuple(
            replace(each, hidden=states.NO_DATA) if each.site in lacking else each
            for each in found.rows
        ),
        hidden=tuple(
            {**each, "why": states.NO_DATA} if each["site"] in lacking else each
            for each in found.hidden
        ),
    )


def _why_out(site: str, part: RoundPart, answers: dict[str, Answer]) -> str:
    """Why a hospital is not among those of an indicator, if it is not."""
    if part.state != states.IN:
        return part.state
    return states.REFUSED if any(site in each.gave_up for each in answers.values()) else "no_data"


def answers_of(session: Session, row: EvaluationRound, place: int) -> dict[str, Answer]:
    """What the questions of one indicator gave, by role (and level)."""
    rosters: dict[str, set[str]] = {}
    for each in _every(session, row, place):
        rosters.setdefault(each.role, set()).update(each.sites)
    found = {}
    for each in current(session, row):
        if each.indicator != place:
            continue
        run = None if each.run_id is None else session.get(Run, each.run_id)
        outcome = None if run is None else run.outcome
        found[each.role] = Answer(
            sites=tuple(each.sites),
            gave_up=tuple(sorted(rosters[each.role] - set(each.sites))),
            why=each.why,
            outcome=outcome or {},
            asked=None if run is None else _asked(run, each.role),
        )
    return found


def _every(session: Session, row: EvaluationRound, place: int) -> list[RoundQuestion]:
    return list(
        session.scalars(
            select(RoundQuestion).where(
                RoundQuestion.round_id == row.id, RoundQuestion.indicator == place
            )
        )
    )


def _asked(run: Run, role: str) -> Asked:
    lists = (run.outcome or {}).get("provenance", {}).get("snapshots", {})
    return Asked(run.id, role, run.query_sha256, {site: int(seq) for site, seq in lists.items()})


def _with_strata(session: Session, row: EvaluationRound, made: Plan) -> Snapshot:
    """The parent's snapshot with the groups that this round asked by."""
    parent = session.get_one(EvaluationRound, row.parent)
    standing = newest(session, parent)
    if standing is None:
        raise RoundError("NOT_RELEASED")
    indicators = list(standing.indicators)
    codebook = Codebook.from_dict(session.get_one(Study, row.study).codebook)
    for place, indicator in enumerate(made.indicators):
        at = next(i for i, each in enumerate(indicators) if each.id == indicator.id)
        answers = answers_of(session, row, place)
        added = strata_of(indicator, answers, codebook)
        known = {each["variable"] for each in added}
        kept = [each for each in indicators[at].strata if each["variable"] not in known]
        asked = [each.asked for each in answers.values() if each.asked is not None]
        indicators[at] = replace(
            indicators[at],
            strata=(*kept, *added),
            runs=(*indicators[at].runs, *asked),
        )
    return replace(standing, indicators=tuple(indicators), supersedes=standing.sha256)
