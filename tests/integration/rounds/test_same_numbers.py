"""Nobody is told the numbers of a round by another question; who would tell them, waits."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import held_round
import pytest
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from federation.rounds import discussing, planning, reading
from federation.rounds.errors import RoundError
from federation.rounds.following import ask_cause
from federation.rounds.models import EvaluationRound
from federation.rounds.plan import Repeats
from federation.runs import progress, service
from federation.runs.errors import RunError
from federation.runs.models import Run, RunProgress, RunSite
from registry.database import SessionFactory
from registry.own_results import answer_for, progress_for
from registry.transaction import unit_of_work
from registry.worker import drive_rounds
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.events import account_later
from studies.models import Participation, Study
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SITES = sorted(each.slug for each in ONCOZON.institutions)[:4]
SOMEBODY = Actor("user", "r9", frozenset({"researcher"}), "Roos")
MOMENT = NOW + timedelta(hours=2)
SECOND = timedelta(seconds=1)
#: The database has no part in it: tried on one of the two.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def loaded(factory: SessionFactory) -> SessionFactory:
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(SITES, "open"))
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        studies.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=NOW)
        held_round.ready_study(session, SITES, NOW)
    return factory


def approved(factory: SessionFactory, at: datetime = NOW, **changes: Any) -> str:
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: at
        return held_round.approved(session, held_round.wish(SITES, at, **changes), at).id


def answered(factory: SessionFactory, round_id: str, now: datetime) -> None:
    for turn in range(held_round.TURNS):
        drive_rounds(factory, now + turn * SECOND)
        with unit_of_work(factory, SYSTEM) as session:
            held_round.answer(session, reading.get(session, round_id), now)
    drive_rounds(factory, now + held_round.TURNS * SECOND)


def asks(first: str, last: str, **analysis: Any) -> dict[str, Any]:
    """A question of a researcher, about all together."""
    window = {"var": "diagnosed", "op": "between", "value": [first, last]}
    given = analysis or {"kind": "count", "by": ["relapse"]}
    return {"version": 1, "codebook": "gbsg/1", "cohort": window, "analysis": given}


def submitted(session: Session, query: dict[str, Any]) -> Any:
    return service.submit(session, query=query, study=held_round.STUDY, by=SOMEBODY, now=NOW)


def test_a_researcher_is_not_told_by_other_parameters(loaded: SessionFactory) -> None:
    before = asks("2024-03", "2024-03")
    with unit_of_work(loaded, SYSTEM) as session:
        early = submitted(session, before).id
    approved(loaded)
    with unit_of_work(loaded, SYSTEM) as session:
        for query in (
            before,
            asks("2023-01", "2024-01"),
            asks("2024-01", "2024-12", kind="count", by=["grade", "relapse"]),
            asks("2024-12", "2026-01", kind="standardise", outcome="relapse", formula="age"),
        ):
            with pytest.raises(RunError, match="UNDER_EMBARGO") as refused:
                submitted(session, query)
            assert "other months, other patients or something else" in refused.value.message
        for query in (
            asks("2023-01", "2023-12"),
            asks("2025-01", "2026-01"),
            asks("2024-01", "2024-12", kind="count", by=["grade"]),
        ):
            submitted(session, query)
        run = service.get_run(session, early)
        with pytest.raises(RunError, match="UNDER_EMBARGO"):
            service.approve(session, run, held_round.COMMITTEE, NOW)
        run.state = "approved"
        session.add(RunProgress(run_id=run.id))
        session.flush()
        assert progress.refuse_for_embargo(session, run, NOW)
        # Nor may another round tell it, unless its months are others.
        for months in (("2024-12", "2025-02"), ("2023-01", "2024-01")):
            wish = held_round.wish(SITES, NOW, first=months[0], last=months[1])
            with pytest.raises(RoundError) as other, session.begin_nested():
                held_round.approved(session, wish, NOW)
            assert (other.value.code, other.value.until) == ("SAME_UNDER_EMBARGO", MOMENT)
        held_round.approved(
            session, held_round.wish(SITES, NOW, first="2025-01", last="2025-12"), NOW
        )


def test_what_would_tell_a_round_waits_for_its_release(loaded: SessionFactory) -> None:
    """The next of a series and a measurement of an action: neither fails, neither is told early."""
    until = NOW + timedelta(days=400)
    series = approved(loaded, repeats=Repeats("year", 1, until))
    # Another round, over months of the series' next year, that is told a month after this one.
    month = NOW + timedelta(days=30)
    other = approved(loaded, first="2025-06", last="2025-08", freeze_at=NOW, release_at=month)
    answered(loaded, series, NOW + SECOND)
    answered(loaded, other, NOW + SECOND)
    drive_rounds(loaded, MOMENT)
    with unit_of_work(loaded, SYSTEM) as session:
        row = reading.get(session, series)
        assert row.state == "released"
        assert next_ones(session, series) == []
        waits = [each for each in reading.events(session, row) if each.kind == "series_waits"]
        assert [each.facts["code"] for each in waits] == ["SAME_UNDER_EMBARGO"]
        action = discussing.add_action(
            session,
            row,
            indicator="relapse",
            text="Ask within a week",
            owner="Oncology nurse",
            due=date(2027, 3, 1),
            first="2025-08",
            last="2025-09",
            measure_at=MOMENT + SECOND,
            actor=held_round.PLANNER,
            now=MOMENT,
        )
        measured = action.id
    assert drive_rounds(loaded, MOMENT + SECOND)
    for early in (MOMENT + 2 * SECOND, MOMENT + timedelta(days=20)):
        assert not drive_rounds(loaded, early)
    with loaded() as session:
        action = discussing.get_action(session, reading.get(session, series), measured)
        assert (action.state, action.measure_at) == ("open", month)
        assert next_ones(session, series) == []
    # The measurement first, the year after it: that would tell the measurement too early.
    assert drive_rounds(loaded, month)
    with loaded() as session:
        action = discussing.get_action(session, reading.get(session, series), measured)
        assert action.state == "measuring"
        again = str(action.remeasured_in)
    answered(loaded, again, month + SECOND)
    assert drive_rounds(loaded, month + timedelta(days=2))
    with loaded() as session:
        row = reading.get(session, series)
        assert discussing.get_action(session, row, measured).state == "closed"
        [later] = next_ones(session, series)
        assert later.plan["period"] == {"first": "2025-01", "last": "2025-12"}
        kinds = [each.kind for each in reading.events(session, row)]
        assert (kinds.count("series_waits"), kinds.count("series_ended")) == (2, 0)
        assert kinds.count("action_waits") == 1


def next_ones(session: Session, of: str) -> list[EvaluationRound]:
    wanted = select(EvaluationRound).where(
        EvaluationRound.previous == of, EvaluationRound.kind == "round"
    )
    return list(session.scalars(wanted))


def test_a_rolling_series_keeps_back_what_is_new_only(loaded: SessionFactory) -> None:
    """Each quarter a year that overlaps the one before: causes and ordinary work go on."""
    until = NOW + timedelta(days=400)
    first = approved(loaded, repeats=Repeats("quarter", 2, until))
    answered(loaded, first, NOW + SECOND)
    drive_rounds(loaded, MOMENT)
    with unit_of_work(loaded, SYSTEM) as session:
        [later] = next_ones(session, first)
        assert later.plan["period"] == {"first": "2024-04", "last": "2025-03"}
        submitted(session, asks("2024-06", "2024-12"))
        with pytest.raises(RunError, match="UNDER_EMBARGO"):
            submitted(session, asks("2024-06", "2025-01"))
        cause = ask_cause(
            session,
            reading.get(session, first),
            indicator="relapse",
            variables=["hormone"],
            release_at=MOMENT + timedelta(hours=1),
            actor=held_round.PLANNER,
            now=MOMENT,
        )
        by_groups = asks("2024-06", "2024-12", kind="count", by=["hormone", "relapse"])
        with pytest.raises(RunError, match="UNDER_EMBARGO"):
            submitted(session, by_groups)
        # Cancelled, nothing of it was told: all of it is free, and held whole by another.
        assert cause.state == "approved"
        planning.cancel(
            session, later, version=later.version, actor=held_round.COMMITTEE, now=MOMENT
        )
        submitted(session, asks("2024-06", "2025-01"))


def test_letters_go_with_the_answer_to_who_asks_the_same_later(loaded: SessionFactory) -> None:
    """The hospitals point at their earlier answer, and the hub gives it: without the numbers of
    hospitals, which stand beside their names there."""
    round_id = approved(loaded)
    answered(loaded, round_id, NOW + SECOND)
    drive_rounds(loaded, MOMENT)
    participant = Actor("user", "r9", frozenset({f"researcher@study:{held_round.STUDY}"}), "Roos")
    with unit_of_work(loaded, SYSTEM) as session:
        wanted = select(Run).where(Run.round_id == round_id, Run.kind == "standardise")
        earlier = session.scalars(wanted).one()
        assert held_round.CANARY + 1 in [part["n"] for part in earlier.outcome["by_site"].values()]
        # Who said no and by which list the others counted would be letters, too.
        said = {"asked": 4, "answered": 2, "refused": [SITES[0]], "silent": [SITES[3]]}
        counted = {"snapshots": {SITES[1]: 70}, "signatures": [{"site": SITES[1]}], "consent": {}}
        came = {site: earlier.outcome["by_site"][site] for site in SITES[1:3]}
        earlier.outcome = {
            **earlier.outcome,
            "sites": said,
            "by_site": came,
            "provenance": {**earlier.outcome["provenance"], **counted},
        }
        session.add(RunSite(run_id=earlier.id, site=SITES[3], state="silent"))
        session.flush()
        assert progress_for(earlier)["sites"] == []
        for agreed in (False, True):
            query = {**earlier.query, "title": f"Mine {agreed}"}
            run = service.submit(
                session, query=query, study=held_round.STUDY, by=participant, now=MOMENT
            )
            service.approve(session, run, held_round.COMMITTEE, MOMENT)
            of_round = reading.get(session, round_id)
            of_round.plan = {**of_round.plan, "names": agreed}
            run.delivery = earlier.delivery
            run.context, run.roster = f"context {agreed}", dict.fromkeys(SITES)
            run.opened_at = run.deadline = MOMENT
            run.state = "open"
            session.flush()
            progress.finish_replayed(session, run, earlier, MOMENT)
            given = answer_for(participant, run)
            assert given is not None
            assert (str(held_round.CANARY + 1) in str(given)) is agreed
            codes = {part.get("code") for part in given["by_site"].values()}
            assert codes == ({None} if agreed else {"IN_A_ROUND"})
            assert given["sites"] == (said if agreed else {**said, "refused": [], "silent": []})
            assert (given["provenance"]["snapshots"] == counted["snapshots"]) is agreed
            # All of the plan, in place of those that answered.
            assert sorted(given["by_site"]) == (SITES[1:3] if agreed else SITES)
            if not agreed:
                assert not [site for site in SITES if site in str({**given, "by_site": None})]
        assert [each["site"] for each in progress_for(earlier)["sites"]] == [SITES[3]]
        session.rollback()


def test_nobody_approves_a_plan_that_they_had_a_hand_in(loaded: SessionFactory) -> None:
    """Not after somebody else saved it once more either; nor does a draft move to other data."""
    both = Actor("user", "both", frozenset({*held_round.PLANNER.roles, "committee"}), "Bo")
    wish = held_round.wish(SITES, NOW)
    with unit_of_work(loaded, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        row = planning.plan(session, wish, actor=both, now=NOW)
        other = {"version": row.version, "actor": held_round.PLANNER, "now": NOW}
        there = session.get_one(Study, held_round.STUDY)
        beside = {c.key: getattr(there, c.key) for c in inspect(Study).column_attrs}
        session.add(Study(**{**beside, "slug": "elsewhere"}))
        account_later(session, "study")
        session.flush()
        session.add_all(
            Participation(study="elsewhere", institution=site, state="open", since=NOW)
            for site in SITES
        )
        session.flush()
        with pytest.raises(RoundError, match="BAD_ROUND"):
            planning.change(session, row, replace(wish, study="elsewhere"), **other)
        planning.change(session, row, wish, **other)
        planning.offer(session, row, version=row.version, actor=held_round.PLANNER, now=NOW)
        assert row.planned_by == held_round.PLANNER.id
        for act in (planning.approve, partial(planning.refuse, why="No")):
            with pytest.raises(RoundError, match="OWN_ROUND"):
                act(session, row, version=row.version, actor=both, now=NOW)
        planning.approve(session, row, version=row.version, actor=held_round.COMMITTEE, now=NOW)
        session.rollback()
