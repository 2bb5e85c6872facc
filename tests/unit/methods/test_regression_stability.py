"""What makes a fit run away, or lean on one patient, ends it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from regressions import FITS, patients, refusal_of

from federation.methods.registry import KINDS
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()
REGRESSION = KINDS["regression"]


class TestStability:
    """Rules O4, O8 and O9."""

    @pytest.mark.parametrize("params", FITS)
    def test_one_extreme_patient_may_not_carry_the_fit(
        self, params: dict[str, Any], ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        made.column("x").values[:] *= 0.001
        answer(ask("regression", **params), [made.select(made.complete())])
        made.column("x").values[7] = 1.0
        assert refusal_of(answer, ask("regression", **params), [made]) == ("MODEL_UNSTABLE", ())

    def test_the_edge_of_the_leverage(self, ask: Any, answer: Any, rows: Any) -> None:
        made = patients(rows)
        x = made.column("x").values
        x[0] = 40.0
        matrix = np.column_stack([np.ones(600), x])
        y = made.column("months").values
        inverse = np.linalg.inv(matrix.T @ matrix)
        residual = y - matrix @ (inverse @ matrix.T @ y)
        share = np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
        largest = float((share + residual**2 / (residual @ residual)).max())
        for bound, refused in [(largest * 1.0001, False), (largest * 0.9999, True)]:
            model = dataclasses.replace(STRICT.model, max_leverage=bound)
            terms = dataclasses.replace(STRICT, model=model)
            question = ask("regression", terms=terms, family="gaussian", formula="months ~ x")
            if refused:
                assert refusal_of(answer, question, [made])[0] == "MODEL_UNSTABLE"
            else:
                assert answer(question, [made]).result["converged"]

    def test_an_extreme_outcome_is_as_bad_as_an_extreme_term(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        question = ask("regression", family="gaussian", formula="x ~ age")
        answer(question, [made.select(made.complete())])
        made.column("x").values[3] = 500.0
        assert refusal_of(answer, question, [made]) == ("MODEL_UNSTABLE", ())

    @pytest.mark.parametrize(("share", "refused"), [(0.49, False), (0.51, True)])
    def test_one_patient_may_not_hold_most_of_the_events(
        self, share: float, refused: bool, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        counts = np.ones(600)
        counts[0] = np.round(share / (1 - share) * 599)
        made.column("t").values[:] = counts
        question = ask("regression", family="poisson", formula="t ~ age")
        if refused:
            assert refusal_of(answer, question, [made]) == ("MODEL_UNSTABLE", ())
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("params", FITS[1:])
    def test_a_runaway_predictor(
        self, params: dict[str, Any], ask: Any, answer: Any, rows: Any
    ) -> None:
        bound = dataclasses.replace(STRICT.iter, max_abs_eta=0.01)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **params)
        assert refusal_of(answer, question, [patients(rows)]) == ("MODEL_UNSTABLE", ())

    @pytest.mark.parametrize("params", FITS[1:])
    @pytest.mark.parametrize("change", [{"min_ess": 700.0}, {"min_rel_info": 2.0}])
    def test_weights_on_few_patients(
        self, params: dict[str, Any], change: dict[str, float], ask: Any, answer: Any, rows: Any
    ) -> None:
        bound = dataclasses.replace(STRICT.iter, **change)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **params)
        assert refusal_of(answer, question, [patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_rounds_are_bounded(self, ask: Any, answer: Any, rows: Any) -> None:
        bound = dataclasses.replace(STRICT.iter, max_rounds=2)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **FITS[1])
        assert refusal_of(answer, question, [patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_separation(self, ask: Any, answer: Any, rows: Any) -> None:
        made = patients(rows)
        made.column("e").values[:] = made.column("x").values > 0
        question = ask("regression", family="binomial", formula="e ~ x + age")
        with pytest.raises(Refused) as caught:
            answer(question, [made])
        assert caught.value.code == "MODEL_UNSTABLE"
        assert "predicts the outcome perfectly" in caught.value.message()

    def test_a_level_that_predicts_the_outcome_looks_like_one_with_few(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        made.column("e").values[:] = made.column("h").values
        question = ask("regression", family="binomial", formula="e ~ age + h")
        refused = refusal_of(answer, question, [made])
        assert refused == ("MODEL_TOO_RICH", ("h[no]", "h[yes]"))

    @pytest.mark.parametrize(
        ("sizes", "refused"),
        [((1.0,), False), ((40.0,), True), ((24.0, 24.0), True), ((14.0, 14.0), False)],
    )
    @pytest.mark.parametrize("family", ["gaussian", "poisson"])
    def test_one_or_two_patients_may_not_make_up_the_mean_of_a_level(
        self,
        family: str,
        sizes: tuple[float, ...],
        refused: bool,
        ask: Any,
        answer: Any,
        rows: Any,
    ) -> None:
        """Twenty patients with the level, the others of size 1: 40 / 59 is more than half, 24 of
        42 with 18 are more than two thirds together (rule O4)."""
        made = patients(rows)
        months, h = made.column("months").values, made.column("h").values
        h[:] = np.arange(600) < 20
        months[:] = 1.0 + (np.arange(600) >= 20) * (np.arange(600) % 7)
        months[: len(sizes)] = sizes
        site = np.arange(600) % 2
        question = ask("regression", family=family, formula="months ~ h")
        parts = [made.select(site == i) for i in (0, 1)]
        if refused:
            assert refusal_of(answer, question, parts) == ("MODEL_UNSTABLE", ())
        else:
            assert answer(question, parts).result["converged"]

    def test_an_outcome_that_is_the_same_for_all(self, ask: Any, answer: Any, rows: Any) -> None:
        made = patients(rows)
        made.column("months").values[:] = 12.0
        question = ask("regression", family="gaussian", formula="months ~ age")
        assert refusal_of(answer, question, [made]) == ("MODEL_UNSTABLE", ())

    def test_a_rare_outcome_with_strong_terms_is_answered(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        """The bounds are wide enough for honest fits (disclosure.md 4.6: 2% with the event)."""
        rng = np.random.default_rng(1)
        n = 6000
        x = rng.normal(size=n)
        e = rng.random(n) < 1 / (1 + np.exp(5.6 - 1.6 * x))
        made = rows(e=e, x=x, age=rng.integers(30, 90, n))
        parts = [made.select(np.arange(n) % 10 == i) for i in range(10)]
        parts += [made.select(np.arange(n) < 0)]
        found = answer(ask("regression", family="binomial", formula="e ~ x + age"), parts)
        assert found.result["events"] < 0.03 * n
        assert found.result["converged"]
