"""Rule O7 at its edges: one below the threshold is refused by name, the threshold passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.base import Rows
from federation.methods.design import Design, design_of
from federation.methods.model_rules import check_richness, column_sums
from federation.query.codebook import Codebook
from federation.query.formula import parse_formula
from federation.query.refusals import Refused
from federation.query.terms import Terms

MODEL = Terms.strict().model


def _design(text: str, codebook: Codebook) -> Design:
    return design_of(parse_formula(text, codebook, two_sided=False), codebook)


def _refused(design: Design, made: Rows, events: int) -> tuple[str, ...] | None:
    sums = column_sums(design, made, design.matrix(made))
    try:
        check_richness(design, sums, made.n, events, MODEL)
    except Refused as refusal:
        return refusal.terms if refusal.code == "MODEL_TOO_RICH" else ("wrong code",)
    return None


@pytest.mark.parametrize(("events", "refused"), [(19, True), (20, False)])
def test_events_per_parameter(events: int, refused: bool, codebook: Codebook, rows: Any) -> None:
    made = rows(age=np.arange(30, 80), x=np.arange(50))
    found = _refused(_design("age + x", codebook), made, events)
    assert found == (("age", "x") if refused else None)


@pytest.mark.parametrize(("n", "refused"), [(19, True), (20, False)])
def test_patients_per_parameter(n: int, refused: bool, codebook: Codebook, rows: Any) -> None:
    made = rows(age=np.arange(30, 30 + n), x=np.arange(n))
    found = _refused(_design("age + x", codebook), made, 100)
    assert found == (("age", "x") if refused else None)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("level", ["a", "b", "c"])
def test_each_level_the_reference_too(
    level: str, count: int, codebook: Codebook, rows: Any
) -> None:
    labels = [name for name in ("a", "b", "c") if name != level]
    made = rows(g=labels * 40 + [level] * count)
    found = _refused(_design("g", codebook), made, 100)
    if count >= 10:
        assert found is None
    else:
        assert found is not None
        assert found[0] == f"g[{level}]"


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
def test_each_pair_that_can_occur(count: int, codebook: Codebook, rows: Any) -> None:
    g = ["b"] * 40 + ["b"] * count + ["a"] * 40 + ["c"] * 40
    h = ["no"] * 40 + ["yes"] * count + ["yes"] * 80
    found = _refused(_design("g + h", codebook), rows(g=g, h=h), 100)
    assert found == (None if count >= 10 else ("g[b]", "h[yes]"))


def test_a_refusal_holds_names_only(codebook: Codebook, rows: Any) -> None:
    found = _refused(_design("g + h", codebook), rows(g=["a"] * 40, h=["no", "yes"] * 20), 100)
    assert found is not None
    assert set(found) <= {"g[b]", "g[c]", "h[yes]"}


def _cells(counts: dict[tuple[str, str], int]) -> dict[str, list[str]]:
    g = [name for (name, _), count in counts.items() for _ in range(count)]
    h = [name for (_, name), count in counts.items() for _ in range(count)]
    return {"g": g, "h": h}


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("cell", [("a", "no"), ("a", "yes"), ("b", "no"), ("b", "yes")])
def test_each_combination_of_levels_that_interact(
    cell: tuple[str, str], count: int, codebook: Codebook, rows: Any
) -> None:
    """A model with g*h says the mean of every combination, references included."""
    counts = {(g, h): 60 for g in "abc" for h in ("no", "yes")}
    counts[cell] = count
    found = _refused(_design("g*h", codebook), rows(**_cells(counts)), 1000)
    if count >= 10:
        assert found is None
    else:
        assert found is not None
        assert "g:h" in found


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("value", [0, 1])
def test_a_number_of_two_values_is_a_level(value: int, count: int, rows: Any) -> None:
    book = Codebook.from_dict(
        {"codebook": "two/1", "variables": {"k": {"type": "integer", "min": 0, "max": 1}}}
    )
    made = rows(book, k=[1 - value] * 60 + [value] * count)
    found = _refused(_design("k", book), made, 1000)
    if count >= 10:
        assert found is None
    else:
        assert found is not None
        assert found[0] == f"k[{value}]"


@pytest.mark.parametrize("few", [9, 10])
def test_a_number_of_two_values_interacts_like_a_level(
    few: int, codebook: Codebook, rows: Any
) -> None:
    book = Codebook.from_dict(
        {
            "codebook": "two/1",
            "variables": {
                "k": {"type": "integer", "min": 0, "max": 1},
                "m": {"type": "integer", "min": 1, "max": 2},
                "h": {"type": "category", "levels": ["no", "yes"]},
            },
        }
    )
    cells = {("no", 0): 40, ("no", 1): 40, ("yes", 0): few, ("yes", 1): 40}
    labels = [name for (name, _), count in cells.items() for _ in range(count)]
    values = [value for (_, value), count in cells.items() for _ in range(count)]
    for name, shift in (("k", 0), ("m", 1)):
        made = rows(book, h=labels, **{name: [v + shift for v in values]})
        found = _refused(_design(f"h*{name}", book), made, 1000)
        assert found == (None if few == 10 else (f"h:{name}",))


def test_a_number_of_few_values_with_as_many_powers_is_a_level_too(rows: Any) -> None:
    book = Codebook.from_dict(
        {"codebook": "few/1", "variables": {"k": {"type": "integer", "min": 0, "max": 3}}}
    )
    made = rows(book, k=[0] * 40 + [1] * 40 + [2] * 40 + [3] * 3)
    assert _refused(_design("k", book), made, 1000) is None
    assert _refused(_design("k + k^2", book), made, 1000) is None
    assert _refused(_design("k + k^2 + k^3", book), made, 1000) == ("k[3]",)
    enough = rows(book, k=[0, 1, 2, 3] * 10)
    assert _refused(_design("k + k^2 + k^3", book), enough, 1000) is None
