"""disclosure.md section 6, tests 1-5, 33 and 37, on pooled tables; t is 10."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from federation.disclosure.gate import check_contribution, decide
from federation.methods.base import CountTable as MethodsTable
from federation.query.codebook import Codebook
from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT, OPEN = Terms.strict(), Terms.open_data()


@dataclass(frozen=True)
class Table:
    counts: Any
    name: str = "cells"
    margins_public: bool = True
    sizes: tuple[int, ...] | None = None
    patients: Any = None

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


def test_the_share_rule_is_about_sensitive_variables_only() -> None:
    """A line along an axis tells the level of that axis' variable."""
    counts = [[200, 11], [150, 140], [120, 160]]  # 95 % of row 0 has level 0 of v1
    shown_at = {
        name: decide([Table(np.array(counts))], STRICT, codebook=_book(**{name: False}))["cells"]
        for name in ("v0", "v1")
    }
    assert shown_at["v1"].all()
    assert not shown_at["v0"][0].any()
    # a variable that the codebook does not know is sensitive
    assert not decide([Table(np.array(counts))], STRICT, codebook=_book(w=False))["cells"].all()


def _book(**sensitive: bool) -> Codebook:
    variables = {
        name: {"type": "category", "levels": ["a", "b"], "sensitive": is_so}
        for name, is_so in sensitive.items()
    }
    return Codebook.from_dict({"codebook": "test/1", "unit": "patient", "variables": variables})


@pytest.mark.parametrize(
    ("rows", "patients", "seen"),
    [
        ([30, 40, 50], [30, 40, 50], [30, 40, 50]),
        ([30, 40, 50], [9, 40, 50], [None, None, 50]),  # 30 tumours of 9 patients, and a complement
        ([30, 40, 50], [9, 9, 50], [None, None, None]),  # 9 + 9 may be the same 9 patients
        ([30, 40, 50], [9, 10, 50], [None, None, 50]),
        ([9, 40, 50], [9, 40, 50], [None, None, 50]),
        ([30, 40, 50], [9, 9, 9], [None, None, None]),
    ],
)
def test_a_cell_is_small_when_its_rows_or_its_patients_are_few(
    rows: list[int], patients: list[int], seen: list[int | None]
) -> None:
    assert shown(rows, patients=np.array(patients)) == seen


def test_patients_count_in_a_table_without_public_margins_too() -> None:
    assert shown([30, 40], margins_public=False, patients=np.array([9, 40])) == [None, 40]


def test_rows_and_patients_of_two_dimensions() -> None:
    rows = [[30, 40, 50], [60, 70, 80], [90, 95, 99]]
    few = [[30, 40, 50], [60, 5, 80], [90, 95, 99]]
    seen = np.array(shown(rows, patients=np.array(few)), dtype=object)
    assert seen[1, 1] is None
    hidden = seen == None  # noqa: E711 - element by element
    # never alone in its row or its column
    assert hidden.sum(axis=0)[1] > 1
    assert hidden.sum(axis=1)[1] > 1
    assert shown(rows, patients=np.array(rows)) == rows


def test_cells_that_the_look_hid_are_hidden_with_a_complement() -> None:
    table = Table(np.array([30, 20, 50]))
    assert decide([table], STRICT, frozenset({"v0=2"}))["cells"].tolist() == [True, False, False]
    square = Table(np.array([[30, 20, 50], [40, 60, 60], [70, 80, 90]]))
    hidden = ~decide([square], STRICT, frozenset({"v0=0,v1=2"}))["cells"]
    assert hidden[0, 2]
    assert hidden[0].sum() > 1
    assert hidden[:, 2].sum() > 1
    loose = Table(np.array([30, 20]), margins_public=False)
    assert decide([loose], STRICT, frozenset({"v0=1"}))["cells"].tolist() == [True, False]


def test_a_cell_to_hide_that_is_in_no_table_ends_the_answer() -> None:
    with pytest.raises(Refused) as caught:
        decide([Table(np.array([30, 20]))], STRICT, frozenset({"v1=0"}))
    assert caught.value.code == "SMALL_GROUP"


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
        ([Table([1, 2], patients=[1])], "differ in shape"),
        ([Table([1, 2], patients=[1, -2])], "whole numbers"),
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
