"""The catalogue, and that the two languages and the error codes are complete."""

import ast
from pathlib import Path

import pytest

import consent
from consent.errors import CODES, ConsentError
from consent.items import ITEMS, with_parents


def test_parents_come_first_and_once() -> None:
    assert with_parents(["use.network"]) == ("use.record", "use.network")
    assert with_parents(["study.join", "use.network", "use.record"]) == (
        "study.join",
        "use.record",
        "use.network",
    )


@pytest.mark.parametrize(
    ("codes", "code"), [([], "requirement_set_empty"), (["use.everything"], "unknown_item")]
)
def test_nothing_and_unknown_are_errors(codes: list[str], code: str) -> None:
    with pytest.raises(ConsentError) as failure:
        with_parents(codes)
    assert failure.value.code == code


def test_every_parent_is_an_item() -> None:
    for item in ITEMS.values():
        assert set(item.parents) <= set(ITEMS)
        assert item.label("nl") != item.label("en")
        assert item.text("nl").endswith(".")
        assert item.text("en").endswith(".")


def test_every_code_that_is_raised_has_a_sentence_and_every_sentence_is_used() -> None:
    raised: set[str] = set()
    folder = Path(next(iter(consent.__path__)))
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "ConsentError"
                and isinstance(node.args[0], ast.Constant)
            ):
                raised.add(str(node.args[0].value))
    assert raised == set(CODES)
