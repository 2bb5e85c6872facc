"""The hospital's data as they are, read only: CSV, Parquet, SQLite, DuckDB or PostgreSQL.

A source gives raw columns in blocks of at most BLOCK_ROWS rows, so that a large table is never in
memory as text. What a raw value means is for `convert` to say. A reading that takes longer than
`SourceOptions.seconds` or finds more than `SourceOptions.rows` ends with DataError.
"""

import csv
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

from federation.site.data.source_options import SourceOptions
from federation.site.errors import DataError

BLOCK_ROWS = 10_000
LONGEST_LINE = 10_000_000
LONGEST_TEXT = 1_000
"""A longer value in a database is cut: it is no value of a variable, and memory is not free."""

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
        if path.is_file():
            return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"
    except OSError:
        pass
    raise DataError("SOURCE_MISSING")


def places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where the wanted columns stand in `header`."""
    if len(set(header)) != len(header):
        raise DataError("COLUMN_TWICE")
    found = {name: place for place, name in enumerate(header)}
    for name in columns:
        if name not in found:
            raise DataError("COLUMN_MISSING", name)
    return [found[name] for name in columns]


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
        wanted = places(header, columns)
        for rows in lines:
            if set(map(len, rows)) != {len(header)}:
                raise DataError("CSV_RAGGED")
            yield [[row[place] for row in rows] for place in wanted]

    def _rows(self) -> Iterator[list[list[str]]]:
        """First the header alone, then blocks of rows; blank lines are skipped."""
        options = self._options
        file_version(options.path)  # opening a pipe would wait for its writer for ever
        try:
            with options.path.open(encoding=options.encoding, errors="strict", newline="") as file:
                # A file without line ends is never in memory as one line.
                lines = iter(partial(file.readline, LONGEST_LINE), "")
                reader = csv.reader(lines, delimiter=options.delimiter, strict=True)
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
