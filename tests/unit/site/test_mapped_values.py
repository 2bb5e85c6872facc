"""What a mapping of version 2 makes of texts, numbers and dates."""

from __future__ import annotations

from pathlib import Path

from mapped_tables import BOOK, FLAT, FLAT_MAPPING, HANDLES, Given, given, shown

from federation.query.codebook import load_codebook
from federation.site.data.columns import read_table
from federation.site.data.mapping import read_mapping

__all__ = ["given"]


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


def test_items_built_of_one_another_do_not_grow(given: Given) -> None:
    """Fifty steps that each doubled their texts would be more than any machine has."""
    book = load_codebook(
        b"codebook: g/1\nvariables:\n  a: {type: category, levels: [x, y]}\n  b: {type: integer}\n"
    )
    chosen = "\n".join(
        f"      f{n}: {{expr: 'first_known(f{n + 1}, f{n + 1})'}}" for n in range(50)
    )
    longer = "\n".join(f"      t{n}: {{expr: \"t{n + 1} + '' + t{n + 1}\"}}" for n in range(50))
    mapping = f"""
version: 2
codebook: g/1
tables:
  patient:
    key: nr
    a: {{expr: f0}}
    b: {{expr: t0}}
    let:
{chosen}
      f50: v
{longer}
      t50: v
"""
    table = given(mapping, {"d": "nr,v\n1,x\n2,y\n3,\n"}, book)("patient")

    assert shown(table, "a") == ["x", "y", None]
    assert shown(table, "b") == [None, None, None]  # texts of more than 200 characters mean nothing
