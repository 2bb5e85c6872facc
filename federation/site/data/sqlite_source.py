"""Tables of a SQLite file, opened read-only for each reading."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import BLOCK_ROWS, LONGEST_TEXT, Block, file_version
from federation.site.data.statements import Columns, header_of, select
from federation.site.errors import DataError

LOCK_SECONDS = 2.0
_LARGEST_VALUE = 1_000_000
_STEPS_BETWEEN_LOOKS = 100_000
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)


class SqliteSource:
    """One table, or several joined."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def version(self) -> str:
        path = self._options.path
        log = path.with_name(path.name + "-wal")
        return file_version(path) + ("/" + file_version(log) if log.exists() else "")

    def header(self) -> list[str]:
        database, _ = self._connect()
        try:
            return header_of(self._columns(database))
        except sqlite3.Error:
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            database.close()

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        database, until = self._connect()
        try:
            there = self._columns(database)
            database.set_authorizer(_authorize)
            cursor = database.execute(select(there, self._options.joins, columns, value=_cut))
            while rows := cursor.fetchmany(BLOCK_ROWS):
                yield list(zip(*rows, strict=True))
        except sqlite3.Error:
            # Its text may repeat a value ("Could not decode to UTF-8 column ...").
            late = time.monotonic() > until
            raise DataError("SOURCE_TOO_SLOW" if late else "SOURCE_UNREADABLE") from None
        finally:
            database.close()

    def _connect(self) -> tuple[sqlite3.Connection, float]:
        path = self._options.path
        file_version(path)
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        try:
            database = sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS)
            database.execute("PRAGMA query_only = ON")
            database.execute("PRAGMA trusted_schema = OFF")
        except sqlite3.Error:
            raise DataError("SOURCE_UNREADABLE") from None
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        until = time.monotonic() + self._options.seconds
        database.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS_BETWEEN_LOOKS)
        return database, until

    def _columns(self, database: sqlite3.Connection) -> Columns:
        found = {}
        for table in self._options.tables:
            rows = database.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
            if not rows:
                raise DataError("TABLE_MISSING", table)
            found[table] = [str(name) for (name,) in rows]
        return found


def _cut(place: str) -> str:
    """Numbers as they are, texts no longer than a value can be: a block of rows must fit."""
    return (
        f"CASE WHEN typeof({place}) IN ('text', 'blob')"
        f" THEN substr({place}, 1, {LONGEST_TEXT + 1}) ELSE {place} END"
    )


def _authorize(action: int, *_: str | None) -> int:
    """Allow reading and nothing else: a view of the file may hold any statement."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
