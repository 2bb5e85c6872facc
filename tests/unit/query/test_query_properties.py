"""Any query that can be read: it survives a message, and spelling does not matter."""

from __future__ import annotations

import copy
import random
from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.cohort import canonical, parse_cohort
from federation.query.model import parse_query
from federation.query.schema import json_schema
from federation.query.terms import Terms
from federation.query.words import cohort_words, explain

AGES = st.sampled_from([18, *range(25, 106, 5), 110])


def leaf(var: str, op: st.SearchStrategy[str], value: st.SearchStrategy[Any]) -> Any:
    return st.builds(lambda o, v: {"var": var, "op": o, "value": v}, op, value)


ORDER = st.sampled_from(["<", "<=", ">", ">="])
SAME = st.sampled_from(["=", "!="])
IN = st.just("in")
GRADES = st.sampled_from(["1", "2", "3"])
LEAVES = st.one_of(
    leaf("age", ORDER, AGES),
    leaf(
        "age", st.just("between"), st.lists(AGES, min_size=2, max_size=2, unique=True).map(sorted)
    ),
    leaf("pgr", ORDER, st.sampled_from([0, 20, 50, 100, 200, 500, 1000, 5000])),
    leaf("grade", SAME, GRADES),
    leaf("grade", IN, st.lists(GRADES, min_size=1, max_size=4)),
    leaf("relapse", SAME, st.booleans()),
    leaf("relapse", IN, st.lists(st.booleans(), min_size=1, max_size=3)),
    leaf("diagnosed", ORDER, st.sampled_from(["2019-12", "2020-01", "2021-06"])),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items: {"all": items}, st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda items: {"any": items}, st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=12,
).filter(lambda tree: depth(tree) <= 10)
ANALYSES = st.one_of(
    st.builds(
        lambda by: {"kind": "count", "by": by},
        st.lists(st.sampled_from(["age", "grade", "hormone", "relapse"]), max_size=3, unique=True),
    ),
    st.builds(
        lambda by, at: {
            "kind": "survival",
            "time": "rfs_days",
            "event": "relapse",
            "by": by,
            "at": at,
        },
        st.sampled_from([None, "hormone", "grade"]),
        st.none() | st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    ),
    st.builds(
        lambda formula, ties, strata: {
            **{"kind": "cox", "time": "rfs_days", "event": "relapse"},
            **{"formula": formula, "ties": ties, "strata": strata},
        },
        st.sampled_from(["age", "age*hormone", "C(grade, ref='2') + pgr", "C(pgr)"]),
        st.sampled_from(["efron", "breslow"]),
        st.sampled_from([None, "site", "grade"]),
    ),
    st.builds(
        lambda outcome, right, robust: {
            **{"kind": "regression", "family": outcome[0], "robust": robust},
            **{"formula": f"{outcome[1]} ~ {right}", "offset": outcome[2]},
        },
        st.sampled_from(
            [
                ("gaussian", "pgr", None),
                ("binomial", "relapse", None),
                ("poisson", "relapse", "rfs_days"),
            ]
        ),
        st.sampled_from(["age", "age + age^2", "age*hormone", "C(grade, ref='2') + age"]),
        st.booleans(),
    ),
)
QUERIES = st.builds(
    lambda cohort, analysis, sites, output, title: {
        **{"version": 1, "study": "s", "title": title, "purpose": "", "codebook": "gbsg/1"},
        **{"sites": sites, "cohort": cohort, "analysis": analysis, "output": output},
    },
    st.just({}) | TREES,
    ANALYSES,
    st.just("all") | st.lists(st.sampled_from(["a", "b", "c-1"]), min_size=1, max_size=3),
    st.sampled_from(["pooled", "by_site"]),
    st.text(alphabet="abc é", max_size=10),
)


def depth(tree: Any) -> int:
    if "not" in tree:
        return 1 + depth(tree["not"])
    items = tree.get("all", tree.get("any"))
    return 1 if items is None else 1 + max(map(depth, items))


def shuffled(tree: Any, chance: random.Random) -> Any:
    """The same tree, spelled otherwise: items in another order, one twice, nested once more."""
    if "var" in tree:
        made = copy.deepcopy(tree)
        if made["op"] == "in":
            chance.shuffle(made["value"])
        return made
    if "not" in tree:
        return {"not": shuffled(tree["not"], chance)}
    key = "all" if "all" in tree else "any"
    items = [shuffled(item, chance) for item in tree[key]]
    chance.shuffle(items)
    return {key: [*items, items[0]]} if chance.random() < 0.5 else {key: items}


@given(QUERIES)
def test_a_query_survives_a_message(gbsg: Codebook, obj: dict[str, Any]) -> None:
    query = parse_query(obj, gbsg, KINDS)
    again = parse_query(query.to_dict(), gbsg, KINDS)
    assert again == query
    assert again.sha256 == query.sha256
    assert set(query.variables()) <= set(gbsg.variables)


@given(TREES, st.randoms(use_true_random=False))
def test_the_canonical_form_does_not_depend_on_spelling(
    gbsg: Codebook, tree: dict[str, Any], chance: random.Random
) -> None:
    first = parse_cohort(tree, gbsg)
    assert parse_cohort(shuffled(tree, chance), gbsg) == first
    assert parse_cohort({"not": {"not": tree}}, gbsg) == first if depth(tree) <= 8 else True
    assert canonical(first) == first


@given(QUERIES)
def test_the_schema_accepts_every_query_that_is_read(gbsg: Codebook, obj: dict[str, Any]) -> None:
    query = parse_query(obj, gbsg, KINDS)
    for codebook in (None, gbsg):
        validator = jsonschema_rs.validator_for(json_schema(KINDS, codebook))
        assert validator.is_valid(obj)
        assert validator.is_valid(query.to_dict())


@given(QUERIES)
def test_every_query_can_be_said_in_words(gbsg: Codebook, obj: dict[str, Any]) -> None:
    query = parse_query(obj, gbsg, KINDS)
    for lang in ("en", "nl"):
        lines = explain(query, gbsg, Terms.strict(), ["(the method's words)."], lang)
        assert all(line.endswith(".") for line in lines[bool(query.title) :])
        assert bool(cohort_words(query.cohort, gbsg, lang)) == bool(query.cohort.to_dict())
