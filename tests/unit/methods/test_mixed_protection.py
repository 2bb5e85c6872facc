"""What protection does to the mixed model."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from federation.methods.base import Finished, Rows
from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()
QUESTION = {"formula": "x ~ age + g"}


def _site(rows: Any, seed: int, n: int = 80, **more: Any) -> Rows:
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n)
    values = {"age": age, "g": rng.choice(["a", "b", "c"], n), "h": rng.choice(["no", "yes"], n)}
    values["x"] = 0.05 * age + rng.normal(0, 1) + rng.normal(0, 1, n)
    return rows(**{**values, **more})


@pytest.fixture
def sites(rows: Any) -> list[Rows]:
    return [_site(rows, seed) for seed in range(4)]


def _refused(run: Any, *args: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        run(*args)
    return caught.value.code, caught.value.terms


def test_rounded_and_nothing_more(ask: Any, answer: Any, sites: Any) -> None:
    found = answer(ask("mixed", **QUESTION), sites)
    assert set(found.result) == {
        "n", "missing", "method", "terms", "variance", "icc", "loglik", "between_test", "rounds",
        "converged",
    }  # fmt: skip
    free = answer(ask("mixed", terms=Terms.open_data(), **QUESTION), sites).result
    for name in ("between", "residual"):
        rounded = float(f"{free['variance'][name]:.5e}")
        assert found.result["variance"][name] == rounded
    for one, other in zip(found.result["terms"], free["terms"], strict=True):
        assert one["estimate"] == float(f"{other['estimate']:.5e}")
    assert found.result["loglik"] == round(free["loglik"], 3)
    assert found.steps[-1] == "mixed.leverage"
    assert not any(name == "mixed.leverage" for name in answer(
        ask("mixed", terms=Terms.open_data(), **QUESTION), sites
    ).steps)  # fmt: skip


@pytest.mark.parametrize("few", [0, 1, 9])
def test_a_level_with_few_is_too_rich(few: int, ask: Any, answer: Any, rows: Any) -> None:
    made = [_site(rows, seed, g=["a", "b"] * 40) for seed in range(3)]
    made[0].column("g").values[:few] = 2
    assert _refused(answer, ask("mixed", **QUESTION), made) == ("MODEL_TOO_RICH", ("g[c]",))


@pytest.mark.parametrize("enough", [10, 11])
def test_a_level_with_enough_is_fitted(enough: int, ask: Any, answer: Any, rows: Any) -> None:
    made = [_site(rows, seed, g=["a", "b"] * 40) for seed in range(3)]
    made[0].column("g").values[:enough] = 2
    assert answer(ask("mixed", **QUESTION), made).result["converged"]


def test_too_many_terms_for_the_patients(ask: Any, answer: Any, rows: Any) -> None:
    made = [_site(rows, seed, n=14) for seed in range(3)]
    question = ask("mixed", formula="x ~ age + g*h")
    assert _refused(answer, question, made)[0] == "MODEL_TOO_RICH"


def test_one_extreme_patient_may_not_carry_the_fit(ask: Any, answer: Any, sites: Any) -> None:
    question = ask("mixed", formula="x ~ age")
    answer(question, [dataclasses.replace(site, cache={}) for site in sites])
    for site in sites:
        site.column("age").values[:] = 60 + 0.001 * site.column("age").values
    sites[0].column("age").values[3] = 110
    assert _refused(answer, question, sites) == ("MODEL_UNSTABLE", ())


def test_one_extreme_outcome_may_not_carry_the_fit(ask: Any, answer: Any, sites: Any) -> None:
    sites[0].column("x").values[3] = 1e4
    assert _refused(answer, ask("mixed", formula="x ~ age"), sites) == ("MODEL_UNSTABLE", ())


def test_rounds_are_bounded_by_the_terms(ask: Any, answer: Any, sites: Any) -> None:
    bound = dataclasses.replace(STRICT.iter, max_rounds=3)
    question = ask("mixed", terms=dataclasses.replace(STRICT, iter=bound), **QUESTION)
    assert _refused(answer, question, sites) == ("MODEL_UNSTABLE", ())


def test_sums_that_are_no_numbers_are_refused(ask: Any, sites: Any) -> None:
    """A hub, or a site, that sends nan ends the fit with a code."""
    question = ask("mixed", **QUESTION)
    method = KINDS["mixed"]
    step = method.start(question)
    while step.name != "mixed.ratios":
        replies = [method.site(question, step, rows) for rows in sites]
        pooled = {name: sum(r[name] for r in replies) for name in replies[0]}
        found = method.combine(question, step, pooled)
        assert not isinstance(found, Finished)
        step = dataclasses.replace(found, params=json.loads(json.dumps(found.params)))
    replies = [method.site(question, step, rows) for rows in sites]
    pooled = {name: sum(r[name] for r in replies) for name in replies[0]}
    pooled["slopes"][0, 3] = np.nan
    assert _refused(method.combine, question, step, pooled) == ("MODEL_UNSTABLE", ())


def test_the_first_trials_are_public_and_the_others_follow(
    ask: Any, answer: Any, sites: Any
) -> None:
    """Nobody can choose a ratio: it stands in no parameter, and the first row is fixed."""
    found = answer(ask("mixed", **QUESTION), sites)
    again = answer(ask("mixed", **QUESTION), list(reversed(sites)))
    assert found.finished.facts["search"]["next"] == pytest.approx(
        again.finished.facts["search"]["next"], rel=1e-9
    )
    assert {p.name for p in KINDS["mixed"].parameters} == {"formula", "reml"}


def test_rows_that_are_tumours_count_their_patients(
    ask: Any, answer: Any, sites: Any, codebook: Any
) -> None:
    question = ask("mixed", **QUESTION)
    view = dataclasses.replace(codebook, unit="tumour")
    question = dataclasses.replace(question, codebook=view)
    made = [dataclasses.replace(site, people=np.arange(site.n) // 2, cache={}) for site in sites]
    found = answer(question, made)
    assert (found.result["n"], found.result["patients"]) == (320, 160)
    lonely = [
        dataclasses.replace(site, people=np.zeros(site.n, dtype=np.int64), cache={})
        for site in sites
    ]
    assert _refused(answer, question, lonely)[0] == "MODEL_TOO_RICH"
