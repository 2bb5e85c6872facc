"""Marks and recognition: a set that earlier ones make up at all hospitals is known, no other."""

from __future__ import annotations

import numpy as np
import pytest

from federation.disclosure.marks import (
    PRIME,
    WORDS,
    mark_of,
    mark_text,
    pooled_marks,
    sums_of,
)
from federation.disclosure.recognition import Recognition

CHANCE = np.random.default_rng(5)
PATIENTS, UNIVERSE = 80, 40
NUMBERS = CHANCE.integers(0, PRIME, (4, PATIENTS, WORDS))  # hospital, patient


def mark(patients):
    """The pooled mark of the same patients' numbers at four hospitals."""
    chosen = np.asarray(patients, np.int64)
    parts = [tuple(int(w) for w in here[chosen].sum(axis=0) % PRIME) for here in NUMBERS]
    return pooled_marks(sum(sums_of([part], 1) for part in parts))[0]


def vector(invented, patients):
    """A set: who of the invented patients are in it, and the mark of the real ones."""
    defined = np.zeros(UNIVERSE, np.uint8)
    defined[list(invented)] = 1
    return np.concatenate((defined, np.array(mark(list(patients)), np.uint8)))


def test_a_mark_reads_back():
    found = mark(range(50))
    assert mark_of(mark_text(found)) == found
    assert all(0 <= word < PRIME for word in found)
    assert mark([]) == (0,) * WORDS


def known(*sets):
    made = Recognition(UNIVERSE)
    for some in sets:
        made.add(np.array(some))
    return made


ALL = vector(range(40), range(80))
FIRST, SECOND, THIRD = (
    vector(range(0, 10), range(0, 20)),
    vector(range(10, 25), range(20, 50)),
    vector(range(25, 40), range(50, 80)),
)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (FIRST, True),
        (vector(range(25), range(50)), True),  # the first and the second
        (THIRD, True),  # all without these two
        (vector((), ()), True),  # nobody by definition
        (vector(range(9), range(20)), False),  # another definition, the same patients
        (vector(range(10), range(19)), False),  # one patient withdrew
        (vector(range(25), range(49)), False),
        (vector((), range(1)), False),
    ],
)
def test_what_is_recognised(asked, told):
    made = known([ALL, FIRST], [SECOND])
    assert made.recognises(np.array([asked])) == [told]
    assert made.recognises(np.array([asked, FIRST])) == [told, True]


def test_two_answers_to_one_question_tell_their_difference():
    """After withdrawals the same definition was answered again: both sets are known, and so is who
    left, as a group."""
    made = known([FIRST], [vector(range(10), range(5, 20))])
    assert made.recognises(np.array([vector(range(10), range(5, 20))])) == [True]
    assert made.recognises(np.array([vector(range(10), range(6, 20))])) == [False]


def test_nothing_new_changes_nothing():
    made = known([FIRST], [FIRST], [vector((), ())])
    assert made.recognises(np.array([FIRST, SECOND])) == [True, False]


def test_sets_that_do_not_meet_leave_each_other_as_they_are():
    made = known([FIRST], [THIRD])
    union = FIRST.astype(np.int64) + THIRD
    left = made.rest(np.array([union % PRIME, SECOND], np.uint8))
    assert not left[0].any()
    assert np.array_equal(left[1], SECOND)


def test_many_answers():
    """More rows than are worked on at a time, in answers of several sets."""
    made, sets = Recognition(UNIVERSE), []
    for _ in range(30):
        here = [
            vector(
                np.flatnonzero(CHANCE.random(UNIVERSE) < 0.5),
                np.flatnonzero(CHANCE.random(80) < 0.5),
            )
            for _ in range(3)
        ]
        if len(sets) < 36:  # beyond the universe's size everything is defined by the others
            made.add(np.array(here))
            sets += here
    assert all(made.recognises(np.array(sets)))
    one, two, three = (some.astype(np.int64) for some in sets[:3])
    summed = (one + two + 3 * three) % PRIME
    assert made.recognises(summed[None]) == [True]
    assert made.recognises(vector([1, 5], [2])[None]) == [False]
