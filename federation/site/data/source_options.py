"""Where the data are and how they are written: [source] of site.toml and source: of a mapping."""

import codecs
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from federation.site.errors import SetupError

_COMMON = frozenset({"kind", "null", "decimal", "timeout_seconds", "max_rows"})
_KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "csv": _COMMON | {"path", "files", "delimiter", "encoding"},
        "parquet": _COMMON | {"path", "files"},
        "sqlite": _COMMON | {"path", "tables", "join"},
        "duckdb": _COMMON | {"path", "tables", "join"},
        "postgresql": _COMMON | {"dsn_env", "dsn_file", "schema", "tables", "join", "query"},
    }
)
# A mapping travels between hospitals; it says how to read, never which file, host or statement.
_OF_MAPPING = frozenset({"null", "decimal", "delimiter", "encoding", "tables", "join"})
_COLUMN_OF_TABLE = re.compile(r"[^.\x00-\x1f]+\.[^.\x00-\x1f]+")
_TABLE = re.compile(r"[^\x00-\x1f]{1,120}")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

MOST_TABLES = 20
MOST_SECONDS = 3600.0
MOST_ROWS = 50_000_000
USUAL_SECONDS = 120.0
USUAL_ROWS = 5_000_000

Kind = Literal["csv", "parquet", "sqlite", "duckdb", "postgresql", "own"]
DELIMITERS: Final = (",", ";", "\t", "|")
OWN: Final = "own_answers"
"""The name of the table that a mapping may name beside those of the source."""
DATABASE_FILE: Final = "site.sqlite"


@dataclass(frozen=True)
class SourceOptions:
    """A data source, checked but not yet opened.

    path: the file; `Path()` for PostgreSQL and with `files`. files: several CSV or Parquet files
    by the name the mapping has for each. null: texts that mean "no value". tables, joins: of a
    database the tables to read, and per further table the pair of columns (as table.column) that
    must be equal; every row of the first table is kept. query: a statement of the hospital's own
    that is read instead of tables. seconds, rows: a reading that takes longer or finds more ends.
    own_answers: the site's own database, where answers of patients lie; its kind "own" reads it.
    """

    kind: Kind
    path: Path
    files: Mapping[str, Path]
    null: frozenset[str]
    decimal: str
    delimiter: str
    encoding: str
    tables: tuple[str, ...]
    joins: tuple[tuple[str, str], ...]
    dsn_env: str
    dsn_file: Path | None
    schema: str
    query: str
    seconds: float
    rows: int
    own_answers: Path = Path()

    @property
    def names(self) -> tuple[str, ...]:
        """The tables that a mapping may name; empty when there is one without a name."""
        return tuple(self.files) if self.files else self.tables

    def only(self, name: str) -> "SourceOptions":
        """The same source with nothing but the table `name` of `names`, or OWN."""
        if name == OWN:
            return replace(self, kind="own", null=frozenset({""}), decimal=".")
        if self.files:
            return replace(self, path=self.files[name], files=MappingProxyType({}))
        return replace(self, tables=(name,), joins=())


def read_options(
    site: Mapping[str, Any], mapping: Mapping[str, Any], folder: Path, name: str
) -> SourceOptions:
    """Join the two tables into one. SetupError when they disagree or something is wrong."""
    for key in mapping:
        if key in site and site[key] != mapping[key]:
            raise SetupError(f"{name}: source.{key} differs from site.toml; remove one of them.")
        if key not in site and key not in _OF_MAPPING:
            raise SetupError(f"{name}: source.{key[:60]} belongs in site.toml; move it there.")
    kind = site.get("kind")
    # A mapping that was written over a CSV file serves the same columns in a database as well: how
    # fields are separated there is nothing to read, and no mistake.
    unread = (_OF_MAPPING - _KEYS[kind]) if isinstance(kind, str) and kind in _KEYS else frozenset()
    given = {**{key: value for key, value in mapping.items() if key not in unread}, **site}
    if not isinstance(kind, str) or not kind:
        raise SetupError("site.toml: source.kind is missing; add it as a text.")
    if kind not in _KEYS:
        raise SetupError(f"site.toml: source.kind must be one of: {', '.join(_KEYS)}.")
    for key in given:
        if key not in _KEYS[kind]:
            raise SetupError(
                f"site.toml: source has an unknown key '{key[:60]}' for {kind}; remove it."
            )
    files = _files(given, folder)
    tables = _tables(given)
    return SourceOptions(
        kind=kind,  # type: ignore[arg-type]
        path=Path() if files or kind == "postgresql" else _path(given, folder),
        files=files,
        null=_null(given.get("null", ["", "NA"])),
        decimal=_one_of(given.get("decimal", "."), (".", ","), "decimal"),
        delimiter=_one_of(given.get("delimiter", ","), DELIMITERS, "delimiter"),
        encoding=_encoding(given.get("encoding", "utf-8")),
        tables=tables,
        joins=_joins(given, tables),
        dsn_env=_dsn_env(given),
        dsn_file=folder / str(given["dsn_file"]) if "dsn_file" in given else None,
        schema=_name(given.get("schema", "public"), "schema"),
        query=_query(given),
        seconds=_limit(given, "timeout_seconds", USUAL_SECONDS, MOST_SECONDS),
        rows=int(_limit(given, "max_rows", USUAL_ROWS, MOST_ROWS)),
        own_answers=folder / DATABASE_FILE,
    )


def _path(given: Mapping[str, Any], folder: Path) -> Path:
    if not isinstance(given.get("path"), str) or not given["path"] or "\x00" in given["path"]:
        raise SetupError(
            "site.toml: source.path is missing; add it as a text "
            "(with `oncokring site init`: --data)."
        )
    return folder / str(given["path"])


def _files(given: Mapping[str, Any], folder: Path) -> Mapping[str, Path]:
    """`files` is {name: path}, in place of `path`."""
    files = given.get("files")
    if files is None:
        return MappingProxyType({})
    if "path" in given:
        raise SetupError("site.toml: source has both path and files; keep one of them.")
    if (
        not isinstance(files, Mapping)
        or not 1 <= len(files) <= MOST_TABLES
        or not all(isinstance(n, str) and _TABLE.fullmatch(n) for n in files)
        or not all(isinstance(p, str) and p and "\x00" not in p for p in files.values())
    ):
        raise SetupError(f"site.toml: source.files must name 1 to {MOST_TABLES} files.")
    return MappingProxyType({name: folder / path for name, path in files.items()})


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
        # A codec that makes bytes of bytes, such as zip, would blow up in memory.
        if isinstance(value, str) and value.isascii() and "x".encode(value).decode(value) == "x":
            name = codecs.lookup(value).name
            # A byte-order mark is not part of the first header.
            return "utf-8-sig" if name == "utf-8" else name
    except (LookupError, UnicodeError, ValueError):
        pass
    raise SetupError("site.toml: source.encoding is not known; use 'utf-8' or 'cp1252'.")


def _limit(given: Mapping[str, Any], key: str, usual: float, most: float) -> float:
    value = given.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise SetupError(f"site.toml: source.{key} must be a number.")
    if not 1 <= value <= most:
        raise SetupError(f"site.toml: source.{key} must lie between 1 and {most:.0f}.")
    return float(value)


def _name(value: object, key: str) -> str:
    if not isinstance(value, str) or not _TABLE.fullmatch(value):
        raise SetupError(f"site.toml: source.{key} must be a name.")
    return value


def _dsn_env(given: Mapping[str, Any]) -> str:
    if given["kind"] != "postgresql":
        return ""
    if ("dsn_env" in given) == ("dsn_file" in given):
        raise SetupError(
            "site.toml: source needs dsn_env (an environment variable) or dsn_file (a file that "
            "only the service user may read; with `oncokring site init`: --dsn-file) with the "
            "address of the database, not both."
        )
    if "dsn_file" in given and (not isinstance(given["dsn_file"], str) or not given["dsn_file"]):
        raise SetupError("site.toml: source.dsn_file must be the name of a file.")
    value = given.get("dsn_env", "")
    if "dsn_env" in given and (not isinstance(value, str) or not _ENVIRONMENT.fullmatch(value)):
        # Whoever writes the address itself here has written a password in a plain file.
        raise SetupError(
            "site.toml: source.dsn_env must be the name of an environment variable, such as "
            "ONCO_DSN, and not the address itself."
        )
    return str(value)


def _query(given: Mapping[str, Any]) -> str:
    if "query" not in given:
        return ""
    value = given["query"]
    if "tables" in given or "join" in given:
        raise SetupError("site.toml: source has both query and tables; keep one of them.")
    if not isinstance(value, str) or not value.strip() or "\x00" in value or len(value) > 20_000:
        raise SetupError("site.toml: source.query must be one SELECT statement.")
    text = value.strip().removesuffix(";").strip()
    if ";" in text or not re.match(r"(?i)(select|with)\s", text):
        raise SetupError("site.toml: source.query must be one SELECT statement without ';'.")
    return text


def _tables(given: Mapping[str, Any]) -> tuple[str, ...]:
    if given["kind"] not in ("sqlite", "duckdb", "postgresql") or "query" in given:
        return ()
    tables = given.get("tables")
    if (
        not isinstance(tables, list)
        or not 1 <= len(tables) <= MOST_TABLES
        or not all(isinstance(table, str) and _TABLE.fullmatch(table) for table in tables)
        or len(set(tables)) != len(tables)
    ):
        raise SetupError(
            "site.toml: source.tables must be a list of different table names; "
            "with `oncokring site init` name each with --table."
        )
    return tuple(tables)


def _joins(given: Mapping[str, Any], tables: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`join` is {left, right} for two tables, or a list of those for more.

    Without it several tables are read one by one, for a mapping that names each.
    """
    if "join" not in given:
        return ()
    value = given["join"]
    joins = [value] if isinstance(value, Mapping) else value
    if not isinstance(joins, list) or len(joins) != len(tables) - 1:
        raise SetupError("site.toml: source.join must join each further table once.")
    made = []
    for place, join in enumerate(joins, start=1):
        if (
            not isinstance(join, Mapping)
            or set(join) != {"left", "right"}
            or not all(isinstance(c, str) and _COLUMN_OF_TABLE.fullmatch(c) for c in join.values())
        ):
            raise SetupError("site.toml: source.join must be {left, right} as table.column.")
        if (
            join["left"].split(".")[0] not in tables[:place]
            or join["right"].split(".")[0] != tables[place]
        ):
            raise SetupError(
                "site.toml: source.join must go from an earlier table (left) to the next (right)."
            )
        made.append((join["left"], join["right"]))
    return tuple(made)
