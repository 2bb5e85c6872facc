"""Regression: what may be asked, what protection does, and patients with several rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import decide
from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.refusals import Refused
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


def _refused(run: Any, *args: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        run(*args)
    return caught.value.code, caught.value.terms


def _digits(value: float) -> int:
    return len(f"{value:.12e}".split("e")[0].rstrip("0").replace(".", "").lstrip("-"))


def _patients(rows: Any, n: int = 600, seed: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    h = rng.choice(["no", "yes"], n)
    eta = 0.7 * x + 0.4 * (h == "yes")
    return rows(
        e=rng.random(n) < 1 / (1 + np.exp(-eta)),
        score=rng.poisson(np.exp(0.3 * eta)).clip(1, 5),
        t=rng.integers(1, 2000, n),
        x=x,
        months=(30 + 5 * eta + rng.normal(size=n)).clip(0, 60),
        age=rng.integers(30, 90, n),
        g=rng.choice(["a", "b", "c"], n),
        h=h,
        flag=rng.random(n) < 0.4,
    )


FITS = [
    {"family": "gaussian", "formula": "months ~ age + x + g"},
    {"family": "binomial", "formula": "e ~ age + x + g"},
    {"family": "poisson", "formula": "score ~ age + x + g", "offset": "t"},
]


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("params", FITS)
def test_rounded_and_nothing_more(
    params: dict[str, Any], robust: bool, ask: Any, answer: Any, rows: Any
) -> None:
    sites = [_patients(rows, seed=seed) for seed in range(3)]
    found = answer(ask("regression", **params, robust=robust), sites)
    allowed = {"n", "missing", "family", "robust", "terms", "loglik", "deviance", "aic"}
    allowed |= {"df_resid", "rounds", "converged"}
    if params["family"] == "gaussian":
        allowed |= {"r2", "sigma"}
    if params["family"] == "binomial":
        allowed |= {"events"}
    assert set(found.result) == allowed
    for term in found.result["terms"]:
        assert all(v is None or _digits(v) <= 6 for k, v in term.items() if k != "term")
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
        answer(question, [_patients(rows), _patients(rows, n=40), _patients(rows, n=0)])
    finally:
        patched.undo()
    p = 5  # intercept, age, x, g[b], g[c]
    assert all(len(sizes) == 1 for sizes in seen.values())
    assert max(seen["regression.score"]) <= p * (p + 1) // 2 + p + 4
    groups = 4  # everybody, and the levels of g
    assert max(seen["regression.check"]) <= p * (p + 1) // 2 + 2 + 3 * groups


class TestCounts:
    """Rule O7 at its edges: 0, 1, k - 1, k and k + 1 patients."""

    @pytest.mark.parametrize("few", [0, 1, 19, 20, 21])
    @pytest.mark.parametrize("family", ["binomial", "poisson"])
    def test_events_per_parameter(
        self, few: int, family: str, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) < few
        question = ask("regression", family=family, formula="e ~ age + x")
        if few < 20:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["events"] == few

    @pytest.mark.parametrize("few", [0, 1, 19, 20, 21])
    def test_patients_without_the_event_count_alike(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) >= few
        question = ask("regression", family="binomial", formula="e ~ age + x")
        if few < 20:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["events"] == 600 - few

    @pytest.mark.parametrize("count", [0, 1, 19, 20, 21])
    def test_patients_with_a_count_above_nought(
        self, count: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        values = np.zeros(600)
        values[np.random.default_rng(2).permutation(600)[:count]] = 2.0
        made.column("t").values[:] = values
        question = ask("regression", family="poisson", formula="t ~ age + x")
        if count < 20:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("n", [0, 1, 19, 20, 21])
    def test_patients_per_parameter(self, n: int, ask: Any, answer: Any, rows: Any) -> None:
        question = ask("regression", family="gaussian", formula="months ~ age + x")
        if n < 20:
            refused = _refused(answer, question, [_patients(rows, n=n)])
            assert refused == ("MODEL_TOO_RICH", ("age", "x"))
        else:
            assert answer(question, [_patients(rows, n=n)]).result["n"] == n

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    @pytest.mark.parametrize("level", ["a", "b", "c"])
    def test_each_level(self, level: str, few: int, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
        others = [i for i, name in enumerate("abc") if name != level]
        codes = np.where(np.arange(600) % 2 == 0, *others)
        codes[np.random.default_rng(5).permutation(600)[:few]] = "abc".index(level)
        made.column("g").values[:] = codes
        question = ask("regression", family="gaussian", formula="months ~ x + g")
        if few < 10:
            code, terms = _refused(answer, question, [made])
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
        made = _patients(rows)
        e, h = made.column("e").values, made.column("h").values
        h[:] = np.arange(600) % 2
        mine = np.flatnonzero(h == ["no", "yes"].index(level))
        e[mine] = 1 - outcome
        e[mine[:few]] = outcome
        e[np.flatnonzero(h != h[mine[0]])] = np.arange(300) % 3 == 0
        question = ask("regression", family=family, formula="e ~ h")
        if few < 10:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", (f"h[{level}]",))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("few", [9, 10])
    def test_combinations_with_and_without_the_outcome(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        e, h, flag = (made.column(name).values for name in ("e", "h", "flag"))
        h[:], flag[:] = np.arange(600) % 2, np.arange(600) // 2 % 2
        e[:] = np.arange(600) // 4 % 2
        mine = np.flatnonzero((h == 0) & (flag == 0))
        e[mine] = 0
        e[mine[:few]] = 1
        question = ask("regression", family="binomial", formula="e ~ h*flag")
        if few < 10:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", ("h:flag",))
        else:
            assert answer(question, [made]).result["converged"]
        apart = ask("regression", family="binomial", formula="e ~ h + flag")
        assert answer(apart, [made.select(made.complete())]).result["converged"]

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    def test_each_level_with_a_count_above_nought(
        self, few: int, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        t, h = made.column("t").values, made.column("h").values
        h[:] = np.arange(600) % 2
        t[h == 0] = 3.0
        t[h == 1] = 0.0
        t[np.flatnonzero(h == 1)[:few]] = 5.0
        question = ask("regression", family="poisson", formula="t ~ h")
        if few < 10:
            assert _refused(answer, question, [made]) == ("MODEL_TOO_RICH", ("h[yes]",))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
    def test_each_pair_of_levels(self, few: int, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
        flag, h = made.column("flag").values, made.column("h").values
        flag[:] = np.arange(600) % 4 == 0
        h[:] = np.arange(600) % 4 == 1
        h[np.flatnonzero(flag == 1)[:few]] = 1
        question = ask("regression", family="binomial", formula="e ~ flag + h")
        if few < 10:
            refused = _refused(answer, question, [made])
            assert refused == ("MODEL_TOO_RICH", ("flag[true]", "h[yes]"))
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("spread", [True, False])
    def test_the_split_over_hospitals_does_not_matter(
        self, spread: bool, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        made.column("e").values[:] = np.random.default_rng(2).permutation(600) < 19
        part = np.arange(600) % 3 if spread else (np.arange(600) > 300).astype(int)
        sites = [made.select(part == i) for i in range(3)]
        question = ask("regression", family="binomial", formula="e ~ age + x")
        assert _refused(answer, question, sites)[0] == "MODEL_TOO_RICH"


class TestStability:
    """Rules O4, O8 and O9."""

    @pytest.mark.parametrize("params", FITS)
    def test_one_extreme_patient_may_not_carry_the_fit(
        self, params: dict[str, Any], ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        made.column("x").values[:] *= 0.001
        answer(ask("regression", **params), [made.select(made.complete())])
        made.column("x").values[7] = 1.0
        assert _refused(answer, ask("regression", **params), [made]) == ("MODEL_UNSTABLE", ())

    def test_the_edge_of_the_leverage(self, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
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
                assert _refused(answer, question, [made])[0] == "MODEL_UNSTABLE"
            else:
                assert answer(question, [made]).result["converged"]

    def test_an_extreme_outcome_is_as_bad_as_an_extreme_term(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        question = ask("regression", family="gaussian", formula="x ~ age")
        answer(question, [made.select(made.complete())])
        made.column("x").values[3] = 500.0
        assert _refused(answer, question, [made]) == ("MODEL_UNSTABLE", ())

    @pytest.mark.parametrize(("share", "refused"), [(0.49, False), (0.51, True)])
    def test_one_patient_may_not_hold_most_of_the_events(
        self, share: float, refused: bool, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        counts = np.ones(600)
        counts[0] = np.round(share / (1 - share) * 599)
        made.column("t").values[:] = counts
        question = ask("regression", family="poisson", formula="t ~ age")
        if refused:
            assert _refused(answer, question, [made]) == ("MODEL_UNSTABLE", ())
        else:
            assert answer(question, [made]).result["converged"]

    @pytest.mark.parametrize("params", FITS[1:])
    def test_a_runaway_predictor(
        self, params: dict[str, Any], ask: Any, answer: Any, rows: Any
    ) -> None:
        bound = dataclasses.replace(STRICT.iter, max_abs_eta=0.01)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **params)
        assert _refused(answer, question, [_patients(rows)]) == ("MODEL_UNSTABLE", ())

    @pytest.mark.parametrize("params", FITS[1:])
    @pytest.mark.parametrize("change", [{"min_ess": 700.0}, {"min_rel_info": 2.0}])
    def test_weights_on_few_patients(
        self, params: dict[str, Any], change: dict[str, float], ask: Any, answer: Any, rows: Any
    ) -> None:
        bound = dataclasses.replace(STRICT.iter, **change)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **params)
        assert _refused(answer, question, [_patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_rounds_are_bounded(self, ask: Any, answer: Any, rows: Any) -> None:
        bound = dataclasses.replace(STRICT.iter, max_rounds=2)
        question = ask("regression", terms=dataclasses.replace(STRICT, iter=bound), **FITS[1])
        assert _refused(answer, question, [_patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_separation(self, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
        made.column("e").values[:] = made.column("x").values > 0
        question = ask("regression", family="binomial", formula="e ~ x + age")
        with pytest.raises(Refused) as caught:
            answer(question, [made])
        assert caught.value.code == "MODEL_UNSTABLE"
        assert "predicts the outcome perfectly" in caught.value.message()

    def test_a_level_that_predicts_the_outcome_looks_like_one_with_few(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        made.column("e").values[:] = made.column("h").values
        question = ask("regression", family="binomial", formula="e ~ age + h")
        refused = _refused(answer, question, [made])
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
        made = _patients(rows)
        months, h = made.column("months").values, made.column("h").values
        h[:] = np.arange(600) < 20
        months[:] = 1.0 + (np.arange(600) >= 20) * (np.arange(600) % 7)
        months[: len(sizes)] = sizes
        site = np.arange(600) % 2
        question = ask("regression", family=family, formula="months ~ h")
        parts = [made.select(site == i) for i in (0, 1)]
        if refused:
            assert _refused(answer, question, parts) == ("MODEL_UNSTABLE", ())
        else:
            assert answer(question, parts).result["converged"]

    def test_an_outcome_that_is_the_same_for_all(self, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
        made.column("months").values[:] = 12.0
        question = ask("regression", family="gaussian", formula="months ~ age")
        assert _refused(answer, question, [made]) == ("MODEL_UNSTABLE", ())

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


TUMOURS = Codebook.from_dict(
    {
        "codebook": "tumours/1",
        "units": {"patient": None, "tumour": "patient"},
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110},
            "h": {"type": "category", "levels": ["no", "yes"]},
            "size": {"type": "number", "min": 0, "max": 200, "per": "tumour"},
            "relapse": {"type": "boolean", "per": "tumour"},
            "days": {"type": "duration", "unit": "days", "min": 0, "max": 5000, "per": "tumour"},
        },
    }
)


def _tumours(sizes: Sequence[int], seed: int) -> Rows:
    """One site with so many tumours for each patient."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(len(sizes)), sizes)
    n = people.size
    age = rng.integers(30, 90, len(sizes)).astype(float)[people]
    h = rng.integers(0, 2, len(sizes))[people]
    own = rng.normal(size=len(sizes))[people]
    size = (30 + 6 * own + 8 * rng.normal(size=n)).clip(1, 200)
    eta = 0.02 * (size - 30) + own
    values = {
        "age": age,
        "h": h.astype(np.int16),
        "size": size,
        "relapse": (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(np.int16),
        "days": rng.integers(1, 4000, n).astype(float),
    }
    columns = {name: Column(TUMOURS.variables[name], v) for name, v in values.items()}
    return Rows(columns, n, people)


def _about_tumours(terms: Terms, **analysis: Any) -> Ask:
    query = parse(
        {"version": 1, "codebook": "tumours/1", "unit": "tumour", "analysis": analysis}, TUMOURS
    )
    return Ask(query, TUMOURS.at("tumour"), terms, None)


def _run(question: Ask, sites: Sequence[Rows]) -> dict[str, Any]:
    method = KINDS[question.query.kind]
    step = method.start(question)
    for _ in range(method.bounded_rounds):
        step = dataclasses.replace(step, params=json.loads(json.dumps(step.params)))
        replies = [method.site(question, step, site) for site in sites]
        join = np.concatenate if step.labelled else sum
        pooled = {name: join([r[name] for r in replies]) for name in replies[0]}
        found = method.combine(question, step, pooled)
        if isinstance(found, Finished):
            shown = decide(method.tables(question, found), question.terms)
            return method.result(question, found, shown).result
        step = found
    raise AssertionError("more rounds than the method says")


RELAPSE = {"kind": "regression", "family": "binomial", "formula": "relapse ~ size + age"}


class TestSeveralRowsForOnePatient:
    SITES = tuple(_tumours([1, 2, 3] * 40, seed) for seed in range(3))

    def test_rows_and_patients_are_both_said(self) -> None:
        for analysis in (
            RELAPSE,
            {"kind": "cox", "time": "days", "event": "relapse", "formula": "size + age"},
        ):
            result = _run(_about_tumours(STRICT, **analysis), self.SITES)
            assert (result["n"], result["patients"]) == (720, 360)

    def test_robust_errors_are_clustered_by_patient(self) -> None:
        result = _run(_about_tumours(Terms.open_data(), **RELAPSE, robust=True), self.SITES)
        names = ("size", "age")
        x = np.concatenate([np.column_stack([s.column(v).values for v in names])
                            for s in self.SITES])  # fmt: skip
        x = np.column_stack([np.ones(len(x)), x])
        y = np.concatenate([s.column("relapse").values for s in self.SITES])
        people = np.concatenate([i * 1000 + s.people for i, s in enumerate(self.SITES)])
        beta = np.array([t["estimate"] for t in result["terms"]])
        mu = 1 / (1 + np.exp(-x @ beta))
        bread = np.linalg.inv((x * (mu * (1 - mu))[:, None]).T @ x)
        scores = x * (y - mu)[:, None]
        sums = np.array([scores[people == who].sum(axis=0) for who in np.unique(people)])
        expected = np.sqrt(np.diag(bread @ sums.T @ sums @ bread))
        assert [t["se"] for t in result["terms"]] == pytest.approx(expected.tolist(), rel=1e-8)

    @pytest.mark.parametrize("few", [19, 20])
    def test_events_are_counted_in_patients(self, few: int) -> None:
        site = _tumours([3] * 100, 1)
        site.column("relapse").values[:] = site.people < few
        if few < 20:
            refused = _refused(_run, _about_tumours(STRICT, **RELAPSE), [site])
            assert refused == ("MODEL_TOO_RICH", ("size", "age"))
        else:
            assert _run(_about_tumours(STRICT, **RELAPSE), [site])["events"] == 60

    @pytest.mark.parametrize("few", [9, 10])
    def test_levels_are_counted_in_patients(self, few: int) -> None:
        site = _tumours([3] * 100, 1)
        site.column("h").values[:] = site.people < few
        analysis = {"kind": "regression", "family": "gaussian", "formula": "size ~ h"}
        if few < 10:
            refused = _refused(_run, _about_tumours(STRICT, **analysis), [site])
            assert refused == ("MODEL_TOO_RICH", ("h[yes]",))
        else:
            assert _run(_about_tumours(STRICT, **analysis), [site])["converged"]

    @pytest.mark.parametrize("kind", ["regression", "cox"])
    def test_leverage_is_that_of_all_rows_of_a_patient(self, kind: str) -> None:
        analysis: dict[str, Any] = RELAPSE
        if kind == "cox":
            analysis = {"kind": "cox", "time": "days", "event": "relapse", "formula": "size + age"}
        site = _tumours([12] + [1] * 300, 4)
        size = site.column("size").values
        size[site.people == 0] = 199.0 - np.arange(12)
        size[site.people > 0] = 30 + (size[site.people > 0] - 30) / 4
        question = _about_tumours(STRICT, **analysis)
        assert _refused(_run, question, [site]) == ("MODEL_UNSTABLE", ())
        alone = Rows(site.columns, site.n, np.arange(site.n))
        assert _run(question, [alone])["converged"]
