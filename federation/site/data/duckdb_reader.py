"""`python -m federation.site.data.duckdb_reader`: a Parquet or DuckDB file as lines of JSON.

Reads one line {"kind", "path", "tables", "joins", "columns", "rows"} on stdin. Writes the header
as a list of names, then blocks of at most `rows` rows, each a list of columns of texts or null,
then "END"; or {"code", "detail", "near"} when a name of the mapping is not there. Whatever else
goes wrong, it ends without "END" and says nothing: an error text may hold data.

The file is opened read-only, with one thread and bounded memory; the engine may open no other
file, load no extension and reach no network.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from federation.site.data.sources import LONGEST_TEXT
from federation.site.data.statements import Columns, header_of, select
from federation.site.errors import DataError

MEMORY = "512MB"


def main() -> int:
    """Read and write as the module says; 0 when "END" was written."""
    asked = json.loads(sys.stdin.readline())
    try:
        _read(asked)
    except DataError as error:
        _write({"code": error.code, "detail": error.detail, "near": error.near})
        return 1
    _write("END")
    return 0


def _read(asked: dict[str, Any]) -> None:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": MEMORY,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    parquet = asked["kind"] == "parquet"
    path = ":memory:" if parquet else asked["path"]
    with duckdb.connect(path, read_only=not parquet, config=config) as database:
        if parquet:
            database.read_parquet(asked["path"]).create_view("parquet")
            database.execute("SET allowed_paths = ?", [[asked["path"]]])
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        there, types = _columns(database, ["parquet"] if parquet else asked["tables"])
        header = header_of(there)
        _write(header)
        wanted = [name for name in asked["columns"] if not parquet or name in header]
        if wanted:
            found = database.execute(select(there, asked["joins"], wanted, value=_as_text))
            clean = [_cleaner(types[column]) for column in _typed(there, wanted)]
            while rows := found.fetchmany(asked["rows"]):
                columns = zip(*rows, strict=True)
                _write([make(values) for make, values in zip(clean, columns, strict=True)])


def _columns(database: Any, tables: Sequence[str]) -> tuple[Columns, dict[tuple[str, str], str]]:
    """The columns of each table, and the type of each column by (table, column)."""
    there: dict[str, list[str]] = {}
    types: dict[tuple[str, str], str] = {}
    for table in tables:
        rows = database.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = ? AND table_schema = 'main' ORDER BY ordinal_position",
            [table],
        ).fetchall()
        if not rows:
            raise DataError("TABLE_MISSING", table)
        there[table] = [str(name) for name, _ in rows]
        types |= {(table, str(name)): str(kind) for name, kind in rows}
    return there, types


def _typed(there: Columns, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """(table, column) of each wanted name; the statement has checked that it is one."""
    found = []
    for name in wanted:
        table, dot, column = name.partition(".")
        if not dot or column not in there.get(table, ()):
            table = next(each for each, columns in there.items() if name in columns)
            column = name
        found.append((table, column))
    return found


def _as_text(place: str) -> str:
    return f"left(CAST({place} AS VARCHAR), {LONGEST_TEXT + 1})"


def _cleaner(kind: str) -> Callable[[Sequence[str | None]], Sequence[str | None]]:
    """3.0 of a column of floating numbers is 3, as everywhere else."""
    if kind not in ("DOUBLE", "FLOAT") and not kind.startswith("DECIMAL"):
        return list
    return lambda texts: [whole_text(text) for text in texts]


def whole_text(text: str | None) -> str | None:
    """A number as text, without decimals that are all zero."""
    if text is None or "." not in text:
        return text
    whole, _, decimals = text.partition(".")
    return text if decimals.strip("0") else whole


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        sys.exit(1)
