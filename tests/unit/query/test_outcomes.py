"""A condition as outcome: yes, no or missing; one question whatever its wording."""

from __future__ import annotations

import random

import jsonschema_rs
import numpy as np
import pytest

from federation.disclosure.known import is_known, known_in
from federation.disclosure.nesting import cell_sets, defined_as
from federation.methods.base import Ask, Column, Rows
from federation.methods.outcome import Outcome, outcome_of
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.cohort import All, Leaf, Node, Not, parse_cohort
from federation.query.errors import QueryError
from federation.query.outcomes import OUTCOME
from federation.query.schema import json_schema
from federation.query.terms import Terms
from federation.query.three_valued import when_known, when_no, when_yes

BOOK = Codebook.from_dict(
    {
        "codebook": "out/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 98, "cuts": [40, 60]},
            "nodes": {"type": "integer", "min": 0, "max": 3},
            "sex": {"type": "category", "levels": ["f", "m", "x"]},
            "dead": {"type": "boolean"},
            "again": {"type": "boolean"},
            "seen": {"type": "date"},
        },
    }
)
LEAVES = [
    {"var": "age", "op": "<", "value": 40},
    {"var": "age", "op": ">=", "value": 60},
    {"var": "age", "op": "between", "value": [40, 60]},
    {"var": "nodes", "op": "in", "value": [0, 2]},
    {"var": "nodes", "op": "!=", "value": 3},
    {"var": "sex", "op": "in", "value": ["f", "x"]},
    {"var": "sex", "op": "in", "value": ["f", "m", "x"]},
    {"var": "sex", "op": "!=", "value": "m"},
    {"var": "dead", "op": "=", "value": True},
    {"var": "dead", "op": "!=", "value": True},
    {"var": "dead", "op": "in", "value": [True, False]},
    {"var": "seen", "op": ">", "value": "2020-06"},
    {"var": "seen", "op": "=", "value": "2020-06"},
]


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


def query(outcome, formula=None, cohort=None):
    analysis = {"kind": "standardise", "outcome": outcome, "formula": formula}
    asked = {"version": 1, "codebook": BOOK.id, "cohort": cohort or {}, "analysis": analysis}
    return parse(asked, BOOK)


def tree(chance: random.Random, depth: int = 3):
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(LEAVES)
    kind = chance.choice(["all", "any", "not"])
    if kind == "not":
        return {"not": tree(chance, depth - 1)}
    return {kind: [tree(chance, depth - 1) for _ in range(chance.randint(1, 3))]}


def invented(n: int = 300) -> Rows:
    chance = np.random.default_rng(3)
    gone = chance.random((6, n)) < 0.3
    whole = {
        "age": chance.integers(18, 99, n),
        "nodes": chance.integers(0, 4, n),
        "seen": 2020 * 12 + chance.integers(0, 12, n),
    }
    codes = {"sex": 3, "dead": 2, "again": 2}
    columns = {}
    for i, (name, values) in enumerate(whole.items()):
        columns[name] = Column(BOOK.variables[name], np.where(gone[i], np.nan, values))
    for i, (name, size) in enumerate(codes.items()):
        values = np.where(gone[3 + i], -1, chance.integers(0, size, n)).astype(np.int16)
        columns[name] = Column(BOOK.variables[name], values)
    return Rows(columns, n)


def kleene(node: Node, rows: Rows, i: int) -> bool | None:
    """By the truth table, one row and one comparison at a time."""
    if isinstance(node, Leaf):
        column = rows.columns[node.var]
        if not column.known[i]:
            return None
        value = column.values[i]
        if node.var in ("sex", "dead"):
            value = (column.variable.group_labels or ())[int(value)]
            value = {"true": True, "false": False}.get(value, value)
        if node.var == "seen":
            value = f"{int(value) // 12:04d}-{int(value) % 12 + 1:02d}"
        asked = node.value
        match node.op:
            case "=":
                return bool(value == asked)
            case "!=":
                return bool(value != asked)
            case "in":
                return value in asked
            case "<":
                return bool(value < asked)
            case "<=":
                return bool(value <= asked)
            case ">":
                return bool(value > asked)
            case _:
                return bool(value >= asked)
    if isinstance(node, Not):
        inner = kleene(node.item, rows, i)
        return None if inner is None else not inner
    found = [kleene(item, rows, i) for item in node.items]
    decides = not isinstance(node, All)
    if decides in found:
        return decides
    return None if None in found else not decides


def test_a_missing_part_is_missing_unless_the_rest_decides():
    rows, chance = invented(), random.Random(5)  # noqa: S311
    seen = set()
    for _ in range(60):
        made = tree(chance)
        node = parse_cohort(made, BOOK)
        found = Outcome(OUTCOME, node, BOOK).values(rows)
        wanted = [kleene(node, rows, i) for i in range(rows.n)]
        expected = np.array([np.nan if w is None else float(w) for w in wanted])
        np.testing.assert_array_equal(found, expected, err_msg=str(made))
        seen |= set(wanted)
        # what nobody has and everybody has, written as cohorts that can be read back
        for part in (when_yes(node, BOOK), when_no(node, BOOK), when_known(node, BOOK)):
            assert parse_cohort(part.to_dict(), BOOK) == part
    assert seen == {True, False, None}


def test_a_boolean_and_the_condition_that_it_is_true_are_one():
    rows = invented()
    alone = query("dead")
    for same in (leaf("dead", "=", True), leaf("dead", "!=", False), leaf("dead", "in", [True])):
        assert query(same).sha256 == alone.sha256
        assert query(same).params["outcome"] == "dead"
    reworded = query({"not": leaf("dead", "=", False)})
    assert reworded.sha256 != alone.sha256
    assert reworded.question_sha256 == alone.question_sha256
    ask = Ask(reworded, BOOK, Terms.strict())
    np.testing.assert_array_equal(
        outcome_of(ask).values(rows), Outcome.of("dead", BOOK).values(rows)
    )


def test_two_wordings_are_one_question_and_another_condition_is_not():
    one = {"any": [leaf("dead", "=", True), {"not": leaf("nodes", "<", 2)}]}
    same = {"not": {"all": [leaf("nodes", "<=", 1), leaf("dead", "=", False)]}}
    other = {"any": [leaf("dead", "=", True), leaf("nodes", ">=", 3)]}
    # the same cohort, but who lacks sex is here missing and there without the outcome
    missing = {"all": [one, leaf("sex", "in", ["f", "m", "x"])]}
    asked = query(one)
    assert query(same).question_sha256 == asked.question_sha256
    assert query(other).question_sha256 != asked.question_sha256
    assert query(missing).question_sha256 != asked.question_sha256
    assert parse(asked.to_dict(), BOOK) == asked
    assert asked.variables() == ("dead", "nodes")
    validator = jsonschema_rs.validator_for(json_schema(KINDS, BOOK))
    assert validator.is_valid(asked.to_dict())
    assert not validator.is_valid({**asked.to_dict(), "analysis": {"kind": "standardise"}})


@pytest.mark.parametrize(
    ("outcome", "formula", "code", "where"),
    [
        ("age", None, "BAD_VALUE", "analysis.outcome"),
        ({}, None, "BAD_VALUE", "analysis.outcome"),
        (leaf("age", ">=", 41), None, "TOO_FINE", "analysis.outcome.value"),
        ({"any": [leaf("dead", "=", True), leaf("agee", "<", 40)]}, None, "UNKNOWN_VARIABLE", None),
        ({"any": [leaf("dead", "=", True), leaf("age", "<", 40)]}, "age", "BAD_VALUE", None),
        (leaf("sex", "=", "q"), None, "NOT_IN_CATALOGUE", "analysis.outcome.value"),
        (3, None, "UNKNOWN_VARIABLE", "analysis.outcome"),
    ],
)
def test_a_wrong_outcome_is_said_with_its_place(outcome, formula, code, where):
    with pytest.raises(QueryError) as caught:
        query(outcome, formula)
    assert caught.value.code == code
    assert where is None or caught.value.where == where


def test_who_has_the_outcome_is_the_same_set_as_the_cohort_that_says_so():
    """So that the hub sees a cell of one answer in the total of another (nesting)."""
    outcome = {"all": [leaf("age", ">=", 60), leaf("sex", "=", "f")]}
    asked = query(outcome)
    cells = cell_sets(asked, BOOK, "abc", (("event", ("no", "yes")),))
    cohort = query("again", cohort=outcome)
    whole = defined_as(cohort, BOOK, "abc", "analysis")
    assert cells["event=yes"].of_anybody.definition == whole.of_anybody.definition
    assert defined_as(asked, BOOK, "abc", f"{OUTCOME}=true").definition == (
        cells["event=yes"].definition
    )
    # everybody with both values has an answer; not everybody with an answer has both values
    both = defined_as(query("again", cohort={}, formula="age + sex"), BOOK, "abc", "analysis")
    assert defined_as(asked, BOOK, "abc", "analysis").contains(both)
    assert not both.contains(defined_as(asked, BOOK, "abc", "analysis"))
    (token,) = known_in(asked, BOOK)
    assert is_known(token, frozenset({"age", "sex"}))
    assert not is_known(token, frozenset({"age"}))
    # of one variable the answer is known when the value is
    assert known_in(query(leaf("nodes", "<", 2)), BOOK) == {"nodes"}
    wide, narrow = query(leaf("age", ">=", 40)), query(leaf("age", ">=", 60))
    yes = [
        cell_sets(q, BOOK, "abc", (("event", ("no", "yes")),))["event=yes"] for q in (wide, narrow)
    ]
    assert yes[0].contains(yes[1])
    assert not yes[1].contains(yes[0])


def test_it_is_said_in_both_languages():
    asked = query({"any": [leaf("dead", "=", True), leaf("age", ">=", 60)]})
    method, ask = KINDS["standardise"], Ask(asked, BOOK, Terms.strict())
    assert "dead is ja" in method.words(ask, "nl")[0]
    assert "age at least 60" in method.words(ask, "en")[0]
    alone = method.words(Ask(query("dead"), BOOK, Terms.strict()), "en")
    assert len(alone) == len(method.words(ask, "en")) - 1
