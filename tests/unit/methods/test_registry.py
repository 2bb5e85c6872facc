from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.disclosure.rows import DISCLOSURE_ROWS
from federation.methods.base import Method
from federation.methods.registry import KINDS
from federation.query.terms import Terms

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "count": [{}, {"by": ["g", "flag"]}],
    "describe": [{"variables": ["age", "g"]}, {"variables": ["x"], "by": "g"}],
    "compare": [
        {"variable": "age", "by": "g"},
        {"variable": "x", "by": "h"},
        {"variable": "flag", "by": "g"},
    ],
    "competing_risks": [
        {"time": "t", "event": "end", "cause": "relapse"},
        {"time": "t", "event": "end", "cause": "death", "by": "h", "at": [300]},
    ],
    "mantel_haenszel": [
        {"outcome": "e", "exposure": "h"},
        {"outcome": "e", "exposure": "h", "strata": "g"},
        {"outcome": "flag", "exposure": "h", "strata": None},
    ],
    "histogram": [{"variable": "age"}, {"variable": "score", "by": "g"}],
    "survival": [
        {"time": "t", "event": "e"},
        {"time": "t", "event": "e", "by": "g", "strata": "site"},
        {"time": "t", "event": "e", "strata": "h"},
    ],
    "regression": [
        {"family": "gaussian", "formula": "x ~ age + age^2 + g*h"},
        {"family": "binomial", "formula": "e ~ age + g", "robust": True},
        {"family": "poisson", "formula": "score ~ age + h", "offset": "t"},
    ],
    "cox": [
        {"time": "t", "event": "e", "formula": "age + g*h"},
        {"time": "t", "event": "e", "formula": "age", "strata": None},
        {"time": "t", "event": "e", "formula": "age", "strata": "h"},
    ],
    "mixed": [
        {"formula": "x ~ age + g*h"},
        {"formula": "x ~ age + age^2", "reml": False},
    ],
    "adjusted_mean": [
        {"outcome": "x", "formula": "age + g"},
        {"outcome": "score"},
    ],
    "waiting_time": [{"variable": "wait", "norms": [21, 28]}, {"variable": "wait", "cap": 90}],
    "trend": [
        {"date": "seen", "first": "2024-01", "last": "2024-12", "outcome": "e", "formula": "age"},
        {
            "date": "seen",
            "first": "2023-04",
            "last": "2023-09",
            "variable": "wait",
            "within": 21,
        },
    ],
    "standardise": [
        {"outcome": "e", "formula": "age + g"},
        {"outcome": "flag"},
        {"outcome": {"not": {"var": "g", "op": "=", "value": "a"}}, "formula": "age"},
    ],
}
CASES = [(kind, params) for kind, cases in EXAMPLES.items() for params in cases]


def test_every_kind_is_tried_here_and_has_its_disclosure_row() -> None:
    assert set(KINDS) == set(EXAMPLES) == set(DISCLOSURE_ROWS)
    for kind, method in KINDS.items():
        assert isinstance(method, Method)
        assert method.kind == kind
        assert all(p.help_en and p.help_nl for p in method.parameters)


@pytest.mark.parametrize(("kind", "params"), CASES)
@pytest.mark.parametrize("terms", [Terms.strict(), Terms.open_data()])
def test_words_in_both_languages(kind: str, params: Any, terms: Terms, ask: Any) -> None:
    question = ask(kind, terms=terms, **params)
    english = KINDS[kind].words(question, "en")
    dutch = KINDS[kind].words(question, "nl")
    assert len(english) == len(dutch) > 0
    assert english != dutch
    assert all(text.endswith(".") for text in (*english, *dutch))


@pytest.fixture
def patients(rows: Any) -> Any:
    rng = np.random.default_rng(1)
    n = 60

    def some(values: list[Any]) -> list[Any]:
        return [v if keep else None for v, keep in zip(values, rng.random(n) > 0.1, strict=True)]

    return rows(
        t=some(list(rng.integers(0, 900, n))),
        e=some(list(rng.random(n) < 0.5)),
        end=some(list(rng.choice(["none", "relapse", "death"], n))),
        age=some(list(rng.integers(30, 90, n))),
        score=some(list(rng.integers(1, 6, n))),
        x=some(list(rng.normal(size=n))),
        g=some(list(rng.choice(["a", "b", "c"], n))),
        h=some(list(rng.choice(["no", "yes"], n))),
        flag=some(list(rng.random(n) < 0.5)),
        wait=some(list(rng.integers(0, 400, n))),
        seen=some(list(2024 * 12 + rng.integers(-6, 12, n))),
    )


@pytest.mark.parametrize(("kind", "params"), CASES)
@pytest.mark.parametrize("terms", [Terms.strict(), Terms.open_data()])
def test_sets_start_with_who_is_counted(
    kind: str, params: Any, terms: Terms, ask: Any, patients: Any
) -> None:
    question = ask(kind, terms=terms, **params)
    method = KINDS[kind]
    sets = method.sets(question, patients)
    labels = [label for label, _ in sets]
    assert labels[0] == "analysis"
    assert len(set(labels)) == len(labels)
    nobody = patients.select(np.zeros(patients.n, dtype=bool))
    assert [label for label, _ in method.sets(question, nobody)] == labels
    for _, mask in sets:
        assert mask.dtype == bool
        assert mask.shape == (patients.n,)
        assert not (mask & ~sets[0][1]).any()
    step = method.start(question)
    if not step.labelled:
        sums = method.site(question, step, patients)
        assert sums["n"][0] == sets[0][1].sum()
        assert sums["missing"][0] == patients.n - sets[0][1].sum()


@pytest.mark.parametrize(("kind", "params"), CASES)
def test_shapes_do_not_depend_on_the_patients(
    kind: str, params: Any, ask: Any, patients: Any
) -> None:
    question = ask(kind, **params)
    method = KINDS[kind]
    step = method.start(question)
    nobody = patients.select(np.zeros(patients.n, dtype=bool))
    for rows in (patients.select(np.arange(patients.n) < 1), nobody):
        found, other = method.site(question, step, rows), method.site(question, step, patients)
        assert {k: (v.shape, v.dtype.kind) for k, v in found.items()} == {
            k: (v.shape, v.dtype.kind) for k, v in other.items()
        }
