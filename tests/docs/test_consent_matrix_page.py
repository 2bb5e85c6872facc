"""The page about the consent design has every row, and names only tests and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/consent-matrix.md"
STATES = {"held", "partly", "not"}


def rows(letter: str) -> list[list[str]]:
    found = re.findall(rf"^\| ({letter}\d\d) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [[number, *rest.split(" | ")] for number, rest in found]


@pytest.mark.parametrize(("letter", "number"), [("M", 40), ("I", 30)])
def test_every_row_is_there_and_says_by_what_it_is_held(letter: str, number: int) -> None:
    found = rows(letter)
    assert [row[0] for row in found] == [f"{letter}{n:02d}" for n in range(1, number + 1)]
    for name, feature, state, where in found:
        assert feature, name
        assert state in STATES, name
        assert "::" in where or state == "not", name


def test_every_test_and_file_it_names_exists() -> None:
    text = PAGE.read_text("utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(named) > 90
    for file, test in named:
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {test}(" in source or f"{test} = " in source, (file, test)
    for file in re.findall(r"`((?:consent|federation|registry)/[\w/]+\.py)`", text):
        assert (ROOT / file).is_file(), file
