"""One suite for every kind of data source: the same hospital in CSV, Parquet and SQLite is the same
hospital to everything above it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from federation.query.codebook import load_codebook
from federation.site.data import DataStore, read_table
from federation.site.errors import DataError
from federation.site.mapping import Mapped, read_mapping
from federation.site.pseudonyms import HandleMaker
from federation.site.sources import BLOCK_ROWS, open_source

CODEBOOK = load_codebook(
    b"""
codebook: t/1
variables:
  age:   {type: integer, min: 18, max: 110, cuts: {step: 5}}
  grade: {type: category, levels: ["1", "2", "3"]}
  drug:  {type: boolean}
  size:  {type: number, min: 0, max: 200}
  days:  {type: duration, min: 0, max: 10000}
  month: {type: date}
"""
)
MAPPING = b"""
codebook: t/1
key: pid
variables:
  age: {column: age}
  grade: {column: grade}
  drug: {column: drug, map: {"1": true, "0": false}}
  size: {column: size}
  days: {days_between: [a, b]}
  month: {column: a}
"""
NAMES = ["pid", "age", "grade", "drug", "size", "a", "b"]
# None is "no value" in each kind of source.
ROWS = [
    ("p1", 40, 1, 1, 12.5, "2020-01-31", "2020-03-01"),
    ("p2", 41, 2, 0, 0.0, "2019-12-01", "2019-12-01"),
    ("p3", None, None, None, None, None, None),
    ("p4", 130, 9, 5, -1.0, "2020-05-05", "2020-05-01"),
    ("é5", 18, 3, 1, 200.0, "2000-02-29", "2001-02-28"),
]

Make = Callable[[Path, list[tuple]], dict]


def make_csv(folder, rows):
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(NAMES)
        out.writerows([["" if v is None else v for v in row] for row in rows])
    return {"kind": "csv", "path": "data.csv"}


def make_parquet(folder, rows):
    import duckdb

    with duckdb.connect() as memory:
        memory.execute(
            "CREATE TABLE t (pid VARCHAR, age INTEGER, grade INTEGER, drug INTEGER, size DOUBLE,"
            " a DATE, b DATE)"
        )
        if rows:
            memory.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        memory.execute(f"COPY t TO '{folder / 'data.parquet'}' (FORMAT parquet)")
    return {"kind": "parquet", "path": "data.parquet"}


def make_sqlite(folder, rows):
    with sqlite3.connect(folder / "data.sqlite") as database:
        database.execute("CREATE TABLE t (pid TEXT, age, grade, drug, size REAL, a TEXT, b TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.close()
    return {"kind": "sqlite", "path": "data.sqlite", "tables": ["t"]}


def make_joined(folder, rows):
    with sqlite3.connect(folder / "data.sqlite") as database:
        database.execute('CREATE TABLE "pat ient" (pid TEXT, age, a TEXT)')
        database.execute("CREATE TABLE tumour (pid TEXT, grade, drug, size REAL, b TEXT)")
        database.executemany(
            'INSERT INTO "pat ient" VALUES (?, ?, ?)', [r[:2] + r[5:6] for r in rows]
        )
        database.executemany(
            "INSERT INTO tumour VALUES (?, ?, ?, ?, ?)", [r[:1] + r[2:5] + r[6:] for r in rows]
        )
    database.close()
    return {
        "kind": "sqlite",
        "path": "data.sqlite",
        "tables": ["pat ient", "tumour"],
        "join": {"left": "pat ient.pid", "right": "tumour.pid"},
    }


MAKERS = {
    "csv": make_csv,
    "parquet": make_parquet,
    "sqlite": make_sqlite,
    "sqlite joined": make_joined,
}


@pytest.fixture(params=MAKERS)
def kind(request):
    return request.param


@pytest.fixture
def mapped(kind, tmp_path) -> Callable[..., Mapped]:
    def make(rows=ROWS, mapping=MAPPING):
        source = MAKERS[kind](tmp_path, rows)
        if kind == "sqlite joined":
            mapping = mapping.replace(b"key: pid", b'key: "pat ient.pid"')
        return read_mapping(mapping, source, tmp_path, "mapping.yaml")

    return make


def table(mapped):
    return read_table(CODEBOOK, mapped, HandleMaker(b"k" * 32, "net", "s"))


def test_each_kind_gives_the_same_columns(mapped):
    found = table(mapped())

    nan = np.nan
    expected = {
        "age": [40, 41, nan, nan, 18],
        "grade": [0, 1, -1, -1, 2],
        "drug": [1, 0, -1, -1, 1],
        "size": [12.5, 0, nan, nan, 200],
        "days": [30, 0, nan, nan, 365],
        "month": [2020 * 12, 2019 * 12 + 11, nan, 2020 * 12 + 4, 2000 * 12 + 1],
    }
    for name, values in expected.items():
        assert np.array_equal(found.columns[name], np.array(values, float), equal_nan=True), name
    assert found.columns["grade"].dtype == np.int16
    assert found.columns["age"].dtype == np.float64


def test_each_kind_counts_what_has_no_meaning(mapped):
    tallies = table(mapped()).tallies

    counts = {n: (t.missing, t.unmapped, t.out_of_range) for n, t in tallies.items()}
    assert counts == {
        "age": (1, 0, 1),
        "grade": (1, 1, 0),
        "drug": (1, 1, 0),
        "size": (1, 0, 1),
        "days": (1, 0, 1),
        "month": (1, 0, 0),
    }


def test_each_kind_gives_the_same_handles(mapped):
    maker = HandleMaker(b"k" * 32, "net", "s")

    assert table(mapped()).handles.tobytes() == b"".join(maker.handle(row[0]) for row in ROWS)


def test_a_whole_number_and_its_text_are_one_patient(mapped):
    """Patient 12 is "12" in a CSV file, perhaps 12 in a database and 12.0 after an export."""
    rows = [("12", 40, 1, 1, 1.0, "2020-01-01", "2020-01-02")]

    assert table(mapped(rows)).handles.tobytes() == HandleMaker(b"k" * 32, "net", "s").handle("12")


def test_many_blocks_are_one_table(mapped):
    rows = [
        (f"p{n}", 18 + n % 90, 1 + n % 3, n % 2, float(n % 200), "2020-01-01", "2020-01-05")
        for n in range(2 * BLOCK_ROWS + 7)
    ]
    found = table(mapped(rows))

    assert found.n == len(rows)
    assert found.repeated == 0
    assert found.columns["age"].tolist() == [18 + n % 90 for n in range(len(rows))]


def test_no_rows_are_an_empty_table(mapped):
    found = table(mapped([]))

    assert found.n == 0
    assert {name: len(values) for name, values in found.columns.items()} == dict.fromkeys(
        CODEBOOK.variables, 0
    )


def test_a_number_that_stands_twice_is_counted(mapped, kind):
    found = table(mapped([*ROWS, ROWS[0]]))

    # Joining doubles both sides.
    assert found.repeated == (3 if kind == "sqlite joined" else 1)


def test_a_missing_column_is_named_to_the_hospital_only(mapped):
    broken = mapped(mapping=MAPPING.replace(b"column: grade", b"column: GRAAD"))

    with pytest.raises(DataError) as caught:
        table(broken)

    assert (caught.value.code, caught.value.detail) == ("COLUMN_MISSING", "GRAAD")
    assert str(caught.value) == "COLUMN_MISSING"


def test_a_missing_file_is_a_code(mapped):
    found = mapped()
    found.source.path.unlink()

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code == "SOURCE_MISSING"


def test_a_file_of_another_kind_is_a_code(mapped, kind):
    found = mapped()
    found.source.path.write_bytes(b"PAR1 \xff\xfe this is something else\n" * 50)

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code in ("SOURCE_UNREADABLE", "SOURCE_ENCODING", "COLUMN_MISSING")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_version_changes_with_the_data(mapped, kind, tmp_path):
    found = mapped()
    source = open_source(found.source)
    before = source.version()
    assert source.version() == before

    found.source.path.unlink()
    MAKERS[kind](tmp_path, ROWS[:2])

    assert source.version() != before


def test_data_are_read_again_only_when_they_change(mapped, kind, tmp_path):
    found = mapped()
    store = DataStore(found, HandleMaker(b"k" * 32, "net", "s"))
    first = store.table(CODEBOOK)
    assert store.table(CODEBOOK) is first

    found.source.path.unlink()
    MAKERS[kind](tmp_path, ROWS[:2])

    assert store.table(CODEBOOK).n == 2


def test_the_header_lists_the_columns(mapped, kind):
    header = open_source(mapped().source).header()

    if kind == "sqlite joined":
        assert set(header) >= {"pat ient.age", "tumour.grade"}
    else:
        assert header == NAMES


def test_a_source_is_never_written(mapped):
    found = mapped()
    before = found.source.path.read_bytes()
    table(found)

    assert found.source.path.read_bytes() == before
    assert [p.name for p in found.source.path.parent.iterdir()] == [found.source.path.name]


def test_a_locked_sqlite_file_is_a_code(tmp_path, monkeypatch):
    monkeypatch.setattr("federation.site.sources.SQLITE_LOCK_SECONDS", 0.05)
    found = read_mapping(MAPPING, make_sqlite(tmp_path, ROWS), tmp_path, "mapping.yaml")
    other = sqlite3.connect(tmp_path / "data.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(DataError) as caught:
        table(found)
    other.close()
    assert caught.value.code == "SOURCE_UNREADABLE"


@pytest.mark.parametrize("name", ['x" FROM t; DROP TABLE t; --', "pid) --", "1", "t.*"])
@pytest.mark.parametrize("make", [make_sqlite, make_parquet], ids=["sqlite", "parquet"])
def test_a_column_name_is_a_name_and_never_a_statement(tmp_path, name, make):
    mapping = MAPPING.replace(b"{column: size}", f"{{column: {json.dumps(name)}}}".encode())
    found = read_mapping(mapping, make(tmp_path, ROWS), tmp_path, "mapping.yaml")

    with pytest.raises(DataError) as caught:
        table(found)

    assert caught.value.code == "COLUMN_MISSING"
