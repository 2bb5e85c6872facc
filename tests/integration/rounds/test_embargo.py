"""Until the moment nobody sees, asks or is told a thing; then all at once. On both databases."""

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import held_round
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

import federation
from federation.query.canonical import sha256_hex
from federation.rounds import planning, reading, view
from federation.rounds.errors import RoundError
from federation.rounds.models import RoundPart, RoundQuestion
from federation.rounds.snapshot import Snapshot
from federation.runs import matching, progress, service
from federation.runs.earlier import earlier_result, standing_result
from federation.runs.embargo import looking_under
from federation.runs.errors import RunError
from federation.runs.match_models import PrivateMatch
from federation.runs.models import Run, RunProgress, RunReply, RunSite
from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.transaction import UnannouncedChange, unit_of_work
from registry.worker import drive_rounds
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.events import account_later
from studies.reading import get_participation
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SITES = sorted(each.slug for each in ONCOZON.institutions)[:4]
SOMEBODY = Actor("user", "r9", frozenset({"researcher"}), "Roos")
MOMENT = NOW + timedelta(hours=2)
SECOND = timedelta(seconds=1)
#: What the database has no part in is tried on one of the two.
ON_ONE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def held(factory: SessionFactory) -> str:
    """The id of an approved round of four hospitals."""
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(SITES, "open"))
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        studies.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=NOW)
        held_round.ready_study(session, SITES, NOW)
        return held_round.approved(session, held_round.wish(SITES, NOW), NOW).id


def answered(factory: SessionFactory, round_id: str, now: datetime, refused: str = "") -> None:
    """Put the questions and answer them."""
    for turn in range(held_round.TURNS):
        drive_rounds(factory, now + turn * SECOND)
        with unit_of_work(factory, SYSTEM) as session:
            held_round.answer(session, reading.get(session, round_id), now, refused)
    drive_rounds(factory, now + held_round.TURNS * SECOND)


def asks(session: Session, **changes: Any) -> dict[str, Any]:
    """The main question of the round as somebody else would ask it."""
    with looking_under(session):
        run = session.scalars(
            select(Run).where(Run.round_id.is_not(None), Run.kind == "standardise")
        ).first()
        assert run is not None
        return {**run.query, "title": "Mine", "purpose": "Mine.", **changes}


def test_nobody_sees_asks_or_is_told_before_the_moment_and_then_all_at_once(
    factory: SessionFactory, held: str
) -> None:
    answered(factory, held, NOW + SECOND, refused=SITES[0])
    with factory() as session:
        row = reading.get(session, held)
        # The last answer is in; nobody is told that.
        assert (row.state, reading.told(row)) == ("ready", "running")
        # For every reader the runs are not there: by list, by count, by id, inside another query.
        with looking_under(session):
            ids = list(session.scalars(select(Run.id)))
        session.expunge_all()
        assert len(ids) == 2
        assert service.list_runs(session) == []
        assert session.scalar(select(func.count()).select_from(Run)) == 0
        assert session.get(Run, ids[0]) is None
        inside = select(RoundQuestion.id).where(RoundQuestion.run_id.in_(select(Run.id)))
        assert session.scalars(inside).all() == []
        assert session.execute(select(Run.state, Run.finished_at)).all() == []
        joined = select(RunProgress.step).join(Run, Run.id == RunProgress.run_id)
        assert session.scalars(joined).all() == []
        with pytest.raises(RunError, match="RUN_NOT_FOUND"):
            service.get_run(session, ids[0])
        with pytest.raises(RoundError, match="NOT_RELEASED"):
            reading.snapshot(session, row)
        # What asks the same is refused, in whatever words, of whichever hospitals, pooled or not.
        for changes in (
            {},
            {"sites": SITES[:3]},
            {"sites": "all", "output": "pooled"},
            {"cohort": {"not": {"not": asks(session)["cohort"]}}},
        ):
            with pytest.raises(RunError, match="UNDER_EMBARGO"):
                service.submit(
                    session,
                    query=asks(session, **changes),
                    study=held_round.STUDY,
                    by=SOMEBODY,
                    now=NOW,
                )
        # Another question is not.
        other = asks(
            session, output="pooled", sites="all", analysis={"kind": "count", "by": ["grade"]}
        )
        service.submit(session, query=other, study=held_round.STUDY, by=SOMEBODY, now=NOW)
        # Nothing of a run stands in the audit log, not even when it ended.
        lines = session.scalars(select(AuditLine)).all()
        assert not [line for line in lines if line.action.startswith("run.")]
        assert {line.action for line in lines if line.about == f"round:{held}"} == {
            "round.planned",
            "round.offered",
            "round.approved",
            "round.started",
        }
        assert {event.kind for event in reading.events(session, row)} == {
            "planned",
            "offered",
            "approved",
            "started",
        }
    # One second early is early, also for the hub itself.
    assert not drive_rounds(factory, MOMENT - SECOND)
    assert drive_rounds(factory, MOMENT)
    with factory() as session:
        row = reading.get(session, held)
        found = reading.snapshot(session, row)
        assert row.state == "released"
        assert found.indicators[0].rows[0].hidden == "small"
        assert [r.n for r in found.indicators[0].rows] == [None, 70708, 70709, 70710]
        assert found.indicators[0].network.n == 70708 + 70709 + 70710
        assert Snapshot.from_json(found.to_json()) == found
        letters = {each.letter for each in found.hospitals}
        assert letters == set("ABCD")
        shown = view.for_hospitals(found, {SITES[1]})
        assert {each["site"] for each in shown["hospitals"]} - letters == {SITES[1]}
        assert SITES[2] not in str({**shown, "round": None, "hospitals": None})
        assert str(held_round.CANARY) not in str(view.for_patients(found))
        # The audit log holds each run by the hash of what it gave.
        for run in session.scalars(select(Run).where(Run.round_id == held)):
            line = session.scalars(
                select(AuditLine).where(AuditLine.about == f"run:{run.id}")
            ).one()
            assert line.action == "run.complete"
            assert line.facts["outcome_sha256"] == sha256_hex(run.outcome)
            assert line.facts["round"] == held
        # And what was refused may be asked.
        service.submit(
            session, query=asks(session), study=held_round.STUDY, by=SOMEBODY, now=MOMENT
        )


@ON_ONE
def test_a_question_of_before_is_not_told_during_the_embargo(
    factory: SessionFactory, held: str
) -> None:
    """Submitted before the round was approved, or at that very moment: it ends unanswered."""
    drive_rounds(factory, NOW + SECOND)
    with unit_of_work(factory, SYSTEM) as session:
        found, parsed = service.check(session, asks(session), held_round.STUDY)
        run = service.stored(found, parsed, SOMEBODY, NOW)
        session.add(run)
        session.flush()
        with pytest.raises(RunError, match="UNDER_EMBARGO"):
            service.approve(session, run, held_round.COMMITTEE, NOW)
        run.state = "approved"
        session.add(RunProgress(run_id=run.id))
        session.flush()
        with looking_under(session):
            there = select(Run).where(Run.round_id == held, Run.kind == "standardise")
            held_back = session.scalars(there).one()
        # A hospital says that it gave this answer before: the hub does not hand it on.
        assert earlier_result(session, run, [str(held_back.context)]) is None
        assert standing_result(session, run) is None
        assert progress.refuse_for_embargo(session, run, NOW)
        assert (run.state, run.code) == ("refused", "UNDER_EMBARGO")
        assert not progress.refuse_for_embargo(session, held_back, NOW)


def test_who_plans_does_not_approve_and_two_at_once_approve_once(
    factory: SessionFactory, held: str
) -> None:
    asked = held_round.wish(SITES, NOW, first="2023-01", last="2023-12")
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        row = planning.plan(session, asked, actor=held_round.PLANNER, now=NOW)
        planning.offer(session, row, version=1, actor=held_round.PLANNER, now=NOW)
        other, version = row.id, row.version
        with pytest.raises(RoundError, match="OWN_ROUND"):
            planning.approve(
                session,
                row,
                version=version,
                actor=Actor("user", "planner", frozenset({"committee"})),
                now=NOW,
            )
        with pytest.raises(RoundError, match="NOT_ALLOWED_HERE"):
            planning.approve(session, row, version=version, actor=SOMEBODY, now=NOW)
        with pytest.raises(RoundError, match="ROUND_MOVED_ON"):
            planning.change(session, row, asked, version=version, actor=SOMEBODY, now=NOW)
        assert reading.get(session, held).number == 1
        assert row.number == 2
    done: list[str] = []
    start = threading.Barrier(3)

    def act() -> None:
        start.wait()
        try:
            with unit_of_work(factory, SYSTEM) as session:
                session.info["clock"] = lambda: NOW
                found = reading.get(session, other)
                planning.approve(
                    session, found, version=version, actor=held_round.COMMITTEE, now=NOW
                )
            done.append("yes")
        except RoundError as error:
            done.append(error.code)

    threads = [threading.Thread(target=act) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done)[-1] == "yes"
    assert set(done[:-1] + done) <= {"yes", "ROUND_CHANGED", "ROUND_MOVED_ON"}
    assert done.count("yes") == 1
    # Two workers at once put and release each question once.
    for now in (NOW + SECOND, NOW + 2 * SECOND):
        workers = [threading.Thread(target=partial(drive_rounds, factory, now)) for _ in range(2)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
    with factory() as session, looking_under(session):
        places = session.scalars(select(Run.planned)).all()
        assert len(places) == len(set(places)) == 2  # the main question of each of the rounds
        assert session.scalar(select(func.count()).select_from(RoundPart)) == 8


@ON_ONE
def test_cancelling_removes_unseen_and_frees_the_question(
    factory: SessionFactory, held: str
) -> None:
    answered(factory, held, NOW + SECOND)
    with unit_of_work(factory, SYSTEM) as session:
        row = reading.get(session, held)
        match = session.scalars(select(PrivateMatch)).one()
        matching.finish(session, match, NOW, pairs=None, code="NO_MATCH")
        planning.cancel(session, row, version=row.version, actor=held_round.COMMITTEE, now=NOW)
    with factory() as session:
        assert service.list_runs(session) == []
        [_] = session.scalars(select(AuditLine).where(AuditLine.action == "match.finished"))
        with looking_under(session):
            runs = session.scalars(select(Run)).all()
            assert {run.state for run in runs} == {"cancelled"}
            assert not [run for run in runs if str(held_round.CANARY) in str(run.outcome)]
        asked = asks(session)
        service.submit(session, query=asked, study=held_round.STUDY, by=SOMEBODY, now=NOW)
    assert not drive_rounds(factory, MOMENT)


@ON_ONE
def test_a_change_of_a_run_is_only_accounted_for_later_under_embargo(
    factory: SessionFactory, held: str
) -> None:
    drive_rounds(factory, NOW + SECOND)
    with factory() as session, looking_under(session):
        run = session.scalars(select(Run).where(Run.round_id == held)).first()
        assert run is not None
        run.code = "changed"
        with pytest.raises(UnannouncedChange, match="run"):
            session.commit()
        session.rollback()
    with factory() as session:
        # What a savepoint took back accounts for nothing outside it.
        with session.begin_nested() as savepoint:
            account_later(session, "run")
            savepoint.rollback()
        with looking_under(session):
            run = session.scalars(select(Run).where(Run.round_id == held)).first()
            assert run is not None
            run.code = "changed"
        with pytest.raises(UnannouncedChange, match="run"):
            session.commit()
        session.rollback()


def test_a_hospital_that_leaves_before_the_release_is_out_of_every_number(
    factory: SessionFactory, held: str
) -> None:
    answered(factory, held, NOW + SECOND)
    with unit_of_work(factory, SYSTEM) as session:
        part = get_participation(session, held_round.STUDY, SITES[3])
        studies.move(session, part, "on_hold", actor=SYSTEM, now=NOW + SECOND, reason="no_capacity")
    # What is answered is not asked again of the others: they would refuse, and rightly.
    drive_rounds(factory, NOW + 2 * SECOND)
    drive_rounds(factory, MOMENT)
    with factory() as session:
        row = reading.get(session, held)
        found = reading.snapshot(session, row)
        out = next(each for each in found.hospitals if each.site == SITES[3])
        # It made its answer, and could read in it how it compares: leaving hides its numbers, and
        # not that it left knowing them.
        assert (out.state, out.why) == ("left", "left_after_answer")
        rows = {each.site: each for each in found.indicators[0].rows}
        assert (rows[SITES[3]].n, rows[SITES[3]].hidden) == (None, "left")
        assert found.indicators[0].network.hospitals_in == 3
        for site in SITES[:3]:
            # Their own numbers stand; what was worked out with those of all does not.
            assert rows[site].value is not None
            assert (rows[site].expected, rows[site].limits95, rows[site].outside) == (None,) * 3
        kept = [run.outcome for run in session.scalars(select(Run).where(Run.round_id == held))]
        assert len(kept) == 2
        assert str(held_round.CANARY + 2) in str(kept)
        assert str(held_round.CANARY + 3) not in str([kept, found.to_json()])
        assert "hospital_out" in {event.kind for event in reading.events(session, row)}


@ON_ONE
def test_nothing_of_a_run_is_read_by_another_name_or_without_it(
    factory: SessionFactory, held: str
) -> None:
    answered(factory, held, NOW + SECOND)
    parts = (RunProgress, RunSite, RunReply)
    with unit_of_work(factory, SYSTEM) as session, looking_under(session):
        ids = list(session.scalars(select(Run.id)))
        for run_id in ids:
            given = {"run_id": run_id, "site": SITES[0]}
            session.add(RunSite(**given, state="answered"))
            reply = RunReply(**given, context="c", step=0, body=b"70707", sha256="0" * 64)
            reply.received_at = NOW
            session.add(reply)
        session.flush()
        assert {len(session.scalars(select(part)).all()) for part in parts} == {len(ids)}
    other, another = aliased(Run), aliased(RunReply)
    with factory() as session:
        assert session.scalars(select(other.id)).all() == []
        assert session.scalars(select(RunReply.body).join(other, other.id == ids[0])).all() == []
        assert session.scalars(select(another.body)).all() == []
        for part in parts:
            assert session.scalars(select(part)).all() == []
            assert session.scalar(select(func.count()).select_from(part)) == 0
            assert session.scalars(select(part.run_id).where(part.run_id == ids[0])).all() == []
        assert session.get(RunProgress, ids[0]) is None
    drive_rounds(factory, MOMENT)
    with factory() as session:
        assert len(session.scalars(select(other.id)).all()) == len(ids)
        assert {len(session.scalars(select(part)).all()) for part in parts} == {len(ids)}


def test_no_program_reads_runs_past_the_rule() -> None:
    """The rule stands on queries of the classes. The table itself, its text in SQL, a statement
    given as it is and rows that a change gives back would go past it."""
    past = re.compile(
        r"\bRun(Reply|Site|Progress)?\.__table__|\.from_statement\(|"
        r"update\(\s*Run\b[^#]*?\.returning\(|text\([^)]*\bfrom run(_|\b)",
        re.IGNORECASE | re.DOTALL,
    )
    root = Path(federation.__file__).parents[1]
    found = {
        str(file.relative_to(root)): past.findall(file.read_text(encoding="utf-8"))
        for room in ("federation", "registry", "consent", "studies")
        for file in (root / room).rglob("*.py")
    }
    assert len(found) > 300
    # The rule itself must name the table, or it would hold for itself.
    assert {place for place, hits in found.items() if hits} == {"federation/runs/models.py"}


@ON_ONE
def test_an_answer_that_makes_no_sense_keeps_nothing_from_anybody(
    factory: SessionFactory, held: str
) -> None:
    answered(factory, held, NOW + SECOND)
    with unit_of_work(factory, SYSTEM) as session, looking_under(session):
        run = session.scalars(select(Run).where(Run.kind == "standardise")).one()
        account_later(session, "run")
        own = {site: {**part, "n": "many"} for site, part in run.outcome["by_site"].items()}
        run.outcome = {**run.outcome, "by_site": own}
    assert drive_rounds(factory, MOMENT)
    with factory() as session:
        [found] = reading.snapshot(session, reading.get(session, held)).indicators
        assert (found.status, found.code) == ("not_answered", "FAILED")
        assert [row.n for row in found.rows] == [None] * 4
