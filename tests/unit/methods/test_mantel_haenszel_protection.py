"""The common odds ratio under protection: the pooled table first, then anything made from it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.registry import KINDS
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms

QUESTION = {"outcome": "e", "exposure": "h"}
TESTS = ("odds_ratio", "test", "homogeneity")


def site(rows: Any, a: int, b: int, c: int, d: int) -> Any:
    """Exposed with and without the outcome, then the others."""
    e = [True] * a + [False] * b + [True] * c + [False] * d
    return rows(e=e, h=["yes"] * (a + b) + ["no"] * (c + d))


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_a_small_cell_hides_all_that_is_made_from_it(
    few: int, ask: Any, answer: Any, rows: Any
) -> None:
    sites = [site(rows, few, 20, 15, 30), site(rows, 0, 20, 15, 30)]
    found = answer(ask("mantel_haenszel", **QUESTION), sites)
    if few >= 10:
        assert found.result["odds_ratio"] > 0
        return
    cells = {tuple(cell["by"].values()): cell["n"] for cell in found.result["cells"]}
    assert cells["yes", "true"] is None
    assert sum(n is None for n in cells.values()) >= 3
    for name in TESTS:
        assert found.result[name] is None
        assert found.why[name] == "small_cell"
    assert found.result["strata_used"] is None


def test_a_hospitals_table_is_not_among_what_is_sent(ask: Any, rows: Any) -> None:
    question = ask("mantel_haenszel", **QUESTION)
    method = KINDS["mantel_haenszel"]
    first = method.site(question, method.start(question), site(rows, 12, 20, 15, 30))
    assert set(first) == {
        *("n", "missing", "cells", "r", "s", "pr", "ps_qr", "qs", "excess", "variance", "used")
    }
    assert max(array.size for array in first.values()) == 4


def test_rounded(ask: Any, answer: Any, rows: Any) -> None:
    sites = [site(rows, 12, 20, 15, 30), site(rows, 17, 23, 11, 29)]
    result = answer(ask("mantel_haenszel", **QUESTION), sites).result
    for value in (result["odds_ratio"], result["se"], result["test"]["chi2"]):
        assert value == float(f"{value:.5e}")


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_a_small_stratum_of_a_variable_hides_the_ratio(
    few: int, ask: Any, answer: Any, rows: Any
) -> None:
    n = 200 + few
    rng = np.random.default_rng(1)
    made = rows(
        e=rng.random(n) < 0.5,
        h=rng.choice(["no", "yes"], n),
        g=["a"] * 100 + ["b"] * 100 + ["c"] * few,
    )
    found = answer(ask("mantel_haenszel", **QUESTION, strata="g"), [made])
    assert (found.result["odds_ratio"] is None) == (few < 10)


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"outcome": "e", "exposure": "e"}, ("e",)),
        ({"outcome": "e", "exposure": "h", "strata": "h"}, ("h",)),
    ],
)
def test_one_variable_for_two_things(params: Any, named: tuple[str, ...], ask: Any) -> None:
    with pytest.raises(Refused) as caught:
        KINDS["mantel_haenszel"].start(ask("mantel_haenszel", **params))
    assert (caught.value.code, caught.value.terms) == ("NOT_IN_CATALOGUE", named)


def test_too_many_strata(ask: Any) -> None:
    few = dataclasses.replace(Terms.strict(), max_cells=11)
    question = ask("mantel_haenszel", **QUESTION, strata="g", terms=few)
    with pytest.raises(Refused) as caught:
        KINDS["mantel_haenszel"].start(question)
    assert caught.value.code == "TOO_FINE"


def test_an_exposure_has_two_levels(ask: Any) -> None:
    with pytest.raises(QueryError) as caught:
        ask("mantel_haenszel", outcome="e", exposure="g")
    assert "exposure" in caught.value.message
