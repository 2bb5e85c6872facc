"""One question, one meaning: held against the patients that each wording selects."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.methods.base import Column
from federation.methods.cohorts import cohort_mask
from federation.methods.registry import parse
from federation.query import meaning as module
from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort
from federation.query.meaning import meaning

BOOK = Codebook.from_dict(
    {
        "codebook": "mean/1",
        "unit": "patient",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 98, "cuts": [40, 41, 60]},
            "nodes": {"type": "integer", "min": 0, "max": 5},
            "size": {"type": "number", "min": 0, "max": 100, "cuts": [10, 20, 50]},
            "fu": {"type": "duration", "cuts": [30, 365], "min": 0, "max": 9000},
            "sex": {"type": "category", "levels": ["f", "m", "x"]},
            "treated": {"type": "boolean"},
            "seen": {"type": "date"},
            "year": {"type": "date", "resolution": "year"},
        },
    }
)


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


def means(cohort):
    return meaning(parse_cohort(cohort, BOOK), BOOK)


AGE = leaf("age", ">=", 60)
F, M, X = (leaf("sex", "=", level) for level in "fmx")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"all": [AGE, leaf("age", ">=", 40)]}, AGE),  # implied by another
        ({"all": [AGE, leaf("age", ">=", 18)]}, AGE),  # the whole range, of those with a value
        ({"all": [AGE, leaf("sex", "in", ["f", "m", "x"]), leaf("sex", "!=", "x")]},
         {"all": [leaf("sex", "in", ["m", "f"]), AGE]}),
        ({"any": [F, M]}, leaf("sex", "!=", "x")),
        ({"not": {"not": AGE}}, AGE),
        ({"not": {"all": [AGE, F]}}, {"any": [{"not": F}, {"not": AGE}]}),
        ({"all": [AGE, {"any": [AGE, F]}]}, AGE),  # absorbed
        ({"any": [{"all": [AGE, F]}, {"all": [AGE, M]}, {"all": [AGE, X]}]},
         {"all": [AGE, {"any": [F, M, X]}]}),
        ({"any": [{"all": [AGE, F]}, {"all": [AGE, {"not": F}]}]}, AGE),
        (leaf("age", ">", 40), leaf("age", ">=", 41)),  # whole numbers
        ({"any": [leaf("age", "<", 40), leaf("age", ">=", 40)]}, leaf("age", "between", [18, 98])),
        (leaf("nodes", ">", 3), leaf("nodes", "in", [4, 5])),
        ({"all": [leaf("nodes", "!=", 0), leaf("nodes", "<", 3)]},
         leaf("nodes", "between", [1, 2])),
        (leaf("treated", "!=", False), leaf("treated", "in", [True])),
        (leaf("seen", ">", "2015-12"), leaf("seen", ">=", "2016-01")),
        (leaf("year", "<", 2015), leaf("year", "<=", "2014")),
        ({"any": [leaf("size", "<", 10), leaf("size", "between", [10, 20])]},
         leaf("size", "<=", 20)),
        ({"any": [AGE, {"not": AGE}]}, {}),
        ({"all": [F, M]}, {"all": [AGE, leaf("age", "<", 40)]}),  # nobody
        (leaf("fu", "<", 365),
         {"not": {"any": [leaf("fu", ">=", 365), {"not": leaf("fu", ">=", 0)}]}}),
    ],
)  # fmt: skip
def test_two_wordings_of_one_cohort(one, other):
    assert means(one) == means(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"not": leaf("age", "<", 60)}, AGE),  # the first takes those without an age, too
        ({"all": [F, leaf("age", ">=", 18)]}, F),  # the first needs an age
        (leaf("size", ">", 10), leaf("size", ">=", 10)),
        (leaf("age", ">", 60), AGE),
        ({"any": [leaf("size", "<", 10), leaf("size", ">", 10)]}, leaf("size", ">=", 0)),
        ({}, leaf("sex", "in", ["f", "m", "x"])),
        ({"all": [F, M]}, {}),
    ],
)
def test_two_cohorts(one, other):
    assert means(one) != means(other)


@pytest.mark.parametrize(
    ("cohort", "whatever", "months"),
    [
        ({"all": [AGE, leaf("seen", "=", "2020-02")]}, AGE, [(24241, 24241)]),
        ({"all": [AGE, leaf("fu", ">=", 0), leaf("seen", ">", "2020-01")]}, AGE,
         [(24241, math.inf)]),
        ({"any": [{"all": [AGE, leaf("seen", "=", "2020-02")]},
                  {"all": [AGE, leaf("seen", "=", "2020-05")]}]}, AGE,
         [(24241, 24241), (24244, 24244)]),
        ({"any": [{"all": [AGE, leaf("seen", "=", "2020-02")]}, F]}, {"any": [AGE, F]}, None),
        ({"all": [leaf("seen", "=", "2020-02"), leaf("seen", "=", "2020-03")]}, {}, []),
        (AGE, AGE, None),
    ],
)  # fmt: skip
def test_a_cohort_whatever_its_months_are(cohort, whatever, months):
    node = parse_cohort(cohort, BOOK)
    assert module.meaning_whatever(node, BOOK, {"seen"}) == means(whatever)
    found = module.reach(node, BOOK, "seen")
    if months is None and found is not None:  # every month, and any beside
        assert (found[0][0], found[-1][1]) == (-math.inf, math.inf)
        assert all(one[1] + 1 >= other[0] for one, other in itertools.pairwise(found))
    else:
        assert found == months


def test_the_same_question_has_one_hash_in_every_study():
    def asked(cohort, study="a"):
        return parse(
            {
                "version": 1,
                "study": study,
                "codebook": "mean/1",
                "cohort": cohort,
                "analysis": {"kind": "describe", "variables": ["size"]},
            },
            BOOK,
        )

    plain, wordy = asked(AGE), asked({"all": [AGE, leaf("age", ">=", 40)]}, "b")
    assert plain.question_sha256 == wordy.question_sha256
    assert plain.question_sha256 != asked(leaf("age", ">", 60)).question_sha256
    # what people read and approve stays as it was written
    assert wordy.cohort.to_dict() != plain.cohort.to_dict()
    assert wordy.sha256 != plain.sha256


def test_a_cohort_of_too_many_pieces_keeps_its_wording(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    assert means({"all": [AGE, F]}) == parse_cohort({"all": [AGE, F]}, BOOK).to_dict()


LEAVES = [
    *(leaf("age", op, value) for op in ("<", "<=", ">", ">=") for value in (40, 41, 60)),
    *(leaf("size", op, value) for op in ("<", "<=", ">", ">=") for value in (10, 50)),
    leaf("nodes", "=", 2), leaf("nodes", "!=", 5), leaf("nodes", "in", [0, 1, 2]),
    leaf("nodes", ">", 1), F, M, leaf("sex", "!=", "f"), leaf("sex", "in", ["m", "x"]),
    leaf("seen", ">", "2015-03"), leaf("seen", "<", "2015-05"), leaf("seen", ">=", "2015-04"),
    leaf("treated", "=", True), leaf("year", ">", "2014"), leaf("year", "<=", "2015"),
]  # fmt: skip


def some_cohort(chance, depth=0):
    if depth == 3 or chance.random() < 0.35:
        return chance.choice(LEAVES)
    if chance.random() < 0.2:
        return {"not": some_cohort(chance, depth + 1)}
    parts = [some_cohort(chance, depth + 1) for _ in range(chance.randrange(1, 4))]
    return {chance.choice(["all", "any"]): parts}


def everybody():
    """Patients with every combination of values that the leaves could tell apart, at random."""
    chance = np.random.default_rng(4)
    n = 4000
    values = {
        "age": [18, 39, 40, 41, 42, 59, 60, 61, 98, np.nan],
        "size": [0, 9.5, 10, 11, 50, 50.5, 100, np.nan],
        "nodes": [0, 1, 2, 3, 4, 5, np.nan],
        "fu": [0, 30, np.nan],
        "seen": [2015 * 12 + month for month in range(6)] + [np.nan],
        "year": [(2013 + year) * 12 for year in range(4)] + [np.nan],
        "sex": [-1, 0, 1, 2],
        "treated": [-1, 0, 1],
    }
    return n, {
        name: Column(
            BOOK.variables[name],
            chance.choice(np.array(found, np.int16 if name in ("sex", "treated") else float), n),
        )
        for name, found in values.items()
    }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_same_meaning_selects_the_same_patients_and_another_does_not(seed):
    """Random trees against the site's own arithmetic: equal meaning, equal rows, and back."""
    chance = random.Random(seed)  # noqa: S311  test data
    n, columns = everybody()
    cohorts = [some_cohort(chance) for _ in range(3)]
    # and some that are the same for certain
    cohorts += [{"not": {"not": cohorts[0]}}, {"all": [cohorts[1], {"any": [cohorts[1], F]}]}]
    nodes = [parse_cohort(cohort, BOOK) for cohort in cohorts]
    masks = [cohort_mask(node, columns, n) for node in nodes]
    meant = [meaning(node, BOOK) for node in nodes]
    for i, one in enumerate(meant):
        for j, other in enumerate(meant[:i]):
            if one == other:
                assert np.array_equal(masks[i], masks[j])
            elif np.array_equal(masks[i], masks[j]):
                # chance left a combination out of the patients; ask them all
                assert _differ_somewhere(nodes[i], nodes[j], columns)
    assert meant[3] == meant[0]
    assert meant[4] == meant[1]


def _differ_somewhere(one, other, columns):
    """Whether some patient, of all that there could be, is in one cohort only."""
    names = sorted({*one.variables(), *other.variables()})
    choices = [np.unique(columns[name].values) for name in names]
    grid = np.meshgrid(*choices, indexing="ij")
    n = grid[0].size
    made = {
        name: Column(columns[name].variable, part.ravel())
        for name, part in zip(names, grid, strict=True)
    }
    return not np.array_equal(cohort_mask(one, made, n), cohort_mask(other, made, n))
