"""The same patients asked of other hospitals: no few hospitals stand alone in the difference."""

import pytest
from hospitals import patients

MEAN = {"kind": "describe", "variables": ["age"]}
OLD = {"var": "age", "op": ">=", "value": 50}


@pytest.fixture
def ten(build):
    return build({f"h{n}": patients(f"h{n}", 50 + n, seed=n) for n in range(10)})


def over(net, numbers, **more):
    return net.ask(MEAN, sites=[f"h{n}" for n in numbers], cohort=OLD, **more)


def test_36_ten_hospitals_and_then_nine(ten):
    assert over(ten, range(10)).status == "complete"
    outcome = over(ten, range(9))
    assert (outcome.status, outcome.code) == ("refused", "ROSTER")


def test_36_a_hospital_that_dropped_out_comes_back(ten):
    assert over(ten, range(9)).status == "complete"
    assert over(ten, range(10)).code == "ROSTER"


def test_not_with_a_condition_that_changes_nothing(ten):
    """The same patients by another question, after the window in which answers are replayed."""
    assert over(ten, range(10)).status == "complete"
    ten.wait(days=200)
    outcome = ten.ask(
        {"kind": "count", "by": ["sex"]},
        sites=[f"h{n}" for n in range(9)],
        cohort={"all": [OLD, {"var": "age", "op": "<=", "value": 110}]},
    )
    assert outcome.code == "ROSTER"


def test_three_rosters_that_no_hospital_has_all_seen(ten):
    """Ten, then five and four of them: each hospital saw two rosters, far enough apart. The tenth
    would stand alone; only the hub can see it."""
    assert over(ten, range(10)).status == "complete"
    assert over(ten, range(5)).status == "complete"
    assert over(ten, range(5, 9)).code == "ROSTER"


def test_a_hospital_alone_sees_three_rosters_that_overlap_in_it(ten):
    """{0,1,2,3}, {0,4,5,6} and {1..6} tell twice hospital 0; hospital 1 does not see the second."""
    assert over(ten, [0, 1, 2, 3]).status == "complete"
    assert over(ten, [0, 4, 5, 6]).status == "complete"
    ten.sets.clear()  # a hub that forgets
    third = over(ten, range(1, 7))
    assert third.status == "complete"  # beyond what one hospital can know: see ADR 0012
