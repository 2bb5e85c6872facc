"""The closed expression language: what it reads, how it binds, and that it stays small."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.site.data import expressions as ex
from federation.site.data.expressions import Arithmetic, Name, Number, Slice, Text, parse


def test_products_bind_before_sums_and_from_the_left() -> None:
    assert parse("a - b - c * 2") == Arithmetic(
        "-",
        Arithmetic("-", Name("", "a"), Name("", "b")),
        Arithmetic("*", Name("", "c"), Number(2.0)),
    )
    assert parse("a - (b - 1)") == Arithmetic(
        "-", Name("", "a"), Arithmetic("-", Name("", "b"), Number(1.0))
    )


def test_the_examples_of_the_design_are_read() -> None:
    assert parse("incjr - leeft") == Arithmetic("-", Name("", "incjr"), Name("", "leeft"))
    assert parse("topo + '.' + topo_sublok[3:4]") == Arithmetic(
        "+",
        Arithmetic("+", Name("", "topo"), Text(".")),
        Slice(Name("", "topo_sublok"), 3, 4),
    )
    assert parse("value == 1") == ex.Comparison("==", Name("", "value"), Number(1.0))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("`Datum recidief`", Name("", "Datum recidief", quoted=True)),
        ("patient.birth_year", Name("patient", "birth_year")),
        ("labs.`ER %`", Name("labs", "ER %")),
        ("größe", Name("", "größe")),
        ('"it\'s"', Text("it's")),
        ("-2", Arithmetic("-", Number(0.0), Number(2.0))),
        ("a[:3]", Slice(Name("", "a"), 0, 3)),
        ("a[3:]", Slice(Name("", "a"), 3, None)),
        ("1.25", Number(1.25)),
        ("year(d)", ex.Call("year", (Name("", "d"),))),
        ("not a or b and c", None),
        ("first_known(a, b, c)", ex.Call("first_known", tuple(Name("", n) for n in "abc"))),
    ],
)
def test_every_piece_of_the_language(text: str, tree: ex.Tree | None) -> None:
    found = parse(text)
    if tree is None:
        assert found == ex.Logic(
            "or", ex.Negation(Name("", "a")), ex.Logic("and", Name("", "b"), Name("", "c"))
        )
    else:
        assert found == tree


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 1, "is missing here"),
        ("a +", 4, "is missing here"),
        ("a b", 3, "an operator is missing"),
        ("a ; b", 3, "not part of an expression"),
        ("a / b", 3, "not part of an expression"),
        ("a % b", 3, "not part of an expression"),
        ("a = 1", 3, "not part of an expression"),
        ("'open", 1, "not part of an expression"),
        ("`open", 1, "not part of an expression"),
        ("(a", 3, "')' is missing"),
        ("a[1]", 4, "':' is missing"),
        ("a[x:1]", 3, "':' is missing"),
        ("a[1.5:2]", 3, "a place is a whole number"),
        ("a[0:999]", 5, "a place is a whole number"),
        ("a.", 3, "a name is missing after the point"),
        ("a.b.c", 4, "an operator is missing"),
        ("a < b < c", 7, "an operator is missing"),
        ("open('x')", 1, "the functions are year"),
        ("__import__('os')", 1, "the functions are year"),
        ("year(a, b)", 1, "another number of arguments"),
        ("first_known(a)", 1, "another number of arguments"),
        ("and", 1, "is missing here"),
        ("lambda: 1", 7, "an operator is missing"),
        ("a\nb", 2, "not part of an expression"),
        ("\x00", 1, "not part of an expression"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, place: int, said: str) -> None:
    with pytest.raises(ex.ExpressionError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"character {place}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 400 + "a",
        "(" * 21 + "a" + ")" * 21,
        "not " * 100 + "a",
        "-" * 400 + "1",
        "year(" * 60 + "a",
        "+".join("a" * 130),
        "a" * 501,
        "a" * 100,
        "9" * 13,
        "a[0:1]" * 80,
    ],
)
def test_an_expression_is_bounded(text: str) -> None:
    with pytest.raises(ex.ExpressionError):
        parse(text)


@given(st.text(st.sampled_from("abc12 +-*()[]:'`\"<>=!.,\n\x00é"), max_size=60))
def test_any_text_is_a_tree_or_an_error_with_its_place(text: str) -> None:
    with suppress(ex.ExpressionError):
        parse(text)
