"""The one statement that is sent to a database: names checked against its schema, and quoted."""

from collections.abc import Callable, Mapping, Sequence

from federation.site.data.sources import missing_column
from federation.site.errors import DataError

Columns = Mapping[str, Sequence[str]]
"""Per table of the database the columns it has."""


def quoted(name: str) -> str:
    """A name as an identifier of SQL, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def header_of(there: Columns) -> list[str]:
    """The columns as a mapping names them: `table.column` where there are several tables."""
    return [
        name if len(there) == 1 else f"{table}.{name}"
        for table, columns in there.items()
        for name in columns
    ]


def select(
    there: Columns,
    joins: Sequence[tuple[str, str]],
    columns: Sequence[str],
    *,
    table: Callable[[str], str] = quoted,
    value: Callable[[str], str] = str,
) -> str:
    """The statement that reads `columns` of the first table with the others joined to it.

    table: how a table is written; value: what is asked of a column. DataError COLUMN_MISSING or
    COLUMN_TWICE: every name in the text stands in the database's own schema.
    """
    first, *further = there
    if len(further) != len(joins):
        raise DataError("TABLES_UNJOINED")
    wanted = ", ".join(value(_place(there, name)) for name in columns)
    text = f"SELECT {wanted} FROM "  # noqa: S608  names checked against the schema, and quoted
    text += f"{table(first)} AS {quoted(first)}"
    for name, (left, right) in zip(further, joins, strict=True):
        on = f"{_place(there, left)} = {_place(there, right)}"
        text += f" LEFT JOIN {table(name)} AS {quoted(name)} ON {on}"
    return text


def _place(there: Columns, name: str) -> str:
    """`table.column`, or a bare name that one table has, as quoted identifiers."""
    table, dot, column = name.partition(".")
    if dot and column in there.get(table, ()):
        return f"{quoted(table)}.{quoted(column)}"
    holders = [table for table, columns in there.items() if name in columns]
    if len(holders) > 1:
        raise DataError("COLUMN_TWICE", name)
    if not holders:
        raise missing_column(name, header_of(there))
    return f"{quoted(holders[0])}.{quoted(name)}"
