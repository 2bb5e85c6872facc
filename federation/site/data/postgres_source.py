"""Tables, views or one statement of a PostgreSQL database, in a read-only transaction.

The address (with its password) stands in an environment variable or a file of the service user,
never in site.toml, and in no error: psycopg's own messages may repeat it, so they are dropped.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import BLOCK_ROWS, LONGEST_TEXT, Block
from federation.site.data.statements import Columns, header_of, quoted, select
from federation.site.errors import DataError

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30.0
_LOCK_SECONDS = 5.0
_LONGEST_DSN = 4_096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_STATES = {
    **dict.fromkeys(("57014", "55P03", "25P03", "25P04"), "SOURCE_TOO_SLOW"),
    "42501": "SOURCE_FORBIDDEN",
    # of the hospital's own statement; all others are ours and name what is there
    **dict.fromkeys(("42601", "42P01", "42703", "42883", "42702"), "SOURCE_STATEMENT"),
    "25006": "SOURCE_STATEMENT",
}
"""What PostgreSQL's own codes mean for a hospital; its texts may hold data."""
_RESULT = "result"


class PostgresSource:
    """One table or view, several joined, or the result of the hospital's own statement."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._known = ("", "")  # snapshot of the database, and the version it had

    def version(self) -> str:
        """A hash of the rows, worked out again only when anything was written in the cluster.

        The database's snapshot names every transaction that has ended: while it is the same,
        nothing has changed. Otherwise each table is summed up by hashing where each row lies and
        which transaction wrote it, which any insert, update or delete changes; a view or statement
        has no such columns, so there the rows themselves are hashed.
        """
        with self._reading() as connection:
            snapshot = str(_one(connection, "SELECT pg_current_snapshot()::text"))
            if snapshot != self._known[0]:
                parts = [_one(connection, text) for text in self._sums(connection)]
                self._known = (snapshot, "/".join(map(str, parts)))
        return self._known[1]

    def header(self) -> list[str]:
        with self._reading() as connection:
            return header_of(self._columns(connection)[0])

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        with self._reading() as connection:
            there, numeric = self._columns(connection)

            def value(place: str) -> str:
                # 3.0 and 3 are one number, and one code
                text = f"trim_scale({place})::text" if place in numeric else f"{place}::text"
                return f"left({text}, {LONGEST_TEXT + 1})"

            statement = select(there, self._options.joins, columns, table=self._table, value=value)
            with connection.cursor(name="oncokring") as cursor:
                cursor.itersize = BLOCK_ROWS
                cursor.execute(statement)
                while rows := cursor.fetchmany(BLOCK_ROWS):
                    yield list(zip(*rows, strict=True))

    def _table(self, name: str) -> str:
        if self._options.query:
            return f"({self._options.query})"
        return f"{quoted(self._options.schema)}.{quoted(name)}"

    def _sums(self, connection: "psycopg.Connection[Any]") -> list[str]:
        """A statement per table that gives one text about all its rows."""
        made = []
        for name in self._options.tables or (_RESULT,):
            row = "t.ctid::text || ':' || t.xmin::text"
            if self._options.query or self._kind(connection, name) != "r":
                row = "t::text"
            made.append(
                f"SELECT count(*)::text || ':' || "  # noqa: S608  names checked and quoted
                f"coalesce(sum(hashtextextended({row}, 0)::numeric), 0)::text "
                f"FROM {self._table(name)} AS t"
            )
        return made

    def _kind(self, connection: "psycopg.Connection[Any]", name: str) -> str:
        """The kind of relation: "r" for a plain table."""
        found = connection.execute(
            "SELECT c.relkind::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            (self._options.schema, name),
        ).fetchone()
        if found is None:
            raise DataError("TABLE_MISSING", name)
        return str(found[0])

    def _columns(self, connection: "psycopg.Connection[Any]") -> tuple[Columns, frozenset[str]]:
        """The columns of each table, and which of them are `numeric`, as the statement writes
        them."""
        there: dict[str, list[str]] = {}
        numeric = set()
        for name in self._options.tables or (_RESULT,):
            if not self._options.query:
                self._kind(connection, name)
            empty = connection.execute(f"SELECT * FROM {self._table(name)} AS t LIMIT 0")  # noqa: S608
            there[name] = [column.name for column in empty.description or ()]
            for column in empty.description or ():
                if column.type_display.partition("(")[0] == "numeric":
                    numeric.add(f"{quoted(name)}.{quoted(column.name)}")
        return there, frozenset(numeric)

    @contextmanager
    def _reading(self) -> "Iterator[psycopg.Connection[Any]]":
        """A read-only transaction that sees one state of the database. Raises DataError."""
        try:
            import psycopg
        except ImportError:
            raise DataError("DRIVER_MISSING") from None
        seconds = min(STATEMENT_SECONDS, self._options.seconds)
        settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": f"{int(seconds * 1000)}",
            "lock_timeout": f"{int(_LOCK_SECONDS * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(self._options.seconds * 1000)}",
            "datestyle": "ISO",
            "extra_float_digits": "1",
        }
        address = self._address()
        try:
            connection = psycopg.connect(
                address,
                connect_timeout=CONNECT_SECONDS,
                application_name="oncokring site",
                options=" ".join(f"-c {key}={value}" for key, value in settings.items()),
            )
        except (psycopg.Error, UnicodeError):
            raise DataError("SOURCE_LOGIN") from None
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
        except psycopg.Error as error:
            raise DataError(_STATES.get(error.sqlstate or "", "SOURCE_UNREADABLE")) from None
        finally:
            connection.close()

    def _address(self) -> str:
        """The connection text. Raises DataError SOURCE_ADDRESS or SOURCE_ADDRESS_OPEN."""
        if self._options.dsn_env:
            found = os.environ.get(self._options.dsn_env, "")
        else:
            found = self._from_file()
        if not found or "\x00" in found:
            raise DataError("SOURCE_ADDRESS")
        return found

    def _from_file(self) -> str:
        path = self._options.dsn_file
        try:
            if path is None or not path.is_file():
                raise DataError("SOURCE_ADDRESS")
            if path.stat().st_mode & _OTHERS:
                raise DataError("SOURCE_ADDRESS_OPEN")
            with path.open(encoding="utf-8") as file:
                return file.read(_LONGEST_DSN).strip()
        except (OSError, UnicodeError):
            raise DataError("SOURCE_ADDRESS") from None


def _one(connection: "psycopg.Connection[Any]", statement: str) -> object:
    row = connection.execute(statement).fetchone()
    return row[0] if row is not None else None
