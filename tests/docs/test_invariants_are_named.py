"""CONTRIBUTING.md names the eight invariants, each with the one file that holds it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d) \| (.+) \| `(tests/invariants/test_(\d)_\w+\.py)` \|$", re.MULTILINE)


def test_the_eight_invariants_are_those_that_have_a_test() -> None:
    rows = ROW.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert [int(row[0]) for row in rows] == list(range(1, 9))
    assert all(number == in_name for number, _, _, in_name in rows)
    present = {
        f"tests/invariants/{path.name}" for path in (ROOT / "tests/invariants").glob("test_*")
    }
    assert {row[2] for row in rows} == present, "the table in CONTRIBUTING.md and the files differ"
