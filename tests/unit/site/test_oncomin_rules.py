"""Every rule that ships with oncomin/1, broken by one change to a record that is right."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from federation.query.builtin import builtin_codebook
from federation.query.rules import shipped_rules
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import Table, read_table
from federation.site.data.mapping import read_mapping

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
RULES = shipped_rules(BOOK)
assert RULES is not None

# One patient in whom nothing is wrong; the names are those of oncomin/1.
GOOD: Mapping[str, Mapping[str, str]] = {
    "patient": {
        "patient_id": "p1",
        "sex": "female",
        "birth_year": "1950",
        "birth_date": "1950-05-05",
        "vital_status": "dead",
        "vital_date": "2021-06-01",
    },
    "tumour": {
        "tumour_id": "t1",
        "patient_id": "p1",
        "incidence_date": "2019-03-10",
        "topography": "C18",
        "morphology": "8140",
        "behaviour": "3",
        "laterality": "none",
        "tnm_edition": "8",
        "ct": "2",
        "cm": "0",
        "pt": "2",
        "pn": "0",
        "pm": "0",
        "stage": "I",
        "stage_clinical": "I",
        "stage_pathological": "I",
        "nodes_examined": "12",
        "nodes_positive": "0",
        "follow_up_days": "814",
        "referral_date": "2019-02-20",
        "first_visit_date": "2019-03-01",
        "mdo_date": "2019-03-20",
    },
    "treatment": {
        "tumour_id": "t1",
        "treatment_kind": "surgery",
        "treatment_start": "2019-04-01",
        "treatment_end": "2019-04-02",
    },
    "outcome": {
        "tumour_id": "t1",
        "margin": "R0",
        "recurrence_date": "2020-05-01",
        "complication": "I",
        "cci": "8.7",
        "died_in_admission": "false",
    },
    "prom": {"patient_id": "p1", "prom_instrument": "QLQ-C30", "prom_date": "2019-03-02"},
}
KEYS = {"patient": "patient_id", "tumour": "tumour_id"}
PARENTS = {"tumour": "patient_id", "treatment": "tumour_id", "outcome": "tumour_id"}
PARENTS["prom"] = "patient_id"
DATES = {name for row in GOOD.values() for name in row if name.endswith("_date")}
DATES |= {"treatment_start", "treatment_end"}
FUTURE = "2999-01-01"

Change = dict[str, str]
# rule -> the change that breaks it, and what else that change breaks
BREAKS: Mapping[str, tuple[Change, set[str]]] = {
    "birth_after_incidence": ({"birth_year": "2020"}, {"birth_after_referral"}),
    "birth_date_after_incidence": ({"birth_date": "2019-03-11"}, set()),
    "birth_after_referral": ({"birth_year": "2019", "referral_date": "2018-12-31"}, set()),
    "referral_after_first_visit": ({"referral_date": "2019-03-02"}, set()),
    "referral_after_incidence": (
        {"referral_date": "2019-03-11"},
        {"referral_after_first_visit"},
    ),
    "first_visit_after_incidence": ({"first_visit_date": "2019-03-11"}, set()),
    "treatment_before_incidence": (
        {"treatment_start": "2019-03-09"},
        {"first_treatment_before_incidence"},
    ),
    "treatment_after_vital_date": (
        {"treatment_start": "2021-06-02", "treatment_end": "2021-06-03"},
        set(),
    ),
    "vital_date_before_incidence": (
        {"vital_date": "2019-03-09", "follow_up_days": ""},
        {"treatment_after_vital_date", "treatment_end_after_death", "recurrence_after_death"},
    ),
    "future_vital_date": (
        {"vital_date": FUTURE},
        {"followed_4000_weeks", "follow_up_too_short_for_dates"},
    ),
    "future_incidence_date": (
        {"incidence_date": FUTURE, "follow_up_days": ""},
        {
            "incidence_long_after_visit",
            "vital_date_before_incidence",
            "treatment_before_incidence",
            "first_treatment_before_incidence",
            "recurrence_before_incidence",
        },
    ),
    "future_referral_date": (
        {"referral_date": FUTURE},
        {"referral_after_first_visit", "referral_after_incidence"},
    ),
    "future_first_visit_date": ({"first_visit_date": FUTURE}, {"first_visit_after_incidence"}),
    "future_mdo_date": ({"mdo_date": FUTURE}, set()),
    "future_treatment_start": (
        {"treatment_start": FUTURE},
        {"treatment_after_vital_date", "treatment_ends_before_start"},
    ),
    "future_treatment_end": ({"treatment_end": FUTURE}, {"treatment_end_after_death"}),
    "future_recurrence_date": ({"recurrence_date": FUTURE}, {"recurrence_after_death"}),
    "future_prom_date": ({"prom_date": FUTURE}, {"prom_after_death"}),
    "incidence_long_after_visit": (
        {"first_visit_date": "2018-12-07", "referral_date": "2018-12-01"},
        set(),
    ),
    "first_treatment_before_incidence": (
        {"treatment_start": "2019-03-09"},
        {"treatment_before_incidence"},
    ),
    "vital_date_is_incidence": (
        {"vital_date": "2019-03-10", "follow_up_days": "0"},
        {"treatment_after_vital_date", "treatment_end_after_death", "recurrence_after_death"},
    ),
    "vital_date_missing": ({"vital_date": ""}, set()),
    "follow_up_too_long_for_dates": ({"follow_up_days": "3000"}, set()),
    "follow_up_too_short_for_dates": ({"follow_up_days": "100"}, set()),
    "treatment_ends_before_start": ({"treatment_end": "2019-03-31"}, set()),
    "treatment_end_after_death": ({"treatment_end": "2021-06-09"}, set()),
    "recurrence_after_death": ({"recurrence_date": "2021-06-09"}, set()),
    "recurrence_before_incidence": ({"recurrence_date": "2019-03-09"}, set()),
    "prom_after_death": ({"prom_date": "2021-06-09"}, set()),
    "child": ({"birth_date": "2005-01-01", "birth_year": "2005"}, set()),
    "older_than_100": (
        {"birth_date": "1925-01-01", "birth_year": "1925", "follow_up_days": "2300"},
        set(),
    ),
    "followed_4000_weeks": (
        {
            "incidence_date": "1900-01-01",
            "follow_up_days": "",
            "birth_date": "",
            "birth_year": "",
            "referral_date": "",
            "first_visit_date": "",
        },
        {"tnm_8_year"},
    ),
    "female_organ_in_man": ({"sex": "male", "topography": "C56"}, set()),
    "male_organ_in_woman": ({"topography": "C61"}, set()),
    "breast_in_man": ({"sex": "male", "topography": "C50"}, set()),
    "retinoblastoma_age": ({"morphology": "9510", "topography": "C69"}, set()),
    "retinoblastoma_site": ({"morphology": "9514"}, {"retinoblastoma_age"}),
    "nephroblastoma_age": ({"morphology": "8960"}, set()),
    "hepatocellular_site": ({"morphology": "8170"}, set()),
    "cervix_age": ({"topography": "C53", "birth_date": "2001-01-01", "birth_year": "2001"}, set()),
    "prostate_age": (
        {"topography": "C61", "sex": "male", "birth_date": "1985-01-01", "birth_year": "1985"},
        set(),
    ),
    "in_situ_with_stage": ({"behaviour": "2"}, set()),
    "malignant_with_stage_0": ({"stage_clinical": "0"}, set()),
    "malignant_with_tis": ({"pt": "is"}, set()),
    "m1_without_stage_4": ({"cm": "1a"}, set()),
    "pm1_without_stage_4": ({"pm": "1"}, set()),
    "stage_4_without_m1": ({"stage": "IVA"}, set()),
    "pn0_with_positive_nodes": ({"nodes_positive": "1"}, set()),
    "more_positive_than_examined": ({"nodes_positive": "13", "pn": "2"}, set()),
    "pn_without_positive_nodes": ({"pn": "1a"}, set()),
    "colorectal_pn1": ({"pn": "1b", "nodes_positive": "4"}, set()),
    "colorectal_pn1c": ({"pn": "1c", "nodes_positive": "1"}, set()),
    "colorectal_pn2": ({"pn": "2a", "nodes_positive": "3"}, set()),
    "mx_after_6th": ({"cm": "X"}, set()),
    "ct1mi_outside_breast": ({"ct": "1mi"}, set()),
    "pt1mi_outside_breast": ({"pt": "1mi"}, set()),
    "tnm_6_year": ({"tnm_edition": "6"}, set()),
    "tnm_7_year": ({"tnm_edition": "7"}, set()),
    "tnm_8_year": (
        {"incidence_date": "2015-03-10", "first_visit_date": "", "referral_date": ""},
        set(),
    ),
    "pathological_stage_without_surgery": (
        {"treatment_kind": "chemotherapy"},
        {"margin_without_surgery"},
    ),
    "margin_without_surgery": (
        {"treatment_kind": "radiotherapy"},
        {"pathological_stage_without_surgery"},
    ),
    "died_in_admission_alive": ({"died_in_admission": "true", "vital_status": "alive"}, set()),
    "index_below_grade": ({"complication": "IIIa"}, set()),
}


def mapping() -> bytes:
    """Every column called as the item it is."""
    tables: dict[str, Any] = {}
    for unit, row in GOOD.items():
        table: dict[str, Any] = {"from": unit}
        if unit in KEYS:
            table["key"] = KEYS[unit]
        if unit in PARENTS:
            table["parent"] = PARENTS[unit]
        for name in row:
            if not name.endswith("_id"):
                dated = {"column": name, "format": "%Y-%m-%d"}
                table[name] = dated if name in DATES else name
        tables[unit] = table
    return json.dumps({"version": 2, "codebook": "oncomin/1", "tables": tables}).encode()


def read(folder: Path, rows: Mapping[str, list[Mapping[str, str]]], unit: str) -> Table:
    """The rows of `unit`, read from files by the mapping."""
    for name, found in rows.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, list(GOOD[name]))
            out.writeheader()
            out.writerows(found)
    source = {"kind": "csv", "files": {name: f"{name}.csv" for name in rows}}
    mapped = read_mapping(mapping(), source, folder, "mapping.yaml")
    handles = HandleMaker(b"k" * 32, "net", "h0")
    return read_table(BOOK.at(unit), mapped, handles)


def changed(change: Change) -> dict[str, list[Mapping[str, str]]]:
    """The good patient with another value in these columns."""
    assert set(change) <= {name for row in GOOD.values() for name in row}
    return {
        unit: [{name: change.get(name, value) for name, value in row.items()}]
        for unit, row in GOOD.items()
    }


def broken(folder: Path, rows: Mapping[str, list[Mapping[str, str]]]) -> set[str]:
    """Every rule that some row of some unit breaks."""
    found = set()
    for unit in GOOD:
        findings = read(folder, rows, unit).findings
        assert findings is not None
        found |= {
            rule.name for rule in findings.rules.values() if findings.breaking(rule.name).any()
        }
    return found


def test_nothing_is_wrong_with_the_patient_and_every_rule_could_be_held(tmp_path: Path) -> None:
    assert broken(tmp_path, changed({})) == set()
    held = set()
    for unit in GOOD:
        findings = read(tmp_path, changed({}), unit).findings
        assert findings is not None
        held |= {rule.name for rule in findings.rules.values()}
    assert held == {rule.name for rule in RULES.rules}


def test_every_rule_has_its_case() -> None:
    assert {*BREAKS, "same_tumour_twice"} == {rule.name for rule in RULES.rules}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_rule_is_broken_by_what_it_is_about_and_by_little_else(rule: str, tmp_path: Path) -> None:
    change, others = BREAKS[rule]
    assert broken(tmp_path, changed(change)) == {rule, *others}


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_without_its_variables_a_rule_says_nothing(rule: Any, tmp_path: Path) -> None:
    if rule.name in BREAKS:
        change, _ = BREAKS[rule.name]
        gone = dict.fromkeys(rule.names() & {n for r in GOOD.values() for n in r}, "")
        if rule.name == "vital_date_missing":
            gone = {"vital_status": ""}
        if rule.name == "child":
            gone = {"birth_date": ""}
        assert rule.name not in broken(tmp_path, changed({**change, **gone}))


def test_a_row_with_an_error_is_not_countable_and_one_with_a_warning_is(tmp_path: Path) -> None:
    for rule in RULES.rules:
        if rule.name not in BREAKS:
            continue
        change, others = BREAKS[rule.name]
        severities = {r.severity for r in RULES.rules if r.name in {rule.name, *others}}
        rows = changed(change)
        countable = [bool(read(tmp_path, rows, unit).countable.all()) for unit in GOOD]
        assert all(countable) == (severities == {"W"}), rule.name


def test_the_same_tumour_twice_is_told_and_counted(tmp_path: Path) -> None:
    rows = changed({})
    (tumour,) = rows["tumour"]
    rows["tumour"] = [
        tumour,
        {**tumour, "tumour_id": "t2", "morphology": "8141"},  # the same group
        {**tumour, "tumour_id": "t3", "morphology": "8070"},
        {**tumour, "tumour_id": "t4", "topography": "C50"},
        {**tumour, "tumour_id": "t5", "laterality": "left"},
    ]
    table = read(tmp_path, rows, "tumour")
    assert table.findings is not None
    assert table.findings.breaking("same_tumour_twice").tolist() == [False, True, *[False] * 3]
    assert table.countable.all()
    assert table.findings.by_year("same_tumour_twice") == {2019: 1}


def test_a_wrong_tumour_does_not_take_its_patient_along(tmp_path: Path) -> None:
    rows = changed({"nodes_positive": "13"})
    assert not read(tmp_path, rows, "tumour").countable.any()
    assert not read(tmp_path, rows, "treatment").countable.any()
    assert read(tmp_path, rows, "patient").countable.all()


def test_several_treatments_of_one_tumour_are_not_the_tumour_twice(tmp_path: Path) -> None:
    rows = changed({})
    rows["treatment"] = [rows["treatment"][0]] * 3
    table = read(tmp_path, rows, "treatment")
    assert table.findings is not None
    assert not table.findings.breaking("same_tumour_twice").any()


def test_what_is_wrong_above_is_wrong_below(tmp_path: Path) -> None:
    rows = changed({"vital_date": FUTURE})
    rows["treatment"] = [rows["treatment"][0]] * 2 + [
        {**rows["treatment"][0], "tumour_id": "nobody"}
    ]
    table = read(tmp_path, rows, "treatment")
    assert table.findings is not None
    assert table.findings.breaking("future_vital_date").tolist() == [True, True, False]
    assert not table.countable.any()  # the last one belongs to nobody
