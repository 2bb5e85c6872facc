"""The span of released sets, against elimination in fractions and a search through all words."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.disclosure import closure
from federation.disclosure.closure import Closure, Seen
from registry.bench.history import measure


def bits(slots, length):
    made = np.zeros(length, np.uint8)
    made[list(slots)] = 1
    return made


def rank(rows):
    """The rank of rows of noughts and ones, in fractions."""
    left = [[Fraction(int(value)) for value in row] for row in rows]
    found = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((i for i in range(found, len(left)) if left[i][column]), None)
        if pivot is None:
            continue
        left[found], left[pivot] = left[pivot], left[found]
        for i in range(found + 1, len(left)):
            factor = left[i][column] / left[found][column]
            left[i] = [a - factor * b for a, b in zip(left[i], left[found], strict=True)]
        found += 1
    return found


def tells_of(rows, slots):
    """Whether some combination of the rows is about slots of `slots` only."""
    others = [column for column in range(len(rows[0])) if column not in slots]
    matrix = np.array(rows, float)  # so few noughts and ones that rounding decides nothing
    return np.linalg.matrix_rank(matrix) > np.linalg.matrix_rank(matrix[:, others])


def smallest_group(rows, t):
    """The size, below t, of the smallest group of slots that a combination is about, or t."""
    for size in range(1, t):
        if any(
            tells_of(rows, set(few)) for few in itertools.combinations(range(len(rows[0])), size)
        ):
            return size
    return t


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 7))
def test_the_rank_is_that_of_fractions(seed, length, batch):
    chance = np.random.default_rng(seed)
    found = Closure(3, seed)
    rows = []
    for _ in range(9):
        here = int(chance.integers(1, length + 1))  # later sets may know more slots
        row = (chance.random(here) < chance.random()).astype(np.uint8)
        before = found.rank
        seen = found.add(row)
        rows.append(np.pad(row, (0, length - here)))
        assert found.rank == rank(rows)
        assert seen.new == (found.rank > before)
        found.settle(batch)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_one_patient_is_found_without_fail(seed):
    """Whenever the answers so far determine one patient's, the last set said so."""
    chance = np.random.default_rng(seed)
    found = Closure(2, seed)
    rows = []
    for _ in range(12):
        row = (chance.random(9) < chance.random()).astype(np.uint8)
        told_before = bool(rows) and smallest_group(rows, 2) == 1
        seen = found.add(row)
        rows.append(row)
        if not told_before and row.any() and smallest_group(rows, 2) == 1:
            assert seen.least == 1
            return
        found.settle(3)


def test_patients_who_are_always_asked_together_are_found_without_fail():
    """A group of three that is in or out as one: its last equation is seen, whatever the way."""
    for seed in range(30):
        chance = np.random.default_rng(seed)
        found = Closure(4, seed)
        group, others = (chance.random(8) < 0.5), (chance.random((8, 6)) < 0.5)
        rows = [np.concatenate((np.repeat(g, 3), o)) for g, o in zip(group, others, strict=True)]
        least = 4
        for number, row in enumerate(rows, start=1):
            seen = found.add(row.astype(np.uint8))
            told = tells_of([r.astype(int) for r in rows[:number]], {0, 1, 2})
            least = min(least, seen.least if row.any() else 4)
            if told:
                assert least <= 3
                break


def test_small_groups_that_are_missed_are_rare():
    """The search for several patients is a heuristic: most are found, and none is made up."""
    found_of, small_of = 0, 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        known, rows = Closure(4, seed), []
        for _ in range(7):
            row = (chance.random(10) < 0.5).astype(np.uint8)
            before = smallest_group(rows, 4) if rows else 4
            seen = known.add(row)
            rows.append(row)
            after = smallest_group(rows, 4)
            assert seen.least >= min(after, int(row.sum()) or 4) or not seen.new
            if after < before:
                small_of += 1
                found_of += seen.least < 4
            known.settle(4)
    assert small_of > 20
    assert found_of >= 0.8 * small_of


@pytest.fixture
def attack():
    """A set of a hundred patients, and sets by which to get at the first of them."""
    everyone, target = set(range(100)), {0}
    young, old = set(range(1, 50)) | target, set(range(50, 100))
    return everyone, target, young, old


def test_a_tracker_is_found_at_the_last_question(attack):
    """q(all), q(C or T) and q(C or not T) give q(C) for C one patient (Denning 1979)."""
    everyone, target, young, old = attack
    found = Closure(10, 1)
    assert found.add(bits(everyone, 100)) == Seen(True, 10)
    assert found.add(bits(young, 100)) == Seen(True, 10)  # C or T
    assert found.add(bits(old | target, 100)) == Seen(True, 1)  # C or not T


def test_a_union_of_three_less_one_patient_is_found(attack):
    _, target, young, _ = attack
    found = Closure(10, 2)
    for some in (young, set(range(50, 70)), set(range(70, 85))):
        assert found.add(bits(some, 100)).least == 10
    assert found.add(bits(set(range(85)) - target, 100)).least == 1


@pytest.mark.parametrize("few", [1, 9])
def test_a_multiple_of_a_small_group_is_a_small_group(few):
    """Twice the group, as the sum of two overlapping unions less their parts."""
    a, b, group = set(range(20, 60)), set(range(60, 100)), set(range(few))
    found = Closure(10, 3)
    found.add(bits(a, 100))
    found.add(bits(b, 100))
    found.add(bits(a | b | group | set(range(10, 20)), 100))
    assert found.add(bits(set(range(10, 20)), 100)).least == few


def test_ten_patients_are_enough(attack):
    everyone, _, _, _ = attack
    found = Closure(10, 4)
    found.add(bits(everyone, 100))
    assert found.add(bits(everyone - set(range(10)), 100)) == Seen(True, 10)
    assert found.add(bits(everyone - set(range(5)), 100)) == Seen(True, 5)


def test_nothing_and_the_same_again_change_nothing():
    found = Closure(10, 5)
    assert found.add(bits((), 30)) == Seen(False, 0)
    assert found.add(np.zeros(0, np.uint8)) == Seen(False, 0)
    assert found.add(bits(range(20), 30)) == Seen(True, 10)
    assert found.add(bits(range(20), 30)) == Seen(False, 0)
    assert found.add(bits(range(20, 30), 30)) == Seen(True, 10)
    assert found.add(bits(range(30), 30)) == Seen(False, 0)
    assert found.rank == 2


def test_a_trial_leaves_no_trace():
    found = Closure(10, 6)
    found.add(bits(range(50), 600))
    trial = found.trial()
    for start in range(0, 500, 5):
        trial.add(bits(range(start, start + 40), 1200))
    trial.settle()
    assert (found.rank, trial.rank) == (1, 101)
    assert found.add(bits(range(10, 70), 1200)) == Seen(True, 10)


def test_beyond_the_sample_every_column_counts(monkeypatch):
    """With a sample of two columns, what it does not show is looked for in all of them."""
    monkeypatch.setattr(closure, "SAMPLE", 2)
    monkeypatch.setattr(closure, "BLOCK", 16)
    for seed in range(20):
        chance = np.random.default_rng(seed)
        found, rows = Closure(4, seed), []
        for number in range(25):
            row = (chance.random(60) < 0.4).astype(np.uint8)
            if number % 5 == 4:  # one patient away from a combination of three
                row = rows[-1] ^ bits({int(chance.integers(60))}, 60)
                seen = found.trial().add(row)
                assert seen.least == 1 or not seen.new
            found.add(row)
            rows.append(row)
            assert found.rank == np.linalg.matrix_rank(np.array(rows, float))
            found.settle(3)


def test_many_rows_are_tried_with_one_pivot(monkeypatch):
    monkeypatch.setattr(closure, "MANY", 3)
    found = Closure(10, 7)
    for start in range(0, 60, 10):
        found.add(bits(range(start, start + 20), 80))
    assert found.add(bits(range(1, 20), 80)) == Seen(True, 1)


def test_a_thousand_answers_on_fifty_thousand_patients():
    measured = measure(slots=50_000, sets=1_000)
    assert measured.rank == 1_032
    assert measured.median_check < 0.2


@pytest.mark.slow
def test_ten_thousand_answers_on_fifty_thousand_patients():
    """The time for one set when as much has been answered as a large hospital ever may."""
    measured = measure(slots=50_000, sets=10_000)
    assert measured.rank == 10_032
    assert measured.median_check < 0.2
    assert measured.megabytes < 1_500


def test_the_measurement_measures():
    measured = measure(slots=700, sets=340)
    assert measured.rank == 372
    assert 0 < measured.median_check <= measured.slowest_check
    assert "rank 372" in measured.line()


def test_a_random_span_is_a_span():
    """What is added to it behaves as after as many answers."""
    found = Closure.of_random_span(10, 3, 600, 20)
    chance = np.random.default_rng(1)
    rows = [(chance.random(600) < 0.5).astype(np.uint8) for _ in range(5)]
    assert [found.add(row).new for row in rows] == [True] * 5
    found.settle(1)
    assert [found.add(row).new for row in rows] == [False] * 5
    assert found.add(rows[0] ^ bits({599}, 600)) == Seen(True, 1)
    assert found.rank == 26
