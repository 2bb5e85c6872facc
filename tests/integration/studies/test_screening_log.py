"""What is screened adds up or is not written down, and the boxes of CONSORT are sums of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from recruiting_trial import NOW, NURSE, Trial, refused

from registry.database import SessionFactory
from studies.participants.numbers import set_arms
from studies.recruitment import consort, screening
from studies.recruitment.consort import ArmCounts
from studies.recruitment.screening import Counts, CountsDiffer


@pytest.fixture
def trial(factory: SessionFactory) -> Iterator[Trial]:
    with factory() as session:
        yield Trial(session)


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
