"""What is wrong in a mapping of version 2 is said in one sentence, before any data are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.query.codebook import load_codebook
from federation.site.data.mapping import Mapped, read_mapping
from federation.site.errors import SetupError

BOOK = load_codebook(
    b"""
codebook: u/1
units: {patient: null, tumour: patient, treatment: tumour, prom: patient}
variables:
  sex:   {type: category, levels: [m, f]}
  n:     {type: integer}
  flag:  {type: boolean}
  stage: {type: category, levels: [I, II], per: tumour}
  days:  {type: duration, per: tumour}
  month: {type: date, per: tumour}
  kind:  {type: category, levels: [a, b], per: treatment}
"""
)
PATIENT = "  patient: {key: pid}\n"
TUMOUR = PATIENT + "  tumour: {key: tid}\n"


def mapped(tables: str, tmp_path: Path, source: dict[str, Any] | None = None) -> Mapped:
    text = f"version: 2\ncodebook: u/1\ntables:\n{tables}"
    where = source or {"kind": "csv", "path": "x.csv"}
    return read_mapping(text.encode(), where, tmp_path, "m.yaml")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        # forms
        ("  patient: {key: pid, sex: {colum: g}}\n", "exactly one of"),
        ("  patient: {key: pid, sex: {column: g, expr: g}}\n", "exactly one of"),
        ("  patient: {key: pid, sex: [g]}\n", "name of a column or a form"),
        ("  patient: {key: pid, sex: {column: g, rules: {2: 3}}}\n", "'rules' does not go with"),
        ("  patient: {key: pid, sex: {column: g, map: {}}}\n", "must map raw values"),
        ("  patient: {key: pid, sex: {column: g, map: {1.5: m}}}\n", "texts or whole numbers"),
        ("  patient: {key: pid, sex: {column: g, otherwise: lower}}\n", "without a map"),
        (
            "  patient: {key: pid, sex: {column: g, map: {1: m}, otherwise: guess}}\n",
            "otherwise must be one of",
        ),
        ("  patient: {key: pid, n: {column: g, times: 0}}\n", "above zero"),
        ("  patient: {key: pid, n: {column: g, times: yes}}\n", "above zero"),
        ("  patient: {key: pid, n: {column: g, format: x}}\n", "a date format"),
        ("  patient: {key: pid, n: {column: g, format: []}}\n", "1 to 5 date formats"),
        ("  patient: {key: pid, n: {column: g, format: '%d %Y'}}\n", "a day without a month"),
        ("  patient: {key: pid, n: {column: g, format: '%Y%Y'}}\n", "twice"),
        ("  patient: {key: pid, n: {column: g, precision: hour}}\n", "day, month or year"),
        ("  patient: {key: pid, n: {column: g, format: '%Y', map: {1: 2}}}\n", "keep one"),
        ("  patient: {key: pid, n: {expr: 1 +}}\n", "character 4: "),
        ("  patient: {key: pid, n: {expr: 5}}\n", "between quotes"),
        ("  patient: {key: pid, n: {by_year: y}}\n", "1 to 60 values"),
        ("  patient: {key: pid, n: {by_year: y, rules: {20: 1}}}\n", "must be years"),
        ("  patient: {key: pid, n: {by_year: y, rules: {20032009: 1}}}\n", "must be years"),
        ("  patient: {key: pid, n: {by_year: y, rules: {2009-2003: 1}}}\n", "go down"),
        ("  patient: {key: pid, n: {by_year: y, rules: {2003-: 1, 2009: 2}}}\n", "in two rules"),
        ("  patient: {key: pid, n: {from: y}}\n", "plus_days"),
        ("  patient: {key: pid, n: {subtract: [a]}}\n", "list of two"),
        ("  patient: {key: pid, n: {days_between: a}}\n", "list of two"),
        ("  patient: {key: pid, n: {first_of: stage}}\n", "table.item"),
        ("  patient: {key: pid, n: {by_label: {}}}\n", "1 to 50 columns"),
        ("  patient: {key: pid, n: {by_label: {a: b}}}\n", "does not explode"),
        ("  patient: {key: pid, sex: ''}\n", "must be a name"),
        ("  patient: {key: pid, sex: {column: %s}}\n" % ("x" * 121), "must be a name"),
        # tables
        ("  {}\n", "1 to 10 tables"),
        ("  Patient: {key: pid}\n", "names of units"),
        ("  patient: x\n", "named keys"),
        ("  patient: {sex: g}\n", "patient.key is missing"),
        ("  patient: {key: [a]}\n", "key must be the name of a column"),
        ("  patient: {key: {expr: a + b}}\n", "must be a column"),
        ("  patient: {key: pid, from: other}\n", "table of the source"),
        ("  patient: {key: pid, Sex: g}\n", "names of the codebook"),
        ("  patient: {key: pid, when: sex}\n", "comparison"),
        ("  patient: {key: pid, when: sex ==}\n", "character 7"),
        ("  patient: {key: pid, explode: []}\n", "per label"),
        ("  patient: {key: pid, explode: {a: [1]}}\n", "per label"),
        ("  patient: {key: pid, let: [a]}\n", "named items"),
        ("  patient: {key: pid, sex: a, let: {sex: b}}\n", "there already"),
        ("  patient: {key: pid, let: {sex: b}}\n", "is in the codebook"),
        ("  patient: {key: pid, join: [a]}\n", "at most 8 joined"),
        ("  patient: {key: pid, join: {a: {from: b}}}\n", "column here"),
        ("  patient: {key: pid, join: {a: {on: [x, y, z]}}}\n", "one column, or a list of two"),
        ("  patient: {key: pid, join: {A: {on: x}}}\n", "small letters"),
        # against the codebook
        ("  person: {key: pid}\n", "is not a unit of u/1"),
        ("  tumour: {key: tid}\n", "needs a table patient"),
        (PATIENT + "  treatment: {kind: k}\n", "needs a table tumour"),
        ("  patient: {key: pid, sexx: g}\n", "Did you mean 'sex'"),
        ("  patient: {key: pid, stage: g}\n", "belongs in the table tumour"),
        ("  patient: {key: pid, parent: x}\n", "has no sense here"),
        (PATIENT + "  tumour: {stage: s, parent: {expr: patient.sex}}\n", "not there"),
        ("  patient: {key: pid, n: {expr: patient.sexx}, sex: s}\n", "Did you mean 'sex'"),
        (TUMOUR.replace("{key: pid}", "{key: pid, n: {expr: tumour.days}}"), "not there"),
        (
            PATIENT.replace("{key: pid}", "{key: pid, n: {expr: treatment.x}}")
            + "  tumour: {key: tid}\n  treatment: {explode: {a: c}, let: {x: c}}\n",
            "use first_of",
        ),
        ("  patient: {key: pid, n: {count_of: tumour}}\n", "no table below"),
        (TUMOUR.replace("{key: pid}", "{key: pid, n: {count_of: patient}}"), "no table below"),
        (
            TUMOUR.replace("{key: pid}", "{key: pid, n: {count_of: tumour, when: '1 + 1'}}"),
            "no comparison",
        ),
        (TUMOUR.replace("{key: pid}", "{key: pid, n: {first_of: tumour.days}}"), "not there"),
        # kinds
        ("  patient: {key: pid, n: {expr: 1 == 1}}\n", "gives a truth, which is no integer"),
        ("  patient: {key: pid, n: {column: a, format: '%Y'}}\n", "gives a date"),
        ("  patient: {key: pid, n: {expr: year(1)}}\n", "uses year on a number"),
        ("  patient: {key: pid, n: {expr: 1 + 'a'}}\n", "cannot do number + text"),
        ("  patient: {key: pid, n: {expr: 'not 1'}}\n", "and, or and not on a number"),
        ("  patient: {key: pid, flag: {expr: \"'a' < 'b'\"}}\n", "compares a text with a text"),
        ("  patient: {key: pid, flag: {expr: d == 1}, let: {d: {column: a, format: '%Y'}}}\n",
         "compares a date with a number"),
        ("  patient: {key: pid, n: {expr: d + d}, let: {d: {column: a, format: '%Y'}}}\n",
         "cannot do date + date"),
        ("  patient: {key: pid, n: {expr: 1 - d}, let: {d: {column: a, format: '%Y'}}}\n",
         "cannot do number - date"),
        ("  patient: {key: pid, n: {expr: d * 2}, let: {d: {column: a, format: '%Y'}}}\n",
         "cannot do date"),
        ("  patient: {key: pid, n: {expr: 'd[0:4]'}, let: {d: {column: a, format: '%Y'}}}\n",
         "a slice on a date"),
        ("  patient: {key: pid, n: {expr: 'first_known(1, d)'}, "
         "let: {d: {column: a, format: '%Y'}}}\n", "mixes date and number"),
        ("  patient: {key: pid, n: {relative_days: d}, let: {d: {column: a, format: '%Y'}}}\n",
         "relative_days on a date"),
        ("  patient: {key: pid, n: {by_year: d, rules: {2000: 1}}, let: {d: {expr: 1 == 1}}}\n",
         "by_year on a truth"),
        ("  patient: {key: pid, n: {from: d, plus_days: 1, format: '%Y'}, "
         "let: {d: {column: a, format: '%Y'}}}\n", "a date format on a date"),
        # circles and links
        ("  patient: {key: pid, let: {a: {expr: b + 1}, b: {expr: a + 1}}}\n", "needs itself"),
        (
            TUMOUR.replace("{key: pid}", "{key: pid, n: {first_of: tumour.days}}").replace(
                "{key: tid}", "{key: tid, days: {expr: patient.n}}"
            ),
            "needs itself",
        ),
        (PATIENT + "  tumour: {key: {expr: patient.n}, parent: pid}\n", "not there"),
        (
            "  patient: {key: pid, n: a}\n  tumour: {key: {expr: patient.n}, parent: pid}\n",
            "columns of its own row only",
        ),
        (
            "  patient: {key: pid, n: a}\n  tumour: {key: t, parent: {expr: x}, "
            "let: {x: {expr: patient.n}}}\n",
            "columns of its own row only",
        ),
        (
            "  patient: {key: pid, join: {l: {from: x, on: [n, k]}}}\n",
            "table of the source",
        ),
        (
            PATIENT + "  tumour: {key: t, let: {x: a}, when: 'x == 1', parent: pid}\n",
            "columns only",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, tables: str, said: str) -> None:
    with pytest.raises(SetupError) as caught:
        mapped(tables, tmp_path).plan(BOOK)
    sentence = str(caught.value)
    assert said in sentence
    assert sentence.startswith("m.yaml: tables")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 3\ncodebook: u/1\ntables: {}\n", "version must be 1 or 2"),
        ("version: '2'\ncodebook: u/1\ntables: {}\n", "version must be 1 or 2"),
        ("version: 2\ncodebook: u/1\nmodel: u/1\ntables: {patient: {key: a}}\n", "once"),
        ("version: 2\ntables: {patient: {key: a}}\n", "once"),
        ("version: 2\ncodebook: 1\ntables: {patient: {key: a}}\n", "a text such as"),
        ("version: 2\ncodebook: u/1\nvariables: {}\n", "unknown key 'variables'"),
        ("version: 1\ncodebook: u/1\ntables: {}\n", "unknown key 'tables'"),
        ("version: 2\ncodebook: u/1\ntables: {patient: {key: a}}\nexpect: 1\n", "expect"),
        ("codebook: u/1\ntables: {patient: {key: a}}\nexpect: {rows: 1}\n", "rows_min"),
        ("codebook: u/1\ntables: {patient: {key: a}}\nexpect: {rows_min: -1}\n", "0 or more"),
        ("codebook: u/1\ntables: {patient: {key: a}}\nsource: 1\n", "source"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SetupError, match=said):
        read_mapping(text.encode(), {"kind": "csv", "path": "x.csv"}, tmp_path, "m.yaml")


def test_the_example_of_the_design_is_read(tmp_path: Path) -> None:
    text = """
model: u/1
source: {delimiter: ";", encoding: utf-8, null: ["", "NA"]}
tables:
  patient: {key: pid}
expect: {rows_min: 1000, unmapped_max_pct: 1.0}
"""
    found = read_mapping(text.encode(), {"kind": "csv", "path": "x"}, tmp_path, "m.yaml")

    assert (found.codebook, found.source.delimiter) == ("u/1", ";")
    assert found.source.null == {"", "NA"}
    assert (found.expected.rows_min, found.expected.unmapped_max_pct) == (1000, 1.0)


def test_own_items_that_nothing_needs_are_not_read(tmp_path: Path) -> None:
    plan = mapped(
        "  patient: {key: pid, n: {expr: a + 1}, let: {a: x, b: y, c: {expr: b + 1}}}\n", tmp_path
    ).plan(BOOK)

    assert plan.tables["patient"].columns() == {"": {"pid", "x"}}
    assert plan.variables("patient") == {"n"}


def test_two_mappings_of_a_database_name_its_tables(tmp_path: Path) -> None:
    source = {"kind": "sqlite", "path": "x", "tables": ["a", "b"]}
    plan = mapped(
        "  patient: {from: a, key: pid}\n  tumour: {from: b, key: t, stage: s}\n",
        tmp_path,
        source,
    ).plan(BOOK)
    assert plan.tables["tumour"].parent is not None
    with pytest.raises(SetupError, match="parent is missing"):
        mapped(
            "  patient: {from: a, key: {row_number: true}}\n  tumour: {from: b, key: t}\n",
            tmp_path,
            source,
        ).plan(BOOK)
    with pytest.raises(SetupError, match="several tables need"):
        read_mapping(
            b"codebook: u/1\nkey: pid\nvariables: {sex: {column: g}}\n", source, tmp_path, "m"
        )


def test_more_than_is_sensible_is_refused(tmp_path: Path) -> None:
    many = ", ".join(f"x{n}: c" for n in range(301))
    with pytest.raises(SetupError, match="more than 300 items"):
        mapped(f"  patient: {{key: pid, let: {{{many}}}}}\n", tmp_path)
    chain = ", ".join(f"x{n}: {{expr: x{n + 1} + 1}}" for n in range(100))
    with pytest.raises(SetupError, match="needs itself"):
        mapped(f"  patient: {{key: pid, let: {{{chain}, x100: c}}}}\n", tmp_path).plan(BOOK)
    long = ", ".join(f"x{n}: {{expr: '{'+'.join('a' * 50)}'}}" for n in range(120))
    with pytest.raises(SetupError, match="more than 10000 parts"):
        mapped(f"  patient: {{key: pid, let: {{{long}}}}}\n", tmp_path)
    labels = ", ".join(f"l{n}: c" for n in range(51))
    with pytest.raises(SetupError, match="more than 50 columns"):
        mapped(f"  patient: {{key: pid, explode: {{{labels}}}}}\n", tmp_path)
