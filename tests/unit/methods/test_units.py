"""Rows that are tumours: the patients behind them stand beside, and few patients are few."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.base import Ask, Rows
from federation.methods.quantiles import quantile_bins
from federation.methods.registry import KINDS
from federation.query.terms import Terms

OPEN = Terms.open_data()
N = 300


@pytest.fixture
def per_tumour(ask: Any, codebook: Any) -> Any:
    """`per_tumour("count", by=["g"])`: the same question about tumours."""

    def build(kind: str, **params: Any) -> Ask:
        question = ask(kind, **params)
        return dataclasses.replace(question, codebook=dataclasses.replace(codebook, unit="tumour"))

    return build


@pytest.fixture
def tumours(rows: Any) -> Rows:
    rng = np.random.default_rng(6)
    made = rows(
        age=rng.integers(40, 70, N),
        t=rng.integers(0, 1500, N),
        e=rng.random(N) < 0.5,
        end=rng.choice(["none", "relapse", "death"], N),
        x=rng.normal(50, 5, N),
        g=rng.choice(["a", "b", "c"], N),
        h=rng.choice(["no", "yes"], N),
    )
    return dataclasses.replace(made, people=rng.integers(0, 150, N))


def sites(rows: Rows) -> list[Rows]:
    """Three hospitals that share no patient."""
    return [rows.select(rows.people % 3 == k) for k in range(3)]


def patients(rows: Rows, mask: Any = True) -> int:
    return len(set(rows.people[np.broadcast_to(mask, rows.n)].tolist()))


def where(rows: Rows, name: str, level: str) -> Any:
    column = rows.column(name)
    return column.codes() == list(column.variable.group_labels).index(level)


@pytest.mark.parametrize("terms", [OPEN, Terms.strict()], ids=["open", "strict"])
class TestBeside:
    def test_counts(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        result = answer(per_tumour("count", by=["g"], terms=terms), sites(tumours)).result
        assert (result["total"], result["patients"]) == (N, patients(tumours))
        for cell in result["cells"]:
            assert cell["patients"] == patients(tumours, where(tumours, "g", cell["by"]["g"]))

    def test_descriptions(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        question = per_tumour("describe", variables=["x", "h"], by="g", terms=terms)
        result = answer(question, sites(tumours)).result
        assert result["patients"] == patients(tumours)
        for described in result["variables"]:
            for group in described["groups"]:
                mine = where(tumours, "g", group["level"])
                assert group["patients"] == patients(tumours, mine)
                for level in group.get("levels", []):
                    both = mine & where(tumours, "h", level["level"])
                    assert level["patients"] == patients(tumours, both)

    def test_histograms(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        question = per_tumour("histogram", variable="age", by="h", terms=terms)
        result = answer(question, sites(tumours)).result
        assert result["patients"] == patients(tumours)
        age = tumours.column("age").values
        for entry in (result, *result["groups"]):
            mine = where(tumours, "h", entry["level"]) if "level" in entry else True
            assert entry["patients"] == patients(tumours, mine)
            for bar in entry["bins"]:
                low, high = bar["low"] or 0, bar["high"] or 999
                inside = (age >= low) & (age < high) & mine
                assert bar["n"] == inside.sum()
                assert bar["patients"] == patients(tumours, inside)

    def test_comparisons(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        question = per_tumour("compare", variable="x", by="h", terms=terms)
        result = answer(question, sites(tumours)).result
        assert result["patients"] == patients(tumours)
        for group in result["groups"]:
            assert group["patients"] == patients(tumours, where(tumours, "h", group["level"]))
        question = per_tumour("compare", variable="e", by="h", terms=terms)
        for cell in answer(question, sites(tumours)).result["cells"]:
            both = where(tumours, "h", cell["by"]["h"]) & where(tumours, "e", cell["by"]["e"])
            assert cell["patients"] == patients(tumours, both)

    def test_curves(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        for question in (
            per_tumour("survival", time="t", event="e", by="h", terms=terms),
            per_tumour(
                "competing_risks", time="t", event="end", cause="death", by="h", terms=terms
            ),
        ):
            result = answer(question, sites(tumours)).result
            assert result["patients"] == patients(tumours)
            for group in result["groups"]:
                assert group["patients"] == patients(tumours, where(tumours, "h", group["level"]))

    def test_odds_ratios(self, terms: Terms, per_tumour: Any, answer: Any, tumours: Rows) -> None:
        question = per_tumour("mantel_haenszel", outcome="e", exposure="h", strata="g", terms=terms)
        result = answer(question, sites(tumours)).result
        assert result["patients"] == patients(tumours)
        for cell in result["cells"]:
            both = where(tumours, "h", cell["by"]["h"]) & where(tumours, "e", cell["by"]["e"])
            assert cell["patients"] == patients(tumours, both)


FEW = [
    ("count", {"by": ["h"]}, "cells[1]"),
    ("describe", {"variables": ["x"], "by": "h"}, "variables[0].groups[1].n"),
    ("histogram", {"variable": "age", "by": "h"}, "groups[1].n"),
    ("compare", {"variable": "x", "by": "h"}, "welch_t"),
    ("survival", {"time": "t", "event": "e", "by": "h"}, "groups[1].n"),
    ("competing_risks", {"time": "t", "event": "end", "cause": "death", "by": "h"}, "gray"),
    ("mantel_haenszel", {"outcome": "e", "exposure": "h"}, "odds_ratio"),
]


@pytest.mark.parametrize("few", [1, 9, 10, 11])
@pytest.mark.parametrize(("kind", "params", "place"), FEW)
def test_many_tumours_of_few_patients_are_few(
    kind: str,
    params: dict[str, Any],
    place: str,
    few: int,
    per_tumour: Any,
    answer: Any,
    tumours: Rows,
) -> None:
    mine = where(tumours, "h", "yes")
    people = np.where(mine, 1000 + np.arange(N) % few, np.arange(N))
    found = answer(per_tumour(kind, **params), [dataclasses.replace(tumours, people=people)])
    if kind in ("survival", "competing_risks", "mantel_haenszel") and few >= 10:
        return  # the outcomes within the group have fewer patients still
    assert (found.why.get(place) == "small_cell") == (few < 10)


def test_the_tumours_of_one_patient_weigh_together(per_tumour: Any, answer: Any, rows: Any) -> None:
    made = rows(x=[30.0] * 20 + [1.0 + i / 100 for i in range(100)], h=["no"] * 120)
    people = np.where(np.arange(120) < 20, 0, np.arange(120))
    found = answer(
        per_tumour("describe", variables=["x"]), [dataclasses.replace(made, people=people)]
    )
    assert found.why["variables[0].groups[0].mean"] == "dominance"
    alone = dataclasses.replace(made, people=np.arange(120))
    shown = answer(per_tumour("describe", variables=["x"]), [alone])
    assert shown.result["variables"][0]["groups"][0]["mean"] is not None


def test_a_quantile_needs_patients_in_its_class_and_on_each_side() -> None:
    counts = np.array([20, 20, 20])
    enough = {"min_in_bin": 10, "min_each_side": 10}
    assert quantile_bins(counts, 0.5, **enough, patients=np.array([10, 10, 10])) == (1, 1)
    assert quantile_bins(counts, 0.5, **enough, patients=np.array([10, 9, 10])) == (0, 1)
    assert quantile_bins(counts, 0.5, **enough, patients=np.array([9, 20, 20])) is None
    assert quantile_bins(counts, 0.5, **enough, patients=np.array([20, 20, 9])) is None


@pytest.mark.parametrize(("kind", "params", "place"), FEW)
def test_words_name_the_rows_and_the_patients_behind_them(
    kind: str, params: dict[str, Any], place: str, per_tumour: Any, ask: Any
) -> None:
    method = KINDS[kind]
    plain, other = ask(kind, **params), per_tumour(kind, **params)
    for lang, row, people in (
        ("en", "rows (tumour)", "The number of different patients behind each of those numbers."),
        (
            "nl",
            "rijen (tumour)",
            "Het aantal verschillende patiënten achter elk van die aantallen.",
        ),
    ):
        words = method.words(other, lang)
        assert any(row in text for text in words)
        assert people in words
        assert people not in method.words(plain, lang)
        assert not any(row in text for text in method.words(plain, lang))
