"""Comparisons under protection: no test with a hidden group in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import Terms


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_a_small_group_takes_the_tests_with_it(few: int, ask: Any, answer: Any, rows: Any) -> None:
    made = rows(age=list(np.arange(100 + few) % 60 + 30), g=["a"] * 40 + ["b"] * 60 + ["c"] * few)
    found = answer(ask("compare", variable="age", by="g"), [made])
    if few >= 10:
        assert found.result["anova"]["df"] == 2
        assert found.result["kruskal"]["on"] == "classes"
        return
    assert found.result["anova"] is None
    assert found.result["kruskal"] is None
    assert found.why["anova"] == found.why["kruskal"] == "small_cell"
    hidden = [group for group in found.result["groups"] if group["n"] is None]
    # The total is public, so a second group must hide what the first one is.
    assert [group["level"] for group in hidden] == ["a", "c"]
    assert all(group["mean"] is None for group in hidden)


def test_two_levels_of_three_can_be_compared(ask: Any, answer: Any, rows: Any) -> None:
    question = ask("compare", variable="age", by="g")
    cohort = {"all": [{"not": {"var": "g", "op": "=", "value": "c"}}]}
    query = dataclasses.replace(question.query, cohort=_cohort(question, cohort))
    question = dataclasses.replace(question, query=query)
    made = rows(age=list(np.arange(60) + 30), g=["a", "b"] * 30)
    found = answer(question, [made])
    assert [group["level"] for group in found.result["groups"]] == ["a", "b"]
    assert found.result["welch_t"]["p"] > 0.5


def _cohort(question: Any, tree: Any) -> Any:
    from federation.query.cohort import parse_cohort

    return parse_cohort(tree, question.codebook)


def test_ranks_are_those_of_the_codebooks_classes(ask: Any, answer: Any, rows: Any) -> None:
    rng = np.random.default_rng(4)
    age = rng.integers(18, 111, 200)
    made = rows(age=age, h=["no", "yes"] * 100)
    result = answer(ask("compare", variable="age", by="h"), [made]).result
    edges = np.array(made.column("age").variable.edges)
    place = np.digitize(age, edges[1:-1])
    expected = stats.mannwhitneyu(place[::2], place[1::2], method="asymptotic")
    assert result["mann_whitney"]["statistic"] == pytest.approx(expected.statistic, rel=1e-5)
    assert result["mann_whitney"]["p"] == pytest.approx(expected.pvalue, rel=1e-5)
    three = rows(age=age, g=list("abc") * 66 + ["a", "b"])
    result = answer(ask("compare", variable="age", by="g"), [three]).result
    expected = stats.kruskal(*(place[np.arange(200) % 3 == k] for k in range(3)))
    assert result["kruskal"]["statistic"] == pytest.approx(expected.statistic, rel=1e-5)
    assert result["kruskal"]["p"] == pytest.approx(expected.pvalue, rel=1e-5)


def test_without_classes_there_are_no_ranks(ask: Any, answer: Any, rows: Any) -> None:
    found = answer(ask("compare", variable="x", by="h"), [rows(x=range(60), h=["no", "yes"] * 30)])
    assert found.result["mann_whitney"] is None
    assert found.why["mann_whitney"] == "no_cuts"
    assert found.result["welch_t"] is not None


def test_everyone_the_same_tells_each_value(ask: Any, answer: Any, rows: Any) -> None:
    made = rows(age=[50] * 20 + list(range(40, 60)), h=["no"] * 20 + ["yes"] * 20)
    found = answer(ask("compare", variable="age", by="h"), [made])
    assert found.result["groups"][0]["mean"] is None
    assert found.why["groups[0].mean"] == found.why["welch_t"] == "no_spread"
    assert found.result["mann_whitney"] is not None


def test_one_patient_may_not_make_up_a_mean(ask: Any, answer: Any, rows: Any) -> None:
    made = rows(x=[1e5, *([1.0] * 29), *range(30)], h=["no"] * 30 + ["yes"] * 30)
    found = answer(ask("compare", variable="x", by="h"), [made])
    assert found.why["groups[0].mean"] == found.why["welch_t"] == "dominance"
    # The mean of all may be known from another question.
    assert found.result["groups"][1]["mean"] is None


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_a_small_cell_takes_the_test_with_it(few: int, ask: Any, answer: Any, rows: Any) -> None:
    made = rows(
        g=["a"] * 30 + ["b"] * 30 + ["a"] * 40 + ["b"] * 40 + ["c"] * (20 + few),
        h=["no"] * 60 + ["yes"] * 80 + ["no"] * 20 + ["yes"] * few,
    )
    found = answer(ask("compare", variable="h", by="g"), [made])
    shown = [cell["n"] for cell in found.result["cells"] if cell["n"] is not None]
    assert (found.result["chi2"] is None) == (few < 10)
    assert (len(shown) == 6) == (few >= 10)
    if few < 10:
        assert found.why["chi2"] == "small_cell"
        assert len(shown) <= 2


def test_nothing_by_itself_and_not_too_fine(ask: Any) -> None:
    with pytest.raises(Refused) as caught:
        KINDS["compare"].start(ask("compare", variable="g", by="g"))
    assert (caught.value.code, caught.value.terms) == ("NOT_IN_CATALOGUE", ("g",))
    few = dataclasses.replace(Terms.strict(), max_cells=5)
    with pytest.raises(Refused) as caught:
        KINDS["compare"].start(ask("compare", variable="h", by="g", terms=few))
    assert caught.value.code == "TOO_FINE"


def test_no_values_leave_under_protection(ask: Any, answer: Any, rows: Any) -> None:
    made = rows(age=range(30, 90), h=["no", "yes"] * 30)
    steps = answer(ask("compare", variable="age", by="h"), [made]).steps
    assert steps == ["compare.counts", "compare.spread"]
