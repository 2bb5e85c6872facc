from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.design import Design, design_of, magnitude, span
from federation.query.codebook import Codebook
from federation.query.formula import parse_formula


def _design(text: str, codebook: Codebook) -> Design:
    return design_of(parse_formula(text, codebook, two_sided=False), codebook)


@pytest.mark.parametrize(
    "text",
    [
        "age + g",
        "age*h + C(g, ref='b')",
        "g*h",
        "x*age",
        "C(score, ref='3') + flag",
        "C(age)*x",
    ],
)
def test_columns_are_those_of_the_formula(text: str, codebook: Codebook) -> None:
    formula = parse_formula(text, codebook, two_sided=False)
    assert design_of(formula, codebook).names == formula.columns(codebook)


def test_values(codebook: Codebook, rows: Any) -> None:
    design = _design("age*h + g", codebook)
    made = rows(age=[50, 60, 70], h=["no", "yes", "yes"], g=["a", "b", "c"])
    assert design.names == ("age", "h[yes]", "g[b]", "g[c]", "age:h[yes]")
    assert design.matrix(made).tolist() == [
        [50, 0, 0, 0, 0],
        [60, 1, 1, 0, 60],
        [70, 1, 0, 1, 70],
    ]
    assert [design.names[i] for i in design.dummies] == ["h[yes]", "g[b]", "g[c]"]


def test_a_missing_value_anywhere_makes_a_row_incomplete(codebook: Codebook, rows: Any) -> None:
    design = _design("age + h", codebook)
    made = rows(age=[50, None, 70], h=["no", "yes", None])
    assert design.complete(made).tolist() == [True, False, False]


def test_no_rows_have_the_same_columns(codebook: Codebook, rows: Any) -> None:
    design = _design("age*h", codebook)
    assert design.matrix(rows(age=[], h=[])).shape == (0, 3)


def test_levels_of_one_variable_exclude_each_other(codebook: Codebook) -> None:
    design = _design("g*h", codebook)
    at = {name: i for i, name in enumerate(design.names)}
    assert design.exclusive(at["g[b]"], at["g[c]"])
    assert design.exclusive(at["g[b]"], at["g[c]:h[yes]"])
    assert not design.exclusive(at["g[b]"], at["h[yes]"])
    assert not design.exclusive(at["g[b]"], at["g[b]:h[yes]"])


def test_scales_follow_from_the_codebook_alone(codebook: Codebook) -> None:
    design = _design("age*h + x", codebook)
    assert dict(zip(design.names, design.origin, strict=True))["age"] == 18
    assert dict(zip(design.names, design.reach, strict=True)) == {
        "age": 128,  # 110 - 18 = 92
        "h[yes]": 1,
        "x": 1,
        "age:h[yes]": 128,  # 110
    }
    assert (span(codebook.variables["x"]), magnitude(codebook.variables["x"])) == (1, 1)
    assert np.log2(span(codebook.variables["score"])) == 2
