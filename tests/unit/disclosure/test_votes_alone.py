"""The votes on a question that each hospital answers by itself: who is in what is added, who gives
no answer, and when nothing is added at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.disclosure.looking import COHORT, Alone, Votes, agree
from federation.disclosure.marks import WORDS, Mark
from federation.query.refusals import Refused
from federation.query.terms import Terms

LABELS = ("analysis", "x", "level", COHORT)
TERMS = Terms.strict()
T = TERMS.diff.t_diff
ENOUGH = max(TERMS.min_sites, int(TERMS.min_effective_sites) + 1)


def mark(number: int) -> Mark:
    return (number, *(0,) * (WORDS - 1))


def vote(
    n: int = 100,
    *,
    objects: bool = False,
    flagged: tuple[int, ...] = (0, 0, 0, 0),
    bound: tuple[int, ...] = (5, 5, 5, 5),
    told: tuple[int, ...] = (0, 0, 0, 0),
    whole: tuple[int, ...] = (1, 2, 3, 4),
    **more: Any,
) -> Votes:
    marks = tuple(map(mark, (1, 2, 3, 4)))
    alone = Alone(objects, n, tuple(map(mark, whole)))
    return Votes(
        tuple(map(bool, flagged)), bound, tuple(map(bool, told)), marks, alone=alone, **more
    )


def pooled(*votes: Votes) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for each in votes:
        for name, array in each.sums().items():
            made[name] = made.get(name, 0) + array
    return made


def look(*votes: Votes, **more: Any) -> Any:
    return agree(pooled(*votes), LABELS, ("x",), T, T, alone=TERMS, **more)


def test_votes_read_back_with_what_they_add() -> None:
    said = vote(70, objects=True, entries=3)
    assert Votes.from_json(said.to_json()) == said
    assert said.sums()["look.weighs"].tolist() == [1, 70, 4900]
    assert "look.objects" not in Votes.none(2).sums()
    assert Votes.from_json(Votes.none(2).to_json()).alone is None


def test_of_whom_nothing_is_added_only_what_it_hides_by_itself_counts() -> None:
    """Its own answer follows from flags; bounds, marks and told are about sums it is not in."""
    nobody = vote(0, flagged=(0, 1, 0, 0), entries=1)
    assert nobody.same(vote(0, flagged=(0, 1, 0, 0), told=(1, 1, 1, 1), bound=(0,) * 4, entries=2))
    assert not nobody.same(vote(0, entries=2))
    assert not nobody.same(vote(0, flagged=(0, 1, 0, 0), objects=True, entries=2))
    assert not vote(entries=1).same(vote(told=(1, 0, 0, 0), entries=2))
    sums = vote(0, flagged=(1, 1, 1, 1), told=(1, 1, 1, 1)).sums()
    for name in ("look.flagged", "look.bound", "look.told"):
        assert not sums[name].any()
    assert sums["look.weighs"].tolist() == [0, 0, 0]


def test_a_level_that_may_not_be_added_costs_the_model_and_not_the_answers() -> None:
    few = vote(flagged=(0, 0, 1, 0), bound=(5, 5, 1, 5))
    assert not look(*[few] * ENOUGH).model
    assert look(few, *[vote()] * ENOUGH).model  # others vouch
    # of a hospital that is not in the model the level is no reason
    out = vote(0, flagged=(0, 0, 1, 0), bound=(5, 5, 1, 5))
    assert look(out, *[vote(bound=(5, 5, 1, 5))] * ENOUGH).model
    # nor does it vouch for another
    assert not look(few, out, out, *[vote(bound=(5, 5, 0, 5))] * ENOUGH).model
    # a cell is each hospital's own to hide
    assert look(*[vote(flagged=(0, 1, 0, 0), bound=(5, 1, 5, 5))] * ENOUGH).model


@pytest.mark.parametrize("weighing", [0, 1, TERMS.min_sites - 1])
def test_too_few_in_the_model_make_none(weighing: int) -> None:
    found = look(*[vote()] * weighing, *[vote(0)] * 5)
    assert not found.model
    assert not look(*[vote()] * 4, vote(10_000)).model  # one that outweighs the others


def test_one_that_objects_ends_it_for_all() -> None:
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(vote(0, objects=True), *[vote()] * ENOUGH)


def test_a_set_is_recognised_by_those_who_answer_or_by_all() -> None:
    told = vote(bound=(0, 5, 5, 5), told=(1, 0, 0, 0), whole=(9, 2, 3, 4))
    votes = [told] * ENOUGH

    def nothing(marks: Any) -> tuple[str, ...]:
        return ()

    def all_of_them(marks: Any) -> Any:
        assert marks["analysis"] == mark(9 * ENOUGH)
        return marks

    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(*votes, recognises=nothing, recognises_whole=nothing)
    found = look(*votes, recognises=nothing, recognises_whole=all_of_them)
    assert (found.model, found.doubted) == (True, frozenset())
    assert found.whole["analysis"] == mark(9 * ENOUGH)
    assert found.marks["analysis"] == mark(ENOUGH)
    assert look(*votes, recognises=tuple).model
    with pytest.raises(Refused, match="SMALL_GROUP"):
        look(*votes, recognises=nothing)
    # where nothing is added nobody needs to recognise anything
    few = vote(flagged=(0, 0, 1, 0), bound=(0, 5, 1, 5), told=(1, 0, 0, 0))
    assert not look(*[few] * ENOUGH, recognises=nothing, recognises_whole=nothing).model


@pytest.mark.parametrize("name", ["look.objects", "look.weighs", "look.whole"])
def test_votes_without_it_are_not_those_of_this_question(name: str) -> None:
    made = pooled(*[vote()] * ENOUGH)
    for spoilt in ({k: v for k, v in made.items() if k != name}, {**made, name: np.zeros(7, int)}):
        with pytest.raises(Refused, match="PROTOCOL"):
            agree(spoilt, LABELS, ("x",), T, T, alone=TERMS)
