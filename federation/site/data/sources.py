"""The hospital's data as they are, read only: CSV, Parquet, SQLite, DuckDB or PostgreSQL.

A source gives raw columns in blocks of at most BLOCK_ROWS rows, so that a large table is never in
memory as text. What a raw value means is for `convert` to say. A reading that takes longer than
`SourceOptions.seconds` or finds more than `SourceOptions.rows` ends with DataError.
"""

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Protocol

from federation.site.data.source_options import DELIMITERS, SourceOptions
from federation.site.errors import DataError

BLOCK_ROWS = 10_000
LONGEST_LINE = 10_000_000
LONGEST_TEXT = 1_000
"""A longer value in a database is cut: it is no value of a variable, and memory is not free."""

_WORKBOOKS = frozenset({b"PK\x03\x04", b"\xd0\xcf\x11\xe0"})
"""How a file of a spreadsheet program begins (.xlsx and .ods, .xls): no text with delimiters."""

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
    return _Limited(_open(options), options.seconds, options.rows)


def _open(options: SourceOptions) -> Source:
    if options.kind == "csv":
        return CsvSource(options)
    # A kind's own libraries are imported where they are used: most sites need none of them.
    if options.kind == "sqlite":
        from federation.site.data.sqlite_source import SqliteSource

        return SqliteSource(options)
    if options.kind == "own":
        from federation.site.data.own_answers import OwnAnswers

        return OwnAnswers(options)
    if options.kind == "postgresql":
        from federation.site.data.postgres_source import PostgresSource

        return PostgresSource(options)
    from federation.site.data.duckdb_source import DuckdbSource

    return DuckdbSource(options)


class _Limited:
    """A source whose reading ends in time, and before it is too much for this machine."""

    def __init__(self, source: Source, seconds: float, rows: int) -> None:
        self._source = source
        self._seconds = seconds
        self._rows = rows

    def version(self) -> str:
        return self._source.version()

    def header(self) -> list[str]:
        return self._source.header()

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        until = time.monotonic() + self._seconds
        rows = 0
        for block in self._source.blocks(columns):
            rows += len(block[0]) if block else 0
            if rows > self._rows:
                raise DataError("SOURCE_TOO_LARGE")
            yield block
            if time.monotonic() > until:
                raise DataError("SOURCE_TOO_SLOW")


def file_version(path: Path) -> str:
    """A text that changes when the file does. A folder, pipe or device is no file of data."""
    try:
        found = path.stat()
    except PermissionError:
        raise DataError("SOURCE_FORBIDDEN") from None
    except OSError:
        raise DataError("SOURCE_MISSING") from None
    if S_ISREG(found.st_mode):
        return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"
    raise DataError("SOURCE_FOLDER" if S_ISDIR(found.st_mode) else "SOURCE_MISSING")


def places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where the wanted columns stand in `header`."""
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        if found.setdefault(name, place) != place:
            raise DataError("COLUMN_TWICE", name)
    for name in columns:
        if name not in found:
            raise missing_column(name, header)
    return [found[name] for name in columns]


def missing_column(name: str, header: Iterable[str]) -> DataError:
    """COLUMN_MISSING with the name that is there and differs in capitals, spaces or a letter."""
    plain = {each.strip().casefold(): each for each in header}
    near = get_close_matches(name.strip().casefold(), plain, n=1, cutoff=0.8)
    return DataError("COLUMN_MISSING", name, plain[near[0]] if near else "")


class CsvSource:
    """A delimited text file with a header line."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        return file_version(self._options.path)

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
        if len(header) == 1 and not set(columns) <= set(header):
            self._check_delimiter(header[0])
        wanted = places(header, columns)
        before = 1
        for rows in lines:
            if set(map(len, rows)) != {len(header)}:
                wrong = next(n for n, row in enumerate(rows) if len(row) != len(header))
                raise DataError("CSV_RAGGED", str(before + wrong))
            before += len(rows)
            yield [[row[place] for row in rows] for place in wanted]

    def _check_delimiter(self, line: str) -> None:
        """A header of one column that holds another mark was read with the wrong one."""
        for mark in DELIMITERS:
            if mark != self._options.delimiter and mark in line:
                raise DataError("CSV_DELIMITER", "tab" if mark == "\t" else mark)

    def _rows(self) -> Iterator[list[list[str]]]:
        """First the header alone, then blocks of rows; blank lines are skipped."""
        options = self._options
        file_version(options.path)  # opening a pipe would wait for its writer for ever
        try:
            with options.path.open("rb") as begin:
                if begin.read(4) in _WORKBOOKS:
                    raise DataError("SOURCE_WORKBOOK")
            with options.path.open(encoding=options.encoding, errors="strict", newline="") as file:
                # A file without line ends is never in memory as one line.
                lines = iter(partial(file.readline, LONGEST_LINE), "")
                reader = csv.reader(lines, delimiter=options.delimiter, strict=True)
                try:
                    yield from ([row] for row in islice(filter(None, reader), 1))
                    while rows := list(islice(reader, BLOCK_ROWS)):
                        if kept := [row for row in rows if row]:
                            yield kept
                except csv.Error:
                    raise DataError("CSV_BROKEN", str(reader.line_num)) from None
        except FileNotFoundError:
            raise DataError("SOURCE_MISSING") from None
        except (UnicodeError, LookupError):
            raise DataError("SOURCE_ENCODING") from None
        except ValueError:
            raise DataError("CSV_BROKEN", "1") from None
        except PermissionError:
            raise DataError("SOURCE_FORBIDDEN") from None
        except OSError:
            raise DataError("SOURCE_UNREADABLE") from None
