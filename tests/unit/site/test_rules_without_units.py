"""Rules where a mapping of version 1 reads a study's own, smaller codebook: months and no days."""

from __future__ import annotations

from pathlib import Path

from federation.query.codebook import load_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import Table, read_table
from federation.site.data.mapping import read_mapping

BOOK = load_codebook(b"""
codebook: oncomin/1
variables:
  sex: {type: category, levels: [male, female]}
  topography: {type: category, levels: [C50, C56, C61]}
  morphology_group: {type: category, levels: [adeno, sarcoma]}
  laterality: {type: category, levels: [left, right]}
  birth_year: {type: integer, min: 1900, max: 2030}
  incidence_date: {type: date}
  vital_date: {type: date}
  first_visit_date: {type: date, resolution: year}
  vital_status: {type: boolean}
""")
NAMES = tuple(BOOK.variables)
MAPPING = "codebook: oncomin/1\nkey: nr\nvariables:\n" + "".join(
    f"  {name}: {{column: {name}}}\n" for name in NAMES
)
GOOD = {
    "sex": "female",
    "topography": "C56",
    "morphology_group": "adeno",
    "laterality": "left",
    "birth_year": "1950",
    "incidence_date": "2019-03-20",
    "vital_date": "2019-03-10",
    "first_visit_date": "2019-01-01",
    "vital_status": "true",
}


def read(folder: Path, *changes: dict[str, str], key: str = "") -> Table:
    """One row per change of the good row; every row another patient unless `key` is given."""
    lines = [",".join(("nr", *NAMES))]
    for n, change in enumerate(changes):
        row = {**GOOD, **change}
        lines.append(",".join((change.get("nr", key or f"p{n}"), *(row[name] for name in NAMES))))
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    source = {"kind": "csv", "path": "data.csv"}
    mapped = read_mapping(MAPPING.encode(), source, folder, "mapping.yaml")
    return read_table(BOOK, mapped, HandleMaker(b"k" * 32, "net", "h0"))


def test_rules_without_what_they_need_are_not_held(tmp_path: Path) -> None:
    findings = read(tmp_path, {}).findings
    assert findings is not None
    held = {rule.name for rule in findings.rules.values()}
    assert {"female_organ_in_man", "vital_date_before_incidence"} <= held
    assert findings.missing["more_positive_than_examined"] == ("nodes_examined", "nodes_positive")
    # this study's vital status is yes or no: the rule about its levels has nothing to look at
    assert findings.missing["treatment_end_after_death"] == ("treatment_end",)
    assert findings.missing["vital_date_missing"] == ()


def test_a_month_breaks_a_rule_only_as_a_whole(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        {},  # ten days before incidence, in the same month: who knows
        {"vital_date": "2019-02-28"},
        {"vital_date": "2019-04-01"},
        {"first_visit_date": "2020-01-01"},  # of which only the year is kept
        {"first_visit_date": "2019-12-31"},
        {"birth_year": "2020"},
        {"sex": "male"},
        {"vital_date": "2999-01-01"},
    )
    good = [True, False, True, False, True, False, False, False]
    assert table.plausible.tolist() == table.countable.tolist() == good
    assert table.findings is not None
    assert table.findings.years.tolist() == [2019] * 8


def test_the_same_tumour_twice_needs_a_patient(tmp_path: Path) -> None:
    twice = read(tmp_path, {}, {}, key="p0")
    nobody = read(tmp_path, {"nr": ""}, {"nr": ""})
    for table, expected in ((twice, [False, True]), (nobody, [False, False])):
        assert table.findings is not None
        assert table.findings.breaking("same_tumour_twice").tolist() == expected


def test_another_codebook_has_no_rules(tmp_path: Path) -> None:
    other = load_codebook(b"codebook: other/1\nvariables: {sex: {type: category, levels: [male]}}")
    (tmp_path / "data.csv").write_text("nr,sex\n1,male\n")
    mapping = b"codebook: other/1\nkey: nr\nvariables: {sex: {column: sex}}\n"
    source = {"kind": "csv", "path": "data.csv"}
    mapped = read_mapping(mapping, source, tmp_path, "mapping.yaml")
    table = read_table(other, mapped, HandleMaker(b"k" * 32, "net", "h0"))
    assert table.findings is None
    assert table.plausible.all()
