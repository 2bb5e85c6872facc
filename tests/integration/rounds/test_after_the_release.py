"""What a group does with a round: notes, cause by groups, actions, measuring again, the next."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import held_round
import pytest
from sqlalchemy import select

from federation.rounds import discussing, planning, reading
from federation.rounds.errors import RoundError
from federation.rounds.following import ask_cause
from federation.rounds.models import EvaluationRound
from federation.rounds.plan import Repeats
from federation.runs import matching
from federation.runs.match_models import PrivateMatch
from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from registry.worker import drive_rounds
from studies import service as studies
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SITES = sorted(each.slug for each in ONCOZON.institutions)[:3]
SECOND = timedelta(seconds=1)
MOMENT = NOW + timedelta(hours=2)
CHAIR = held_round.PLANNER


def answered(factory: SessionFactory, row_id: str, now: datetime) -> None:
    for turn in range(held_round.TURNS):
        drive_rounds(factory, now + turn * SECOND)
        with unit_of_work(factory, SYSTEM) as session:
            held_round.answer(session, reading.get(session, row_id), now)
    drive_rounds(factory, now + held_round.TURNS * SECOND)


@pytest.fixture
def released(factory: SessionFactory) -> str:
    """The id of a released round that repeats twice a year apart."""
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(SITES, "open"))
    repeats = Repeats("year", 2, NOW + timedelta(days=800))
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        studies.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=NOW)
        held_round.ready_study(session, SITES, NOW)
        asked = held_round.wish(SITES, NOW, repeats=repeats)
        row_id = held_round.approved(session, asked, NOW).id
    with factory() as session:
        told = {**held_round.SHARE, "source": "Mrs Jansen, 111222333"}
        with pytest.raises(StudiesError, match="points_at_somebody"):
            planning.read_wish(session, replace(asked, indicators=[told]), NOW)
        row = reading.get(session, row_id)
        with pytest.raises(RoundError, match="NOT_RELEASED"):
            discussing.say(session, row, text="Too early", actor=CHAIR, now=NOW)
        with pytest.raises(RoundError, match="NOT_RELEASED"):
            add(session, row)
    answered(factory, row_id, NOW + SECOND)
    with unit_of_work(factory, SYSTEM) as session:
        match = session.scalars(select(PrivateMatch)).one()
        about = f"match:{match.id}"
        matching.finish(session, match, NOW, pairs=None, code="NO_MATCH")
    assert lines(factory, about) == ["match.asked"]  # that it ended is told at the release
    assert drive_rounds(factory, MOMENT)
    assert lines(factory, about) == ["match.asked", "match.finished"]
    return row_id


def lines(factory: SessionFactory, about: str) -> list[str]:
    with factory() as session:
        found = select(AuditLine.action).where(AuditLine.about == about)
        return list(session.scalars(found.order_by(AuditLine.seq)))


def add(session: Any, row: EvaluationRound, **changes: Any) -> Any:
    given = {
        "indicator": "relapse",
        "site": SITES[0],
        "text": "Ask within a week",
        "cause": "The letter waits for a signature",
        "owner": "Oncology nurse",
        "due": date(2027, 3, 1),
        "first": "2026-12",
        "last": "2027-05",
        "measure_at": datetime(2027, 6, 2, 8, 0, tzinfo=UTC),
        "actor": CHAIR,
        "now": MOMENT,
        **changes,
    }
    return discussing.add_action(session, row, **given)


def test_a_group_discusses_asks_for_the_cause_acts_and_measures_again(
    factory: SessionFactory, released: str
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        row = reading.get(session, released)
        discussing.say(session, row, text="Letters wait", actor=CHAIR, now=MOMENT)
        discussing.offer_help(
            session,
            row,
            indicator="relapse",
            from_site=SITES[1],
            to_site=SITES[0],
            text="Come and look",
            actor=CHAIR,
            now=MOMENT,
        )
        assert sorted(note.kind for note in reading.notes(session, row)) == ["help", "note"]
        with pytest.raises(RoundError, match="NOT_OF_THIS_ROUND"):
            discussing.say(session, row, text="x", indicator="else", actor=CHAIR, now=MOMENT)
        with pytest.raises(StudiesError, match="points_at_somebody"):
            discussing.say(session, row, text="Patient 12345678", actor=CHAIR, now=MOMENT)
        for wrong in (
            {"first": None},
            {"last": "2026-11"},
            {"measure_at": datetime(2027, 5, 30, tzinfo=UTC)},
            {"measure_at": datetime.max.replace(tzinfo=UTC)},
            {"measure_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))},
            {"measure_at": datetime(2060, 1, 1, tzinfo=UTC)},
            {"due": date(2060, 1, 1)},
        ):
            with pytest.raises(RoundError, match="BAD_ACTION"):
                add(session, row, **wrong)
        with pytest.raises(RoundError, match="NOT_OF_THIS_ROUND"):
            add(session, row, site="elsewhere")
        action = add(session, row)
        with pytest.raises(RoundError, match="ROUND_CHANGED"):
            discussing.close_action(session, action, version=9, actor=CHAIR, now=MOMENT)
        with pytest.raises(RoundError, match="NO_STRATA"):
            ask_cause(
                session,
                row,
                indicator="relapse",
                variables=["age"],
                release_at=MOMENT + SECOND,
                actor=CHAIR,
                now=MOMENT,
            )
        cause = ask_cause(
            session,
            row,
            indicator="relapse",
            variables=["hormone"],
            release_at=MOMENT + timedelta(hours=1),
            actor=CHAIR,
            now=MOMENT,
        )
        first = reading.snapshot(session, row)
        action_id, cause_id = action.id, cause.id
    answered(factory, cause_id, MOMENT + SECOND)
    with factory() as session:
        # The cause is under embargo of its own; the round is as it was.
        assert reading.snapshot(session, reading.get(session, released)) == first
    drive_rounds(factory, MOMENT + timedelta(hours=1))
    with factory() as session:
        row = reading.get(session, released)
        second = reading.snapshot(session, row)
        assert second.supersedes == first.sha256
        [by_hormone] = second.indicators[0].strata
        assert by_hormone["variable"] == "hormone"
        assert {each["level"] for each in by_hormone["rows"]} == {"no", "yes"}
        assert {each["n"] for each in by_hormone["rows"]} == {80, 82, 84}
        assert [each.kind for each in reading.additions(session, row)] == ["strata"]

    measure_at = datetime(2027, 6, 2, 8, 0, tzinfo=UTC)
    assert not drive_rounds(factory, measure_at - SECOND)
    assert drive_rounds(factory, measure_at)
    with factory() as session:
        row = reading.get(session, released)
        action = discussing.get_action(session, row, action_id)
        assert (action.state, action.after) == ("measuring", None)
        again = reading.get(session, str(action.remeasured_in))
        plan, before = planning.plan_of(session, again), planning.plan_of(session, row)
        assert plan.indicators == before.indicators
        assert (plan.period.first, plan.period.last) == ("2026-12", "2027-05")
        assert plan.under == before.sha256
        again_id = again.id
    answered(factory, again_id, measure_at + SECOND)
    with factory() as session:
        row = reading.get(session, released)
        action = discussing.get_action(session, row, action_id)
        assert action.state == "closed"
        assert action.before is not None
        assert action.after is not None
        assert action.before["n"] == action.after["n"] == held_round.CANARY
        letters = {each.site: each.letter for each in reading.snapshot(session, row).hospitals}
        measured = reading.snapshot(session, reading.get(session, again_id))
        assert {each.site: each.letter for each in measured.hospitals} == letters


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_series_goes_on_by_itself_until_its_approval_ends(
    factory: SessionFactory, released: str
) -> None:
    found = released
    for year in (1, 2):
        with factory() as session:
            series = [r for r in reading.visible(session, groups=None) if r.previous == found]
            assert len(series) == 1
            later = planning.plan_of(session, series[0])
            assert series[0].state == "approved"
            assert (later.period.first, later.period.last) == (
                f"{2024 + year}-01",
                f"{2024 + year}-12",
            )
            assert later.freeze_at == NOW.replace(year=2026 + year)
            first = planning.plan_of(session, reading.get(session, released))
            assert later.under == first.sha256
            assert series[0].decided_by == held_round.COMMITTEE.id
            found = series[0].id
        if year == 1:
            # Who measures again over exactly the next round's months waits for that round.
            with unit_of_work(factory, SYSTEM) as session:
                action = add(
                    session,
                    reading.get(session, released),
                    first="2025-01",
                    last="2025-12",
                    measure_at=later.freeze_at - SECOND,
                )
                waiting = action.id
            drive_rounds(factory, later.freeze_at - SECOND)
            with factory() as session:
                action = discussing.get_action(session, reading.get(session, released), waiting)
                assert (action.state, action.remeasured_in) == ("measuring", found)
        answered(factory, found, later.freeze_at + SECOND)
        drive_rounds(factory, later.release_at)
    with factory() as session:
        action = discussing.get_action(session, reading.get(session, released), waiting)
        assert action.state == "closed"
        assert action.after is not None
        assert not [r for r in reading.visible(session, groups=None) if r.previous == found]
        assert len(reading.series(session, reading.get(session, found))) == 2
