"""What analyses that compare hospitals come to by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federation.methods.base import Ask, Column, Finished, Rows
from federation.methods.funnel import LEVEL95, LEVEL998, outside, poisson_limits
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {"codebook": "spec/1", "variables": {"x": {"type": "number"}, "y": {"type": "number"}}}
)


def _table(file: str, columns: int) -> list[tuple[str, ...]]:
    lines = (Path(__file__).parent / file).read_text("utf-8").splitlines()
    found = [
        tuple(cell.strip() for cell in line.split("|", columns - 1))
        for line in lines
        if line and not line.startswith("#")
    ]
    assert all(len(row) == columns for row in found)
    return found


@pytest.mark.parametrize(
    ("outcome", "slope", "between", "residual", "how"), _table("variances.txt", 5)
)
def test_variances(outcome: str, slope: str, between: str, residual: str, how: str) -> None:
    sites = [
        Rows(
            {
                "x": Column(BOOK.variables["x"], np.array([-1.0, -1.0, 1.0, 1.0])),
                "y": Column(BOOK.variables["y"], np.array([float(v) for v in part.split()])),
            },
            4,
        )
        for part in outcome.split("/")
    ]
    analysis = {"kind": "mixed", "formula": "y ~ x"}
    query = parse({"version": 1, "codebook": BOOK.id, "analysis": analysis}, BOOK)
    ask = Ask(query, BOOK, Terms.open_data())
    method = KINDS["mixed"]
    step = method.start(ask)
    while not isinstance(step, Finished):
        replies = [method.site(ask, step, site) for site in sites]
        step = method.combine(ask, step, {k: sum(r[k] for r in replies) for k in replies[0]})  # type: ignore[misc]
    result = method.result(ask, step, {"total": np.array(True)}).result
    found = (
        result["terms"][1]["estimate"],
        result["variance"]["between"],
        result["variance"]["residual"],
    )
    assert tuple(f"{value:.6f}" for value in found) == (slope, between, residual)


@pytest.mark.parametrize(
    ("observed", "expected", "ratio", "inner", "outer", "where", "how"), _table("funnels.txt", 7)
)
def test_funnels(
    observed: str, expected: str, ratio: str, inner: str, outer: str, where: str, how: str
) -> None:
    found = int(observed) / float(expected)
    limits95 = poisson_limits(float(expected), LEVEL95)
    limits998 = poisson_limits(float(expected), LEVEL998)
    assert limits95 is not None
    assert limits998 is not None
    assert f"{found:.4f}" == ratio
    assert " ".join(f"{limit:.4f}" for limit in limits95) == inner
    assert " ".join(f"{limit:.4f}" for limit in limits998) == outer
    assert outside(found, limits95, limits998) == int(where)
