"""disclosure.md section 6, tests 7 to 15 and the property tests, as sets; t is 10."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.disclosure import distances
from federation.disclosure.auditor import COHORT, Auditor, Judgement

POPULATION = (1 << 200) - 1
MEN, WOMEN = range(70), range(100, 170)


def patients(slots: Iterable[int]) -> int:
    return sum(1 << slot for slot in set(slots))


def answered(*answers: dict[str, Iterable[int]], t: int = 10) -> Auditor:
    """An auditor that has seen these answers, each by label."""
    made = Auditor(t, seed=7)
    for answer in answers:
        made.add([(label, patients(slots)) for label, slots in answer.items()])
    return made


def judged(auditor: Auditor, population: int = POPULATION, **sets: Iterable[int]) -> Judgement:
    named = [(label, patients(slots)) for label, slots in sets.items()]
    return auditor.judge(named, population, 10)


OLD = {"analysis": range(100), "one": range(30), "two": range(30, 100)}


@pytest.mark.parametrize(
    ("slots", "flagged", "bound"),
    [
        (range(100), False, 0),  # the same set again
        (range(180), False, 10),
        (range(90), False, 10),  # ten fewer
        (range(91), True, 9),
        (range(99), True, 1),
        (range(101), True, 1),
        (range(1, 101), True, 2),  # one out, one in
        (range(5, 105), False, 10),  # five out, five in
        ((), False, 0),
        (range(1), True, 1),
        (range(150, 159), True, 9),
        (range(150, 160), False, 10),
        (range(31), True, 1),  # one more than an earlier cell
        (range(30), False, 0),
        (range(29, 100), True, 1),
    ],
)
def test_a_set_against_history(slots: Iterable[int], flagged: bool, bound: int) -> None:
    found = judged(answered(OLD), analysis=slots)
    assert (found.flagged, found.bound, found.told) == ((flagged,), (bound,), (False,))
    assert found.ok is not flagged


@pytest.mark.parametrize(
    ("first", "then", "rule"),
    [
        ({}, {"analysis": range(5)}, "set_small"),
        (OLD, {"analysis": range(99)}, "sets_differ_little"),
        (
            {"analysis": range(40), "more": range(40, 80)},
            {"analysis": range(81)},
            "combination_small",
        ),
        ({}, {"analysis": range(195)}, "complement_small"),
        (OLD, {"analysis": range(150), "cell": range(29)}, "sets_differ_little"),
        (OLD, {"analysis": range(150)}, ""),
    ],
)
def test_the_audit_log_gets_the_first_reason(first: dict, then: dict, rule: str) -> None:
    found = judged(answered(*[first] if first else []), **then)
    label = {"": ""}.get(rule, list(then)[-1])
    assert (found.rule, found.label) == (rule, label)
    assert found.ok is not bool(rule)


def test_9_the_general_tracker() -> None:
    """count(all), count(C or T), count(C or not T): the third would tell C, one patient."""
    seen = answered({"analysis": range(200)}, {"analysis": range(120)})
    assert judged(seen, analysis=[0, *range(120, 200)]).bound == (1,)
    assert judged(seen, analysis=[*range(10), *range(120, 200)]).flagged == (False,)


def test_10_three_way_union_minus_one() -> None:
    seen = answered({"analysis": range(50)}, {"analysis": range(50, 120)})
    assert judged(seen, analysis=range(1, 120)).bound == (1,)


def test_5_a_total_after_all_its_cells_but_one() -> None:
    seen = answered({"analysis": range(60)}, {"analysis": range(60, 130)})
    assert judged(seen, analysis=range(135)).bound == (5,)


def test_12_a_withdrawal_is_seen_because_old_slots_stay() -> None:
    # the withdrawn patient, slot 0, is in the old set and in nobody's population any more
    found = judged(answered(OLD), POPULATION & ~1, analysis=range(1, 100))
    assert found.bound == (1,)


def test_14_twelve_withdrawals_are_enough() -> None:
    assert judged(answered(OLD), analysis=range(12, 100)).flagged == (False,)


def test_15_a_corrected_value_is_another_slot() -> None:
    assert judged(answered(OLD), analysis=[*range(99), 199]).bound == (2,)


def test_11_the_complement_has_its_own_threshold() -> None:
    seen = answered()
    for outside, flagged in ((0, False), (1, True), (9, True), (10, False)):
        found = judged(seen, analysis=range(200 - outside))
        assert (found.complement_flagged, found.complement_bound) == (flagged, min(outside, 10))


def test_small_cells_are_flagged_not_hidden_from_view() -> None:
    """Elsewhere they may be large; what the hospitals say together decides."""
    found = judged(answered(), analysis=range(100), a=range(3), b=range(3, 50), c=range(50, 100))
    assert (found.flagged, found.bound) == ((False, True, False, False), (10, 3, 10, 10))
    # with two cells the other one and the total would tell the small one
    found = judged(answered(), analysis=range(100), a=range(3), b=range(3, 100))
    assert (found.flagged, found.bound) == ((False, True, True), (10, 3, 3))


def test_a_small_cell_does_not_make_its_neighbours_conspicuous() -> None:
    """Whatever the order of the cells: total minus the others is the small one itself."""
    cells = {"a": range(5), "b": range(5, 40), "c": range(40, 110)}
    for order in itertools.permutations(cells):
        found = judged(answered(), analysis=range(110), **{label: cells[label] for label in order})
        assert dict(zip(order, found.flagged[1:], strict=True)) == {
            "a": True,
            "b": False,
            "c": False,
        }


def test_a_set_that_follows_from_small_ones_is_told() -> None:
    """The patient of a small cell is known here. All but that patient looks like no news here, and
    at a hospital without such a patient it is everybody: only together they can tell."""
    seen = answered({"analysis": range(100), "rare": range(1), "rest": range(1, 100)})
    found = judged(seen, analysis=range(1, 100))
    assert (found.flagged, found.bound, found.told) == ((False,), (0,), (True,))
    assert judged(seen, analysis=()).told == (True,)
    assert seen.judge_nobody(2) == Judgement((False, False), (0, 0), (True, True), rank=2)


def test_a_set_that_follows_from_others_and_is_near_to_one_is_told() -> None:
    """The two halves together are all but three of an earlier set. It is safe only when it is the
    two halves at all hospitals."""
    halves = {"analysis": range(50)}, {"analysis": range(50, 100)}
    seen = answered(*halves, {"analysis": range(103)})
    found = judged(seen, analysis=range(100))
    assert (found.flagged, found.bound, found.told) == ((False,), (0,), (True,))


def test_without_small_groups_nothing_is_told() -> None:
    seen = answered({"analysis": range(100), "a": range(40), "b": range(40, 100)})
    found = judged(seen, analysis=range(40, 100))
    assert (found.flagged, found.bound, found.told) == ((False,), (0,), (False,))
    assert seen.judge_nobody(1).told == (False,)


def test_a_cohort_without_missing_values_is_told_with_its_analysis_set() -> None:
    found = judged(answered(), analysis=range(90), **{COHORT: range(90)})
    assert (found.bound, found.told) == ((10, 0), (False, True))


def test_a_cohort_with_a_few_missing_values() -> None:
    found = judged(answered(), analysis=range(90), **{COHORT: range(94)})
    assert (found.flagged, found.bound) == ((False, True), (10, 4))


def test_the_same_complete_cases_and_one_missing_less() -> None:
    seen = answered({"analysis": range(100), COHORT: range(120)})
    found = judged(seen, analysis=range(100), **{COHORT: range(119)})
    assert (found.flagged, found.bound) == ((False, True), (0, 1))


def test_a_row_of_a_table_is_told_when_a_cell_of_it_is_small() -> None:
    cells = {"I": range(100, 130), "II": range(130, 162), "IV": range(162, 170)}
    table = {"analysis": [*MEN, *WOMEN], "m": MEN, **cells}
    assert judged(answered(table), analysis=WOMEN).told == (True,)
    large = {**table, "II": range(130, 150), "IV": range(150, 170)}
    assert judged(answered(large), analysis=WOMEN).told == (False,)


def test_judging_leaves_no_trace_and_repeats_itself() -> None:
    seen = answered(OLD)
    new = {"analysis": range(20, 150), "a": range(20, 31), "b": range(31, 150)}
    first = judged(seen, **new)
    assert judged(seen, **new) == first
    assert seen.rank == 2
    assert judged(seen, analysis=range(150)) != first
    assert judged(seen, **new) == first
    seen.add([(label, patients(slots)) for label, slots in new.items()])
    assert seen.rank == first.rank == 4


def test_loading_a_ledger_is_the_same_as_having_answered() -> None:
    chance = random.Random(3)  # noqa: S311  test data
    answers = []
    for _ in range(100):
        analysis = chance.getrandbits(300)
        cell = analysis & chance.getrandbits(300)
        answers.append([("analysis", analysis), ("a", cell), ("b", analysis & ~cell)])
    answers.append(answers[0])
    one, other = Auditor(10, 1), Auditor(10, 2)
    for answer in answers:
        one.add(answer)
    other.load(answers, batch=16)
    assert one.rank == other.rank
    for _ in range(30):
        base = chance.choice(answers)[0][1]
        new = [("analysis", base ^ patients(chance.sample(range(300), chance.randrange(14))))]
        ours, theirs = (a.judge(new, (1 << 300) - 1, 10) for a in (one, other))
        assert (ours.flagged, ours.bound, ours.told) == (
            theirs.flagged,
            theirs.bound,
            theirs.told,
        )


def test_near_sets() -> None:
    seen = answered(OLD, {"analysis": range(120, 125)})
    near = [range(100), range(99), range(30), range(120, 125), range(120, 124)]
    found = [seen.near(patients(slots)) for slots in near]
    assert found == [[patients(s)] if s else [] for s in (range(100), range(100), range(30),
        range(120, 125), None)]  # fmt: skip


def rank_without(rows: list[int], outside: list[int]) -> int:
    """The rank of these bitmaps as rows over some slots."""
    matrix = np.array([[row >> slot & 1 for slot in outside] for row in rows], float)
    return int(np.linalg.matrix_rank(matrix)) if outside else 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_i_no_answered_collection_tells_of_one_patient(seed: int, t: int) -> None:
    """Brute force over every patient: what a lone hospital lets through determines nobody."""
    chance = random.Random(seed)  # noqa: S311  test data
    slots, population = 24, (1 << 24) - 1
    seen, answers = Auditor(t, 5), []
    for _ in range(30):
        base = chance.choice(answers) if answers and chance.random() < 0.5 else 0
        change = patients(chance.sample(range(slots), chance.randrange(1, 12)))
        new = [("analysis", base ^ change)]
        judgement = seen.judge(new, population, t)
        if judgement.ok and new[0][1]:
            seen.add(new)
            answers.append(new[0][1])
    assert answers
    everything = list(range(slots))
    for slot in everything:
        others = [other for other in everything if other != slot]
        assert rank_without(answers, others) == rank_without(answers, everything)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 9))
def test_ii_no_two_answers_ever_differ_in_a_few_patients(seed: int, t: int) -> None:
    """Random nested and overlapping questions: what was let through keeps its distance."""
    chance = random.Random(seed)  # noqa: S311  test data
    seen, answers, population = Auditor(t, 9), [], (1 << 60) - 1
    for _ in range(25):
        base = chance.choice(answers)[0] if answers and chance.random() < 0.6 else None
        analysis = chance.getrandbits(60) if base is None else base ^ (1 << chance.randrange(60))
        half = analysis & chance.getrandbits(60)
        new = [("analysis", analysis), ("cell", half), ("rest", analysis & ~half)]
        if seen.judge(new, population, t).ok:
            seen.add(new)
            answers.append([bits for _, bits in new])
    sets = [bits for answer in answers for bits in answer if bits]
    assert sets
    for one in sets:
        assert one.bit_count() >= t
        for other in sets:
            assert not 0 < (one ^ other).bit_count() < t


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_iii_one_patient_more_or_less_never_shows(seed: int) -> None:
    """Asked before and after one patient left, no question is answered twice with two numbers."""
    chance = random.Random(seed)  # noqa: S311  test data
    seen, population = Auditor(10, 3), (1 << 120) - 1
    gone = 1 << chance.randrange(120)
    for _ in range(8):
        asked = chance.getrandbits(120) | gone
        if not seen.judge([("analysis", asked)], population, 10).ok:
            continue
        seen.add([("analysis", asked)])
        after = seen.judge([("analysis", asked & ~gone)], population & ~gone, 10)
        assert after.bound == (1,)


def test_numbers_that_are_forgotten_are_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_COUNTED", 1)
    here, there = (1 << 40) - 1, ((1 << 40) - 1) << 40
    auditor = Auditor(10, 3)
    auditor.add([("analysis", here), ("other", there)])
    assert auditor.near(here ^ 1) == [here]
    assert auditor.near(there ^ (1 << 79)) == [there]
    assert auditor.near(here ^ 0x3FF) == []
