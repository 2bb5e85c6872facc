"""The attacks on models of disclosure.md section 6 (17 to 24, 30), at the method itself.

The same attacks against real site processes stand in tests/disclosure.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.base import Ask, Rows, Step
from federation.methods.cox_score import pack_symmetric
from federation.methods.registry import KINDS
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()
OUTCOME = {"time": "t", "event": "e"}


def _patients(rows: Any, n: int = 800, seed: int = 11, **more: Any) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    made: Rows = rows(
        t=np.floor(rng.exponential(600 * np.exp(-0.3 * x))).clip(1, 3000),
        e=rng.random(n) < 1 / (1 + np.exp(-0.5 * x)),
        age=rng.integers(40, 91, n),
        x=x,
        g=rng.choice(["a", "b"], n),
        h=rng.choice(["no", "yes"], n),
        flag=rng.random(n) < 0.5,
        **more,
    )
    return made


def _refused(run: Any, *args: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        run(*args)
    return caught.value.code, caught.value.terms


MODELS: list[tuple[str, dict[str, Any], str]] = [
    ("regression", {"family": "gaussian"}, "age ~ "),
    ("regression", {"family": "binomial"}, "e ~ "),
    ("regression", {"family": "poisson"}, "e ~ "),
    ("cox", OUTCOME, ""),
]


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
def test_17_a_level_that_one_patient_has(
    kind: str, params: Any, left: str, ask: Any, answer: Any, rows: Any
) -> None:
    """With a dummy for one person, intercept + coefficient is that person's exact value."""
    site = _patients(rows)
    site.column("g").values[0] = 2
    question = ask(kind, **params, formula=f"{left}g")
    assert _refused(answer, question, [site]) == ("MODEL_TOO_RICH", ("g[c]",))


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
@pytest.mark.parametrize(
    "term", ["1/abs(x-41)", "abs(x)", "x-41", "x/age", "log(x)", "x^9", "x^-1", "exp(x)", "I(x>3)"]
)
def test_18_a_term_that_singles_someone_out(
    kind: str, params: Any, left: str, term: str, ask: Any
) -> None:
    with pytest.raises(QueryError) as caught:
        ask(kind, **params, formula=f"{left}h + {term}")
    assert caught.value.code in ("BAD_FORMULA", "UNKNOWN_VARIABLE")


@pytest.mark.parametrize(("kind", "params", "left"), MODELS[1:])
def test_19_nine_events_for_three_parameters(
    kind: str, params: Any, left: str, ask: Any, answer: Any, rows: Any
) -> None:
    site = _patients(rows)
    site.column("e").values[:] = np.arange(800) % 89 == 0  # 9 events
    question = ask(kind, **params, formula=f"{left}x + h + flag")
    found = _refused(answer, question, [site])
    assert found == ("MODEL_TOO_RICH", ("x", "h[yes]", "flag[true]"))


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
def test_20_two_levels_that_two_patients_share(
    kind: str, params: Any, left: str, ask: Any, answer: Any, rows: Any
) -> None:
    site = _patients(rows)
    flag, h = site.column("flag").values, site.column("h").values
    flag[:], h[:] = np.arange(800) < 100, np.arange(800) >= 98
    h[400:] = 0
    question = ask(kind, **params, formula=f"{left}flag + h")
    assert _refused(answer, question, [site]) == ("MODEL_TOO_RICH", ("flag[true]", "h[yes]"))


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
def test_20b_an_artificial_outlier(
    kind: str, params: Any, left: str, ask: Any, answer: Any, rows: Any
) -> None:
    """A term in which one patient stands apart: the fit passes through that patient."""
    site = _patients(rows)
    question = ask(kind, **params, formula=f"{left}x")
    answer(question, [site.select(site.complete())])  # a copy: rows keep what they worked out
    times = np.where(site.column("e").values == 1, site.column("t").values, np.inf)
    someone = int(np.argsort(times)[100])  # a patient with the event, after some time at risk
    x = site.column("x").values
    x[:] *= 0.001
    x[someone] = 1.0
    assert _refused(answer, question, [site]) == ("MODEL_UNSTABLE", ())


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
@pytest.mark.parametrize("field", ["beta", "start", "tolerance", "maxit", "init", "seed"])
def test_21_and_23_nobody_chooses_where_a_fit_starts_or_ends(
    kind: str, params: Any, left: str, field: str, ask: Any
) -> None:
    with pytest.raises(QueryError) as caught:
        ask(kind, **params, formula=f"{left}x", **{field: [-96.5, 1, 0]})
    assert caught.value.code == "UNKNOWN_KEY"


def _second_round(question: Ask, sites: list[Rows]) -> Step:
    """The first step in which coefficients could be anything but 0."""
    method = KINDS[question.query.kind]
    step = method.start(question)
    while True:
        replies = [method.site(question, step, site) for site in sites]
        pooled = {name: sum(r[name] for r in replies) for name in replies[0]}
        found = method.combine(question, step, pooled)
        assert isinstance(found, Step)
        if "newton" in found.params and any(found.params["newton"]["beta"]):
            return found
        step = found


def _at(step: Step, beta: list[float]) -> Step:
    newton = {**step.params["newton"], "beta": beta}
    return dataclasses.replace(step, params={**step.params, "newton": newton})


class TestForgedCoefficients:
    """22: were the pooled sums forged as well, a site still refuses what they drive it to."""

    @pytest.mark.parametrize("k", [1.0, 5.0, 20.0])
    @pytest.mark.parametrize(("kind", "params", "left"), MODELS[1:])
    def test_22_a_boundary_beyond_which_one_patient_lies(
        self, kind: str, params: Any, left: str, k: float, ask: Any, rows: Any
    ) -> None:
        site = _patients(rows)
        site.column("age").values[0] = 97  # everyone else is 90 at most
        question = ask(kind, **params, formula=f"{left}age + h")
        step = _second_round(question, [site])
        scale = step.params["scale"][step.params["kept"].index(0)]
        centre = step.params["centre"][step.params["kept"].index(0)]
        slope = k * scale
        beta = [slope, 0.0] if kind == "cox" else [k * (centre - 96.5), slope, 0.0]
        method = KINDS[kind]
        method.site(question, step, site)  # the honest step is answered
        assert _refused(method.site, question, _at(step, beta), site) == ("MODEL_UNSTABLE", ())

    def test_22_weights_alone_give_it_away(self, ask: Any, rows: Any) -> None:
        """A point inside the bound on eta at which one patient holds nearly all weight."""
        site = _patients(rows)
        age = site.column("age").values
        age[:] = np.where(np.arange(800) % 2 == 0, 45, 46)
        age[0] = 59
        question = ask("regression", family="binomial", formula="e ~ age + h")
        step = _second_round(question, [site])
        scale = step.params["scale"][step.params["kept"].index(0)]
        centre = step.params["centre"][step.params["kept"].index(0)]
        null = step.params["null"]
        # the patient of 59 is at 0, everyone else near -13
        beta = [(centre - 59.0) - null, scale, 0.0]
        predictor = null + beta[0] + (age - centre)
        assert np.abs(predictor).max() < STRICT.iter.max_abs_eta
        method = KINDS["regression"]
        found = _refused(method.site, question, _at(step, beta), site)
        assert found == ("MODEL_UNSTABLE", ())

    def test_22_forged_sums_end_at_the_hub_and_at_every_site(self, ask: Any, rows: Any) -> None:
        """Both run `combine`: sums that rest on few patients are no next step for either."""
        site = _patients(rows)
        question = ask("regression", family="binomial", formula="e ~ age + h")
        step = _second_round(question, [site])
        method = KINDS["regression"]
        honest = method.site(question, step, site)
        for weights in ([9.0, 9.0], [1.9, 0.001]):
            forged = {**honest, "weights": np.array(weights)}
            assert _refused(method.combine, question, step, forged)[0] == "MODEL_UNSTABLE"
        assert isinstance(method.combine(question, step, honest), Step)

    def test_22_cox_information_that_vanishes(self, ask: Any, rows: Any) -> None:
        site = _patients(rows)
        question = ask("cox", **OUTCOME, formula="age + h")
        step = _second_round(question, [site])
        method = KINDS["cox"]
        honest = method.site(question, step, site)
        start = np.array(step.params["newton"]["start_information"])
        little = pack_symmetric(np.diag(start * STRICT.iter.min_rel_info * 0.99))
        enough = pack_symmetric(np.diag(start * STRICT.iter.min_rel_info * 1.01))
        forged = {**honest, "information": little}
        assert _refused(method.combine, question, step, forged)[0] == "MODEL_UNSTABLE"
        method.combine(question, step, {**honest, "information": enough})
        few = {**honest, "weights": np.array([800.0, 800.0**2 / 9])}
        assert _refused(method.combine, question, step, few)[0] == "MODEL_UNSTABLE"


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
def test_22_a_step_with_other_coefficients_is_not_what_the_sums_say(
    kind: str, params: Any, left: str, ask: Any, rows: Any
) -> None:
    """What a site compares: its own `combine` on the relayed sums against the hub's step."""
    sites = [_patients(rows, n=300, seed=seed) for seed in range(3)]
    question = ask(kind, **params, formula=f"{left}x + h")
    honest = _second_round(question, sites)
    beta = list(honest.params["newton"]["beta"])
    beta[0] += 1e-6
    assert _second_round(question, sites) == honest
    assert _at(honest, beta) != honest


@pytest.mark.parametrize(("kind", "params", "left"), MODELS)
@pytest.mark.parametrize(
    "wanted", ["xtx", "vcov", "covariance", "residuals", "fitted", "score", "deviance_trace"]
)
def test_24_no_matrices_or_residuals(
    kind: str, params: Any, left: str, wanted: str, ask: Any, answer: Any, rows: Any
) -> None:
    with pytest.raises(QueryError) as caught:
        ask(kind, **params, formula=f"{left}x", output=[wanted])
    assert caught.value.code == "UNKNOWN_KEY"
    result = answer(ask(kind, **params, formula=f"{left}x + h"), [_patients(rows)]).result
    assert wanted not in result
    # nothing in the answer is longer than one number per term
    lists = [value for value in result.values() if isinstance(value, list)]
    assert all(value is result["terms"] for value in lists)
    assert all(not isinstance(v, list | dict) for term in result["terms"] for v in term.values())


class TestCox:
    @pytest.mark.parametrize("field", ["event_times", "grid_days", "times", "baseline"])
    def test_30_event_times_cannot_be_asked_for(self, field: str, ask: Any) -> None:
        with pytest.raises(QueryError) as caught:
            ask("cox", **OUTCOME, formula="x", strata=None, **{field: 1})
        assert caught.value.code == "UNKNOWN_KEY"

    def test_30_stratified_sends_no_vector_of_times(self, ask: Any, rows: Any) -> None:
        question = ask("cox", **OUTCOME, formula="x + age + h")
        method, site = KINDS["cox"], _patients(rows)
        step: Any = method.start(question)
        p = 3
        while isinstance(step, Step):
            sums = method.site(question, step, site)
            if step.name != "cox.counts":
                # score, information, log likelihood, the sums of weights and their squares; in the
                # first also squares per column, in the last pairs and who weighs heavily
                more = {"cox.spread": p, "cox.concordance": 5}.get(step.name, 0)
                longest = p * (p + 1) // 2
                assert sum(array.size for array in sums.values()) <= longest + p + 3 + more
                assert max(array.size for array in sums.values()) <= longest
            step = method.combine(question, step, sums)

    def test_30_without_strata_times_lie_on_the_grid(self, ask: Any, rows: Any) -> None:
        question = ask("cox", **OUTCOME, formula="x", strata=None)
        method, site = KINDS["cox"], _patients(rows)
        counts = method.site(question, method.start(question), site)
        assert counts["deaths"].shape == (1, 101)  # 3000 days in steps of 30
        step = method.combine(question, method.start(question), counts)
        assert isinstance(step, Step)
        assert all(time % 30 == 0 for time in step.params["times"])
