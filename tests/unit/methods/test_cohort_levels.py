"""A level that the cohort leaves out is no small group, and takes no other with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from federation.query.cohort import parse_cohort

COHORT = {"var": "g", "op": "in", "value": ["a", "b"]}


@pytest.fixture
def narrowed(ask: Any) -> Any:
    def build(kind: str, **params: Any) -> Any:
        question = ask(kind, **params)
        cohort = parse_cohort(COHORT, question.codebook)
        return dataclasses.replace(
            question, query=dataclasses.replace(question.query, cohort=cohort)
        )

    return build


@pytest.fixture
def made(rows: Any) -> Any:
    return rows(
        g=["a", "b"] * 60,
        h=["no", "no", "yes", "yes"] * 30,
        age=[30 + i % 50 for i in range(120)],
        t=[10 * (i % 100) for i in range(120)],
        e=[i % 3 > 0 for i in range(120)],
    )


def test_counts(narrowed: Any, answer: Any, made: Any) -> None:
    found = answer(narrowed("count", by=["g", "h"]), [made])
    assert [cell["by"]["g"] for cell in found.result["cells"]] == ["a", "a", "b", "b"]
    assert [cell["n"] for cell in found.result["cells"]] == [30] * 4
    assert found.result["test"]["chi2"] == 0


def test_descriptions(narrowed: Any, answer: Any, made: Any) -> None:
    found = answer(narrowed("describe", variables=["age"], by="g"), [made])
    groups = found.result["variables"][0]["groups"]
    assert [(group["level"], group["n"]) for group in groups] == [("a", 60), ("b", 60)]


def test_curves(narrowed: Any, answer: Any, made: Any) -> None:
    found = answer(narrowed("survival", time="t", event="e", by="g"), [made])
    assert [group["level"] for group in found.result["groups"]] == ["a", "b"]
    assert found.result["logrank"]["df"] == 1


def test_a_level_that_could_have_patients_still_counts_as_small(
    ask: Any, answer: Any, made: Any
) -> None:
    found = answer(ask("count", by=["g"]), [made])
    assert [cell["n"] for cell in found.result["cells"]] == [None, 60, None]
