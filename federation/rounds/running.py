"""From the freeze date until every answer is in: the questions of a round, put and judged.

Called by the worker's tick, one transaction per round; what it does is decided by what is stored
only, so after a crash the next tick goes on where this one was. Nothing of it is told before the
release: how far a round is, who is silent and who refuses would say something of its results.

A hospital may leave, be silent, or refuse by a reason that is not about patients. What is not
answered yet is then given up and asked anew of the others. What is answered is not: beside an
answer with that hospital a second one without it would give its numbers away, and the other
hospitals refuse it (ADR 0012). Its own numbers, and all that was worked out with them, are removed
before anybody sees them (federation/rounds/without.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.rounds import states
from federation.rounds.coverage import able
from federation.rounds.events import happened, move, silently
from federation.rounds.models import EvaluationRound, RoundPart, RoundQuestion
from federation.rounds.plan import Plan, key_of
from federation.rounds.planning import plan_of
from federation.rounds.turns import BATCH, OPEN, Batch, room, turn
from federation.runs import matching, planned
from federation.runs.envelope import NOT_ABOUT_PATIENTS
from federation.runs.errors import RunError
from federation.runs.models import Run, RunReply
from federation.runs.states import FINAL, INSUFFICIENT, PARTIAL, REFUSED
from federation.runs.states import RELEASED as ANSWERED
from studies.actor import SYSTEM
from studies.models import Study
from studies.reading import open_sites

#: How many times a question is put anew to fewer hospitals before it is left unanswered.
MOST_GENERATIONS: Final = 6
#: Refusals of one hospital that are about what is asked, so that it can answer other indicators.
OF_THE_QUESTION: Final = frozenset({"NOT_IN_CATALOGUE", "DATA_MISMATCH", "QUERY_NOT_APPROVED"})
#: Plans that are kept once read: they were approved by their hash, and do not change.
_PLANS_KEPT: Final = 32
_plans: OrderedDict[tuple[str, str], Plan] = OrderedDict()


def start(session: Session, row: EvaluationRound, now: datetime) -> None:
    """The freeze date is there: from now on the hospitals are asked."""
    made = plan_of(session, row)
    move(session, row, states.RUNNING, started_at=now)
    study = session.get_one(Study, row.study)
    taking_part = set(open_sites(session, row.study, now))
    parts = parts_of(session, row)
    for part in parts.values():
        if part.site not in taking_part:
            part.state, part.why, part.at = states.LEFT, "STUDY_NOT_OPEN", now
    asked = [site for site, part in parts.items() if part.state == states.IN]
    for place, indicator in enumerate(made.indicators):
        # All of them, also those without the data: they add nobody. Of fewer hospitals for one
        # indicator than for the next about the same patients all others would refuse it (ROSTER).
        _put(session, row, made, place, asked if able(session, study, indicator, asked) else [])
    _ask_what_is_shared(session, row, asked, now)
    happened(session, row, "started", SYSTEM, now)


def _ask_what_is_shared(
    session: Session, row: EvaluationRound, sites: Sequence[str], now: datetime
) -> None:
    """How many patients the hospitals share, where they want to count that (ADR 0039). No round
    waits for it: without an answer the snapshot says who may be counted twice."""
    if row.kind == "round" and row.decided_by is not None and sites:
        matching.ask(
            session,
            study=row.study,
            sites=sites,
            approved_by=row.decided_by,
            actor=SYSTEM,
            now=now,
            round_id=row.id,
        )


def drive(session: Session, row: EvaluationRound, now: datetime, batch: Batch = BATCH) -> bool:
    """Bring a running or ready round as far as it goes now; whether something was done. Needs a
    seeing session."""
    gone = _take_out_who_left(session, row, now)
    free = room(planned.under_way(session), row.id, batch)
    ended = _ended(session, row)
    open_ = [each for each in current(session, row) if each.state in OPEN]
    moved = bool(gone or ended or (turn(open_) and free > 0))
    if moved:
        made = _approved_plan(session, row)
        for question in open_:
            if gone & set(question.sites):
                _anew(session, row, made, question, gone, now, "STUDY_NOT_OPEN")
            elif question.id in ended:
                _judge(session, row, made, question, now)
        _submit(session, row, made, now, free)
    waiting = any(each.state in OPEN for each in current(session, row))
    wanted = states.RUNNING if waiting else states.READY
    if row.state != wanted:
        silently(session)
        move(session, row, wanted)
        moved = True
    return moved


def parts_of(session: Session, row: EvaluationRound) -> dict[str, RoundPart]:
    """The hospitals of a round, by short name."""
    found = session.scalars(
        select(RoundPart).where(RoundPart.round_id == row.id).order_by(RoundPart.site)
    )
    return {part.site: part for part in found}


def current(session: Session, row: EvaluationRound) -> list[RoundQuestion]:
    """The questions of a round that count, in the order of the plan."""
    found = session.scalars(
        select(RoundQuestion)
        .where(RoundQuestion.round_id == row.id, RoundQuestion.state != states.DROPPED)
        .order_by(RoundQuestion.indicator, RoundQuestion.role)
    )
    return list(found)


def _put(
    session: Session, row: EvaluationRound, made: Plan, place: int, sites: Sequence[str]
) -> None:
    """The questions of one indicator to these hospitals; without any of them it is done."""
    codebook = Codebook.from_dict(session.get_one(Study, row.study).codebook)
    for question in made.asked(place, codebook, sites or made.sites):
        session.add(
            RoundQuestion(
                round_id=row.id,
                indicator=place,
                role=key_of(question),
                sites=sorted(sites),
                state=states.WAITING if sites else states.DONE,
                why=None if sites else "ROSTER",
            )
        )
    session.flush()


def _take_out_who_left(session: Session, row: EvaluationRound, now: datetime) -> set[str]:
    """The hospitals that stopped taking part since the last look."""
    taking_part = set(open_sites(session, row.study, now))
    gone = [
        part
        for part in parts_of(session, row).values()
        if part.state != states.LEFT and part.site not in taking_part
    ]
    heard = _heard(session, row) if gone else set()
    for part in gone:
        # It may have read at home how it compares: whoever sees the round is told.
        why = states.LEFT_AFTER_ANSWER if part.site in heard else "STUDY_NOT_OPEN"
        part.state, part.why, part.at = states.LEFT, why, now
    return {part.site for part in gone}


def _heard(session: Session, row: EvaluationRound) -> set[str]:
    """The hospitals that sent an answer to a question of this round."""
    runs = [each.run_id for each in current(session, row) if each.run_id is not None]
    found = set(session.scalars(select(RunReply.site).where(RunReply.run_id.in_(runs))))
    for run in session.scalars(select(Run).where(Run.id.in_(runs))):
        own = (run.outcome or {}).get("by_site") or {}
        found |= {site for site, part in own.items() if part.get("code") is None}
    return found


def _ended(session: Session, row: EvaluationRound) -> set[str]:
    """The questions of which the run has ended that was not taken in yet."""
    found = session.scalars(
        select(RoundQuestion.id)
        .join(Run, Run.id == RoundQuestion.run_id)
        .where(
            RoundQuestion.round_id == row.id,
            RoundQuestion.state == states.ASKED,
            Run.state.in_(FINAL),
        )
    )
    return set(found)


def _judge(
    session: Session, row: EvaluationRound, made: Plan, question: RoundQuestion, now: datetime
) -> None:
    """Take in a run that has ended."""
    run = session.get_one(Run, question.run_id)
    out, state = _to_take_out(run)
    code = run.code or "SITE_UNREACHABLE"
    _note(session, row, out, state, code, now)
    if run.state not in ANSWERED and out and set(question.sites) - out:
        _anew(session, row, made, question, out, now, code)
        return
    question.state = states.DONE
    question.why = None if run.state in ANSWERED else run.code or run.state.upper()
    session.flush()


def _to_take_out(run: Run) -> tuple[set[str], str]:
    """The hospitals by whom a run failed, and how."""
    sites: dict[str, Any] = (run.outcome or {}).get("sites", {})
    if run.state in (INSUFFICIENT, PARTIAL):
        return set(sites.get("silent", ())), states.SILENT
    if run.state == REFUSED and run.code in NOT_ABOUT_PATIENTS and run.code != "ROSTER":
        return set(sites.get("refused", ())), states.REFUSED
    return set(), states.IN


def _note(
    session: Session,
    row: EvaluationRound,
    out: Collection[str],
    state: str,
    code: str,
    now: datetime,
) -> None:
    """Remember why; a hospital that only cannot answer this question stays in for the others."""
    if code in OF_THE_QUESTION:
        return
    parts = parts_of(session, row)
    for site in out:
        part = parts[site]
        if part.state == states.IN:
            part.state, part.why, part.at = state, code, now


def _anew(
    session: Session,
    row: EvaluationRound,
    made: Plan,
    question: RoundQuestion,
    out: Collection[str],
    now: datetime,
    why: str,
) -> None:
    """Give a question up, unseen, and put it to its roster without ``out``."""
    run = None if question.run_id is None else session.get(Run, question.run_id)
    if run is not None:
        planned.forget(session, run, now)
    question.state, question.why = states.DROPPED, why
    sites = sorted(set(question.sites) - set(out))
    generation = question.generation + 1
    ended = why if generation > MOST_GENERATIONS else None if sites else "ROSTER"
    session.add(
        RoundQuestion(
            round_id=row.id,
            indicator=question.indicator,
            role=question.role,
            generation=generation,
            sites=sites,
            state=states.WAITING if ended is None else states.DONE,
            why=ended,
        )
    )
    session.flush()


def _submit(session: Session, row: EvaluationRound, made: Plan, now: datetime, free: int) -> None:
    """Put as many of the questions whose turn it is as there is room for."""
    chosen = turn(current(session, row))[: max(free, 0)]
    if not chosen:
        return
    codebook = Codebook.from_dict(session.get_one(Study, row.study).codebook)
    under = approval_of(row)
    for place, question in enumerate(chosen):
        asked = made.asked(question.indicator, codebook, question.sites)
        query = next(each.query for each in asked if key_of(each) == question.role)
        try:
            run = planned.submit(
                session,
                query=query,
                study=row.study,
                place=question.id,
                under=under,
                # The worker takes the oldest first: the order of the plan, the same each time.
                now=now - (len(chosen) - place) * timedelta(milliseconds=1),
            )
        except (RunError, QueryError) as error:
            question.state, question.why = states.DONE, error.code[:40]
            continue
        question.run_id, question.state = run.id, states.ASKED
    session.flush()


def _approved_plan(session: Session, row: EvaluationRound) -> Plan:
    """The plan of an approved round; reading one of many definitions takes longer than most of what
    is done with it."""
    codebook = Codebook.from_dict(session.get_one(Study, row.study).codebook)
    key = (row.plan_sha256 or "", codebook.sha256)
    made = _plans.get(key)
    if made is None:
        made = _plans[key] = plan_of(session, row)
        while len(_plans) > _PLANS_KEPT:
            _plans.popitem(last=False)
    return made


def approval_of(row: EvaluationRound) -> planned.Approval:
    """Under which approval the runs of a round are put."""
    # The CHECK constraint approved_has_plan promises these.
    assert row.plan_sha256 is not None  # noqa: S101
    assert row.decided_by is not None  # noqa: S101
    assert row.decided_at is not None  # noqa: S101
    return planned.Approval(
        round_id=row.id,
        plan_sha256=row.plan_sha256,
        planned_by=row.planned_by,
        planned_by_name=row.planned_by_name,
        by=row.decided_by,
        by_name=row.decided_by_name or "",
        at=row.decided_at,
    )
