"""Answers over other hospitals: refused when a combination is about fewer than three of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.disclosure.rosters import gives_away


def sites(*numbers):
    return frozenset(f"h{number}" for number in numbers)


ALL = sites(*range(1, 11))


@pytest.mark.parametrize(
    ("roster", "earlier", "few"),
    [
        (ALL, [], None),
        (ALL, [ALL], None),
        (sites(*range(1, 10)), [ALL], sites(10)),  # a hospital dropped out
        (ALL, [sites(*range(1, 10))], sites(10)),  # and came back
        (sites(*range(1, 9)), [ALL], sites(9, 10)),
        (sites(*range(1, 8)), [ALL], None),  # three hospitals differ
        (sites(1, 2, 3, 4), [sites(1, 2, 3, 5)], sites(4, 5)),  # their difference
        (sites(1, 2, 3), [sites(4, 5, 6)], None),
        # each differs from the others in enough hospitals, and three together do not
        (sites(8, 9, 1, 2, 3), [ALL, sites(4, 5, 6, 7)], sites(10)),
        (sites(1, 2, 3, 7, 8, 9), [sites(1, 2, 3, 4, 5, 6), sites(4, 5, 6, 7, 8, 9, 10)], None),
        # twice hospital 1: {1,2,3,4} + {1,5,6,7} - {2,...,7}
        (sites(*range(2, 8)), [sites(1, 2, 3, 4), sites(1, 5, 6, 7)], sites(1)),
    ],
)
def test_what_a_roster_gives_away(roster, earlier, few):
    assert gives_away(roster, earlier, 3) == few


def test_what_earlier_answers_gave_away_is_not_held_against_a_new_one():
    earlier = [ALL, sites(*range(1, 10))]
    assert gives_away(sites(*range(1, 7)), earlier, 3) is None


def test_more_hospitals_may_be_asked_for():
    roster, earlier = sites(*range(1, 8)), [ALL]
    assert gives_away(roster, earlier, 3) is None
    assert gives_away(roster, earlier, 4) == sites(8, 9, 10)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sets(st.integers(1, 7), min_size=3), min_size=2, max_size=5))
def test_against_every_group_of_hospitals(found):
    """Ranks in floating point over all groups of one or two hospitals."""
    *earlier, roster = [sites(*numbers) for numbers in found]

    def tells(rosters, few):
        rows = np.array([[float(s in r) for s in sorted(ALL)] for r in rosters])
        left = [i for i, s in enumerate(sorted(ALL)) if s not in few]
        return np.linalg.matrix_rank(rows) > np.linalg.matrix_rank(rows[:, left])

    groups = [frozenset(g) for n in (1, 2) for g in itertools.combinations(sorted(ALL), n)]
    expected = [g for g in groups if tells([*earlier, roster], g) and not tells(earlier, g)]
    given_away = gives_away(roster, earlier, 3)
    assert (given_away is not None) == bool(expected)
    assert given_away is None or given_away in expected
