"""CONTRIBUTING.md names the eight invariants, each in the words of the one file that holds it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d) \| (.+) \| `(tests/invariants/test_\d_\w+\.py)` \|$", re.MULTILINE)


def stated(path: Path) -> tuple[str, str]:
    """Number and words of "Invariant N: words." at the start of a file's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    found = re.fullmatch(r"Invariant (\d): (.+)\.", first)
    assert found, f"{path.name} must begin with: Invariant N: what holds."
    return found[1], found[2][0].upper() + found[2][1:] + "."


def test_the_eight_invariants_are_those_that_have_a_test() -> None:
    files = sorted((ROOT / "tests/invariants").glob("test_*.py"))
    expected = [(*stated(path), f"tests/invariants/{path.name}") for path in files]
    assert [number for number, _, _ in expected] == [str(number) for number in range(1, 9)]
    table = "\n".join(f"| {number} | {words} | `{path}` |" for number, words, path in expected)
    shown = ROW.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert shown == expected, f"CONTRIBUTING.md must hold this table:\n{table}"
