"""Regression: what may be asked, what protection does, and patients with several rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from regressions import FITS, digits, patients, refusal_of

from federation.methods.base import Ask, Rows
from federation.methods.registry import KINDS
from federation.query.errors import QueryError
from federation.query.terms import Terms

STRICT = Terms.strict()
REGRESSION = KINDS["regression"]


class TestParameters:
    @pytest.mark.parametrize(
        ("params", "where", "said"),
        [
            (
                {"family": "binomial", "formula": "age ~ x"},
                "analysis.formula",
                "'age' cannot be the outcome of a binomial model, which needs yes or no",
            ),
            ({"family": "gaussian", "formula": "e ~ x"}, "analysis.formula", "needs a number"),
            ({"family": "gaussian", "formula": "g ~ x"}, "analysis.formula", "needs a number"),
            ({"family": "poisson", "formula": "g ~ x"}, "analysis.formula", "needs a count"),
            (
                {"family": "gaussian", "formula": "x ~ age", "offset": "t"},
                "analysis.offset",
                "only a poisson model has",
            ),
            (
                {"family": "poisson", "formula": "score ~ t", "offset": "t"},
                "analysis.offset",
                "stands in the formula already",
            ),
            (
                {"family": "poisson", "formula": "t ~ age", "offset": "t"},
                "analysis.offset",
                "stands in the formula already",
            ),
            ({"family": "gamma", "formula": "x ~ age"}, "analysis.family", "binomial, gaussian"),
            ({"family": "gaussian", "formula": "age"}, "analysis.formula", "outcome is missing"),
            (
                {"family": "poisson", "formula": "score ~ x", "offset": "e"},
                "analysis.offset",
                "offset needs a variable",
            ),
        ],
    )
    def test_what_does_not_fit_is_said(
        self, params: dict[str, Any], where: str, said: str, ask: Any
    ) -> None:
        with pytest.raises(QueryError) as caught:
            ask("regression", **params)
        assert caught.value.where == where
        assert said in caught.value.message
        assert caught.value.message.endswith((".", "?"))

    @pytest.mark.parametrize(
        ("family", "response"),
        [("binomial", "e"), ("binomial", "h"), ("poisson", "e"), ("poisson", "score")],
    )
    def test_outcomes_that_fit(self, family: str, response: str, ask: Any) -> None:
        question = ask("regression", family=family, formula=f"{response} ~ age")
        assert question.params["offset"] is None
        assert question.params["robust"] is False

    @pytest.mark.parametrize("key", ["beta", "start", "maxit", "tolerance", "weights", "output"])
    def test_nobody_brings_a_start_or_weights(self, key: str, ask: Any) -> None:
        with pytest.raises(QueryError) as caught:
            ask("regression", family="gaussian", formula="x ~ age", **{key: [1.0]})
        assert caught.value.code == "UNKNOWN_KEY"


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("params", FITS)
def test_rounded_and_nothing_more(
    params: dict[str, Any], robust: bool, ask: Any, answer: Any, rows: Any
) -> None:
    sites = [patients(rows, seed=seed) for seed in range(3)]
    found = answer(ask("regression", **params, robust=robust), sites)
    allowed = {"n", "missing", "family", "robust", "terms", "loglik", "deviance", "aic"}
    allowed |= {"df_resid", "rounds", "converged"}
    if params["family"] == "gaussian":
        allowed |= {"r2", "sigma"}
    if params["family"] == "binomial":
        allowed |= {"events"}
    assert set(found.result) == allowed
    for term in found.result["terms"]:
        assert all(v is None or digits(v) <= 6 for k, v in term.items() if k != "term")
    for name in ("loglik", "deviance", "aic"):
        assert round(found.result[name], 3) == found.result[name]
    assert found.steps[-1] == "regression.check"
    assert found.steps.count("regression.counts") == 1
    free = answer(ask("regression", terms=Terms.open_data(), **params, robust=robust), sites)
    for one, other in zip(found.result["terms"], free.result["terms"], strict=True):
        assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-5)
        assert one["se"] == pytest.approx(other["se"], rel=1e-5)


@pytest.mark.parametrize("params", FITS)
def test_what_leaves_is_as_long_as_the_model_not_as_the_data(
    params: dict[str, Any], ask: Any, answer: Any, rows: Any
) -> None:
    question = ask("regression", **params, robust=True)
    seen: dict[str, set[int]] = {}
    original = REGRESSION.site

    def counting(ask: Ask, step: Any, site: Rows) -> Any:
        sums = original(ask, step, site)
        seen.setdefault(step.name, set()).add(sum(array.size for array in sums.values()))
        return sums

    patched = pytest.MonkeyPatch()
    patched.setattr(REGRESSION, "site", counting, raising=True)
    try:
        answer(question, [patients(rows), patients(rows, n=40), patients(rows, n=0)])
    finally:
        patched.undo()
    p = 5  # intercept, age, x, g[b], g[c]
    assert all(len(sizes) == 1 for sizes in seen.values())
    point = p * (p + 1) // 2 + p + 4
    assert max(seen["regression.spread"]) <= point + p
    assert max(seen.get("regression.score", {0})) <= point
    groups = 4  # everybody, and the levels of g
    assert max(seen["regression.check"]) <= point + p * (p + 1) // 2 + 2 + 3 * groups


def test_counts_too_large_for_fine_units_are_summed_in_those_of_the_spread(
    ask: Any, answer: Any, rows: Any
) -> None:
    made, rng = patients(rows), np.random.default_rng(4)
    x = made.column("x").values
    x[:] = 10.0 * (rng.random(600) < 0.03)  # mostly at its origin: small units, far values
    question = ask("regression", terms=Terms.open_data(), family="poisson", formula="t ~ x")
    scores = []
    for size in (3.0, 3e6):
        made.column("t").values[:] = rng.poisson(size * np.where(x == 0, 1.0, 2.0))
        found = answer(question, [made])
        assert found.result["terms"][1]["exp"] ** 10 == pytest.approx(2.0, rel=0.2)
        scores.append(found.steps.count("regression.score") - found.result["rounds"])
    assert scores == [-1, 0]  # the first of the rounds shares its step with the spread, or not


def test_a_linear_model_that_leaves_next_to_nothing_adds_it_up_first(
    ask: Any, answer: Any, rows: Any
) -> None:
    made = patients(rows)
    noise = np.random.default_rng(4).normal(size=made.n)
    x = made.column("x").values
    question = ask("regression", family="gaussian", formula="months ~ x")
    for spread, steps in ((1.0, 0), (1e-5, 1)):
        made.column("months").values[:] = 20 + x + spread * noise
        found = answer(question, [made])
        assert found.steps.count("regression.residual") == steps
        assert found.result["sigma"] == pytest.approx(spread, rel=0.2)


class TestCounts:
    """Rule O7 at its edges: 0, 1, k - 1, k and k + 1 patients."""

    @pytest.mark.parametrize("few", [0, 1, 19, 20, 21])
    @pytest.mark.parametrize("family", ["binomial", "poisson"])
    def test_events_per_parameter(
        self, few: int, family: str, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) < few
        question = ask("regression", family=family, formula="e ~ age + x")
        if few < 20:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["events"] == few

    @pytest.mark.parametrize("few", [0, 1, 19, 20, 21])
    def test_patients_without_the_event_count_alike(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) >= few
        question = ask("regression", family="binomial", formula="e ~ age + x")
        if few < 20:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["events"] == 600 - few

    @pytest.mark.parametrize("count", [0, 1, 19, 20, 21])
    def test_patients_with_a_count_above_nought(
        self, count: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        values = np.zeros(600)
        values[np.random.default_rng(2).permutation(600)[:count]] = 2.0
        made.column("t").values[:] = values
        question = ask("regression", family="poisson", formula="t ~ age + x")
        if count < 20:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("n", [0, 1, 19, 20, 21])
    def test_patients_per_parameter(self, n: int, ask: Any, answer: Any, rows: Any) -> None:
        question = ask("regression", family="gaussian", formula="months ~ age + x")
        if n < 20:
            refused = refusal_of(answer, question, [patients(rows, n=n)])
            assert refused == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [patients(rows, n=n)]).result["n"] == n

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    @pytest.mark.parametrize("level", ["a", "b", "c"])
    def test_each_level(self, level: str, few: int, ask: Any, answer: Any, rows: Any) -> None:
        made = patients(rows)
        others = [i for i, name in enumerate("abc") if name != level]
        codes = np.where(np.arange(600) % 2 == 0, *others)
        codes[np.random.default_rng(5).permutation(600)[:few]] = "abc".index(level)
        made.column("g").values[:] = codes
        question = ask("regression", family="gaussian", formula="months ~ x + g")
        if few < 10:
            code, terms = refusal_of(answer, question, [made])
            assert code == "MODEL_TOO_RICH"
            assert f"g[{level}]" in terms
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    @pytest.mark.parametrize("outcome", [0, 1])
    @pytest.mark.parametrize("level", ["no", "yes"])
    @pytest.mark.parametrize("family", ["binomial", "poisson"])
    def test_each_level_with_and_without_the_outcome(
        self, family: str, level: str, outcome: int, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        """A table of h and e would hide such a cell; e ~ h says the exact share."""
        made = patients(rows)
        e, h = made.column("e").values, made.column("h").values
        h[:] = np.arange(600) % 2
        mine = np.flatnonzero(h == ["no", "yes"].index(level))
        e[mine] = 1 - outcome
        e[mine[:few]] = outcome
        e[np.flatnonzero(h != h[mine[0]])] = np.arange(300) % 3 == 0
        question = ask("regression", family=family, formula="e ~ h")
        if few < 10:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", (f"h[{level}]",))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("few", [9, 10])
    def test_combinations_with_and_without_the_outcome(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        e, h, flag = (made.column(name).values for name in ("e", "h", "flag"))
        h[:], flag[:] = np.arange(600) % 2, np.arange(600) // 2 % 2
        e[:] = np.arange(600) // 4 % 2
        mine = np.flatnonzero((h == 0) & (flag == 0))
        e[mine] = 0
        e[mine[:few]] = 1
        question = ask("regression", family="binomial", formula="e ~ h*flag")
        if few < 10:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", ("h:flag",))
        else:
            assert answer(question, [made]).result["converged"]
        apart = ask("regression", family="binomial", formula="e ~ h + flag")
        assert answer(apart, [made.select(made.complete())]).result["converged"]

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    def test_each_level_with_a_count_above_nought(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        t, h = made.column("t").values, made.column("h").values
        h[:] = np.arange(600) % 2
        t[h == 0] = 3.0
        t[h == 1] = 0.0
        t[np.flatnonzero(h == 1)[:few]] = 5.0
        question = ask("regression", family="poisson", formula="t ~ h")
        if few < 10:
            assert refusal_of(answer, question, [made]) == ("MODEL_TOO_RICH", ("h[yes]",))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    def test_each_pair_of_levels(self, few: int, ask: Any, answer: Any, rows: Any) -> None:
        made = patients(rows)
        flag, h = made.column("flag").values, made.column("h").values
        flag[:] = np.arange(600) % 4 == 0
        h[:] = np.arange(600) % 4 == 1
        h[np.flatnonzero(flag == 1)[:few]] = 1
        question = ask("regression", family="binomial", formula="e ~ flag + h")
        if few < 10:
            refused = refusal_of(answer, question, [made])
            assert refused == ("MODEL_TOO_RICH", ("flag[true]", "h[yes]"))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("spread", [True, False])
    def test_the_split_over_hospitals_does_not_matter(
        self, spread: bool, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) < 19
        part = np.arange(600) % 3 if spread else (np.arange(600) > 300).astype(int)
        sites = [made.select(part == i) for i in range(3)]
        question = ask("regression", family="binomial", formula="e ~ age + x")
        assert refusal_of(answer, question, sites)[0] == "MODEL_TOO_RICH"
