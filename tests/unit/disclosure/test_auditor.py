"""disclosure.md section 6, tests 7, 8, 11, 12, 14 and 36 as sets; t is 10."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.disclosure.auditor import OK, Answered, judge
from federation.query.refusals import Refused

POPULATION = (1 << 200) - 1


def patients(slots: Iterable[int]) -> int:
    return sum(1 << slot for slot in set(slots))


def answered(*sets: tuple[str, int]) -> Answered:
    return Answered("0" * 64, sets)


OLD = patients(range(100))
HISTORY = [answered(("analysis", OLD), ("grade=1", patients(range(30))))]


@pytest.mark.parametrize(
    ("slots", "rule"),
    [
        (range(100), ""),  # the same set again
        (range(200), ""),  # everybody
        (range(90), ""),  # ten fewer
        (range(91), "analysis_sets_differ_little"),
        (range(99), "analysis_sets_differ_little"),
        (range(101), "analysis_sets_differ_little"),
        (range(110), ""),
        (range(1, 101), "analysis_sets_differ_little"),  # one out, one in
        (range(5, 105), ""),  # five out, five in
        (range(191), "complement_small"),
        (range(199), "complement_small"),
        (range(190), ""),
        ((), ""),
        (range(1), "analysis_set_small"),
        (range(9), "analysis_set_small"),
        (range(150, 160), ""),
        (range(31), "sets_differ_little"),  # one more than an earlier cell
        (range(29), "sets_differ_little"),
        (range(30), ""),
    ],
)
def test_the_analysis_set_against_history(slots: Iterable[int], rule: str) -> None:
    verdict = judge([("analysis", patients(slots))], HISTORY, POPULATION, 10)
    assert (verdict.ok, verdict.rule) == (not rule, rule)


def test_every_set_against_every_earlier_set() -> None:
    cell = ("grade=1", patients(range(29)))
    analysis = ("analysis", patients(range(150)))
    verdict = judge([analysis, cell], HISTORY, POPULATION, 10)
    assert (verdict.rule, verdict.label) == ("sets_differ_little", "grade=1")


def test_the_same_patients_may_be_divided_otherwise() -> None:
    nearly = ("hormone=no", patients(range(29)))
    assert judge([("analysis", OLD), nearly], HISTORY, POPULATION, 10) == OK


def test_small_sets_are_left_to_masks_and_gate() -> None:
    small_then = [answered(("analysis", OLD), ("grade=2", patients(range(5))))]
    new = [("analysis", patients(range(150))), ("grade=2", patients(range(3)))]
    assert judge(new, small_then, POPULATION, 10).ok


def test_a_withdrawal_is_seen_because_old_slots_stay() -> None:
    # the withdrawn patient, slot 0, is in the old set and in nobody's population any more
    after = judge([("analysis", OLD & ~1)], HISTORY, POPULATION & ~1, 10)
    assert after.rule == "analysis_sets_differ_little"


def test_the_complement_has_its_own_threshold() -> None:
    new = [("analysis", patients(range(195)))]
    assert judge(new, [], POPULATION, 10, t_complement=5).ok
    assert not judge(new, [], POPULATION, 5, t_complement=10).ok


def test_open_data_refuses_nothing() -> None:
    assert judge([("analysis", 1)], [answered(("analysis", 3))], 7, 0) == OK


def test_a_refusal_says_one_thing_only() -> None:
    OK.check()
    for slots in (range(1), range(101), range(199)):
        verdict = judge([("analysis", patients(slots))], HISTORY, POPULATION, 10)
        with pytest.raises(Refused) as caught:
            verdict.check()
        assert (caught.value.code, caught.value.terms) == ("SMALL_GROUP", ())


@given(st.randoms(use_true_random=False), st.integers(5, 12))
def test_no_two_answers_ever_differ_in_a_few_patients(chance: random.Random, t: int) -> None:
    """Random nested and overlapping questions: what was let through keeps its distance."""
    history: list[Answered] = []
    population = (1 << 60) - 1
    for _ in range(25):
        base = chance.choice(history).analysis if history and chance.random() < 0.6 else None
        analysis = chance.getrandbits(60) if base is None else base ^ (1 << chance.randrange(60))
        half = analysis & chance.getrandbits(60)
        new = [("analysis", analysis), ("cell", half), ("rest", analysis & ~half)]
        if judge(new, history, population, t).ok:
            history.append(answered(*new))
    for i, one in enumerate(history):
        assert not 0 < one.analysis.bit_count() < t
        assert not 0 < (population & ~one.analysis).bit_count() < t
        for other in history[:i]:
            assert not 0 < (one.analysis ^ other.analysis).bit_count() < t
            if one.analysis != other.analysis:
                for _, a in one.sets:
                    for _, b in other.sets:
                        both_large = min(a.bit_count(), b.bit_count()) >= t
                        assert not (both_large and 0 < (a ^ b).bit_count() < t)


def test_a_cohort_that_lost_one_patient_without_a_value() -> None:
    # the same complete cases: only the number of missing would differ
    then = [answered(("analysis", OLD), ("cohort", patients(range(120))))]
    new = [("analysis", OLD), ("cohort", patients(range(119)))]
    verdict = judge(new, then, POPULATION, 10)
    assert (verdict.rule, verdict.label) == ("cohorts_differ_little", "cohort")
    assert judge([new[0], ("cohort", patients(range(120)))], then, POPULATION, 10) == OK


def test_complete_cases_that_nearly_fill_an_earlier_cohort() -> None:
    # 120 were in the cohort then, of whom 100 complete; 115 complete now would give 5 missing
    then = [answered(("analysis", OLD), ("cohort", patients(range(120))))]
    new = [("analysis", patients(range(115))), ("cohort", patients(range(120)))]
    assert judge(new, then, POPULATION, 10).rule == "sets_differ_little"


MEN, WOMEN = patients(range(70)), patients(range(100, 170))
ROW = [
    ("analysis", WOMEN),
    ("I", patients(range(100, 130))),
    ("II", patients(range(130, 162))),
    ("IV", patients(range(162, 170))),
]
TABLE = [("analysis", MEN | WOMEN), ("m", MEN), *((f"f,{name}", bits) for name, bits in ROW[1:])]


def test_a_table_and_one_of_its_rows_in_either_order() -> None:
    """Each would hide the small cell with another complement."""
    for first, second in ((TABLE, ROW), (ROW, TABLE)):
        verdict = judge(second, [answered(*first)], POPULATION, 10)
        assert verdict.rule == "slice_of_a_table"


def test_a_row_without_small_cells_or_without_cells_is_fine() -> None:
    assert judge(ROW[:3], [answered(*TABLE)], POPULATION, 10).ok
    assert judge(ROW[:1], [answered(*TABLE)], POPULATION, 10).ok


def test_other_small_cells_of_the_same_row_are_fine() -> None:
    other = [("analysis", WOMEN), ("x", patients(range(125, 133)))]
    assert judge(other, [answered(*TABLE)], POPULATION, 10).ok
