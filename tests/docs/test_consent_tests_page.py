"""The page of the thirty consent tests names every number and only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/consent-tests.md"


def test_every_number_has_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| T")]
    assert [row[2:5] for row in rows] == [f"T{number:02d}" for number in range(1, 31)]
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            source = (ROOT / "tests" / file).read_text("utf-8")
            assert f"def {test}(" in source or f"{test} = " in source, (file, test)
