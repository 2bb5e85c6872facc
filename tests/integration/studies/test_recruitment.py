"""Recruitment, screening, the CONSORT flow and start-up, from what is kept, on each database."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy.orm import Session

from registry.database import SessionFactory
from studies import accrual, consort, open_time, participants, screening, start_up
from studies.actor import SYSTEM, Actor
from studies.consort import ArmCounts
from studies.errors import StudiesError
from studies.loading_participants import add_recruitment
from studies.models import Institution, Membership, Network, Participation, ParticipationStep, Study
from studies.models_participants import Participant
from studies.models_sites import SitePlan
from studies.participant_history import fold
from studies.participant_numbers import check_pseudonym, set_arms
from studies.participant_states import ENTRY, STATES, after_leaving
from studies.screening import Counts, CountsDiffer
from studies.taking_part import create_study

DAY0 = datetime(2026, 1, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NURSE = Actor(kind="user", id="nurse")
SITES = ("noord", "oost", "west", "zuid")
Road = list[tuple[str, int]]

# State and the day from which it held, counted from the first of January.
ROADS: dict[str, Road] = {
    "noord": [("invited", 0), ("feasibility", 10), ("approved", 40), ("open", 100)],
    "oost": [
        ("invited", 0),
        ("feasibility", 30),
        ("approved", 50),
        ("open", 130),
        ("on_hold", 160),
        ("open", 190),
    ],
    "west": [("invited", 5), ("feasibility", 25)],
    "zuid": [("invited", 0), ("declined", 12)],
}
NOW = DAY0 + 220 * DAY


class Trial:
    """A study at four hospitals, of which two are open."""

    def __init__(self, session: Session) -> None:
        self.session, self.numbers = session, count(1)
        session.add(Network(slug="net", name="Net"))
        for slug in SITES:
            session.add(Institution(slug=slug, name=slug.capitalize(), kind="general"))
        session.flush()
        session.add_all(Membership(network="net", institution=slug, since=DAY0) for slug in SITES)
        self.study: Study = create_study(
            session,
            slug="trial",
            network="net",
            title_nl="Proef",
            title_en="Trial",
            question_nl="?",
            question_en="?",
            purpose_nl="p",
            purpose_en="p",
            codebook={"codebook": "c/1", "variables": {"age": {"type": "integer"}}},
            requires=["study.join"],
            actor=SYSTEM,
            now=DAY0,
        )
        for site, road in ROADS.items():
            state, day = road[-1]
            part = Participation(
                study="trial", institution=site, state=state, since=DAY0 + day * DAY
            )
            part.steps = [
                ParticipationStep(
                    number=number,
                    state=step,
                    at=DAY0 + at * DAY,
                    recorded_at=DAY0 + at * DAY,
                    by="nurse",
                )
                for number, (step, at) in enumerate(road, start=1)
            ]
            session.add(part)
        session.flush()

    def part(self, site: str) -> Participation:
        return next(part for part in self.study.participations if part.institution == site)

    def recruit(self, site: str, *days: int, **more: Any) -> None:
        for day in days:
            self.session.add(
                Participant(
                    study="trial",
                    pseudonym=f"TR-{next(self.numbers):04}",
                    state="on-study",
                    since=DAY0 + day * DAY,
                    on_study=DAY0 + day * DAY,
                    **{"site": site, "credited": site} | more,
                )
            )
        self.session.flush()

    def accrual(self, day: int = 220) -> accrual.Accrual:
        self.session.expire_all()
        return accrual.accrual(self.session, self.study, DAY0 + day * DAY)


@pytest.fixture
def trial(factory: SessionFactory) -> Iterator[Trial]:
    with factory() as session:
        yield Trial(session)


def refused(code: str, do: Callable[[], Any]) -> StudiesError:
    with pytest.raises(StudiesError) as found:
        do()
    assert found.value.code == code
    return found.value


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
    assert [accrual.for_public(n) for n in (0, 9, 10, 19, 20, 123)] == [None, None, 10, 10, 20, 120]


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


GOOD = Counts(
    screened=20,
    not_eligible={"age": 4, "tumour": 2},
    eligible=14,
    not_approached={"missed": 1},
    approached=13,
    declined={"burden": 3},
    deciding=1,
    consented=9,
    registered=8,
)


def test_what_is_screened_adds_up_or_is_not_written_down(trial: Trial) -> None:
    session, study = trial.session, trial.study

    def record(site: str, month: str, counts: Counts, **more: Any) -> screening.Month:
        return screening.record(
            session, study, site, month, counts, **{"actor": NURSE, "now": NOW} | more
        )

    for change, fault in (
        ({"screened": 21}, "screened_differs"),
        ({"eligible": 13, "screened": 19}, "eligible_differs"),
        ({"consented": 8}, "approached_differs"),
        ({"registered": 10}, "registered_more"),
    ):
        wrong = screening.read({**GOOD.as_dict(), **change})
        with pytest.raises(CountsDiffer) as found:
            record("noord", "2026-05", wrong)
        assert found.value.faults == (fault,)
        assert screening.FAULTS[fault]
    for bad in (
        {"screened": -1},
        {"screened": 1.5},
        {"screened": True},
        {"screened": 100_001},
        {"seen": 1},
        {"declined": {"mrs Jansen": 1}},
        {"declined": 3},
    ):
        refused("bad_count", lambda bad=bad: screening.read(bad))
    refused("bad_month", lambda: record("noord", "2026-13", GOOD))
    refused("bad_month", lambda: record("noord", "May", GOOD))
    refused("in_the_future", lambda: record("noord", "2026-09", GOOD))
    refused("not_found", lambda: record("elders", "2026-05", GOOD))
    assert screening.counts(session, "trial", NOW).months == ()

    first = record("noord", "2026-05", GOOD, expected=0)
    assert (first.version, first.counts) == (1, GOOD)
    assert record("noord", "2026-05", GOOD) == first
    later = screening.read({**GOOD.as_dict(), "deciding": 0, "consented": 10, "registered": 9})
    conflict = refused("changed_meanwhile", lambda: record("noord", "2026-05", later, expected=0))
    assert conflict.versions == (0, 1)
    assert record("noord", "2026-05", later, expected=1).version == 2
    record("oost", "2026-05", GOOD)
    told = screening.counts(session, "trial", NOW)
    assert [(each.institution, each.version) for each in told.months] == [("noord", 2), ("oost", 1)]
    assert (told.total.screened, told.total.registered) == (40, 17)
    assert told.total.not_eligible == {"age": 8, "tumour": 4}
    assert screening.checks(told.total) == ()
    assert [
        each.counts.deciding for each in screening.versions(session, "trial", "noord", "2026-05")
    ] == [1, 0]
    # The months in which somebody was open and said nothing; not the one that runs.
    assert told.missing == (
        ("noord", "2026-04"),
        ("noord", "2026-06"),
        ("oost", "2026-06"),
        ("noord", "2026-07"),
        ("oost", "2026-07"),
    )
    only = screening.counts(session, "trial", NOW, institution="oost")
    assert (only.total, len(only.missing)) == (GOOD, 2)


def test_the_boxes_of_consort_are_sums(trial: Trial) -> None:
    session, study = trial.session, trial.study
    set_arms(session, study, [("a", "Kort", "Short"), ("b", "Lang", "Long")], actor=NURSE)
    empty = consort.flow(session, study, NOW)
    assert (empty.screened, empty.excluded, empty.faults) == (0, 0, ())
    for site in ("noord", "oost"):
        screening.record(session, study, site, "2026-05", GOOD, actor=NURSE, now=NOW)

    def arm(site: str, code: str, *numbers: int, **more: Any) -> Any:
        counts = ArmCounts(*numbers)
        return consort.record_arm(
            session, study, site, code, counts, **{"actor": NURSE, "now": NOW} | more
        )

    for numbers, fault in (
        ((4, 5, 0, 0, 4), "received_more"),
        ((4, 4, 3, 2, 4), "left_more"),
        ((4, 4, 0, 0, 5), "analysed_more"),
    ):
        with pytest.raises(CountsDiffer) as found:
            arm("noord", "a", *numbers)
        assert found.value.faults == (fault,)
    refused("bad_count", lambda: arm("noord", "a", -1, 0, 0, 0, 0))
    refused("not_found", lambda: arm("noord", "c", 1, 1, 0, 0, 1))
    refused("not_found", lambda: arm("elders", "a", 1, 1, 0, 0, 1))
    arm("noord", "a", 4, 4, 0, 0, 4, expected=0)
    arm("noord", "b", 4, 3, 1, 1, 4)
    arm("oost", "a", 5, 5, 0, 1, 5)
    refused("changed_meanwhile", lambda: arm("noord", "b", 4, 4, 1, 1, 4, expected=0))

    told = consort.flow(session, study, NOW)
    assert told.faults == ("allocated_differs",)  # 13 of 16
    arm("oost", "b", 3, 3, 0, 0, 2, expected=0)
    trial.recruit("noord", *range(121, 129))
    trial.recruit("oost", *range(131, 138))
    told = consort.flow(session, study, NOW)
    assert told.faults == ("participants_differ",)  # 15 by number, 16 in the log
    trial.recruit("oost", 150)
    told = consort.flow(session, study, NOW)
    assert (told.faults, told.participants) == ((), 16)
    # Who came in in a month that is not counted yet is no fault.
    trial.recruit("oost", 200)
    told = consort.flow(session, study, NOW)
    assert (told.faults, told.participants) == ((), 17)
    assert (told.screened, told.registered, told.excluded) == (40, 16, 24)
    assert sum(n for _, n, _ in told.reasons) == told.excluded
    assert {stage: n for stage, n, _ in told.reasons} == {
        "not_eligible": 12,
        "not_approached": 2,
        "declined": 6,
        "deciding": 2,
        "not_registered": 2,
    }
    assert told.reasons[0][2] == (("age", 8), ("tumour", 4))
    assert sum(arm.counts.allocated for arm in told.arms) == told.registered
    a, b = told.arms
    assert (a.counts, a.not_received, a.not_analysed) == (ArmCounts(9, 9, 0, 1, 9), 0, 0)
    assert (b.counts, b.not_received, b.not_analysed) == (ArmCounts(7, 6, 1, 1, 6), 1, 1)
    assert (a.name("nl"), a.name("en")) == ("Kort", "Short")
    here = consort.flow(session, study, NOW, "noord")
    assert (here.screened, here.participants, here.faults) == (20, 8, ())


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
