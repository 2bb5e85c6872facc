"""One codebook, rows made by hand, and one question asked of a few sites."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import decide
from federation.methods.base import Ask, Column, CountTable, Finished, Released, Rows
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "unit/1",
        "variables": {
            "t": {"type": "duration", "unit": "days", "min": 0, "max": 3000},
            "months": {"type": "duration", "unit": "months", "min": 0, "max": 60},
            "endless": {"type": "duration", "unit": "days"},
            "e": {"type": "boolean"},
            "end": {"type": "category", "levels": ["none", "relapse", "death"]},
            "age": {"type": "integer", "unit": "years", "min": 18, "max": 110, "cuts": {"step": 5}},
            "score": {"type": "integer", "min": 1, "max": 5},
            "x": {"type": "number"},
            "g": {"type": "category", "levels": ["a", "b", "c"]},
            "h": {"type": "category", "levels": ["no", "yes"]},
            "flag": {"type": "boolean"},
            "wait": {
                "type": "duration",
                "unit": "days",
                "min": 0,
                "max": 1000,
                "cuts": [7, 14, 21, 28, 42, 56, 90],
            },
            "seen": {"type": "date", "resolution": "month"},
        },
    }
)


def _rows(codebook: Codebook = CODEBOOK, **values: Sequence[Any]) -> Rows:
    """Categories by label, booleans by truth, numbers by value; None is missing."""
    columns = {}
    for name, given in values.items():
        variable = codebook.variables[name]
        if variable.type in ("category", "boolean"):
            labels = list(variable.group_labels or ())
            texts = [str(v).lower() if isinstance(v, bool | np.bool_) else v for v in given]
            codes = [-1 if v is None else labels.index(v) for v in texts]
            columns[name] = Column(variable, np.array(codes, dtype=np.int16))
        else:
            numbers = [np.nan if v is None else float(v) for v in given]
            columns[name] = Column(variable, np.array(numbers, dtype=np.float64))
    return Rows(columns, len(next(iter(values.values()))))


@pytest.fixture
def codebook() -> Codebook:
    return CODEBOOK


@pytest.fixture
def rows() -> Callable[..., Rows]:
    """`rows(g=["a", None], t=[1, 2])`."""
    return _rows


@pytest.fixture
def ask() -> Callable[..., Ask]:
    """`ask("count", by=["g"])`, under protection unless `terms` says otherwise."""

    def build(kind: str, *, terms: Terms | None = None, **params: Any) -> Ask:
        query = parse(
            {"version": 1, "codebook": "unit/1", "analysis": {"kind": kind, **params}}, CODEBOOK
        )
        return Ask(query, CODEBOOK, terms or Terms.strict(), None)

    return build


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came out, and everything that came before."""

    released: Released
    finished: Finished
    tables: list[CountTable]
    steps: list[str]

    @property
    def result(self) -> dict[str, Any]:
        return self.released.result

    @property
    def why(self) -> Mapping[str, str]:
        return {entry["where"]: entry["why"] for entry in self.released.hidden}


@pytest.fixture
def answer() -> Callable[..., Answer]:
    """`answer(ask, [rows, ...])` with the real release gate behind it."""

    def run(question: Ask, sites: Sequence[Rows]) -> Answer:
        method = KINDS[question.query.kind]
        step, steps = method.start(question), []
        for _ in range(method.bounded_rounds):
            steps.append(step.name)
            assert not (step.labelled and question.strict)
            step = dataclasses.replace(step, params=json.loads(json.dumps(step.params)))
            replies = [method.site(question, step, each) for each in sites]
            join = np.concatenate if step.labelled else sum
            pooled = {name: join([r[name] for r in replies]) for name in replies[0]}
            found = method.combine(question, step, pooled)
            if isinstance(found, Finished):
                tables = method.tables(question, found)
                released = method.result(question, found, decide(tables, question.terms))
                json.dumps(released.result, allow_nan=False)
                return Answer(released, found, tables, steps)
            step = found
        raise AssertionError("more rounds than the method says")

    return run
