"""A cohort over columns equals the same cohort asked row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.base import Column
from federation.methods.cohorts import cohort_mask
from federation.query.codebook import load_codebook
from federation.query.cohort import parse_cohort

BOOK = load_codebook(
    b"""
codebook: t/1
variables:
  age:   {type: integer, min: 20, max: 60, cuts: {step: 10}}
  stage: {type: category, levels: [I, II, III]}
  trt:   {type: boolean}
  when:  {type: date}
  year:  {type: date, resolution: year}
"""
)
ROWS = [
    {"age": 20, "stage": "I", "trt": True, "when": "2020-01", "year": "2020"},
    {"age": 30, "stage": "II", "trt": False, "when": "2020-02", "year": "2021"},
    {"age": 60, "stage": "III", "trt": None, "when": None, "year": None},
    {"age": None, "stage": None, "trt": True, "when": "2019-12", "year": "2019"},
]


def months(text):
    if text is None:
        return np.nan
    year, _, month = text.partition("-")
    return int(year) * 12 + (int(month) - 1 if month else 0)


def column(name):
    variable = BOOK.variables[name]
    raw = [row[name] for row in ROWS]
    if variable.type == "category":
        levels = [level.code for level in variable.levels]
        values = np.array([-1 if v is None else levels.index(v) for v in raw], np.int16)
    elif variable.type == "boolean":
        values = np.array([-1 if v is None else int(v) for v in raw], np.int16)
    elif variable.type == "date":
        values = np.array([months(v) for v in raw], float)
    else:
        values = np.array([np.nan if v is None else v for v in raw], float)
    return Column(variable, values)


COLUMNS = {name: column(name) for name in BOOK.variables}


def mask(cohort):
    return cohort_mask(parse_cohort(cohort, BOOK), COLUMNS, len(ROWS)).tolist()


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        ({}, [1, 1, 1, 1]),
        (leaf("age", ">=", 30), [0, 1, 1, 0]),
        (leaf("age", ">", 30), [0, 0, 1, 0]),
        (leaf("age", "<", 30), [1, 0, 0, 0]),
        (leaf("age", "<=", 30), [1, 1, 0, 0]),
        (leaf("age", "between", [30, 60]), [0, 1, 1, 0]),
        (leaf("age", "=", 30), [0, 1, 0, 0]),
        (leaf("age", "in", [20, 60]), [1, 0, 1, 0]),
        (leaf("stage", "=", "II"), [0, 1, 0, 0]),
        (leaf("stage", "!=", "II"), [1, 0, 1, 0]),
        (leaf("stage", "in", ["I", "III"]), [1, 0, 1, 0]),
        (leaf("trt", "=", True), [1, 0, 0, 1]),
        (leaf("trt", "!=", True), [0, 1, 0, 0]),
        (leaf("when", ">=", "2020-01"), [1, 1, 0, 0]),
        (leaf("when", "=", "2019-12"), [0, 0, 0, 1]),
        (leaf("year", "<", "2021"), [1, 0, 0, 1]),
        ({"not": leaf("age", ">=", 30)}, [1, 0, 0, 1]),
        ({"all": [leaf("age", ">=", 30), leaf("trt", "=", False)]}, [0, 1, 0, 0]),
        ({"any": [leaf("age", ">=", 60), leaf("trt", "=", True)]}, [1, 0, 1, 1]),
        ({"not": {"any": [leaf("stage", "=", "I"), leaf("stage", "=", "II")]}}, [0, 0, 1, 1]),
    ],
)
def test_each_comparison(cohort, expected):
    assert mask(cohort) == [bool(bit) for bit in expected]


def matches(cohort, row):
    """The same in plain Python, one row at a time."""
    if "all" in cohort:
        return all(matches(item, row) for item in cohort["all"])
    if "any" in cohort:
        return any(matches(item, row) for item in cohort["any"])
    if "not" in cohort:
        return not matches(cohort["not"], row)
    found, wanted = row[cohort["var"]], cohort["value"]
    if found is None:
        return False
    return {
        "=": lambda: found == wanted,
        "!=": lambda: found != wanted,
        "in": lambda: found in wanted,
        "<": lambda: found < wanted,
        ">=": lambda: found >= wanted,
    }[cohort["op"]]()


leaves = st.one_of(
    st.builds(leaf, st.just("age"), st.sampled_from(["<", ">="]), st.sampled_from([20, 30, 60])),
    st.builds(leaf, st.just("stage"), st.sampled_from(["=", "!="]), st.sampled_from(["I", "II"])),
    st.builds(leaf, st.just("stage"), st.just("in"), st.just(["I", "III"])),
    st.builds(leaf, st.just("trt"), st.sampled_from(["=", "!="]), st.booleans()),
    st.builds(leaf, st.just("when"), st.sampled_from(["<", ">=", "!="]), st.just("2020-01")),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"all": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"any": items}),
        inner.map(lambda item: {"not": item}),
    ),
    max_leaves=6,
)


@given(trees)
def test_any_tree_equals_row_by_row(cohort):
    assert mask(cohort) == [matches(cohort, row) for row in ROWS]
