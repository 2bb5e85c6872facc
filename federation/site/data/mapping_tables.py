"""A mapping of version 2: a table per unit, read from one or more tables of the source.

    version: 2
    codebook: oncomin/1
    tables:
      patient:
        key: key_nkr
        sex: {column: gesl, map: {1: male, 2: female}}
      tumour:
        key: key_eid
        incidence_date: {column: incjr, format: "%Y"}
      treatment:
        explode: {chemotherapy: chemo, surgery: org_chir}
        when: "value == 1"
        treatment_kind: {expr: label}

`from`, `parent`, `join`, `let` and `variables` are described in docs/reference/mapping.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from federation.site.data import expressions as ex
from federation.site.data.mapping_forms import (
    MAX_LABELS,
    Node,
    parts,
    read_expression,
    read_form,
)
from federation.site.data.own_answers import filled_in
from federation.site.data.source_options import OWN
from federation.site.errors import SetupError

MAX_TABLES: Final = 10
MAX_ITEMS: Final = 300
MAX_JOINS: Final = 8
MAX_NODES: Final = 10_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED: Final = ("key", "parent", "from", "join", "explode", "when", "let", "variables")


@dataclass(frozen=True)
class Join:
    """The rows of `table` whose column `right` is what `left` is here; none, or exactly one."""

    name: str
    table: str
    left: Node
    right: str


@dataclass(frozen=True)
class MappedTable:
    """One unit. table: of the source, "" for its only one. key: None when rows have no number of
    their own. row_number: the number of the row stands for it. explode: per label its columns.
    let: items of the mapping's own. absent: what is not recorded here and must not be derived."""

    unit: str
    table: str
    key: Node | None
    row_number: bool
    parent: Node | None
    joins: tuple[Join, ...]
    explode: tuple[tuple[str, str], ...]
    when: ex.Tree | None
    items: Mapping[str, Node]
    let: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Expected:
    """What `site check` holds the data against; None where the mapping says nothing."""

    rows_min: int | None = None
    unmapped_max_pct: float | None = None


def read_tables(value: object, source: tuple[str, ...], where: str) -> Mapping[str, MappedTable]:
    """The tables by unit, in order of the file. `source`: the tables that may be named."""
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_TABLES:
        raise SetupError(f"{where} must hold 1 to {MAX_TABLES} tables, one per unit.")
    tables = {
        _unit(unit, where): _table(unit, table, source, f"{where}.{unit}")
        for unit, table in value.items()
    }
    nodes = sum(
        1 for table in tables.values() for item in table.items.values() for _ in parts(item)
    )
    if nodes > MAX_NODES:
        raise SetupError(f"{where} has more than {MAX_NODES} parts of expressions; shorten them.")
    return MappingProxyType(tables)


def read_expected(value: object, where: str) -> Expected:
    """`expect: {rows_min, unmapped_max_pct}`."""
    if value is None:
        return Expected()
    if not isinstance(value, dict) or not set(value) <= {"rows_min", "unmapped_max_pct"}:
        raise SetupError(f"{where} may hold rows_min and unmapped_max_pct only.")
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise SetupError(f"{where}.{key} must be a number of 0 or more.")
    rows, percent = value.get("rows_min"), value.get("unmapped_max_pct")
    return Expected(
        None if rows is None else int(rows), None if percent is None else float(percent)
    )


def _unit(value: object, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise SetupError(f"{where} must have names of units, such as patient.")
    return value


def _table(unit: str, value: object, source: tuple[str, ...], where: str) -> MappedTable:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SetupError(f"{where} must consist of named keys.")
    if value.get("from") == OWN:
        value = filled_in(value)
    let = _block(value, "let", where)
    given = {
        **{name: form for name, form in value.items() if name not in _RESERVED},
        **_block(value, "variables", where),
    }
    items = {name: form for name, form in given.items() if form is not None}
    if twice := set(items) & set(let):
        raise SetupError(f"{where}.let has '{min(twice)}', which is there already; rename it.")
    if len(items) + len(let) > MAX_ITEMS:
        raise SetupError(f"{where} has more than {MAX_ITEMS} items; split the codebook.")
    joins = _joins(value.get("join", {}), source, f"{where}.join")
    explode = _explode(value.get("explode"), f"{where}.explode")
    key, row_number = _key(value.get("key"), f"{where}.key")
    return MappedTable(
        unit=unit,
        table=_source_table(value.get("from"), source, f"{where}.from"),
        key=key,
        row_number=row_number,
        parent=_link(value.get("parent"), f"{where}.parent"),
        joins=joins,
        explode=explode,
        when=read_expression(value["when"], f"{where}.when") if "when" in value else None,
        items=MappingProxyType(
            {
                _item(name, where): read_form(form, f"{where}.{name}")
                for name, form in {**items, **let}.items()
            }
        ),
        let=frozenset(let),
        absent=frozenset(_item(name, where) for name in set(given) - set(items)),
    )


def _block(value: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    block = value.get(key, {})
    if not isinstance(block, dict) or not all(isinstance(name, str) for name in block):
        raise SetupError(f"{where}.{key} must consist of named items.")
    return block


def _item(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise SetupError(f"{where} must have names of the codebook, not '{name[:60]}'.")
    return name


def _source_table(value: object, source: tuple[str, ...], where: str) -> str:
    if value is None:
        # Tables that site.toml joins are one table.
        return source[0] if len(source) == 1 else ""
    if value == OWN:
        return OWN
    if not isinstance(value, str) or value not in source:
        listed = ", ".join(source) or "none: site.toml names one file without a name"
        raise SetupError(f"{where} must be a table of the source ({listed}), or {OWN}.")
    return value


def _key(value: object, where: str) -> tuple[Node | None, bool]:
    if value is None:
        return None, False
    if value == {"row_number": True}:
        return None, True
    return _link(value, where), False


def _link(value: object, where: str) -> Node | None:
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {"expr"}:
        return read_expression(value["expr"], where)
    if isinstance(value, str):
        return read_form(value, where)
    raise SetupError(f"{where} must be the name of a column, or {{expr: …}}.")


def _joins(value: object, source: tuple[str, ...], where: str) -> tuple[Join, ...]:
    """`join: {labs: {from: labs, on: [key_nkr, patient_nr]}}`, in order of the file."""
    if not isinstance(value, dict) or len(value) > MAX_JOINS:
        raise SetupError(f"{where} must name at most {MAX_JOINS} joined tables.")
    made: list[Join] = []
    for name, join in value.items():
        here = f"{where}.{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SetupError(f"{where} must name each joined table in small letters.")
        if not isinstance(join, dict) or set(join) - {"from", "on"} or "on" not in join:
            raise SetupError(f"{here} must be {{from: table, on: [column here, column there]}}.")
        on = join["on"] if isinstance(join["on"], list) else [join["on"]] * 2
        if len(on) != 2 or not all(isinstance(column, str) and column for column in on):
            raise SetupError(f"{here}.on must be one column, or a list of two.")
        made.append(
            Join(
                name=name,
                table=_source_table(join.get("from", name), source, f"{here}.from"),
                left=read_form(on[0], f"{here}.on"),
                right=on[1],
            )
        )
    return tuple(made)


def _explode(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or not value:
        raise SetupError(f"{where} must give a column, or a list of columns, per label.")
    pairs = []
    for label, columns in value.items():
        names = columns if isinstance(columns, list) else [columns]
        if not isinstance(label, str | int) or not all(isinstance(n, str) and n for n in names):
            raise SetupError(f"{where} must give a column, or a list of columns, per label.")
        pairs += [(str(label), name) for name in names]
    if len(pairs) > MAX_LABELS:
        raise SetupError(f"{where} has more than {MAX_LABELS} columns; explode fewer.")
    return tuple(pairs)
