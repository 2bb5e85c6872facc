"""Mappings of version 2 over real files: tumours and treatments, joined to the right patient."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapped_tables import BOOK, FLAT, FLAT_MAPPING, HANDLES, Given, given, owners, shown

from federation.site.data.columns import local_ids
from federation.site.data.mapping import read_mapping
from federation.site.errors import DataError

__all__ = ["given"]


def test_a_flat_file_of_tumours_gives_patients_tumours_and_treatments(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT})
    patient, tumour, treatment = (table(unit) for unit in BOOK.units)

    assert (patient.n, patient.people, patient.repeated) == (3, None, 0)
    assert shown(patient, "sex") == ["f", "m", None]
    assert shown(patient, "tumours") == [2, 1, 1]
    assert shown(patient, "first") == ["I", "I", None]  # the first by year, not by line
    assert tumour.n == 4
    assert tumour.people is not None
    assert tumour.people.tolist() == [0, 1, 0, 2]
    assert shown(tumour, "stage") == ["II", "I", "I", None]
    assert shown(tumour, "year") == [2012, 2018, 2005, None]
    assert shown(tumour, "edition") == ["7", "8", "6", None]
    assert shown(tumour, "place") == ["C50.4", "C50.1", "C50.1", None]
    assert shown(tumour, "age") == [50, 60, 43, None]
    assert shown(tumour, "operated") == [False, True, True, False] or shown(tumour, "operated") == [
        "false",
        "true",
        "true",
        "false",
    ]
    assert shown(tumour, "sex") == ["f", "m", "f", None]
    assert shown(treatment, "kind") == ["chemo", "chemo", "surgery", "surgery"]
    assert treatment.people is not None
    assert treatment.people.tolist() == [0, 1, 1, 0]
    assert shown(treatment, "year") == [2012, 2018, 2018, 2005]


def test_rows_of_every_unit_have_the_handle_of_their_patient(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT})

    assert owners(table("patient")) == [HANDLES.handle(p) for p in ("p2", "p1", "p3")]
    assert owners(table("tumour")) == [HANDLES.handle(p) for p in ("p2", "p1", "p2", "p3")]
    assert owners(table("treatment")) == [HANDLES.handle(p) for p in ("p2", "p1", "p1", "p2")]


PATIENTS = "nr,gesl\np1,m\np2,f\np3,m\n"
# A join by position would give p3's tumours to p1: the order differs, and p2 has two.
TUMOURS = "tnr,patient,st\nt9,p3,I\nt8,p2,II\nt7,p1,I\nt6,p2,I\nt5,p9,II\nt4,,I\n"
TREATMENTS = "tumour,soort,d\nt6,chemo,5\nt9,surgery,6\nt6,surgery,7\nt0,chemo,8\nt8,chemo,9\n"
JOINED = """
version: 2
codebook: u/1
tables:
  patient: {from: patients, key: nr, sex: gesl}
  tumour: {from: tumours, key: tnr, parent: patient, stage: st}
  treatment: {from: treatments, parent: tumour, kind: soort, dose: d}
"""
FILES = {"patients": PATIENTS, "tumours": TUMOURS, "treatments": TREATMENTS}


def test_tables_of_several_files_are_joined_by_key_and_not_by_position(given: Given) -> None:
    table = given(JOINED, FILES)
    tumour, treatment = table("tumour"), table("treatment")

    assert shown(tumour, "sex") == ["m", "f", "m", "f", None, None]
    assert tumour.keyed.tolist() == [True, True, True, True, False, False]
    assert shown(treatment, "sex") == ["f", "m", "f", None, "f"]
    assert shown(treatment, "stage") == ["I", "I", "I", None, "II"]
    assert treatment.keyed.tolist() == [True, True, True, False, True]
    assert owners(treatment)[0] == HANDLES.handle("p2")


def test_rows_that_belong_to_nobody_are_counted(given: Given) -> None:
    units = given(JOINED, FILES)("patient").units

    assert {name: rows.orphans for name, rows in units.items()} == {
        "patient": 0,
        "tumour": 2,
        "treatment": 1,
    }


def test_the_parent_key_is_the_same_column_where_nothing_else_is_said(given: Given) -> None:
    mapping = JOINED.replace("parent: patient, ", "").replace("key: nr", "key: patient")
    files = {**FILES, "patients": PATIENTS.replace("nr,", "patient,")}

    assert shown(given(mapping, files)("tumour"), "sex")[:4] == ["m", "f", "m", "f"]


@pytest.mark.parametrize(
    ("file", "extra", "unit"),
    [
        ("patients", "p2,m\n", "patient"),
        ("patients", "p2,m\n", "tumour"),
        ("patients", "p2,m\n", "treatment"),
        ("tumours", "t8,p1,I\n", "tumour"),
    ],
)
def test_a_number_that_stands_twice_is_seen_from_every_unit_below(
    given: Given, file: str, extra: str, unit: str
) -> None:
    table = given(JOINED, {**FILES, file: FILES[file] + extra})(unit)

    assert table.repeated == 1


@pytest.mark.parametrize("number", ["p3", ""])
def test_what_is_said_of_one_patient_never_ends_up_with_another(given: Given, number: str) -> None:
    """Two patients with one tumour number in a flat file: the second row is not the first one's."""
    extra = f"{number},t1,2,1999,70,II,C50,C504,1,0\n"
    table = given(FLAT_MAPPING, {"flat": FLAT + extra})

    assert table("tumour").repeated == 1
    assert table("treatment").repeated == 1
    assert shown(table("patient"), "first") == ["I", "I", "II" if number else None]
    assert shown(table("patient"), "tumours") == [2, 1, 2 if number else 1]


def test_a_patient_who_stands_twice_gets_no_tumours_of_a_guess(given: Given) -> None:
    table = given(JOINED, {**FILES, "patients": PATIENTS + "p2,m\n"})("tumour")

    assert table.keyed.tolist() == [True, False, True, False, False, False]


def test_one_file_of_several_is_a_lookup_and_multiplies_nothing(given: Given) -> None:
    mapping = """
version: 2
codebook: u/1
tables:
  patient: {from: patients, key: nr, sex: gesl}
  tumour:
    from: tumours
    key: tnr
    parent: patient
    join:
      labs: {from: labs, on: [tnr, nummer]}
      sites: {on: [labs.ward, ward]}
    stage: {column: labs.stadium}
    place: {expr: "sites.code"}
"""
    files = {
        "patients": PATIENTS,
        "tumours": TUMOURS,
        "labs": "nummer,stadium,ward\nt9,II,w1\nt8,I,w2\nt7,I,w1\nt7,II,w1\nt1,I,w1\n",
        "sites": "ward,code\nw1,C50.1\nw2,C50.4\n",
    }
    table = given(mapping, files)("tumour")

    assert table.n == 6
    # t7 stands twice among the labs: which of the two is right nobody knows
    assert shown(table, "stage") == ["II", "I", None, None, None, None]
    assert shown(table, "place") == ["C50.1", "C50.4", None, None, None, None]
    rows = table.units["tumour"]
    assert (rows.unmatched["labs"], rows.ambiguous["labs"]) == (3, 1)


def test_a_table_may_take_only_some_rows(given: Given) -> None:
    mapping = """
version: 2
codebook: u/1
tables:
  patient: {key: pid, tumours: {count_of: tumour}}
  tumour: {key: nr, parent: pid, when: "soort == 'T'", stage: st}
"""
    text = "pid,nr,soort,st\np1,1,T,I\np1,2,X,II\np2,3,T,II\np3,4,X,I\n"
    table = given(mapping, {"d": text})

    assert shown(table("tumour"), "stage") == ["I", "II"]
    assert shown(table("patient"), "tumours") == [1, 1, 0]


def test_rows_of_one_patient_that_contradict_each_other_are_counted(given: Given) -> None:
    text = "pid,eid,gesl,incjr,leeft,st,topo,sub,ch,su\n" + "".join(
        f"p1,t{n},{sex},2010,50,i,C50,C501,0,0\n" for n, sex in enumerate(["", "1", "2"])
    )
    table = given(FLAT_MAPPING, {"flat": text})("patient")

    assert shown(table, "sex") == ["m"]  # the first that is known
    assert table.units["patient"].disagreeing == {"sex": 1}
    assert table.units["patient"].merged == 2


def test_a_row_without_a_patient_number_is_nobodys(given: Given) -> None:
    text = FLAT.replace("p1,t1", ",t1")
    table = given(FLAT_MAPPING, {"flat": text})

    assert table("patient").n == 2
    assert table("tumour").keyed.tolist() == [True, False, True, True]
    assert shown(table("tumour"), "sex") == ["f", None, "f", None]


def test_no_rows_are_empty_tables(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT.splitlines()[0] + "\n"})

    for unit in BOOK.units:
        found = table(unit)
        assert found.n == 0
        assert all(len(values) == 0 for values in found.columns.values())


def test_a_unit_that_is_not_mapped_is_told(given: Given) -> None:
    mapping = "version: 2\ncodebook: u/1\ntables:\n  patient: {key: pid, sex: gesl}\n"

    with pytest.raises(DataError) as caught:
        given(mapping, {"flat": FLAT})("tumour")
    assert (caught.value.code, caught.value.detail) == ("UNIT_NOT_MAPPED", "tumour")


def test_a_mapping_of_version_1_has_rows_of_the_codebooks_own_unit(given: Given) -> None:
    mapping = "codebook: u/1\nkey: pid\nvariables:\n  sex: {column: gesl, map: {1: m, 2: f}}\n"
    table = given(mapping, {"flat": FLAT})

    assert table("patient").repeated == 1
    with pytest.raises(DataError):
        table("tumour")


def test_units_are_read_once_for_all(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    from federation.site.data import units

    real = units.load
    monkeypatch.setattr(units, "load", lambda *a: reads.append(1) or real(*a))
    table = given(FLAT_MAPPING, {"flat": FLAT})
    for unit in ("tumour", "patient", "treatment", "tumour"):
        table(unit)

    assert reads == [1]


def test_each_unit_has_its_own_version(given: Given) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT})

    assert len({table(unit).version for unit in BOOK.units}) == 3


def test_local_numbers_are_listed_without_a_codebook(tmp_path: Path) -> None:
    (tmp_path / "flat.csv").write_text(FLAT.replace("p3,", ","))
    mapped = read_mapping(
        FLAT_MAPPING.encode(), {"kind": "csv", "path": "flat.csv"}, tmp_path, "mapping.yaml"
    )

    assert [number for block in local_ids(mapped) for number in block] == ["p2", "p1"]
