"""docs/reference/plausibility-rules.md is printed from the rules that ship; the report is whole.

After a change of the rules: ONCOKRING_WRITE_GOLDEN=1 .venv/bin/python -m pytest THIS FILE
"""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

from federation.query.builtin import builtin_codebook
from federation.query.coverage import LEVELS, Coverage
from federation.query.rules import Rule, shipped_rules
from federation.site.data.report import DataReport, UnitReport, VariableReport

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = REFERENCE / "plausibility-rules.md"
HEAD = """# Plausibility rules

The rules of `oncomin/1`, made from [the file that the program
reads](../../federation/codebooks/oncomin-1.rules.yaml) and compared with it in each test run.
`oncokring site check` counts them per year of incidence ([check your
data](../how-to/check-your-data.md)).

A row that breaks a rule of severity **E** cannot be true and is never counted, in no answer. A
row that breaks one of severity **W** is unlikely; it is counted, and the hospital is told. A rule
is broken only where the data leave no doubt: a missing value breaks none, and neither does a date
of which only the month or year is known when the days in between could decide. A rule that needs
what a hospital does not have is not checked there. A rule about a tumour excludes that tumour and
its treatments, not the patient.

Other codebooks have no rules: there values out of the codebook's bounds or without a meaning
count as missing, and that is all.

Sources: JRC-ENCR, the checks of the European cancer registries (Giusti 2023, doi
10.3389/fonc.2023.1250195; EUR 29089); NKR, the Netherlands Cancer Registry's definition of the
date of incidence; CRC, published checks of a colorectal cohort; UICC, the TNM classification;
IARC, the list of unlikely combinations of age, site and morphology (recalled). Checks of the
design that need what `oncomin/1` does not have are not here: the response to treatment, and the
site of surgery.

"""


def table(severity: str, rules: tuple[Rule, ...]) -> str:
    title = {"E": "Never counted (E)", "W": "Counted, and told (W)"}[severity]
    lines = [
        f"## {title}",
        "",
        "| rule | a row breaks it when | needs | source |",
        "|---|---|---|---|",
    ]
    for rule in rules:
        if rule.severity == severity:
            needs = ", ".join(f"`{name}`" for name in sorted(rule.names()))
            lines.append(f"| `{rule.name}` | {rule.text} | {needs} | {rule.source} |")
    return "\n".join(lines) + "\n"


def test_the_page_is_made_from_the_rules() -> None:
    codebook = builtin_codebook("oncomin/1")
    assert codebook is not None
    book = shipped_rules(codebook)
    assert book is not None
    text = HEAD + "\n".join(table(severity, book.rules) for severity in "EW")
    if os.environ.get("ONCOKRING_WRITE_GOLDEN") == "1":
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9_]+)`", text))


def test_the_data_report_names_every_field() -> None:
    text = (REFERENCE / "data-report.md").read_text("utf-8")
    of_variable = {"filled_percent", *(f.name for f in fields(VariableReport))} - {"rows"}
    of_report = {"rows", "without_key", "repeated", "usable", *(f.name for f in fields(DataReport))}
    of_unit = {f.name for f in fields(UnitReport)}
    of_coverage = {*LEVELS, *(f.name for f in fields(Coverage))}
    missing = (of_variable | of_report | of_unit | of_coverage) - named(text)
    assert not missing
