"""When a set is no news: as its question defines it, and as the hospitals vote on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from federation.disclosure.looking import (
    COHORT,
    LOOK,
    Agreement,
    Votes,
    agree,
    cap,
    doubts,
    take_doubts,
)
from federation.disclosure.marks import WORDS
from federation.disclosure.nesting import cell_sets, defined_as, released_sets
from federation.disclosure.told import holds_hidden, is_told, rosters_of
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.refusals import Refused

BOOK = Codebook.from_dict(
    {
        "codebook": "told/1",
        "unit": "patient",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 98, "cuts": {"step": 20}},
            "stage": {"type": "category", "levels": ["I", "II", "III", "IV"]},
            "sex": {"type": "category", "levels": ["f", "m"]},
        },
    }
)
SITES = ("a", "b", "c")


@dataclass(frozen=True)
class Table:
    name: str
    dims: Any
    counts: Any


def query(by=(), cohort=None):
    asked = {
        "version": 1,
        "study": "s",
        "codebook": "told/1",
        "cohort": cohort or {},
        "analysis": {"kind": "count", "by": list(by)},
    }
    return parse(asked, BOOK)


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


def shown_before(hidden=()):
    """A table of stages, 30, 20, 12 and 40 patients, with its total."""
    levels = ("I", "II", "III", "IV")
    counts = np.array([30, 20, 12, 40])
    mask = np.array([level not in hidden for level in levels])
    tables = [Table("total", (), np.array(102)), Table("cells", (("stage", levels),), counts)]
    shown = {"total": np.array(True), "cells": mask}
    return released_sets(query(by=["stage"]), BOOK, SITES, tables, shown)


@pytest.mark.parametrize(
    ("label", "levels", "ranges"),
    [
        ("analysis", {}, {}),
        ("cohort", {}, {}),
        ("trt=I", {}, {}),  # no variable of this codebook
        ("stage=IV", {"stage": {"IV"}}, {}),
        ("age=[38,58),stage=I", {"stage": {"I"}}, {"age": (38.0, 58.0)}),
    ],
)
def test_what_a_label_stands_for(label, levels, ranges):
    found = defined_as(query(by=["age", "stage"]), BOOK, SITES, label)
    assert found.levels == levels
    assert {name: (r.low, r.high) for name, r in found.ranges.items()} == ranges
    assert (found.known, found.n) == ({"age", "stage"}, None)
    assert bool(found.table) == bool(levels)


def test_a_label_stands_for_the_cell_that_the_gate_calls_so():
    asked = query(by=["sex", "stage"], cohort=leaf("age", ">=", 60))
    dims = [("sex", ("f", "m")), ("stage", ("I", "II", "III", "IV"))]
    for label, cell in cell_sets(asked, BOOK, SITES, dims).items():
        assert defined_as(asked, BOOK, SITES, label) == cell


@pytest.mark.parametrize(
    ("cohort", "n", "hidden", "told", "holds"),
    [
        ({}, 102, (), True, False),  # the total itself
        ({}, 102, ("II", "III"), True, True),
        (leaf("stage", "=", "II"), 20, (), True, False),
        (leaf("stage", "in", ["I", "II"]), 50, (), True, False),
        (leaf("stage", "in", ["I", "II"]), 49, (), False, False),
        (leaf("stage", "in", ["I", "II"]), 50, ("II", "III"), False, True),
        (leaf("stage", "in", ["II", "III"]), 32, ("II", "III"), False, True),
        (leaf("stage", "=", "I"), 30, ("II", "III"), True, False),
        (leaf("age", ">=", 60), 40, (), False, False),
    ],
)
def test_a_set_that_shown_numbers_tell(cohort, n, hidden, told, holds):
    wanted = defined_as(query(cohort=cohort), BOOK, SITES, "analysis")
    earlier = shown_before(hidden)
    assert is_told(wanted, n, earlier) is told
    assert holds_hidden(wanted, earlier) is holds


def test_of_conditions_taken_as_they_are_nobody_knows_what_lies_inside():
    earlier = shown_before(["II", "III"])
    not_four = {"not": leaf("stage", "=", "IV")}
    opaque = defined_as(query(cohort=not_four), BOOK, SITES, "analysis")
    assert holds_hidden(opaque, earlier)
    apart = {"all": [not_four, leaf("stage", "=", "I")]}
    assert not holds_hidden(defined_as(query(cohort=apart), BOOK, SITES, "analysis"), earlier)


def test_what_was_hidden_and_shown_later_is_told():
    wanted = defined_as(query(cohort=leaf("stage", "=", "II")), BOOK, SITES, "analysis")
    earlier = [*shown_before(["II", "III"]), *shown_before()]
    assert is_told(wanted, 20, earlier)
    assert not holds_hidden(wanted, earlier)


def test_another_variable_without_missing_values_changes_nothing():
    wanted = defined_as(query(by=["sex"]), BOOK, SITES, "analysis")
    assert is_told(wanted, 102, shown_before())
    assert not is_told(wanted, 101, shown_before())


def test_the_rest_of_a_wider_set_is_told():
    """Everybody, and stage IV alone; the other three stages are what is left."""
    earlier = shown_before(hidden=("II", "III"))
    wanted = defined_as(
        query(cohort=leaf("stage", "in", ["I", "II", "III"])), BOOK, SITES, "analysis"
    )
    assert is_told(wanted, 62, earlier)
    assert not is_told(wanted, 61, earlier)


@pytest.mark.parametrize(("young", "told"), [(("<", 60), True), (("<=", 60), False)])
def test_the_rest_of_a_range_is_told(young, told):
    """Everybody, and the young; those of 60 are in both parts when the ends touch."""
    everybody = shown_before()[0]
    shown = replace(defined_as(query(cohort=leaf("age", *young)), BOOK, SITES, "analysis"), n=70)
    wanted = defined_as(query(cohort=leaf("age", ">=", 60)), BOOK, SITES, "analysis")
    assert is_told(wanted, 32, [everybody, shown]) is told
    assert not is_told(wanted, 31, [everybody, shown])


def test_over_which_hospitals_a_set_was_answered():
    earlier = shown_before()
    wanted = defined_as(query(by=["sex"]), BOOK, ("a", "b"), "analysis")
    assert rosters_of(wanted, earlier) == {frozenset(SITES)}
    other = defined_as(query(cohort=leaf("age", ">=", 60)), BOOK, SITES, "analysis")
    assert rosters_of(other, earlier) == set()


# The votes.

LABELS = ("analysis", "x", "y", COHORT)
T = 10


def pooled(*votes):
    made: dict[str, Any] = {}
    for vote in votes:
        for name, array in vote.sums().items():
            made[name] = made.get(name, 0) + array
    return made


def vote(flagged=(0, 0, 0, 0), bound=(5, 5, 5, 5), told=(0, 0, 0, 0), marks=(1, 2, 3, 4), **more):
    return Votes(
        tuple(map(bool, flagged)),
        bound,
        tuple(map(bool, told)),
        tuple((mark, *(0,) * (WORDS - 1)) for mark in marks),
        **{"population": 100, **more},
    )


def look(*votes, recognises=None, cells=("x", "y"), **more):
    return agree(pooled(*votes), LABELS, cells, T, T, recognises, **more)


def nothing(marks):
    return ()


def test_votes_read_back_and_are_the_same():
    few = {"flagged": (0, 1, 0, 0), "complement_flagged": True, "complement_bound": 3}
    said = vote(**few, rank=7, entries=3)
    assert Votes.from_json(said.to_json()) == said
    assert said.same(vote(**few, rank=8, entries=4))
    for other in ({}, {**few, "marks": (1, 2, 3, 5)}, {**few, "told": (1, 0, 0, 0)}):
        assert not said.same(vote(**other, entries=4))
        assert said.same(vote(**other, entries=3))  # before the same history
    assert Votes.none(2).sums()["look.marks"].shape == (2, WORDS)
    assert (LOOK, cap(10), cap(5)) == ("look", 5, 3)


def test_two_hospitals_vouch_for_a_set_that_a_third_flags():
    few = vote(flagged=(1, 1, 0, 0), bound=(1, 1, 5, 5))
    assert look(few, vote(), vote()).hidden == frozenset()
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(few, vote())
    cell = vote(flagged=(0, 1, 0, 0), bound=(5, 1, 5, 5))
    assert look(cell, vote()).hidden == {"x"}


def test_a_told_cell_is_doubted_unless_it_is_recognised():
    told = vote(bound=(5, 0, 5, 5), told=(0, 1, 0, 0))
    found = look(told, told, recognises=nothing)
    assert (found.hidden, found.told, found.doubted) == (frozenset(), {"x"}, {"x"})
    assert look(told, told, recognises=tuple).doubted == frozenset()
    assert look(told, told).doubted == frozenset()  # the hub takes the hospitals' word
    assert look(told, vote(), vote(), recognises=nothing).told == frozenset()


def test_a_told_analysis_set_must_be_recognised_by_its_mark():
    told = vote(bound=(0, 5, 5, 5), told=(1, 0, 0, 0))

    def recognises(marks):
        assert marks == {"analysis": (2, *(0,) * (WORDS - 1))}
        return marks

    assert look(told, told, recognises=recognises).analysis_told
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(told, told, recognises=nothing)
    assert not look(told, vote(), vote(), recognises=nothing).analysis_told


@pytest.mark.parametrize(("marks", "hidden"), [((1, 2, 3, 1), False), ((1, 2, 3, 4), True)])
def test_the_cohort_is_told_by_its_analysis_set_when_nobody_lacks_a_value(marks, hidden):
    told = vote(bound=(5, 5, 5, 0), told=(0, 0, 0, 1), marks=marks)
    found = look(told, told, recognises=nothing)
    assert (COHORT in found.doubted) is hidden
    assert (COHORT in found.marks) is not hidden
    assert set(LABELS[:3]) <= set(found.marks)


def test_doubts_travel_with_the_first_sums():
    sums = {"n": np.array([4])}
    several = [doubts(LABELS, {"x"}), doubts(LABELS, ()), doubts(LABELS, {"x", COHORT})]
    added = {name: sum(one[name] for one in several) for name in several[0]}
    added |= sums
    assert take_doubts(added, LABELS) == {"x", COHORT}
    assert added == sums
    assert take_doubts(added, LABELS) == frozenset()


def test_a_level_of_a_model_is_named():
    few = vote(flagged=(0, 1, 0, 0), bound=(5, 1, 5, 5))
    with pytest.raises(Refused) as caught:
        look(few, cells=(), terms={"x": ("stage",), "y": ("sex",)})
    assert (caught.value.code, caught.value.terms) == ("MODEL_TOO_RICH", ("stage",))
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(vote(flagged=(1, 1, 0, 0), bound=(1, 1, 5, 5)), cells=(), terms={"x": ("stage",)})


def test_the_complement():
    few = vote(complement_flagged=True, complement_bound=4)
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(few, vote(complement_bound=5))
    assert look(few, vote(complement_bound=5), vote(complement_bound=5)).population == 300


@pytest.mark.parametrize("name", sorted(vote().sums()))
def test_votes_of_another_shape_are_no_votes(name):
    sums = pooled(vote())
    for broken in ({}, {name: np.zeros((2, 5), np.int64)}):
        with pytest.raises(Refused, match="PROTOCOL"):
            agree({**{k: v for k, v in sums.items() if k != name}, **broken}, LABELS, (), T, T)


def test_the_rank_is_held_against_all_patients():
    Agreement(frozenset(), 100).check_rank(20, 0.2)
    with pytest.raises(Refused, match="BUDGET"):
        Agreement(frozenset(), 100).check_rank(21, 0.2)
