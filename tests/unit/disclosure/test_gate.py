"""disclosure.md section 6, tests 1-5, 33 and 37, on pooled tables; t is 10."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import check_contribution, decide
from federation.methods.base import CountTable as MethodsTable
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT, OPEN = Terms.strict(), Terms.open_data()


@dataclass(frozen=True)
class Table:
    counts: Any
    name: str = "cells"
    margins_public: bool = True
    sizes: tuple[int, ...] | None = None

    @property
    def dims(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        sizes = np.shape(self.counts) if self.sizes is None else self.sizes
        return tuple((f"v{i}", tuple(str(j) for j in range(k))) for i, k in enumerate(sizes))


def shown(counts: Any, terms: Terms = STRICT, **more: Any) -> list[Any]:
    """The table with hidden cells as None."""
    table = Table(np.array(counts), **more)
    mask = decide([table], terms)["cells"]
    return np.where(mask, np.array(counts, dtype=object), None).tolist()


@pytest.mark.parametrize(
    ("counts", "seen"),
    [
        (0, None),
        (9, None),
        (10, 10),
        ([30, 20, 25], [30, 20, 25]),
        ([3, 0, 25, 40], [None, None, None, 40]),  # 3 + 0 would be a small rest
        ([9, 9, 25, 40], [None, None, 25, 40]),  # a rest of 18 is not small
        ([3, 25], [None, None]),
        ([0, 25, 25], [None, None, 25]),
        ([1, 2, 3], [None, None, None]),
        ([[30, 20], [40, 5]], [[None, None], [None, None]]),
        (
            [[30, 20, 50], [40, 5, 60], [70, 80, 90]],
            [[None, None, 50], [None, None, 60], [70, 80, 90]],
        ),
    ],
)
def test_small_cells_and_their_complements(counts: Any, seen: Any) -> None:
    assert shown(counts) == seen


def test_zero_looks_like_any_other_small_number() -> None:
    base = np.array([[30, 20, 50], [40, 0, 60], [70, 80, 90]])
    masks = []
    for small in range(10):
        table = base.copy()
        table[1, 1] = small
        masks.append(decide([Table(table)], STRICT)["cells"].tolist())
    assert all(mask == masks[0] for mask in masks)


def test_nearly_everybody_in_a_row_is_hidden_with_its_pair() -> None:
    # 24 of 25 smokers have the outcome
    seen = shown([[24, 1, 30], [200, 180, 150], [90, 100, 120]])
    assert seen[0][:2] == [None, None]
    # 48 of 50: both numbers are large enough, the share is not
    terms = replace(STRICT, t_cell=5)
    seen = shown([[96, 4, 0], [96, 60, 80], [96, 60, 80]], terms)
    assert seen[0] == [None, None, None]
    seen = shown([[200, 11], [150, 140], [120, 160]])
    assert seen[0] == [None, None]
    assert seen.count([None, None]) == 2


def test_a_line_of_one_cell_has_no_share() -> None:
    assert shown([[40, 30, 50]]) == [[40, 30, 50]]
    assert shown([40]) == [40]


def test_a_table_without_public_margins_hides_small_cells_only() -> None:
    assert shown([3, 25, 40], margins_public=False) == [None, 25, 40]


def test_open_data_shows_everything() -> None:
    assert shown([[0, 1], [2, 300]], OPEN) == [[0, 1], [2, 300]]


def test_nought_may_be_shown_only_where_the_terms_say_so() -> None:
    terms = replace(STRICT, zero_is_small=False)
    assert shown([0, 25, 40], terms) == [0, 25, 40]
    assert shown([3, 25, 40], terms) == [None, None, 40]


def test_a_margin_too_small_hides_another_line() -> None:
    seen = np.array(shown([[4, 5], [30, 40], [50, 60]]), dtype=object)
    hidden = seen == None  # noqa: E711 - element by element
    assert hidden[0].all()
    # with row 0 hidden, its total must not follow from the grand total: one more row is open
    assert hidden[1].any()
    assert not hidden[2].any() or hidden[1:].sum() >= 2


def test_names_and_shapes_of_the_answer() -> None:
    tables = [
        MethodsTable("total", (), np.asarray(100)),
        MethodsTable("by", (("v", ("a", "b")),), np.array([60.0, 40.0])),
    ]
    masks = decide(tables, STRICT)
    assert masks["total"].shape == ()
    assert bool(masks["total"])
    assert masks["by"].tolist() == [True, True]
    assert decide([], STRICT) == {}


@pytest.mark.parametrize("shape", [(2, 2, 2, 2), (15, 15)])
def test_too_many_dimensions_or_cells(shape: tuple[int, ...]) -> None:
    with pytest.raises(Refused) as caught:
        decide([Table(np.full(shape, 50))], STRICT)
    assert caught.value.code == "SMALL_GROUP"
    assert decide([Table(np.full(shape, 50))], OPEN)["cells"].all()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([Table([1, 2]), Table([1, 2])], "two tables"),
        ([Table([1, 2], sizes=(3,))], "differ in shape"),
        ([Table([-1, 2])], "whole numbers"),
        ([Table([1.5, 2])], "whole numbers"),
    ],
)
def test_a_malformed_table_is_a_programming_error(tables: list[Table], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decide(tables, STRICT)


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ([40, 40, 40], None),
        ([10, 10, 10], None),
        ([], "SMALL_GROUP"),
        ([9], "SMALL_GROUP"),
        ([3, 3, 3], "SMALL_GROUP"),
        ([25], "INSTITUTION_HIDDEN"),
        ([25, 25], "INSTITUTION_HIDDEN"),
        ([1000, 10, 10], "INSTITUTION_HIDDEN"),  # 1.04 effective hospitals
        ([100, 10, 90], None),  # 2.2
    ],
)
def test_enough_hospitals_behind_a_number(sizes: list[int], code: str | None) -> None:
    contribution = (len(sizes), sum(sizes), sum(n * n for n in sizes))
    check_contribution(*contribution, OPEN)
    if code is None:
        check_contribution(*contribution, STRICT)
    else:
        with pytest.raises(Refused) as caught:
            check_contribution(*contribution, STRICT)
        assert caught.value.code == code


def test_exactly_two_effective_hospitals_is_enough() -> None:
    # two of 45 and two of 5: 100^2 / (2*2025 + 2*25) = 2.44; sizes chosen for exactly 2 below
    check_contribution(3, 40, 800, STRICT)
    with pytest.raises(Refused):
        check_contribution(3, 40, 801, STRICT)
