from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.design import Design, design_of, magnitude, middle, span, spline_column
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


BENT = Codebook.from_dict(
    {
        "codebook": "bent/1",
        "variables": {
            "age": {"type": "integer", "min": 20, "max": 100},
            "w": {"type": "number", "min": -50, "max": 50, "knots": [0, 1, 2]},
            "h": {"type": "category", "levels": ["no", "yes"]},
        },
    }
)


def test_powers_are_taken_about_the_middle_of_the_range(rows: Any) -> None:
    design = _design("age + age^2 + age^3", BENT)
    made = rows(BENT, age=[50, 60, 80])
    assert middle(BENT.variables["age"]) == 60
    assert design.matrix(made).tolist() == [[50, 100, -1000], [60, 0, 0], [80, 400, 8000]]
    # (x - 60)^3 = x^3 - 180 x^2 + 10800 x - 216000
    to_raw = design.to_raw([0, 1, 2], np.zeros(3), np.ones(3))
    assert to_raw[:, 3].tolist() == [-216000, 10800, -180, 1]
    assert to_raw[:, 2].tolist() == [3600, -120, 1, 0]


def test_a_power_in_an_interaction(rows: Any) -> None:
    design = _design("age*h + age^2*h", BENT)
    to_raw = design.to_raw(range(5), np.zeros(5), np.ones(5))
    at = {name: i + 1 for i, name in enumerate(design.names)}
    column = to_raw[:, at["age^2:h[yes]"]]
    assert column[at["h[yes]"]] == 3600
    assert column[at["age:h[yes]"]] == -120
    assert column[at["age^2:h[yes]"]] == 1
    assert np.count_nonzero(column) == 3


def test_a_spline_by_hand(rows: Any) -> None:
    design = _design("rcs(w)", BENT)
    made = rows(BENT, w=[-5, 0, 1, 2, 3, 4])
    # knots 0, 1, 2: (x+^3 - 2 (x - 1)+^3 + (x - 2)+^3) / 4
    expected = [0, 0, 1 / 4, 6 / 4, 3, 18 / 4]
    assert design.matrix(made)[:, 0].tolist() == [-5, 0, 1, 2, 3, 4]
    assert design.matrix(made)[:, 1].tolist() == expected


@pytest.mark.parametrize("knots", [[0, 1, 2], [5, 10, 30, 31], [1, 2, 4, 8, 16, 32, 64]])
def test_a_spline_is_smooth_and_straight_outside_its_knots(knots: list[float]) -> None:
    step = 1e-2
    x = np.arange(knots[0] - 5, knots[-1] + 5, step)
    for bend in range(2, len(knots)):
        values = spline_column(x, knots, bend)
        second = np.diff(values, 2) / step**2
        outside = (x[1:-1] < knots[0] - step) | (x[1:-1] > knots[-1] + step)
        assert np.abs(second[outside]).max() < 1e-5 * max(np.abs(second).max(), 1)
        assert np.abs(np.diff(second)).max() < 0.2  # no jump in the curvature
        assert np.all(values[x <= knots[0]] == 0)


def test_scales_of_powers_and_splines_are_public(rows: Any) -> None:
    design = _design("age + age^2 + rcs(w)", BENT)
    assert design.reach.tolist() == [128, 128**2, 128, 128]
    assert design.origin.tolist() == [20, 0, -50, 0]
