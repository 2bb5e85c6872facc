"""One small hospital in every kind of data source, for the suite that all sources share."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

import psycopg

from federation.query.codebook import load_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import read_table

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


def fill_duckdb(database, rows, at_once=500):
    """Many rows a statement: DuckDB takes a millisecond for each statement."""
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        values = [value for row in some for value in row]
        database.execute(f"INSERT INTO t VALUES {', '.join([MARKS] * len(some))}", values)


class Parquet(Csv):
    def make(self, rows):
        import duckdb

        with duckdb.connect() as memory:
            memory.execute(f"CREATE TABLE t ({TYPES.format(double='DOUBLE')})")
            fill_duckdb(memory, rows)
            memory.execute(f"COPY t TO '{self.file}' (FORMAT parquet)")
        return {"kind": "parquet", "path": self.file.name}


class Duckdb(Csv):
    def make(self, rows):
        import duckdb

        with duckdb.connect(str(self.file)) as database:
            database.execute(f"CREATE TABLE t ({TYPES.format(double='DOUBLE')})")
            fill_duckdb(database, rows)
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

    missing = "SOURCE_STATEMENT"

    def make(self, rows):
        source = super().make(rows)
        del source["tables"]
        return {**source, "query": "SELECT t.* FROM t ORDER BY ctid;"}


SOURCES = {
    "csv": Csv,
    "parquet": Parquet,
    "sqlite": Sqlite,
    "sqlite joined": Joined,
    "duckdb": Duckdb,
    "postgresql": Postgres,
    "postgresql query": Query,
}


def table(mapped):
    """The rows of a hospital as `t/1` describes them."""
    return read_table(CODEBOOK, mapped, HandleMaker(b"k" * 32, "net", "s"))
