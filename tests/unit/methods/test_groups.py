"""The groups that a cohort leaves possible: never too few, and no more than plain leaves say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.base import Ask, Column, Rows
from federation.methods.cohorts import cohort_mask
from federation.methods.groups import Groups, groups_of
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "groups/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 58, "cuts": [30, 40, 50]},
            "score": {"type": "integer", "min": 1, "max": 4},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "flag": {"type": "boolean"},
        },
    }
)


def asked(cohort: Any) -> Ask:
    query = parse(
        {"version": 1, "codebook": "groups/1", "cohort": cohort, "analysis": {"kind": "count"}},
        CODEBOOK,
    )
    return Ask(query, CODEBOOK, Terms.strict())


def leaf(var: str, op: str, value: Any) -> dict[str, Any]:
    return {"var": var, "op": op, "value": value}


@pytest.mark.parametrize(
    ("cohort", "by", "labels"),
    [
        ({}, "g", "a b c"),
        (leaf("g", "=", "b"), "g", "b"),
        (leaf("g", "!=", "b"), "g", "a c"),
        (leaf("g", "in", ["a", "b"]), "g", "a b"),
        ({"not": leaf("g", "in", ["a", "b"])}, "g", "c"),
        ({"not": leaf("g", "!=", "b")}, "g", "b"),
        ({"any": [leaf("g", "=", "b"), leaf("flag", "=", True)]}, "g", "a b c"),
        ({"all": [leaf("g", "=", "b"), leaf("flag", "=", True)]}, "flag", "true"),
        (leaf("flag", "!=", True), "flag", "false"),
        (leaf("age", ">=", 40), "age", "[40,50) [50,58]"),
        (leaf("age", ">", 40), "age", "[40,50) [50,58]"),
        (leaf("age", "<", 40), "age", "[18,30) [30,40)"),
        (leaf("age", "<=", 40), "age", "[18,30) [30,40) [40,50)"),
        (leaf("age", ">=", 58), "age", "[50,58]"),
        (leaf("age", "between", [30, 40]), "age", "[30,40) [40,50)"),
        ({"not": leaf("age", ">=", 40)}, "age", "[18,30) [30,40)"),
        (leaf("score", ">", 2), "score", "3 4"),
        (leaf("score", "<=", 2), "score", "1 2"),
        (leaf("score", "in", [1, 4]), "score", "1 4"),
        ({"not": leaf("score", "<", 4)}, "score", "4"),
        ({"all": [leaf("g", "=", "a"), leaf("g", "=", "b")]}, "g", "a b c"),
    ],
)
def test_what_is_left(cohort: Any, by: str, labels: str) -> None:
    assert groups_of(asked(cohort), by).labels == tuple(labels.split())


def test_without_by_there_is_one_group(rows: Any) -> None:
    found = groups_of(asked({}), None)
    assert (found, found.size, found.dims) == (Groups(None, (None,), (0,)), 1, ())
    assert found.of(rows(g=["a", None])).tolist() == [0, 0]


def test_codes_count_the_groups_that_are_left(rows: Any) -> None:
    found = groups_of(asked(leaf("g", "in", ["a", "c"])), "g")
    assert found.dims == (("g", ("a", "c")),)
    assert found.of(rows(g=["a", "b", "c", None])).tolist() == [0, -1, 1, -1]


def everyone() -> Rows:
    """Somebody of every age, score and level."""
    rng = np.random.default_rng(0)
    n = 400
    values = {
        "age": rng.integers(18, 59, n).astype(float),
        "score": rng.integers(1, 5, n).astype(float),
        "g": rng.integers(0, 3, n).astype(np.int16),
        "flag": rng.integers(0, 2, n).astype(np.int16),
    }
    return Rows({k: Column(CODEBOOK.variables[k], v) for k, v in values.items()}, n)


EVERYONE = everyone()
LEAVES = st.one_of(
    st.builds(leaf, st.just("age"), st.sampled_from("< <= > >= = !=".split()), st.just(40)),
    st.builds(
        leaf, st.just("age"), st.sampled_from("< <= > >=".split()), st.sampled_from([30, 50])
    ),
    st.builds(leaf, st.just("score"), st.sampled_from("< <= > >= = !=".split()), st.integers(1, 4)),
    st.builds(leaf, st.just("g"), st.sampled_from(["=", "!="]), st.sampled_from("abc")),
    st.builds(leaf, st.just("flag"), st.just("="), st.booleans()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda item: {"not": item}, inner),
        st.builds(lambda items: {"all": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"any": items}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)


@given(cohort=TREES)
def test_nobody_in_the_cohort_is_left_out(cohort: Any) -> None:
    ask = asked(cohort)
    inside = EVERYONE.select(cohort_mask(ask.query.cohort, EVERYONE.columns, EVERYONE.n))
    for by in ("age", "score", "g", "flag"):
        assert (groups_of(ask, by).of(inside) >= 0).all()


def test_an_ask_of_the_hub_and_of_a_site_have_the_same_groups() -> None:
    ask = asked(leaf("g", "=", "b"))
    assert groups_of(ask, "g") == groups_of(dataclasses.replace(ask, site="h1"), "g")
