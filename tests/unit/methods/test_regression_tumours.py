"""Regression where a row is a tumour and a patient may have several."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from regressions import refusal_of

from federation.disclosure.gate import decide
from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms

STRICT = Terms.strict()
REGRESSION = KINDS["regression"]


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
            refused = refusal_of(_run, _about_tumours(STRICT, **RELAPSE), [site])
            assert refused == ("MODEL_TOO_RICH", ("size", "age"))
        else:
            assert _run(_about_tumours(STRICT, **RELAPSE), [site])["events"] == 60

    @pytest.mark.parametrize("few", [9, 10])
    def test_levels_are_counted_in_patients(self, few: int) -> None:
        site = _tumours([3] * 100, 1)
        site.column("h").values[:] = site.people < few
        analysis = {"kind": "regression", "family": "gaussian", "formula": "size ~ h"}
        if few < 10:
            refused = refusal_of(_run, _about_tumours(STRICT, **analysis), [site])
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
        assert refusal_of(_run, question, [site]) == ("MODEL_UNSTABLE", ())
        alone = Rows(site.columns, site.n, np.arange(site.n))
        assert _run(question, [alone])["converged"]
