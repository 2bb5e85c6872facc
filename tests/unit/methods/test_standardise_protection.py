"""What protection does to observed against expected."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import decide
from federation.methods.base import Released, Rows, Step
from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import Terms

QUESTION = {"outcome": "e", "formula": "age"}
METHOD: Any = KINDS["standardise"]


def _site(rows: Any, seed: int, n: int = 120, **more: Any) -> Rows:
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n)
    chance = 1 / (1 + np.exp(-(0.03 * (age - 60) + rng.normal(0, 0.4))))
    values = {"age": age, "e": rng.random(n) < chance, "g": rng.choice(["a", "b", "c"], n)}
    return rows(**{**values, **more})


@pytest.fixture
def sites(rows: Any) -> list[Rows]:
    return [_site(rows, seed) for seed in range(5)]


def _by_site(question: Any) -> Any:
    return dataclasses.replace(
        question, query=dataclasses.replace(question.query, output="by_site")
    )


def _own(question: Any, found: Any, rows: Rows) -> Released:
    """One hospital's own answer behind the real gate."""
    at = dataclasses.replace(question, site="s00")
    finished = METHOD.own_part(at, Step("standardise.own", found.finished.facts), rows)
    shown = decide(METHOD.tables(at, finished), at.terms)
    return METHOD.result(at, finished, shown)


def test_rounded_and_nothing_per_hospital(ask: Any, answer: Any, sites: Any) -> None:
    found = answer(ask("standardise", **QUESTION), sites)
    assert set(found.result) == {
        "n", "missing", "observed", "limits", "terms", "loglik", "rounds", "overdispersion",
        "rankability",
    }  # fmt: skip
    assert found.steps[-1] == "standardise.totals"
    assert "standardise.check" in found.steps
    assert "standardise.hospitals" not in found.steps
    phi = found.result["overdispersion"]["phi"]
    assert phi == float(f"{phi:.5e}")


def test_by_site_asks_one_more_round_for_the_widened_limits(
    ask: Any, answer: Any, sites: Any
) -> None:
    question = _by_site(ask("standardise", **QUESTION))
    found = answer(question, sites)
    assert found.steps[-1] == "standardise.own"
    for rows in sites:
        own = _own(question, found, rows).result
        assert own["limits998"][0] < own["limits95"][0] < 1 < own["limits95"][1]
        if found.result["overdispersion"]["tau2"] > 0:
            assert own["limits95_widened"][1] > 1
        assert own["ratio"] == float(f"{own['ratio']:.5e}")


@pytest.mark.parametrize("formula", ["age", None])
@pytest.mark.parametrize("few", [0, 1, 9])
def test_few_with_the_outcome_look_alike_and_leave_the_limits(
    few: int, formula: str | None, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    question = _by_site(ask("standardise", outcome="e", formula=formula))
    found = answer(question, sites)
    mine = _site(rows, 9, e=[True] * few + [False] * (120 - few))
    released = _own(question, found, mine)
    own = released.result
    assert (own["observed"], own["ratio"], own["z"], own["outside"]) == (None, None, None, None)
    assert {h["where"] for h in released.hidden} >= {"observed", "ratio"}
    assert own["limits95"][0] < own["limits95"][1]
    nobody = _own(question, found, _site(rows, 9, e=[False] * 120)).result
    assert {k: v for k, v in own.items() if k != "expected"} == {
        k: v for k, v in nobody.items() if k != "expected"
    }


@pytest.mark.parametrize("without", [1, 9])
def test_few_without_the_outcome_are_hidden_too(
    without: int, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    question = _by_site(ask("standardise", **QUESTION))
    found = answer(question, sites)
    mine = _site(rows, 9, e=[False] * without + [True] * (120 - without))
    assert _own(question, found, mine).result["observed"] is None


@pytest.mark.parametrize("n", [0, 1, 9])
def test_a_small_hospital_shows_nothing(
    n: int, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    question = _by_site(ask("standardise", **QUESTION))
    found = answer(question, sites)
    released = _own(question, found, _site(rows, 9, n=n))
    assert {v for k, v in released.result.items() if k in ("n", "observed", "expected")} == {None}
    assert released.result["limits95"] == [None, None]


@pytest.mark.parametrize("enough", [10, 11])
def test_enough_are_shown(enough: int, ask: Any, answer: Any, sites: Any, rows: Any) -> None:
    question = _by_site(ask("standardise", **QUESTION))
    found = answer(question, sites)
    mine = _site(rows, 9, e=[True] * enough + [False] * (120 - enough))
    assert _own(question, found, mine).result["observed"] == enough


def test_too_few_events_for_the_model(ask: Any, answer: Any, rows: Any) -> None:
    made = [_site(rows, seed, e=[True] * 3 + [False] * 117) for seed in range(3)]
    with pytest.raises(Refused) as caught:
        answer(ask("standardise", **QUESTION), made)
    assert caught.value.code == "MODEL_TOO_RICH"


@pytest.mark.parametrize("few", [1, 9])
def test_few_outcomes_in_all_are_hidden_and_so_is_the_rest(
    few: int, ask: Any, answer: Any, rows: Any
) -> None:
    made = [_site(rows, seed, e=[False] * 120) for seed in range(3)]
    made[0].column("e").values[:few] = 1
    found = answer(ask("standardise", outcome="e"), made)
    assert found.result["observed"] is None
    assert found.why["observed"] == "small_cell"
    assert found.result["overdispersion"] == {"phi": None, "tau2": None, "winsorised": 0.0}
    assert found.result["rankability"] == {"value": None, "word": None, "may_rank": False}
    # Nor in a hospital's own answer: expected / n would be the pooled share.
    assert _own(ask("standardise", outcome="e"), found, made[1]).result["expected"] is None


def test_rows_that_are_tumours_count_their_patients(
    ask: Any, answer: Any, sites: Any, codebook: Any
) -> None:
    question = _by_site(ask("standardise", **QUESTION))
    view = dataclasses.replace(codebook, unit="tumour")
    question = dataclasses.replace(question, codebook=view)
    made = [dataclasses.replace(site, people=np.arange(site.n) // 2, cache={}) for site in sites]
    pooled = dataclasses.replace(
        question, query=dataclasses.replace(question.query, output="pooled")
    )
    together = answer(pooled, [dataclasses.replace(site, cache={}) for site in made])
    assert (together.result["n"], together.result["patients"]) == (600, 300)
    found = answer(question, made)
    own = _own(question, found, dataclasses.replace(made[0], cache={})).result
    assert (own["n"], own["patients"]) == (120, 60)
    # Many tumours with the outcome, of a few patients: small all the same.
    few = dataclasses.replace(made[0], people=np.arange(120) % 9, cache={})
    hidden = _own(question, found, few).result
    assert (hidden["n"], hidden["observed"]) == (None, None)


def test_open_terms_show_everything(ask: Any, answer: Any, sites: Any, rows: Any) -> None:
    question = ask("standardise", terms=Terms.open_data(), **QUESTION)
    found = answer(question, sites)
    own = _own(question, found, _site(rows, 9, n=4)).result
    assert own["n"] == 4
    assert own["expected"] > 0


@pytest.mark.parametrize("formula", ["age", None])
def test_expected_numbers_do_not_add_up_to_a_hidden_one(
    formula: str | None, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    """All expected numbers less the other hospitals' observed ones: the attack on one hospital."""
    question = _by_site(ask("standardise", outcome="e", formula=formula))
    guesses = []
    for secret in (0, 4, 9):
        few = _site(rows, 9, e=[True] * secret + [False] * (120 - secret))
        every = [dataclasses.replace(site, cache={}) for site in [*sites, few]]
        found = answer(question, every)
        own = [_own(question, found, site).result for site in every]
        assert [o["observed"] is None for o in own] == [False] * 5 + [True]
        guesses.append(sum(o["expected"] for o in own) - sum(o["observed"] for o in own[:-1]))
    # The others' answers and the model do not change with the secret at all.
    assert guesses[0] == guesses[1] == guesses[2]


def test_a_hidden_hospital_inside_the_model_is_refused(
    ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    """Fail closed when the gate hides what the hospital itself thought it could show."""
    question = _by_site(ask("standardise", **QUESTION))
    found = answer(question, sites)
    finished = METHOD.own_part(
        dataclasses.replace(question, site="s00"),
        Step("standardise.own", found.finished.facts),
        sites[0],
    )
    hidden = {"total": np.array(True), "events": np.zeros(2, dtype=bool)}
    with pytest.raises(Refused) as caught:
        METHOD.result(question, finished, hidden)
    assert caught.value.code == "SMALL_GROUP"
