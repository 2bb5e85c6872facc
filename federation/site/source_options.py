"""Where the data are and how they are written: [source] of site.toml and source: of a mapping."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from federation.site.errors import SetupError

_KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "csv": frozenset({"kind", "path", "null", "decimal", "delimiter", "encoding"}),
        "parquet": frozenset({"kind", "path", "null", "decimal"}),
        "sqlite": frozenset({"kind", "path", "null", "decimal", "tables", "join"}),
    }
)
_COLUMN_OF_TABLE = re.compile(r"[^.\x00-\x1f]+\.[^.\x00-\x1f]+")

Kind = Literal["csv", "parquet", "sqlite"]


@dataclass(frozen=True)
class SourceOptions:
    """A data source, checked but not yet opened.

    null: texts that mean "no value". tables, joins: for SQLite the tables to read, and per
    further table the pair of columns (as table.column) that must be equal; every row of the
    first table is kept.
    """

    kind: Kind
    path: Path
    null: frozenset[str]
    decimal: str
    delimiter: str
    encoding: str
    tables: tuple[str, ...]
    joins: tuple[tuple[str, str], ...]


def read_options(
    site: Mapping[str, Any], mapping: Mapping[str, Any], folder: Path, name: str
) -> SourceOptions:
    """Join the two tables into one. SetupError when they disagree or something is wrong."""
    for key in mapping:
        if key in site and site[key] != mapping[key]:
            raise SetupError(f"{name}: source.{key} differs from site.toml; remove one of them.")
    given = {**mapping, **site}
    for key in ("kind", "path"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise SetupError(f"site.toml: source.{key} is missing; add it as a text.")
    if given["kind"] not in _KEYS:
        raise SetupError(f"site.toml: source.kind must be one of: {', '.join(_KEYS)}.")
    for key in given:
        if key not in _KEYS[given["kind"]]:
            raise SetupError(
                f"site.toml: source has an unknown key '{key[:60]}' for {given['kind']}; remove it."
            )
    return SourceOptions(
        kind=given["kind"],
        path=folder / given["path"],
        null=_null(given.get("null", ["", "NA"])),
        decimal=_one_of(given.get("decimal", "."), (".", ","), "decimal"),
        delimiter=_one_of(given.get("delimiter", ","), (",", ";", "\t", "|"), "delimiter"),
        encoding=_encoding(given.get("encoding", "utf-8")),
        tables=_tables(given),
        joins=_joins(given),
    )


def _null(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise SetupError('site.toml: source.null must be a list of texts, such as ["", "NA"].')
    return frozenset(value)


def _one_of(value: object, allowed: tuple[str, ...], key: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        listed = " ".join(repr(text) for text in allowed)
        raise SetupError(f"site.toml: source.{key} must be one of: {listed}")
    return value


def _encoding(value: object) -> str:
    try:
        if isinstance(value, str):
            name = codecs.lookup(value).name
            # A byte-order mark is not part of the first header.
            return "utf-8-sig" if name == "utf-8" else name
    except LookupError:
        pass
    raise SetupError("site.toml: source.encoding is not known; use 'utf-8' or 'cp1252'.")


def _tables(given: Mapping[str, Any]) -> tuple[str, ...]:
    if given["kind"] != "sqlite":
        return ()
    tables = given.get("tables")
    if (
        not isinstance(tables, list)
        or not tables
        or not all(isinstance(table, str) and table and "\x00" not in table for table in tables)
        or len(set(tables)) != len(tables)
    ):
        raise SetupError("site.toml: source.tables must be a list of different table names.")
    return tuple(tables)


def _joins(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """`join` is {left, right} for two tables, or a list of those for more."""
    if given["kind"] != "sqlite":
        return ()
    value = given.get("join", [])
    joins = [value] if isinstance(value, Mapping) else value
    if not isinstance(joins, list) or len(joins) != len(given["tables"]) - 1:
        raise SetupError("site.toml: source.join must join each further table once.")
    made = []
    for place, join in enumerate(joins, start=1):
        if (
            not isinstance(join, Mapping)
            or set(join) != {"left", "right"}
            or not all(isinstance(c, str) and _COLUMN_OF_TABLE.fullmatch(c) for c in join.values())
        ):
            raise SetupError("site.toml: source.join must be {left, right} as table.column.")
        before = given["tables"][:place]
        if (
            join["left"].split(".")[0] not in before
            or join["right"].split(".")[0] != given["tables"][place]
        ):
            raise SetupError(
                "site.toml: source.join must go from an earlier table (left) to the next (right)."
            )
        made.append((join["left"], join["right"]))
    return tuple(made)
