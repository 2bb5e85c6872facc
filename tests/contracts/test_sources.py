"""One suite for every kind of data source: the same hospital in CSV, Parquet, SQLite, DuckDB and
PostgreSQL is the same hospital to everything above it."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from data_sources import CODEBOOK, MAPPING, NAMES, ROWS, Csv, Parquet, Sqlite, table

from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data import columns as data
from federation.site.data.columns import DataStore
from federation.site.data.duckdb_source import DuckdbSource
from federation.site.data.mapping import read_mapping
from federation.site.data.sources import BLOCK_ROWS, open_source
from federation.site.errors import DataError


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


def test_missing_data_are_a_code(mapped, hospital):
    found = mapped()
    hospital.remove()

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code == hospital.missing


@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite", "duckdb"], indirect=True)
def test_a_file_of_another_kind_is_a_code(mapped, hospital):
    found = mapped()
    hospital.file.write_bytes(b"PAR1 \xff\xfe this is something else\n" * 50)

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code in ("SOURCE_UNREADABLE", "SOURCE_ENCODING", "COLUMN_MISSING")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite", "duckdb"], indirect=True)
def test_a_pipe_is_no_data_and_is_not_waited_for(mapped, hospital):
    found = mapped()
    hospital.remove()
    os.mkfifo(hospital.file)

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code == "SOURCE_MISSING"


def test_the_version_changes_with_the_data(mapped, hospital):
    source = open_source(mapped().source)
    before = source.version()
    assert source.version() == before

    hospital.change(ROWS[:2])

    assert source.version() != before


def test_data_are_read_again_only_when_they_change(mapped, hospital, monkeypatch):
    reads = []
    monkeypatch.setattr(data, "open_source", counting(reads))
    store = DataStore(mapped(), HandleMaker(b"k" * 32, "net", "s"))
    first = store.table(CODEBOOK)
    assert store.table(CODEBOOK) is first
    assert reads == [1]

    hospital.change(ROWS[:2])

    assert store.table(CODEBOOK).n == 2
    assert reads == [1, 1]


def counting(reads):
    """`open_source`, noting each reading of blocks."""

    class Counted:
        def __init__(self, source):
            self.source = source

        def version(self):
            return self.source.version()

        def blocks(self, columns):
            reads.append(1)
            return self.source.blocks(columns)

    return lambda options: Counted(open_source(options))


def test_the_header_lists_the_columns(mapped, kind):
    header = open_source(mapped().source).header()

    if kind == "sqlite joined":
        assert set(header) >= {"pat ient.age", "tumour.grade"}
    else:
        assert header == NAMES


def test_a_source_is_never_written(mapped, hospital):
    found = mapped()
    before = hospital.content()
    table(found)

    assert hospital.content() == before


def test_more_rows_than_allowed_end_in_a_code(mapped):
    with pytest.raises(DataError) as caught:
        table(mapped(max_rows=4))
    assert caught.value.code == "SOURCE_TOO_LARGE"


def test_a_reading_that_takes_too_long_ends_in_a_code(mapped, monkeypatch):
    found = mapped()
    ticks = iter(range(0, 10_000_000, 10_000))
    monkeypatch.setattr("federation.site.data.sources.time.monotonic", lambda: next(ticks))

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code == "SOURCE_TOO_SLOW"


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "postgresql"], indirect=True)
def test_a_whole_number_in_a_column_of_floating_numbers_is_its_code(hospital, tmp_path):
    """pandas turns a column of whole numbers with one gap into floating numbers."""
    source = hospital.make(ROWS)
    mapping = MAPPING.replace(b"grade: {column: grade}", b"grade: {column: size}")
    rows = [("p1", 1, 1, 1, 3.0, None, None), ("p2", 1, 1, 1, 1.0, None, None)]
    hospital.change(rows)

    found = table(read_mapping(mapping, source, tmp_path, "m"))
    assert found.columns["grade"].tolist() == [2, 0]


def test_a_locked_sqlite_file_is_a_code(tmp_path, monkeypatch):
    monkeypatch.setattr("federation.site.data.sqlite_source.LOCK_SECONDS", 0.05)
    found = read_mapping(MAPPING, Sqlite(tmp_path).make(ROWS), tmp_path, "mapping.yaml")
    other = sqlite3.connect(Sqlite(tmp_path).file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(DataError) as caught:
        table(found)
    other.close()
    assert caught.value.code == "SOURCE_UNREADABLE"


@pytest.mark.parametrize("name", ['x" FROM t; DROP TABLE t; --', "pid) --", "1", "t.*"])
@pytest.mark.parametrize(
    "kind", ["sqlite", "parquet", "duckdb", "postgresql", "postgresql query"], indirect=True
)
def test_a_column_name_is_a_name_and_never_a_statement(mapped, name):
    found = mapped(
        mapping=MAPPING.replace(b"{column: size}", f"{{column: {json.dumps(name)}}}".encode())
    )

    with pytest.raises(DataError) as caught:
        table(found)

    assert caught.value.code == "COLUMN_MISSING"


@pytest.mark.parametrize("name", ['t" ; DROP TABLE t; --', "pg_catalog.pg_class", "t, t"])
@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgresql"], indirect=True)
def test_a_table_name_is_a_name_and_never_a_statement(mapped, name):
    with pytest.raises(DataError) as caught:
        table(mapped(tables=[name]))

    assert (caught.value.code, caught.value.detail) == ("TABLE_MISSING", name)


def test_a_reader_process_that_hangs_is_ended(tmp_path, monkeypatch):
    found = read_mapping(MAPPING, Parquet(tmp_path).make(ROWS), tmp_path, "m")
    monkeypatch.setattr(
        "federation.site.data.duckdb_source.READER", ["-c", "import time; time.sleep(60)"]
    )
    source = DuckdbSource(replace(found.source, seconds=0.2))

    with pytest.raises(DataError) as caught:
        source.header()
    assert caught.value.code == "SOURCE_TOO_SLOW"


def test_a_line_without_end_is_not_one_line_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("federation.site.data.sources.LONGEST_LINE", 1000)
    found = read_mapping(MAPPING, Csv(tmp_path).make(ROWS), tmp_path, "m")
    with Csv(tmp_path).file.open("a") as file:
        file.write("x" * 100_000)

    with pytest.raises(DataError) as caught:
        table(found)
    assert caught.value.code == "CSV_RAGGED"


def test_a_view_of_a_sqlite_file_reads_and_does_nothing_else(tmp_path):
    source = Sqlite(tmp_path).make(ROWS)
    with sqlite3.connect(Sqlite(tmp_path).file) as database:
        database.execute("CREATE VIEW v AS SELECT t.*, load_extension('x') AS x FROM t")
    database.close()

    with pytest.raises(DataError) as caught:
        table(
            read_mapping(
                MAPPING.replace(b"{column: size}", b"{column: x}"),
                {**source, "tables": ["v"]},
                tmp_path,
                "m",
            )
        )
    assert caught.value.code == "SOURCE_UNREADABLE"
