"""The hospital's data as it is on disk, read only: CSV, Parquet or SQLite.

A source gives raw columns in blocks of at most BLOCK_ROWS rows, so that a large file is never in
memory as text. What a raw value means is for `convert` to say.
"""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from federation.site.errors import DataError
from federation.site.source_options import SourceOptions

BLOCK_ROWS = 10_000
SQLITE_LOCK_SECONDS = 2.0
READ_SECONDS = 120.0

Raw = str | int | float | None
Block = list[Sequence[Raw]]
"""The wanted columns, in the order asked, each as long as the block."""


class Source(Protocol):
    """One table of the hospital.

    `version` is a text that changes whenever the data may have changed. `header` lists the
    columns there are. `blocks` reads the wanted ones, in order of the file. All raise DataError.
    """

    def version(self) -> str: ...

    def header(self) -> list[str]: ...

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]: ...


def open_source(options: SourceOptions) -> Source:
    """The source that `options` describe; nothing is read yet."""
    if options.kind == "csv":
        return CsvSource(options)
    if options.kind == "sqlite":
        return SqliteSource(options)
    return ParquetSource(options)


def _file_version(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        raise DataError("SOURCE_MISSING") from None
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"


def _places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where the wanted columns stand in `header`."""
    if len(set(header)) != len(header):
        raise DataError("COLUMN_TWICE")
    places = {name: place for place, name in enumerate(header)}
    for name in columns:
        if name not in places:
            raise DataError("COLUMN_MISSING", name)
    return [places[name] for name in columns]


class CsvSource:
    """A delimited text file with a header line."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        return _file_version(self._options.path)

    def header(self) -> list[str]:
        for rows in self._rows():
            return rows[0]
        raise DataError("SOURCE_EMPTY")

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        lines = self._rows()
        first = next(lines, None)
        if first is None:
            raise DataError("SOURCE_EMPTY")
        header = first[0]
        places = _places(header, columns)
        for rows in lines:
            if any(len(row) != len(header) for row in rows):
                raise DataError("CSV_RAGGED")
            yield [[row[place] for row in rows] for place in places]

    def _rows(self) -> Iterator[list[list[str]]]:
        """First the header alone, then blocks of rows; blank lines are skipped."""
        options = self._options
        try:
            with options.path.open(encoding=options.encoding, errors="strict", newline="") as file:
                reader = csv.reader(file, delimiter=options.delimiter, strict=True)
                yield from ([row] for row in islice(filter(None, reader), 1))
                while rows := list(islice(reader, BLOCK_ROWS)):
                    if kept := [row for row in rows if row]:
                        yield kept
        except FileNotFoundError:
            raise DataError("SOURCE_MISSING") from None
        except (UnicodeError, LookupError):
            raise DataError("SOURCE_ENCODING") from None
        except (csv.Error, ValueError):
            raise DataError("CSV_BROKEN") from None
        except OSError:
            raise DataError("SOURCE_UNREADABLE") from None


class SqliteSource:
    """One table, or several joined, of a SQLite file; opened read-only for each reading."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        path = self._options.path
        log = path.with_name(path.name + "-wal")
        return _file_version(path) + ("/" + _file_version(log) if log.exists() else "")

    def header(self) -> list[str]:
        database = self._connect()
        try:
            return [
                name if len(self._options.tables) == 1 else f"{table}.{name}"
                for table in self._options.tables
                for name in self._columns(database, table)
            ]
        except sqlite3.Error:
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            database.close()

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        database = self._connect()
        try:
            there = {table: set(self._columns(database, table)) for table in self._options.tables}
            cursor = database.execute(self._select(there, columns))
            while rows := cursor.fetchmany(BLOCK_ROWS):
                yield list(zip(*rows, strict=True))
        except sqlite3.Error:
            # Its text may repeat a value ("Could not decode to UTF-8 column ...").
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            database.close()

    def _connect(self) -> sqlite3.Connection:
        path = self._options.path
        if not path.is_file():
            raise DataError("SOURCE_MISSING")
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        try:
            database = sqlite3.connect(address, uri=True, timeout=SQLITE_LOCK_SECONDS)
            database.execute("PRAGMA query_only = ON")
        except sqlite3.Error:
            raise DataError("SOURCE_UNREADABLE") from None
        until = time.monotonic() + READ_SECONDS
        database.set_progress_handler(lambda: int(time.monotonic() > until), 100_000)
        return database

    def _columns(self, database: sqlite3.Connection, table: str) -> list[str]:
        found = database.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
        if not found:
            raise DataError("TABLE_MISSING", table)
        return [str(name) for (name,) in found]

    def _select(self, there: dict[str, set[str]], columns: Sequence[str]) -> str:
        """The one statement that is run. Every name in it stands in the file's own schema."""
        tables = self._options.tables
        wanted = ", ".join(_identifier(*_find(there, name)) for name in columns)
        text = f"SELECT {wanted} FROM {_quoted(tables[0])}"  # noqa: S608  names checked above
        for table, (left, right) in zip(tables[1:], self._options.joins, strict=True):
            one, other = _identifier(*_find(there, left)), _identifier(*_find(there, right))
            text += f" LEFT JOIN {_quoted(table)} ON {one} = {other}"
        return text


def _find(there: dict[str, set[str]], name: str) -> tuple[str, str]:
    """(table, column) behind `table.column`, or behind a bare name that one table has."""
    table, dot, column = name.partition(".")
    if dot and column in there.get(table, ()):
        return table, column
    holders = [table for table, columns in there.items() if name in columns]
    if len(holders) > 1:
        raise DataError("COLUMN_TWICE", name)
    if not holders:
        raise DataError("COLUMN_MISSING", name)
    return holders[0], name


def _identifier(table: str, column: str) -> str:
    return f"{_quoted(table)}.{_quoted(column)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class ParquetSource:
    """A Parquet file, read with DuckDB in a short-lived process.

    DuckDB in this process would keep some 45 MB for good; ten sites on one machine would pay it
    ten times. The reader (`parquet_reader`) sends every value as text.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        return _file_version(self._options.path)

    def header(self) -> list[str]:
        return [str(name) for name in next(self._lines([]))]

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        lines = self._lines(columns)
        header = next(lines)
        _places([str(name) for name in header], columns)
        yield from lines

    def _lines(self, columns: Sequence[str]) -> Iterator[Block]:
        """First the header, then blocks. Without columns the header only."""
        path = self._options.path
        if not path.is_file():
            raise DataError("SOURCE_MISSING")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "federation.site.parquet_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_reader_environment(),
        )
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            asked = {"path": str(path.resolve()), "columns": list(columns), "rows": BLOCK_ROWS}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.close()
            complete = False
            for line in process.stdout:
                value = json.loads(line)
                complete = value == "END"
                if not complete:
                    yield value
            if not complete:
                raise DataError("SOURCE_UNREADABLE")
        except (OSError, ValueError):
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _reader_environment() -> dict[str, str]:
    """No more than Python needs to find our own packages."""
    code = str(Path(__file__).resolve().parents[2])
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": code}
