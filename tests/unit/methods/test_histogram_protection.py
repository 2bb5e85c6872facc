"""Histograms under protection: bars instead of thin classes, and nothing by subtraction."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.bars import is_cleared, merged
from federation.methods.base import Ask, Finished, Rows
from federation.methods.labels import cell_labels, set_labels, settle
from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import HistTerms, Terms

STRICT = Terms.strict()


def ages(rows: Any, counts: dict[int, int], **more: Any) -> Any:
    return rows(age=[age for age, n in counts.items() for _ in range(n)], **more)


def edges(result: dict[str, Any]) -> list[tuple[float | None, float | None]]:
    return [(bar["low"], bar["high"]) for bar in result["bins"]]


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_a_thin_class_is_joined_to_the_right(few: int, ask: Any, answer: Any, rows: Any) -> None:
    found = answer(ask("histogram", variable="age"), [ages(rows, {42: 30, 47: few, 52: 40})])
    joined = [(None, 45.0), (45.0, None)]
    alone = [(None, 45.0), (45.0, 50.0), (50.0, None)]
    assert edges(found.result) == (joined if few < 10 else alone)
    sizes = [bar["n"] for bar in found.result["bins"]]
    assert sum(sizes) == found.result["n"] == 70 + few
    assert min(sizes) >= 10


@pytest.mark.parametrize("few", [0, 1, 9])
def test_a_thin_end_joins_the_last_bar(few: int, ask: Any, answer: Any, rows: Any) -> None:
    found = answer(ask("histogram", variable="age"), [ages(rows, {42: 30, 47: 20, 104: few})])
    assert edges(found.result) == [(None, 45.0), (45.0, None)]
    assert [bar["n"] for bar in found.result["bins"]] == [30, 20 + few]


def test_thin_classes_make_a_bar_together(ask: Any, answer: Any, rows: Any) -> None:
    found = answer(ask("histogram", variable="age"), [ages(rows, {42: 6, 47: 6, 52: 6, 57: 6})])
    assert edges(found.result) == [(None, 50.0), (50.0, None)]


@pytest.mark.parametrize("few", [0, 1, 9])
def test_too_few_in_all_are_one_hidden_bar(few: int, ask: Any, answer: Any, rows: Any) -> None:
    found = answer(ask("histogram", variable="age"), [ages(rows, {42: few})])
    assert found.result["bins"] == [{"low": None, "high": None, "n": None}]
    assert found.result["n"] is None
    assert found.why["bins[0]"] == "small_cell"


def test_no_more_bars_than_the_terms_allow(ask: Any, answer: Any, rows: Any) -> None:
    terms = dataclasses.replace(STRICT, hist=HistTerms(min_bin=10, max_bins=5, tails="open"))
    made = ages(rows, dict.fromkeys(range(18, 111), 15))
    found = answer(ask("histogram", variable="age", terms=terms), [made])
    # 18 classes, four of them together
    assert edges(found.result) == [(None, 40), (40, 60), (60, 80), (80, 100), (100, None)]
    assert sum(bar["n"] for bar in found.result["bins"]) == 93 * 15


def test_closed_tails_where_the_terms_say_so(ask: Any, answer: Any, rows: Any) -> None:
    terms = dataclasses.replace(STRICT, hist=HistTerms(min_bin=10, max_bins=20, tails="closed"))
    made = rows(score=[1, 2, 2, 3] * 20)
    found = answer(ask("histogram", variable="score", terms=terms), [made])
    assert edges(found.result) == [(1, 1), (2, 2), (3, 5)]


def test_whole_numbers_are_joined_too(ask: Any, answer: Any, rows: Any) -> None:
    made = rows(score=[1] * 5 + [2] * 30 + [3] * 30 + [4] * 4)
    found = answer(ask("histogram", variable="score"), [made])
    assert edges(found.result) == [(None, 2), (3, None)]


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_groups_share_the_bars_and_give_nothing_by_subtraction(
    few: int, ask: Any, answer: Any, rows: Any
) -> None:
    counts = {"a": (30, few, 40), "b": (25, 30, 12), "c": (20, 22, 31)}
    age = [
        a for n in counts.values() for a, k in zip((42, 47, 52), n, strict=True) for _ in range(k)
    ]
    level = [g for g, n in counts.items() for _ in range(sum(n))]
    found = answer(ask("histogram", variable="age", by="g"), [rows(age=age, g=level)])
    bars = found.result["bins"]
    assert edges(found.result) == [(None, 45), (45, 50), (50, None)]
    table = np.array([[b["n"] or 0 for b in g["bins"]] for g in found.result["groups"]])
    hidden = np.array([[b["n"] is None for b in g["bins"]] for g in found.result["groups"]])
    true = np.array(list(counts.values()))
    assert hidden[0, 1] == (few < 10)
    for axis, margin in (
        (0, [b["n"] for b in bars]),
        (1, [g["n"] for g in found.result["groups"]]),
    ):
        rest = np.array(margin) - table.sum(axis=axis)
        count = hidden.sum(axis=axis)
        assert ((count == 0) | ((count >= 2) & (rest >= 10))).all()
    assert (table[~hidden] == true[~hidden]).all()


def test_a_variable_by_itself_or_with_too_many_cells(ask: Any) -> None:
    method = KINDS["histogram"]
    with pytest.raises(Refused) as caught:
        method.start(ask("histogram", variable="age", by="age"))
    assert (caught.value.code, caught.value.terms) == ("NOT_IN_CATALOGUE", ("age",))
    few = dataclasses.replace(STRICT, max_cells=53)
    with pytest.raises(Refused) as caught:
        method.start(ask("histogram", variable="age", by="g", terms=few))
    assert caught.value.code == "TOO_FINE"


class TestVotes:
    """What the hospitals' auditors hold back, by labels of single classes."""

    def pooled(self, question: Ask, made: Rows) -> Finished:
        method = KINDS["histogram"]
        return Finished(method.site(question, method.start(question), made))

    def test_a_class_held_back_is_joined(self, ask: Any, rows: Any) -> None:
        question = ask("histogram", variable="age")
        finished = self.pooled(question, ages(rows, {42: 30, 47: 30, 52: 40}))
        finished, hide = settle(
            KINDS["histogram"], question, finished, frozenset({"age=[45,50)", "age=[18,25)"})
        )
        # What stands before the first shown class goes with it; [45,50) waits for [50,55).
        assert finished.facts["bars"] == ((0, 4), (5, 17))
        assert hide == frozenset()

    def test_by_group_a_class_is_held_back_when_each_group_is(self, ask: Any, rows: Any) -> None:
        question = ask("histogram", variable="age", by="h")
        made = rows(age=[42] * 40 + [47] * 40 + [52] * 40, h=["no", "yes"] * 60)
        finished = self.pooled(question, made)
        both = frozenset({"h=no,age=[45,50)", "h=yes,age=[45,50)"})
        for held, bars in ((both, ((0, 4), (5, 17))), (both - {"h=no,age=[45,50)"}, None)):
            found, _ = settle(KINDS["histogram"], question, finished, held)
            assert found.facts["bars"] == (bars or ((0, 4), (5, 5), (6, 17)))

    def test_when_every_class_is_held_back_all_are_one(self, ask: Any, rows: Any) -> None:
        question = ask("histogram", variable="age")
        finished = self.pooled(question, ages(rows, {42: 30, 47: 30}))
        held = frozenset({"age=[40,45)", "age=[45,50)"})
        finished, _ = settle(KINDS["histogram"], question, finished, held)
        assert finished.facts["bars"] == ((0, 17),)

    def test_a_cell_or_group_held_back_hides_its_bars(self, ask: Any, rows: Any) -> None:
        question = ask("histogram", variable="age", by="h")
        made = rows(age=[42] * 40 + [47] * 40, h=["no", "yes"] * 40)
        held = frozenset({"h=yes,age=[40,45)"})
        _, hide = settle(KINDS["histogram"], question, self.pooled(question, made), held)
        assert hide == {"h=yes,age=[18,45)"}
        held = frozenset({"h=no"})
        _, hide = settle(KINDS["histogram"], question, self.pooled(question, made), held)
        assert hide == {"h=no", "h=no,age=[18,45)", "h=no,age=[45,110]"}

    def test_labels_are_those_of_cells(self, ask: Any) -> None:
        question = ask("histogram", variable="score", by="h")
        labels = set_labels(KINDS["histogram"], question)
        assert labels[:3] == ("analysis", "h=no", "h=no,score=1")
        assert labels[-1] == "h=yes,score=5"
        assert cell_labels(KINDS["histogram"], question) == set(labels[1:])

    def test_other_kinds_settle_nothing(self, ask: Any) -> None:
        finished = Finished({}, {"a": 1})
        held = frozenset({"g=a"})
        assert settle(KINDS["count"], ask("count"), finished, held) == (finished, held)


def test_bars_are_merged_and_cleared_by_the_rule() -> None:
    sizes = [4, 12, 3, 9, 2]
    size = lambda bar: sum(sizes[bar[0] : bar[1] + 1])  # noqa: E731
    assert merged(5, lambda bar: size(bar) >= 10) == ((0, 1), (2, 4))
    assert merged(5, lambda bar: False) == ((0, 4),)
    assert is_cleared((2, 3), size, [True] * 5, 10)  # only classes that are thin anyway
    assert not is_cleared((0, 2), size, [True] * 5, 10)
    assert is_cleared((0, 2), size, [True, False, True, True, True], 10)
