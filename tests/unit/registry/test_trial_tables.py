"""Answers of `oncokring try` on a narrow terminal: no head and no number is ever cut."""

import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import federation.methods
from registry.trial.tables import WHY, show

NUMBERS = ("estimate", "se", "z", "p", "ci_low", "ci_high", "exp", "exp_low", "exp_high")
TERMS = ("age", "chemotherapy[yes]", "stage[III]", "chemotherapy[yes]:stage[III]")


def answer(result: dict[str, Any], hidden: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    return {
        "result": result,
        "sites": {"asked": 3, "answered": 3, "refused": [], "silent": []},
        "hidden": list(hidden),
        "provenance": {"policy": {"protection": "none"}},
        "warnings": [],
    }


def printed(result: dict[str, Any], width: int) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=width, soft_wrap=True, highlight=False), answer(result), "Q")
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_model_fits(width: int) -> None:
    values = itertools.count(1)
    rows = [
        {"term": term, **{name: 0.001234567 + next(values) / 1000 for name in NUMBERS}}
        for term in TERMS
    ]
    text = printed({"n": 100, "terms": rows}, width)
    heads = [line for line in text.splitlines() if "━" not in line and line.startswith("term ")]
    words = [word for head in heads for word in head.replace("┃", " ").split()]
    assert [word for word in words if word != "term"] == list(NUMBERS)
    assert all(text.count(f"{term} ") >= len(heads) for term in TERMS)
    for row in rows:
        assert all(f"{value:.4g}" in text for key, value in row.items() if key != "term")
    assert "…" not in text
    tables = [line for line in text.splitlines() if set("│┃╇") & set(line)]
    assert max(len(line) for line in tables) <= width


def test_one_table_where_there_is_room() -> None:
    rows = [{"term": "age", "estimate": 1.0, "se": 0.5}]
    assert printed({"terms": rows}, 80).count("━") == len("term ━ estimate ━  se") - 2


def test_a_name_wider_than_the_terminal_is_folded_and_not_cut() -> None:
    text = printed({"cells": [{"by": {"g": "x" * 70}, "n": 123456}]}, 40)
    assert text.count("x") == 70
    assert "123456" in text


def test_hidden_numbers_are_one_line_per_reason_in_words() -> None:
    hidden = [{"where": f"variables[0].groups[{k}].missing", "why": "complete_cases"} for k in "01"]
    stream = io.StringIO()
    show(Console(file=stream, width=300, soft_wrap=True), answer({"n": 1}, hidden), "Q")
    said = [line for line in stream.getvalue().splitlines() if line.startswith("Hidden")]
    assert said == [
        "Hidden: variables[0].groups[0].missing, variables[0].groups[1].missing "
        f"({WHY['complete_cases']})"
    ]


def test_every_reason_a_method_gives_has_words() -> None:
    given = set()
    for path in Path(federation.methods.__path__[0]).glob("*.py"):
        given |= set(re.findall(r'hide\([^()]*"([a-z_]+)"\)', path.read_text("utf-8")))
    assert len(given) >= 5
    assert given <= set(WHY)


def test_differences_have_no_columns_for_ratios() -> None:
    row = {"term": "age", "estimate": 0.5, "exp": None, "exp_low": None, "exp_high": None}
    text = printed({"terms": [row]}, 80)
    assert "estimate" in text
    assert "exp" not in text


def test_hospitals_of_a_few_numbers_each_stand_in_one_table() -> None:
    part = {"n": 40, "observed": None, "ratio": None, "limits95": [0.5, 1.7], "wide": [None, None]}
    own = {
        "noord": part,
        "zuid": {**part, "observed": 12, "ratio": 1.05},
        "west": {"status": "refused", "code": "SMALL_GROUP", "message": "Too few."},
    }
    stream = io.StringIO()
    console = Console(file=stream, width=100, soft_wrap=True, highlight=False)
    show(console, {**answer({"n": 80}), "by_site": own}, "Q")
    text = stream.getvalue()
    rows = [line.split("│") for line in text.splitlines() if line.startswith(("noord", "zuid"))]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["noord", "40", "hidden", "-", "0.5 to 1.7"],
        ["zuid", "40", "12", "1.05", "0.5 to 1.7"],
    ]
    assert "wide" not in text
    assert "Hospital west" in text
    assert "SMALL_GROUP" in text
