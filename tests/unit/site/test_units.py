"""Mappings of version 2 over real files: tumours and treatments, joined to the right patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from federation.query.codebook import Codebook, load_codebook
from federation.site.data import DataStore, Table, local_ids, read_table
from federation.site.errors import DataError
from federation.site.mapping import read_mapping
from federation.site.pseudonyms import HandleMaker
from federation.site.slots import Slots
from federation.site.store import open_store

HANDLES = HandleMaker(b"k" * 32, "net", "s")
BOOK = load_codebook(
    b"""
codebook: u/1
units: {patient: null, tumour: patient, treatment: tumour}
variables:
  sex:       {type: category, levels: [m, f]}
  tumours:   {type: integer, min: 0, max: 20}
  first:     {type: category, levels: [I, II]}
  stage:     {type: category, levels: [I, II], per: tumour}
  year:      {type: integer, min: 1990, max: 2029, per: tumour}
  edition:   {type: category, levels: ["6", "7", "8"], per: tumour}
  place:     {type: category, levels: [C50.1, C50.4], per: tumour}
  age:       {type: integer, min: 0, max: 120, per: tumour}
  wait:      {type: duration, min: 0, max: 900, per: tumour}
  operated:  {type: boolean, per: tumour}
  kind:      {type: category, levels: [chemo, surgery], per: treatment}
  dose:      {type: number, min: 0, max: 100, per: treatment}
"""
)

Given = Callable[..., Callable[[str], Table]]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Files and a mapping; what comes out is the table of a unit."""

    def make(
        mapping: str, files: Mapping[str, str], book: Codebook = BOOK, **source: object
    ) -> Callable[[str], Table]:
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        one = len(files) == 1
        where: dict[str, object] = (
            {"path": f"{next(iter(files))}.csv"}
            if one
            else {"files": {name: f"{name}.csv" for name in files}}
        )
        mapped = read_mapping(
            mapping.encode(), {"kind": "csv", **where, **source}, tmp_path, "mapping.yaml"
        )
        store = DataStore(mapped, HANDLES)
        return lambda unit: store.table(book.at(unit))

    return make


def shown(table: Table, name: str) -> list[object]:
    """The values of a column: codes as labels, None for missing."""
    variable = table.codebook.variables[name]
    if table.columns[name].dtype == np.int16:
        labels = variable.group_labels or ()
        return [None if code < 0 else labels[code] for code in table.columns[name].tolist()]
    return [None if np.isnan(v) else v for v in table.columns[name].tolist()]


def owners(table: Table) -> list[bytes]:
    return [table.handles[i : i + 1].tobytes() for i in range(table.n)]


FLAT = """pid,eid,gesl,incjr,leeft,st,topo,sub,ch,su
p2,t3,2,2012,50,ii,C50,C504,1,0
p1,t1,1,2018,60,i,C50,C501,1,1
p2,t2,2,2005,43,I,C50,C501,0,1
p3,t4,9,xx,43,iv,C50,C50,0,9
"""
FLAT_MAPPING = """
version: 2
codebook: u/1
tables:
  patient:
    key: pid
    sex: {column: gesl, map: {1: m, 2: f}}
    tumours: {count_of: tumour}
    first: {first_of: tumour.stage, by: diagnosed}
    let: {born: {expr: incjr - leeft}}
  tumour:
    key: eid
    stage: {column: st, map: {i: I}, otherwise: upper}
    year: {expr: year(diagnosed)}
    edition: {by_year: diagnosed, rules: {-2009: 6, 2010-2016: 7, 2017-: 8}}
    place: {expr: "topo + '.' + sub[3:4]"}
    age: {expr: year(diagnosed) - patient.born}
    operated: {expr: operations > 0}
    let:
      diagnosed: {column: incjr, format: "%Y"}
      operations: {count_of: treatment, when: "kind == 'surgery'"}
  treatment:
    explode: {chemo: ch, surgery: su}
    when: value == 1
    kind: {expr: label}
"""


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


def test_dates_know_how_much_they_know(given: Given) -> None:
    book = load_codebook(
        b"""
codebook: d/1
variables:
  days:  {type: duration, min: -9999, max: 9999}
  years: {type: integer, min: 0, max: 120}
  year:  {type: integer, min: 1900, max: 2100}
  month: {type: date}
  whole: {type: date, resolution: year}
  late:  {type: boolean}
"""
    )
    mapping = """
version: 2
codebook: d/1
tables:
  patient:
    key: nr
    days: {expr: last - first}
    years: {years_between: [first, last]}
    year: {expr: year(first)}
    month: {expr: first}
    whole: {expr: first}
    late: {expr: last > first}
    let:
      first: {column: a, format: ["%d-%m-%Y", "%m-%Y", "%Y"]}
      last: {column: b, format: ["%d-%m-%Y", "%m-%Y", "%Y"]}
"""
    rows = [
        ("1", "05-03-2010", "04-03-2012"),  # both to the day
        ("2", "2010", "04-03-2012"),  # a year is some day of it
        ("3", "03-2010", "05-05-2012"),  # a month is some day of it, too
        ("4", "00-03-2010", "00-00-2012"),  # written with zeros
        ("5", "2012", "04-03-2012"),
        ("6", "31-02-2010", "04-03-2012"),  # no date at all
        ("7", "", "04-03-2012"),
        ("8", "03-03-2011", "03-03-2010"),
    ]
    text = "nr,a,b\n" + "".join(f"{','.join(row)}\n" for row in rows)
    table = given(mapping, {"d": text}, book)("patient")

    assert shown(table, "days") == [730, None, None, None, None, None, None, -365]
    assert shown(table, "years") == [1, None, 2, None, None, None, None, None]
    assert shown(table, "year") == [2010, 2010, 2010, 2010, 2012, None, None, 2011]
    month = 2010 * 12 + 2
    assert shown(table, "month") == [month, None, month, month, None, None, None, 2011 * 12 + 2]
    assert shown(table, "whole") == [2010 * 12] * 4 + [2012 * 12, None, None, 2011 * 12]
    assert shown(table, "late") == ["true"] * 4 + [None, None, None, "false"]
    # what is not known to the day is told apart from what is missing
    assert (table.tallies["days"].unmapped, table.tallies["days"].missing) == (5, 1)


def test_days_added_to_a_year_do_not_become_a_date(given: Given) -> None:
    book = load_codebook(
        b"codebook: d/1\nvariables:\n  year: {type: integer}\n  days: {type: duration}\n"
        b"  moved: {type: duration}\n"
    )
    mapping = """
version: 2
codebook: d/1
tables:
  patient:
    key: nr
    year: {expr: year(died)}
    days: {expr: died - diagnosed}
    moved: {expr: (exact + 10) - exact}
    let:
      diagnosed: {column: y, format: "%Y"}
      died: {from: diagnosed, plus_days: n}
      exact: {column: e, format: "%Y-%m-%d"}
"""
    text = "nr,y,n,e\n1,2010,400,2010-02-25\n2,2010,0,2010-01-01\n3,2010,x,\n4,2010,1.5,1-1-2010\n"
    table = given(mapping, {"d": text}, book)("patient")

    # 400 days after some day of 2010 is in 2011 or 2012
    assert shown(table, "year") == [None, 2010, None, None]
    assert shown(table, "days") == [None, None, None, None]
    assert shown(table, "moved") == [10, 10, None, None]


def test_files_with_day_counts_only_keep_their_intervals_and_have_no_calendar(
    given: Given,
) -> None:
    book = load_codebook(
        b"codebook: d/1\nvariables:\n  days: {type: duration}\n  year: {type: integer}\n"
        b"  mixed: {type: duration}\n  early: {type: boolean}\n"
    )
    mapping = """
version: 2
codebook: d/1
tables:
  patient:
    key: nr
    days: {expr: relapse - start}
    year: {expr: year(relapse)}
    mixed: {expr: relapse - day}
    early: {expr: relapse < death}
    let:
      start: {relative_days: 0}
      relapse: {relative_days: rfs}
      death: {relative_days: os}
      day: {column: d, format: "%Y-%m-%d"}
"""
    text = "nr,rfs,os,d\n1,100,200,2010-01-01\n2,,5,2010-01-01\n3,7.5,8,2010-01-01\n4,9,8,\n"
    table = given(mapping, {"d": text}, book)("patient")

    assert shown(table, "days") == [100, None, None, 9]
    assert shown(table, "year") == [None] * 4
    assert shown(table, "mixed") == [None] * 4
    assert shown(table, "early") == ["true", None, None, "false"]


def test_texts_numbers_and_truth(given: Given) -> None:
    book = load_codebook(
        b"""
codebook: e/1
variables:
  sum:  {type: number}
  text: {type: category, levels: [A1, b-, "3"]}
  num:  {type: category, levels: ["3", "4"]}
  yes:  {type: boolean}
  or_:  {type: boolean}
  not_: {type: boolean}
  same: {type: boolean}
  pick: {type: number}
  const: {type: category, levels: [x]}
  by:   {type: category, levels: [low, high]}
""".replace(b"or_", b"oor").replace(b"not_", b"not_x")
    )
    mapping = """
version: 2
codebook: e/1
source: {decimal: ","}
tables:
  patient:
    key: nr
    sum: {expr: "2 * a - (b + 1)", times: 10}
    text: {expr: upper(c) + d}
    num: {expr: a + b}
    yes: {expr: a >= 2}
    oor: {expr: a >= 2 or flag}
    not_x: {expr: not flag}
    same: {expr: c == d}
    pick: {expr: "first_known(a, b)"}
    const: {value: x}
    by: {by_range: e, rules: {8000-8999: low, 9000: high}}
"""
    text = (
        "nr,a,b,c,d,flag,e\n"
        '1,"1,5","1,5",a,1,ja,8000\n'
        "2,3,1,b,b,true,9000\n"
        "3,,1,a,,no,9001\n"
        "4,x,2,,1,,\n"
    )
    table = given(mapping, {"e": text}, book)("patient")

    assert shown(table, "sum") == [5, 40, None, None]
    assert shown(table, "text") == ["A1", None, None, None]
    assert shown(table, "num") == ["3", "4", None, None]
    assert shown(table, "yes") == ["false", "true", None, None]
    assert shown(table, "oor") == [None, "true", None, None]
    assert shown(table, "not_x") == [None, "false", "true", None]
    assert shown(table, "same") == ["false", "true", None, None]
    assert shown(table, "pick") == [1.5, 3, 1, None]  # a text is there, though no number
    assert shown(table, "const") == ["x"] * 4
    assert shown(table, "by") == ["low", "high", None, None]


def test_a_map_may_say_that_a_value_means_nothing(given: Given) -> None:
    mapping = """
version: 2
codebook: u/1
tables:
  patient: {key: nr, sex: {column: g, map: {1: m, 2: f, 9: null}}}
"""
    table = given(mapping, {"d": "nr,g\n1,1\n2,9\n3,8\n4,\n"})("patient")

    assert shown(table, "sex") == ["m", None, None, None]
    assert (table.tallies["sex"].missing, table.tallies["sex"].unmapped) == (2, 1)


def test_another_column_for_each_label(given: Given) -> None:
    mapping = """
version: 2
codebook: u/1
tables:
  patient: {key: pid}
  tumour: {key: eid}
  treatment:
    explode: {chemo: [c1, c2], surgery: s}
    kind: {expr: label}
    dose: {by_label: {chemo: dc, surgery: ds}}
"""
    text = "pid,eid,c1,c2,s,dc,ds\np1,t1,x,y,,5,6\np2,t2,,,z,7,8\n"
    table = given(mapping, {"d": text})("treatment")

    assert shown(table, "kind") == ["chemo", "chemo", "surgery"]
    assert shown(table, "dose") == [5, 5, 8]
    assert table.people is not None
    assert table.people.tolist() == [0, 0, 1]


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


def test_rows_of_a_codebook_that_is_not_about_patients_say_whose_they_are(given: Given) -> None:
    mapping = (
        "codebook: v/1\nkey: pid\nvariables:\n  stage: {column: st, map: {i: I, I: I, ii: II}}\n"
    )
    table = given(mapping, {"flat": FLAT.replace("p3,", ",")}, codebook_of_one_unit())("tumour")

    assert table.repeated == 0
    assert table.people is not None
    same = table.people
    assert same[0] == same[2] != same[1]
    assert same[3] == -1


def test_units_are_read_once_for_all(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    from federation.site import units

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


def test_the_raw_texts_behind_missing_values_and_maps_are_kept_for_the_hospital(
    tmp_path: Path,
) -> None:
    (tmp_path / "flat.csv").write_text(FLAT)
    mapped = read_mapping(
        FLAT_MAPPING.encode(), {"kind": "csv", "path": "flat.csv"}, tmp_path, "mapping.yaml"
    )
    tallies = read_table(BOOK.at("tumour"), mapped, HANDLES, watch=True).tallies

    assert tallies["stage"].values == {"iv": 1}
    assert tallies["stage"].meant == {("i", "I"): 1}
    assert tallies["place"].values == {"C50 … C50": 1}


def test_the_patients_of_tumours_are_the_bits_that_questions_about_patients_use(
    given: Given, tmp_path: Path
) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT})
    tumour, patient = table("tumour"), table("patient")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)
        everyone = slots.bitmap(patient, np.arange(3))
        first_two = np.array([0, 1])  # a tumour of p2 and one of p1

        assert slots.people(tumour, np.arange(4)) == everyone
        assert slots.people(tumour, np.array([0, 2])) == slots.bitmap(patient, np.array([0]))
        assert slots.people(tumour, first_two) == slots.bitmap(patient, first_two)
        assert slots.bitmap(tumour, np.arange(4)) & everyone == 0
        assert slots.bitmap(tumour, np.arange(4)).bit_count() == 4


def test_a_row_keeps_its_bit_wherever_it_stands_in_the_file(given: Given, tmp_path: Path) -> None:
    head, *lines = FLAT.splitlines()
    before = given(FLAT_MAPPING, {"flat": FLAT})("tumour")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)
        one = slots.bitmap(before, np.array([0]))
        after = given(FLAT_MAPPING, {"flat": "\n".join([head, *lines[::-1]]) + "\n"})("tumour")

        assert slots.bitmap(after, np.array([3])) == one
        assert slots.bitmap(after, np.arange(4)).bit_count() == 4
        assert slots.erase(HANDLES.handle("p2"), ["tumour"]) == 2


def codebook_of_one_unit() -> Codebook:
    return load_codebook(
        b"codebook: v/1\nunit: tumour\nvariables:\n  stage: {type: category, levels: [I, II]}\n"
    )


@pytest.mark.parametrize(
    "mapping",
    [
        "codebook: v/1\nkey: pid\nvariables:\n  stage: {column: st, map: {i: I, ii: II}}\n",
        "version: 2\ncodebook: v/1\ntables:\n  tumour: {key: pid, stage: st}\n",
    ],
)
def test_rows_without_a_table_of_patients_have_patients_all_the_same(
    given: Given, tmp_path: Path, mapping: str
) -> None:
    tumour = given(mapping, {"flat": FLAT}, codebook_of_one_unit())("tumour")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)

        assert slots.people(tumour, np.array([0, 2])).bit_count() == 1
        assert slots.people(tumour, np.arange(4)).bit_count() == 3
        assert slots.bitmap(tumour, np.arange(4)).bit_count() == 4
    assert tumour.repeated == 0
