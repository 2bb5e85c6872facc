"""Bars of a histogram are ranges, so that the hub can hold them against other counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from federation.disclosure.nesting import ReleasedSet, released_sets, too_close
from federation.disclosure.ranges import Range, range_of_quarter
from federation.methods.base import CountTable
from federation.methods.registry import parse
from federation.query.codebook import Codebook

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "bars/1",
        "variables": {
            "age": {"type": "integer", "min": 18, "max": 110, "cuts": {"step": 5}},
            "score": {"type": "integer", "min": 1, "max": 9},
            "g": {"type": "category", "levels": ["a", "[1,2)"]},
        },
    }
)


def sets(name: str, *cells: tuple[str, int]) -> tuple[ReleasedSet, ...]:
    query = parse(
        {"version": 1, "codebook": "bars/1", "analysis": {"kind": "count", "by": [name]}}, CODEBOOK
    )
    counts = np.array([n for _, n in cells])
    table = CountTable("bins", ((name, tuple(label for label, _ in cells)),), counts)
    shown = {"bins": np.ones(len(cells), dtype=bool)}
    return released_sets(query, CODEBOOK, ["h1"], [table], shown)


@pytest.mark.parametrize(
    ("name", "label", "found"),
    [
        ("age", "[18,45)", Range(18, False, 45, True)),
        ("age", "[80,110]", Range(80, False, 110, False)),
        ("age", "[45,50)", Range(45, False, 50, True)),
        ("age", "(45,110]", Range(45, True, 110, False)),
        ("score", "[3,5]", Range(3, False, 5, False)),
        ("score", "3", Range(3, False, 3, False)),
    ],
)
def test_a_bar_is_a_range(name: str, label: str, found: Range) -> None:
    (made,) = sets(name, (label, 30))
    assert made.ranges == {name: found}
    assert made.other == frozenset()


def test_a_level_that_looks_like_a_range_is_a_level() -> None:
    (made,) = sets("g", ("[1,2)", 30))
    assert (made.ranges, made.levels) == ({}, {"g": frozenset({"[1,2)"})})


@pytest.mark.parametrize("label", ["[18,x)", "18,45", "[,45)", "young"])
def test_anything_else_is_taken_as_it_is(label: str) -> None:
    (made,) = sets("age", (label, 30))
    assert made.other == {f"age={label}"}
    assert math.isinf(made.ranges.get("age", Range()).low)


@pytest.mark.parametrize("few", [0, 1, 9, 10])
def test_a_bar_and_the_class_in_it(few: int) -> None:
    bar, one = sets("age", ("[45,55)", 40 + few)), sets("age", ("[50,55)", 40))
    assert bool(too_close(bar, one, 10)) == bool(too_close(one, bar, 10)) == (0 < few < 10)
    assert not too_close(bar, sets("age", ("[60,65)", 40)), 10)


def test_the_months_of_a_quarter() -> None:
    assert range_of_quarter("2024-Q2") == Range(2024 * 12 + 3, False, 2024 * 12 + 5, False)
    for other in ("2024-Q5", "2024", "[40,50)", "Q2"):
        assert range_of_quarter(other) is None
