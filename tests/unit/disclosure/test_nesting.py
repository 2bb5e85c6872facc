"""Counts of nested sets keep their distance; what is called nested is nested for every patient."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.disclosure.nesting import (
    ReleasedSet,
    cell_sets,
    hidden_before,
    released_sets,
    too_close,
)
from federation.disclosure.ranges import Range
from federation.methods.registry import parse
from federation.query.codebook import Codebook

BOOK = Codebook.from_dict(
    {
        "codebook": "nest/1",
        "unit": "patient",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 98, "cuts": {"step": 10}},
            "nodes": {"type": "integer", "min": 0, "max": 9},
            "sex": {"type": "category", "levels": ["f", "m", "x"]},
            "treated": {"type": "boolean"},
            "seen": {"type": "date"},
            "year": {"type": "date", "resolution": "year"},
        },
    }
)


@dataclass(frozen=True)
class Table:
    name: str
    dims: tuple
    counts: np.ndarray


def query(cohort, by=(), sites="all"):
    return parse(
        {
            "version": 1,
            "study": "s",
            "codebook": "nest/1",
            "cohort": cohort,
            "analysis": {"kind": "count", "by": list(by)},
            "sites": sites,
        },
        BOOK,
    )


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


def total(n, *leaves, sites=("a", "b", "c"), by=()):
    """The set behind one total."""
    tables = [Table("total", (), np.array(n))]
    asked = query({"all": list(leaves)} if leaves else {}, by)
    (made,) = released_sets(asked, BOOK, sites, tables, {"total": np.array(True)})
    return made


def cells(counts, by, *leaves, shown=None):
    """The sets behind a table."""
    asked = query({"all": list(leaves)} if leaves else {}, by)
    dims = tuple((name, BOOK.variables[name].group_labels) for name in by)
    counts = np.array(counts)
    mask = np.ones(counts.shape, bool) if shown is None else np.array(shown)
    return released_sets(asked, BOOK, "abc", [Table("cells", dims, counts)], {"cells": mask})


def test_a_narrower_cohort_just_below_an_earlier_one_is_too_close():
    everybody, old = total(213), total(206, leaf("age", ">=", 40))
    assert too_close([old], [everybody], 10)
    assert too_close([everybody], [old], 10)
    assert not too_close([total(203, leaf("age", ">=", 40))], [everybody], 10)
    assert not too_close([total(213, leaf("age", ">=", 40))], [everybody], 10)


def test_sets_that_are_not_nested_may_be_as_close_as_chance_has_it():
    assert not too_close(
        [total(201, leaf("sex", "=", "f"))], [total(203, leaf("sex", "=", "m"))], 10
    )
    assert not too_close(
        [total(201, leaf("age", "<", 50))], [total(203, leaf("age", ">=", 40))], 10
    )


def test_a_row_of_a_table_is_the_cohort_with_its_label():
    table = cells([[33, 27, 12], [213, 137, 0]], ["treated", "sex"])
    assert [s.n for s in table] == [33, 27, 12, 213, 137, 0]
    narrower = total(30, leaf("treated", "=", False), leaf("sex", "in", ["f"]))
    assert too_close([narrower], table, 10)
    assert not too_close([total(30, leaf("treated", "=", True), leaf("sex", "=", "x"))], table, 10)


def test_only_what_was_shown_is_compared():
    hidden = cells([[33, 27, 12]] * 2, ["treated", "sex"], shown=[[False] * 3] * 2)
    assert [one.n for one in hidden] == [None] * 6
    assert not too_close(hidden, cells([[34, 28, 13]] * 2, ["treated", "sex"]), 10)
    assert not too_close(cells([[34, 28, 13]] * 2, ["treated", "sex"]), hidden, 10)


def test_what_was_hidden_stays_hidden_until_it_was_shown():
    first = cells([[33, 3, 12]] * 2, ["treated", "sex"], shown=[[True, False, True]] * 2)
    dims = [("treated", ("false", "true")), ("sex", ("f", "m", "x"))]
    again = cell_sets(query({}), BOOK, "abc", dims)
    names = {"treated=false,sex=m", "treated=true,sex=m"}

    assert hidden_before(again, first) == names
    assert hidden_before(again, [*first, *cells([[33, 30, 12]] * 2, ["treated", "sex"])]) == set()
    assert [ReleasedSet.from_dict(one.to_dict()) for one in first] == list(first)


def test_bins_and_single_values_are_ranges():
    bins = cells([5, 6, 7, 8, 9, 10, 11], ["age"])
    assert bins[0].ranges["age"] == Range(18.0, False, 30.0, True)
    assert bins[-1].ranges["age"] == Range(80.0, False, 98.0, False)
    values = cells(list(range(10)), ["nodes"])
    assert values[3].ranges["nodes"] == Range(3.0, False, 3.0, False)
    assert total(1, leaf("age", ">=", 30)).contains(bins[3])
    assert not total(1, leaf("age", ">", 30)).contains(bins[1])


def test_a_label_that_the_codebook_does_not_know_is_taken_as_it_is():
    tables = [Table("events", (("event", ("no", "yes")),), np.array([20, 30]))]
    mask = {"events": np.array([True, True])}
    no, yes = released_sets(query({}), BOOK, "abc", tables, mask)
    assert no.other == {"event=no"}
    assert not no.contains(yes)
    assert total(50).contains(yes)


def test_not_and_any_are_taken_as_they_are():
    odd = {"not": leaf("sex", "=", "x")}
    asked = query(odd)
    (made,) = released_sets(
        asked, BOOK, "abc", [Table("total", (), np.array(95))], {"total": np.array(True)}
    )
    assert made.other
    assert too_close([made], [total(100)], 10)
    assert not too_close([made], [total(100, leaf("sex", "=", "f"))], 10)


def test_unequal_is_every_other_level_and_several_numbers_are_no_range():
    assert total(9, leaf("sex", "!=", "x")).levels["sex"] == {"f", "m"}
    several = total(9, leaf("nodes", "in", [1, 2, 3]))
    assert not several.ranges
    assert several.other
    assert total(9, leaf("nodes", "!=", 3)).other


def test_conditions_on_one_variable_meet():
    both = total(9, leaf("age", ">=", 40), leaf("age", "<", 60), leaf("age", "<=", 60))
    assert both.ranges["age"] == Range(40.0, False, 60.0, True)
    assert total(9, leaf("sex", "in", ["f", "m"]), leaf("sex", "!=", "m")).levels["sex"] == {"f"}


def test_dates_lie_in_the_order_of_time():
    later = total(9, leaf("seen", ">=", "2020-03"))
    assert later.contains(total(9, leaf("seen", ">=", "2020-11")))
    assert not later.contains(total(9, leaf("seen", ">=", "2019-12")))
    assert total(9, leaf("year", ">", "2015")).contains(total(9, leaf("year", "=", "2016")))


def test_hospitals_and_known_variables_are_part_of_a_set():
    few = total(95, sites=("a", "b"))
    assert total(100).contains(few)
    assert not few.contains(total(100))
    known = total(95, by=("sex",))
    assert total(100).contains(known)
    assert not known.contains(total(100))


def test_a_set_comes_back_from_json():
    kept = total(
        9, leaf("age", ">", 40), leaf("sex", "=", "f"), {"not": leaf("treated", "=", True)}
    )
    assert ReleasedSet.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    both = total(9, leaf("age", ">=", 40), leaf("age", "<=", 60))
    assert ReleasedSet.from_dict(json.loads(json.dumps(both.to_dict()))) == both


ends = st.tuples(st.sampled_from([*range(6)]), st.booleans())


@given(ends, ends, ends, ends)
def test_within_and_meet_agree_with_the_numbers_themselves(a, b, c, d):
    one, two = Range(*a, *b), Range(*c, *d)
    points = [x / 2 for x in range(-2, 14)]

    def inside(r, x):
        above = x > r.low or (x == r.low and not r.low_open)
        below = x < r.high or (x == r.high and not r.high_open)
        return above and below

    if one.within(two):
        assert all(inside(two, x) for x in points if inside(one, x))
    for x in points:
        assert inside(one.meet(two), x) == (inside(one, x) and inside(two, x))


conditions = st.one_of(
    st.builds(
        leaf,
        st.just("age"),
        st.sampled_from([">=", "<", ">", "<="]),
        st.sampled_from([30, 40, 50, 60]),
    ),
    st.builds(leaf, st.just("sex"), st.sampled_from(["=", "!="]), st.sampled_from("fmx")),
    st.builds(leaf, st.just("treated"), st.just("="), st.booleans()),
)


def matches(patient, conditions_):
    tests = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">=": lambda a, b: a >= b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        "<": lambda a, b: a < b,
    }
    return all(tests[c["op"]](patient[c["var"]], c["value"]) for c in conditions_)


@given(st.lists(conditions, max_size=3), st.lists(conditions, max_size=3))
def test_what_is_called_nested_is_nested_for_every_patient(wide, narrow):
    everyone = [
        {"age": age, "sex": sex, "treated": treated}
        for age in range(18, 99)
        for sex in "fmx"
        for treated in (True, False)
    ]
    if total(1, *wide).contains(total(1, *narrow)):
        assert all(matches(p, wide) for p in everyone if matches(p, narrow))
    if set(map(str, wide)) <= set(map(str, narrow)):
        assert total(1, *wide).contains(total(1, *narrow))


@pytest.mark.parametrize("t", [0, 1])
def test_without_a_threshold_nothing_is_too_close(t):
    assert not too_close([total(99, leaf("sex", "=", "f"))], [total(100)], t)
