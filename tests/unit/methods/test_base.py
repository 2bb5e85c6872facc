from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.base import Column, bin_codes
from federation.query.codebook import Codebook


def test_bins_are_closed_left_and_the_last_one_on_both_sides() -> None:
    values = np.array([17.9, 18, 24.9, 25, 109, 110, 110.1, np.nan])
    assert bin_codes(values, (18, 25, 30, 110)).tolist() == [-1, 0, 0, 1, 2, 2, -1, -1]


def test_codes_of_each_type(rows: Any) -> None:
    made = rows(
        g=["c", None, "a"],
        flag=[True, False, None],
        score=[1, 5, None],
        age=[18, 110, 24],
    )
    found = {name: column.codes().tolist() for name, column in made.columns.items()}
    assert found == {
        "g": [2, -1, 0],
        "flag": [1, 0, -1],
        "score": [0, 4, -1],
        "age": [0, 17, 0],
    }
    assert all(column.codes().dtype == np.int64 for column in made.columns.values())


@pytest.mark.parametrize("value", [0, 6, 2.5])
def test_a_value_off_the_grid_of_small_integers_is_in_no_group(value: float, rows: Any) -> None:
    assert rows(score=[value]).column("score").codes().tolist() == [-1]


def test_a_variable_without_groups_has_no_codes(codebook: Codebook) -> None:
    column = Column(codebook.variables["x"], np.array([1.0]))
    with pytest.raises(ValueError, match="variable x has no groups"):
        column.codes()


def test_complete_and_select(rows: Any) -> None:
    made = rows(g=["a", None, "b"], x=[1, 2, None], t=[1, 2, 3])
    mask = made.complete(["x"], ["g"])
    assert mask.tolist() == [True, False, False]
    kept = made.select(mask)
    assert kept.n == 1
    assert kept.column("t").values.tolist() == [1.0]
    assert made.complete().tolist() == [True] * 3
