"""docs/reference/indicators.md holds what ships, and names every field of a definition.

After a change of an indicator: ONCOKRING_WRITE_GOLDEN=1 .venv/bin/python -m pytest THIS FILE
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from federation.indicators.catalogue import needs, read_definition, shipped
from federation.indicators.definition import Indicator
from federation.indicators.measures import FIELDS, ROLE_VARIABLES
from federation.indicators.target import Target

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "indicators.md"
BEGIN, END = "<!-- shipped: made by tests/docs/test_indicators_page.py -->\n", "<!-- end -->\n"


def level(target: Target) -> str:
    """A target as the table writes it."""
    share = target.at_least is not None and target.at_least <= 1
    value = target.at_least if target.at_least is not None else target.at_most
    assert value is not None
    words = "at least" if target.at_least is not None else "at most"
    number = f"{100 * value:g}%" if share else f"{value:g}"
    within = "" if target.within is None else f" within {target.within} days"
    return f"{words} {number}{within}{'' if target.confirmed else ' (not confirmed)'}"


def table() -> str:
    rows = [
        "| indicator | name | measure | role | unit | targets | needs |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in shipped().values():
        targets = "; ".join(level(target) for target in each.targets) or "–"
        named = ", ".join(f"`{name}`" for name in needs(each))
        words = (str(each.text), each.measure, each.role, each.unit, targets, named)
        rows.append(f"| `{each.name}` | {' | '.join(words)} |")
    return "\n".join(rows) + "\n"


def test_the_table_is_made_from_what_ships() -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    if os.environ.get("ONCOKRING_WRITE_GOLDEN") == "1":
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}", "utf-8")
    assert BEGIN + table() + END in PAGE.read_text("utf-8")


def test_every_field_measure_and_role_is_described() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.read_text("utf-8")))
    every = set(Indicator.__dataclass_fields__) | set(Target.__dataclass_fields__)
    assert every | set(FIELDS) | set(ROLE_VARIABLES) <= named
    assert {each for each in ROLE_VARIABLES.values() if each} <= named


@pytest.mark.parametrize("number", range(2))
def test_the_examples_can_be_read(number: int) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    made = read_definition(blocks[number].encode())
    assert made.id == yaml.safe_load(blocks[number])["id"]
