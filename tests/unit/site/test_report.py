"""`oncokring site check` on a hospital whose patients, tumours and treatments are not all right."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.builtin import builtin_codebook
from federation.query.codebook import load_codebook
from federation.site.data.report import DataReport, check_data
from federation.site.directory import SiteDirectory, init_site
from federation.site.tables import show_report

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MAPPING = b"""
version: 2
codebook: oncomin/1
tables:
  patient:
    from: patients
    key: nr
    sex: {column: geslacht, map: {M: male, V: female, O: unknown, "?": unknown}}
    birth_year: geboortejaar
    vital_status: {column: status, map: {L: alive, D: dead}}
    vital_date: {column: laatste, format: "%d-%m-%Y"}
  tumour:
    from: tumours
    key: tumor
    parent: nr
    incidence_date: {column: datum, format: "%d-%m-%Y"}
    topography: topo
    morphology: morf
    behaviour: gedrag
    nodes_examined: onderzocht
    nodes_positive: positief
  treatment:
    from: treatments
    parent: tumor
    treatment_kind: {column: soort, map: {OK: surgery, RT: radiotherapy}}
    treatment_start: {column: start, format: "%d-%m-%Y"}
expect: {rows_min: 100, unmapped_max_pct: 1.0}
"""
HEADS = {
    "patients": ("nr", "geslacht", "geboortejaar", "status", "laatste"),
    "tumours": ("tumor", "nr", "datum", "topo", "morf", "gedrag", "onderzocht", "positief"),
    "treatments": ("tumor", "soort", "start"),
}
Rows = dict[str, list[list[str]]]


def good() -> Rows:
    """Sixty patients in whom nothing is wrong."""
    rows: Rows = {"patients": [], "tumours": [], "treatments": []}
    for n in range(60):
        year = 2018 + n % 3
        rows["patients"].append([f"p{n}", "V" if n % 2 else "M", "1950", "L", "01-06-2022"])
        rows["tumours"].append([f"t{n}", f"p{n}", f"10-03-{year}", "C18", "8140", "3", "12", "2"])
        rows["treatments"].append([f"t{n}", "OK", f"01-04-{year}"])
    return rows


def site(folder: Path, rows: Rows) -> SiteDirectory:
    path = folder / "site"
    if not path.exists():
        path.mkdir()
    for name, found in rows.items():
        with (path / f"{name}.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(HEADS[name])
            out.writerows(found)
    if (path / "site.toml").exists():
        return SiteDirectory.load(path)
    return init_site(
        path,
        slug="h0",
        name="Ziekenhuis",
        network="net",
        hub_public=SigningKey.generate().public,
        source={"kind": "csv", "files": {name: f"{name}.csv" for name in rows}},
        mapping=MAPPING,
        policy=Policy.strict().to_yaml(),
        studies={"onco": {"codebook": BOOK, "requires": ["use.network"]}},
    )


def report(folder: Path, rows: Rows, now: datetime = NOW) -> DataReport:
    found = site(folder, rows)
    mapped = found.mappings["mapping.yaml"]
    return check_data(found, BOOK, mapped, "mapping.yaml", ["onco"], now)


def printed(found: DataReport) -> str:
    """What a terminal of 200 columns shows, spaces joined."""
    out = StringIO()
    show_report(found, Console(file=out, width=200, highlight=False))
    return "\n".join(" ".join(line.split()) for line in out.getvalue().splitlines())


def test_good_data_have_nothing_to_say_but_what_can_be_asked(tmp_path: Path) -> None:
    found = report(tmp_path, good())
    assert found.usable
    assert [unit.rows for unit in found.units] == [60, 60, 60]
    assert not found.rules
    assert found.rules_checked > 20
    assert found.compared_with is None
    assert found.unexpected == ("60 rows were read; the mapping expects 100.",)
    said = printed(found)
    assert "mapping.yaml: 60 rows, codebook oncomin/1 (onco)" in said
    assert "broken: 0" in said
    assert "survival" in said.split("can be answered here: ")[1].splitlines()[0]


def test_implausible_rows_are_counted_by_year_and_said_to_be_left_out(tmp_path: Path) -> None:
    rows = good()
    for n in (0, 3, 4):  # 2018, 2018, 2019
        rows["tumours"][n][7] = "13"
    rows["treatments"][5][2] = "01-01-2001"
    found = report(tmp_path, rows)
    broken = {rule.rule: rule for rule in found.rules}
    nodes = broken["more_positive_than_examined"]
    assert (nodes.unit, nodes.severity, nodes.rows) == ("tumour", "E", 3)
    assert nodes.years == {2018: 2, 2019: 1}
    assert broken["treatment_before_incidence"].unit == "treatment"
    units = {unit.unit: unit.excluded for unit in found.units}
    assert units == {"patient": 0, "tumour": 3, "treatment": 4}
    said = printed(found)
    assert "More positive nodes than examined 3 tumour not counted 2019: 1, 2018: 2" in said
    assert "Rows of tumour that cannot be true and are never counted: 3" in said


def test_a_rule_is_counted_once_although_lower_rows_repeat_what_is_above(tmp_path: Path) -> None:
    rows = good()
    rows["patients"][0][4] = "01-06-2999"
    rows["treatments"] += [["t0", "RT", "01-05-2018"]] * 5
    found = {rule.rule: rule for rule in report(tmp_path, rows).rules}
    assert (found["future_vital_date"].unit, found["future_vital_date"].rows) == ("patient", 1)


def test_what_is_merged_unmapped_orphaned_and_of_nobody_is_told(tmp_path: Path) -> None:
    rows = good()
    rows["patients"][0][1] = "O"
    rows["patients"][1][1] = "?"
    rows["patients"][2][1] = "X"
    rows["patients"][3][0] = ""
    rows["patients"].append(["", "M", "1950", "L", "01-06-2022"])
    rows["tumours"].append(["t99", "p99", "10-03-2018", "C18", "8140", "3", "12", "2"])
    rows["treatments"].append(["t98", "OK", "01-04-2018"])
    found = report(tmp_path, rows)
    sex = next(one for one in found.variables if one.name == "sex")
    assert dict(sex.merged)["unknown"] == (("O", 1), ("?", 1))
    assert (sex.unmapped, sex.values) == (1, (("X", 1),))
    units = {unit.unit: unit for unit in found.units}
    assert units["patient"].without_patient == 2
    assert (units["tumour"].orphans, units["treatment"].orphans) == (2, 1)
    assert "sex: 1.6% of the values have no meaning" in found.unexpected[1]
    said = printed(found)
    assert "Made one value, sex = unknown: 'O' 1×, '?' 1×" in said
    assert "Rows without a patient number, never counted: 2" in said


def test_data_without_any_patient_number_are_unusable(tmp_path: Path) -> None:
    rows = good()
    rows["patients"] = [["", *patient[1:]] for patient in rows["patients"]]
    found = report(tmp_path, rows)
    assert (found.usable, found.without_key, found.units[0].with_patient) == (False, 60, 0)


def test_a_number_twice_makes_the_data_unusable(tmp_path: Path) -> None:
    rows = good()
    rows["patients"].append(list(rows["patients"][0]))
    found = report(tmp_path, rows)
    assert not found.usable
    assert "every question is refused" in printed(found)


def test_it_says_which_analyses_and_indicators_cannot_be_answered(tmp_path: Path) -> None:
    found = report(tmp_path, good())
    indicators = {one.name: one.missing for one in found.indicators}
    lacking = ("first_visit_date", "urgency", "referral_date")
    assert indicators["access_time"] == lacking
    assert indicators["treatment_interval_other"] == ()
    assert indicators["overall_survival"] == ()
    assert "margin" in indicators["textbook_outcome_colon"]
    kinds = {one.name: one.missing for one in found.kinds}
    assert kinds["count"] == kinds["cox"] == kinds["survival"] == ()
    assert kinds["competing_risks"] == ()
    said = printed(found)
    assert f"Access time: not answerable here, missing {', '.join(lacking)}" in said
    assert "Overall survival: answerable here" in said


def test_an_empty_variable_answers_nothing(tmp_path: Path) -> None:
    rows = good()
    for patient in rows["patients"]:
        patient[4] = ""
    indicators = {one.name: one.missing for one in report(tmp_path, rows).indicators}
    assert "follow_up_days" in indicators["overall_survival"]


def test_the_next_reading_is_compared_with_the_last_of_other_data(tmp_path: Path) -> None:
    later = datetime(2026, 12, 22, 9, 30, tzinfo=UTC)
    first = report(tmp_path, good())
    assert first.compared_with is None
    assert report(tmp_path, good(), later).compared_with == NOW
    rows = good()
    for n in range(20):
        rows["tumours"][n][6] = ""  # a third of the nodes are gone
    for tumour in rows["tumours"]:
        tumour[7] = "9" if tumour[6] else ""
    found = report(tmp_path, rows, later)
    assert found.compared_with is not None
    changed = {(one.variable, one.kind) for one in found.drift}
    assert ("nodes_examined", "filled") in changed
    assert "nodes_examined: 100.0% filled before, 66.7% now" in printed(found)
    rows["tumours"] = [[*t[:7], "1" if t[7] else ""] for t in rows["tumours"]]
    again = report(tmp_path, rows, later)
    assert ("nodes_positive", "mean") in {(one.variable, one.kind) for one in again.drift}
    assert "nodes_positive: mean 9 before, 1 now" in printed(again)


def test_without_a_database_that_can_be_used_the_report_is_only_not_compared(
    tmp_path: Path,
) -> None:
    found = site(tmp_path, good())
    found.database.unlink(missing_ok=True)
    found.database.write_bytes(b"no database" * 1000)
    assert report(tmp_path, good()).compared_with is None
    found.database.unlink()
    found.database.mkdir()
    assert report(tmp_path, good()).usable


def test_an_event_that_never_happens_is_told(tmp_path: Path) -> None:
    never = {one.variable for one in report(tmp_path, good()).drift}
    assert "dead" in never
    assert "had_surgery" not in never
    rows = good()
    rows["patients"][0][3] = "D"
    found = report(tmp_path, rows)
    assert "dead" not in {one.variable for one in found.drift if one.kind == "no_events"}
    (line,) = [line for line in printed(found).splitlines() if line.startswith("Never yes")]
    assert "had_targeted" in line
    assert "dead" not in line


def test_dates_that_are_always_the_first_of_a_month_are_told(tmp_path: Path) -> None:
    rows = good()
    for tumour in rows["tumours"]:
        tumour[2] = "01-03" + tumour[2][5:]
    found = {one.variable for one in report(tmp_path, rows).drift if one.kind == "first_days"}
    # last contact and start of treatment are on a first, too; the sum of two dates is not looked at
    assert {"incidence_date", "treatment_start", "vital_date"} <= found
    rows["tumours"][0][2] = "02-03-2018"
    again = report(tmp_path, rows)
    assert "incidence_date" not in {one.variable for one in again.drift}
    assert "Always the first of a month, so the day is not known" in printed(again)


def test_the_json_says_the_same(tmp_path: Path) -> None:
    rows = good()
    rows["tumours"][0][7] = "13"
    value: Mapping[str, Any] = json.loads(json.dumps(report(tmp_path, rows).to_dict()))
    assert value["studies"] == ["onco"]
    assert value["usable"] is True
    (rule,) = value["rules"]
    assert (rule["rule"], rule["years"]) == ("more_positive_than_examined", {"2018": 1})
    assert {unit["unit"]: unit["excluded"] for unit in value["units"]}["tumour"] == 1
    access = next(one for one in value["indicators"] if one["name"] == "access_time")
    assert access == {
        "name": "access_time",
        "answerable": False,
        "missing": ["first_visit_date", "urgency", "referral_date"],
    }
    assert "rules_not_checked" in value


def test_a_study_codebook_without_rules_has_the_generic_counts_only(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.mkdir()
    (path / "data.csv").write_text("nr,sexe,n\n1,M,3\n2,V,300\n3,v,x\n")
    book = load_codebook(
        b"codebook: t/1\nvariables: {sex: {type: category, levels: [m, f]},"
        b" n: {type: integer, min: 0, max: 100}}"
    )
    mapping = (
        b"codebook: t/1\nkey: nr\nvariables:\n  sex: {column: sexe, map: {M: m, V: f, v: f}}\n"
        b"  n: {column: n}\n"
    )
    made = init_site(
        path,
        slug="h0",
        name="Z",
        network="net",
        hub_public=SigningKey.generate().public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=mapping,
        policy=Policy.strict().to_yaml(),
        studies={"onco": {"codebook": book, "requires": ["use.network"]}},
    )
    found = check_data(made, book, made.mappings["mapping.yaml"], "mapping.yaml")
    assert (found.rules_checked, found.rules, found.rules_not_checked) == (0, (), {})
    by_name = {one.name: one for one in found.variables}
    assert by_name["sex"].merged == {"f": (("V", 1), ("v", 1))}
    assert (by_name["n"].unmapped, by_name["n"].out_of_range) == (1, 1)
    assert found.indicators == ()


@pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\u202egnip"])
def test_no_value_of_a_file_writes_on_the_screen_but_as_text(tmp_path: Path, bad: str) -> None:
    rows = good()
    rows["patients"][0][1] = bad
    said = printed(report(tmp_path, rows))
    assert bad not in said
    assert "[/]" not in said
