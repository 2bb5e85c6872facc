"""Recruitment against a plan, start-up, and what is invented, on each database."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from recruiting_trial import DAY, DAY0, NOW, NURSE, Trial, refused

from registry.database import SessionFactory
from studies.hospitals import open_time
from studies.hospitals.models import SitePlan
from studies.models import ParticipationStep
from studies.participants import entering as participants
from studies.participants.history import fold
from studies.participants.numbers import check_pseudonym
from studies.participants.states import ENTRY, STATES, after_leaving
from studies.recruitment import accrual, consort, screening, start_up
from studies.seeds.loading_participants import add_recruitment


@pytest.fixture
def trial(factory: SessionFactory) -> Iterator[Trial]:
    with factory() as session:
        yield Trial(session)


def test_recruitment_against_the_plan(trial: Trial) -> None:
    session, study = trial.session, trial.study
    nothing = trial.accrual()
    assert (nothing.n, nothing.target, nothing.no_forecast) == (0, None, "no_target")
    assert (nothing.curve, nothing.plan, nothing.last, nothing.rate) == ((), (), None, 0)

    def plan(*stages: tuple[date, int], institution: str | None = None) -> Any:
        return accrual.set_plan(
            session, study, stages, actor=NURSE, now=NOW, institution=institution
        )

    start, end = date(2026, 4, 1), date(2027, 4, 1)
    for bad in (
        [(start, 0)],
        [(start, 5), (end, 40)],
        [(end, 0), (start, 40)],
        [(start, 0), (end, 0)],
    ):
        refused("bad_plan", lambda bad=bad: plan(*bad))
    refused("not_found", lambda: plan((start, 0), (end, 9), institution="elders"))
    # Without a plan of the study, those of its hospitals together.
    plan((start, 0), (end, 20), institution="noord")
    plan((start, 0), (end, 10), institution="oost")
    assert trial.accrual().target == 30
    assert trial.accrual().plan == ((start, 0), (end, 30))
    assert trial.accrual().no_forecast == "nobody_yet"
    plan((start, 0), (end, 50))
    plan((start, 0), (date(2026, 10, 1), 10), (end, 40))

    trial.recruit("noord", 101, 120, 120, 200)
    trial.recruit("oost", 150)
    trial.recruit("oost", 400)  # still to come
    trial.recruit("west", 110, credited="noord")  # went on elsewhere: counted where they came in
    trial.recruit("west", 111, entered_wrongly=True)
    told = trial.accrual()
    assert (told.n, told.target) == (6, 40)
    assert sum(site.n for site in told.sites) == told.n
    days = [(DAY0 + day * DAY).date() for day in (101, 110, 120, 150, 200)]
    assert told.curve == tuple(zip(days, (1, 2, 4, 5, 6), strict=True))
    assert (told.first, told.last) == (days[0], days[-1])
    passed = (told.as_of - start) / (date(2026, 10, 1) - start)
    assert told.planned == pytest.approx(10 * passed)
    noord, oost, west, zuid = told.sites
    assert (noord.n, noord.target, noord.opened) == (5, 20, (DAY0 + 100 * DAY).date())
    assert noord.months == pytest.approx(120 / 30.4375)
    assert noord.rate == pytest.approx(5 / (120 / 30.4375))
    # On hold from 160 to 190: 60 days open, not 90.
    assert oost.months == pytest.approx(60 / 30.4375)
    assert (west.rate, west.opened, zuid.n, zuid.last) == (None, None, 0, None)
    assert told.rate == pytest.approx(6 / (120 / 30.4375))
    assert told.rate_per_site == pytest.approx(6 / (180 / 30.4375))

    found = told.forecast
    assert found is not None
    assert (found.remaining, told.no_forecast) == (34, None)
    assert found.low is not None
    assert found.high is not None
    assert told.as_of < found.low < found.high
    assert told == trial.accrual()  # the same figures, the same forecast
    # A hospital that says when it will open makes it sooner; one that declined never does.
    session.add(
        SitePlan(
            participation_id=trial.part("west").id,
            step="open",
            planned=told.as_of + 30 * DAY,
            set_by="nurse",
            set_at=NOW,
        )
    )
    session.flush()
    sooner = trial.accrual().forecast
    assert sooner is not None
    assert sooner.median < found.median  # type: ignore[operator]
    for site in ("noord", "oost"):
        trial.part(site).state = "closed_to_accrual"
    session.delete(session.get_one(SitePlan, (trial.part("west").id, "open")))
    session.flush()
    assert trial.accrual().no_forecast == "nobody_open"
    plan((start, 0), (end, 6))
    assert trial.accrual().no_forecast == "target_reached"

    assert accrual.totals(session, ["trial", "other"], NOW) == {"trial": {"n": 6, "last": days[-1]}}


def test_days_in_start_up_and_days_lost(trial: Trial) -> None:
    told = start_up.delays(trial.session, trial.study, NOW)
    assert told.started == (DAY0 + 100 * DAY).date()
    noord, oost, west, zuid = told.sites
    assert [(step.state, step.days, step.running) for step in noord.steps] == [
        ("invited", 10, False),
        ("feasibility", 30, False),
        ("approved", 60, False),
    ]
    assert (noord.days, noord.lost, oost.days, oost.lost) == (100, 0, 130, 30)
    # Not open yet: the days go on counting. Declined: none are lost.
    assert [(step.state, step.days, step.running) for step in west.steps] == [
        ("invited", 20, False),
        ("feasibility", 195, True),
    ]
    assert (west.opened, west.days, west.lost, west.ended) == (None, None, 120, False)
    assert (zuid.lost, zuid.ended, zuid.steps[0].days) == (None, True, 12)
    assert {step.state: (step.days, step.n) for step in told.medians} == {
        "invited": (16.0, 4),
        "feasibility": (25.0, 2),
        "approved": (70.0, 2),
    }
    assert (told.median_days, told.lost) == (115.0, 150)
    early = start_up.delays(trial.session, trial.study, DAY0 + 50 * DAY)
    assert (early.started, early.lost, early.sites[0].lost) == (None, 0, None)
    # A step taken back does not count, and one at another date counts from there.
    part = trial.part("oost")
    part.steps.append(_correction(7, 4, "open", DAY0 + 120 * DAY))
    part.steps.append(_correction(8, 6, "open", None))
    trial.session.flush()
    stays = open_time.stays(part, NOW)
    assert [stay.state for stay in stays] == [
        "invited",
        "feasibility",
        "approved",
        "open",
        "on_hold",
    ]
    assert open_time.months(open_time.open_stays(part, NOW), NOW) == pytest.approx(40 / 30.4375)


def _correction(number: int, corrects: int, state: str, at: datetime | None) -> ParticipationStep:
    return ParticipationStep(
        number=number,
        corrects=corrects,
        void=at is None,
        state=state,
        at=at or NOW,
        recorded_at=NOW,
        by="nurse",
        note_code="mistake",
    )


def test_invented_recruitment_holds_to_the_tables(trial: Trial) -> None:
    session, study = trial.session, trial.study
    study.kind, study.state, study.design = "wmo", "open", "randomised"
    west = trial.part("west")
    west.state = "open"
    west.steps.append(
        ParticipationStep(number=3, state="open", at=DAY0 + 105 * DAY, recorded_at=NOW, by="nurse")
    )
    session.flush()
    later = DAY0 + 900 * DAY
    n = add_recruitment(session, "net", NURSE, later)
    assert n > 30
    assert add_recruitment(session, "net", NURSE, later) == 0
    session.flush()
    session.expire_all()
    people = participants.list_participants(session, "trial")
    assert len(people) == n
    seen = set()
    for one in people:
        check_pseudonym("TX", one.pseudonym)
        assert [event.number for event in one.events] == list(range(1, one.version + 1))
        consented, first = one.events[0], one.events[1]
        assert (consented.evidence or {})["invented"] is True
        assert consented.at <= first.at
        state, moved = ENTRY, consented.at
        for event in one.events:
            if event.kind == "state":
                assert state in STATES[event.value].follows, (one.pseudonym, event.value)
                state = event.value
            elif event.kind == "left":
                after = after_leaving(state, event.value)
                assert after is not None
                state = after
            if event.kind in ("state", "left", "taken_over"):
                assert moved <= event.at
                moved = event.at
            assert event.at <= later
            seen.add(event.kind)
        stands = fold(one.events)
        assert (one.state, one.site, one.credited, one.arm) == (
            stands.state,
            stands.site,
            stands.credited,
            stands.arm,
        )
        assert stands.state == state
    assert seen >= {"milestone", "state", "left", "arm", "taken_over"}
    told = screening.counts(session, "trial", later)
    assert [screening.checks(each.counts) for each in told.months] == [()] * len(told.months)
    assert len(told.missing) == 1
    assert consort.flow(session, study, later).faults == ()
    assert accrual.accrual(session, study, later).target
