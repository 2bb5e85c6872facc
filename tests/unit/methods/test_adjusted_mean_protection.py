"""Adjusted means under protection: no hidden number follows from what is shown (ADR 0038)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import decide
from federation.methods.base import Released, Rows, Step
from federation.methods.registry import KINDS
from federation.query.refusals import Refused

METHOD: Any = KINDS["adjusted_mean"]
COMPARED = ("expected", "difference", "se", "ci_low", "ci_high", "outside")


def _site(rows: Any, seed: int, n: int = 120, **more: Any) -> Rows:
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n)
    values = {
        "age": age,
        "x": 30 + 0.2 * age + rng.normal(seed % 3, 5, n),
        "h": rng.choice(["no", "yes"], n),
    }
    return rows(**{**values, **more})


def _by_site(question: Any) -> Any:
    return dataclasses.replace(
        question, query=dataclasses.replace(question.query, output="by_site")
    )


def _answers(question: Any, answer: Any, sites: list[Rows]) -> list[Released]:
    asked = _by_site(question)
    sites = [dataclasses.replace(site, cache={}) for site in sites]
    found = answer(asked, sites)
    assert found.steps[-1] == "adjusted_mean.own"
    made = []
    for site in sites:
        at = dataclasses.replace(asked, site="s00")
        own = METHOD.own_part(at, Step("adjusted_mean.own", found.finished.facts), site)
        made.append(METHOD.result(at, own, decide(METHOD.tables(at, own), at.terms)))
    return made


@pytest.fixture
def sites(rows: Any) -> list[Rows]:
    return [_site(rows, seed) for seed in range(4)]


def test_enough_of_everything_is_shown(ask: Any, answer: Any, sites: Any) -> None:
    question = ask("adjusted_mean", outcome="x", formula="age + h")
    found = [one.result for one in _answers(question, answer, sites)]
    assert all(own[name] is not None for own in found for name in ("mean", *COMPARED))
    # the residuals add up to 0: so nobody may be hidden inside the model
    assert sum(own["n"] * own["difference"] for own in found) == pytest.approx(0, abs=0.01)
    assert found[0]["mean"] == float(f"{found[0]['mean']:.5e}")


@pytest.mark.parametrize("few", [0, 1, 9])
def test_a_level_of_few_patients_hides_what_is_expected(
    few: int, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    """Expected is a line in the level's share: with coefficients and the mean age it is solved."""
    question = ask("adjusted_mean", outcome="x", formula="age + h")
    mine = _site(rows, 9, h=["yes"] * few + ["no"] * (120 - few))
    *others, hidden = _answers(question, answer, [*sites, mine])
    assert {hidden.result[name] for name in COMPARED} == {None}
    assert hidden.result["mean"] is not None  # as `describe` would show it
    assert {"where": "expected", "why": "small_cell"} in hidden.hidden
    without = _answers(question, answer, [*sites, _site(rows, 9, n=0)])
    assert [one.result for one in others] == [one.result for one in without[:4]]


def test_from_the_threshold_on_a_level_counts(ask: Any, answer: Any, sites: Any, rows: Any) -> None:
    question = ask("adjusted_mean", outcome="x", formula="age + h")
    mine = _site(rows, 9, h=["yes"] * 10 + ["no"] * 110)
    assert _answers(question, answer, [*sites, mine])[-1].result["expected"] is not None


@pytest.mark.parametrize("formula", ["age", None])
@pytest.mark.parametrize(
    ("case", "why"), [("heavy", "dominance"), ("same", "no_spread"), ("few", "small_cell")]
)
def test_a_mean_that_would_be_one_patients_is_hidden_and_moves_nobody(
    case: str, why: str, formula: str | None, ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    """A hospital's own mean as `describe` hides it (O1, O4); the others' answers are the same
    whatever its secret, so their differences do not add up to it."""
    question = ask("adjusted_mean", outcome="x", formula=formula)

    def secret(value: float) -> Rows:
        if case == "few":
            return _site(rows, 9, n=9, x=[value] * 9)
        x = [value] * 120 if case == "same" else [value * 1000.0, *([1.0] * 119)]
        return _site(rows, 9, x=x)

    one, other = (_answers(question, answer, [*sites, secret(v)]) for v in (4.0, 9.0))
    assert [r.result for r in one] == [r.result for r in other]
    assert {one[-1].result[name] for name in ("mean", *COMPARED)} == {None}
    assert {"where": "mean", "why": why} in one[-1].hidden


def test_a_term_that_one_patient_makes_up_hides_what_is_expected(
    ask: Any, answer: Any, sites: Any, rows: Any
) -> None:
    """Its mean is hidden by `describe`; the line through expected would give it."""
    question = ask("adjusted_mean", outcome="age", formula="x")
    mine = _site(rows, 9, x=[9000.0, *([1.0] * 119)])
    *_, hidden = _answers(question, answer, [*sites, mine])
    assert hidden.result["mean"] is not None
    assert {hidden.result[name] for name in COMPARED} == {None}


def test_patients_behind_rows_count(ask: Any, answer: Any, sites: Any, codebook: Any) -> None:
    question = ask("adjusted_mean", outcome="x", formula="age")
    question = dataclasses.replace(question, codebook=dataclasses.replace(codebook, unit="tumour"))
    made = [dataclasses.replace(site, people=np.arange(site.n) // 2) for site in sites]
    few = dataclasses.replace(sites[0], people=np.arange(120) % 9)
    found = _answers(question, answer, [*made, few])
    assert (found[0].result["n"], found[0].result["patients"]) == (120, 60)
    assert (found[-1].result["n"], found[-1].result["mean"]) == (None, None)


def test_a_hidden_hospital_inside_the_model_is_refused(ask: Any, answer: Any, sites: Any) -> None:
    """Fail closed when the gate hides what the hospital itself thought it could show."""
    question = _by_site(ask("adjusted_mean", outcome="x", formula="age"))
    facts = answer(question, sites).finished.facts
    at = dataclasses.replace(question, site="s00")
    finished = METHOD.own_part(at, Step("adjusted_mean.own", facts), sites[0])
    with pytest.raises(Refused) as caught:
        METHOD.result(at, finished, {"total": np.array(False)})
    assert caught.value.code == "SMALL_GROUP"
