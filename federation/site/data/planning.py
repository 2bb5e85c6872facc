"""A mapping of version 2 held against its codebook: every name found, every kind checked.

What comes out can be read without a question left: which item is which column or which other item,
in which order, and which variables of the codebook can be answered. A name that is a column is the
only thing that the data themselves still have to bear out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from federation.query.codebook import Codebook
from federation.query.dated import named_in_dates
from federation.query.errors import did_you_mean
from federation.query.units import above
from federation.query.variables import Variable
from federation.site.data import expressions as ex
from federation.site.data.date_formats import ISO_DATE
from federation.site.data.derived import Derived, derived_of
from federation.site.data.deriving import add_derived
from federation.site.data.kinds import Kind, Kinds, fits
from federation.site.data.mapping_forms import (
    ByLabel,
    ByYear,
    Column,
    CountOf,
    DateText,
    Exploded,
    FirstOf,
    Item,
    Joined,
    MapTexts,
    Node,
    parts,
)
from federation.site.data.mapping_tables import MappedTable
from federation.site.data.meanings import truth_meaning
from federation.site.data.plan import Plan, PlannedTable, names_of
from federation.site.errors import SetupError

MAX_CHAIN: Final = 60


def make_plan(tables: Mapping[str, MappedTable], codebook: Codebook, name: str) -> Plan:
    """Hold the tables of mapping `name` against the whole of `codebook`. Raises SetupError."""
    return _Planner(tables, codebook.whole, derived_of(codebook.id), name).plan()


class _Planner:
    def __init__(
        self, tables: Mapping[str, MappedTable], codebook: Codebook, derived: Derived, name: str
    ) -> None:
        self._tables = tables
        self._codebook = codebook
        self._derived = derived
        self._file = name
        self._units = codebook.units
        self._dated = named_in_dates(codebook)
        self._items: dict[str, dict[str, Node]] = {}
        self._resolved: dict[tuple[str, str], Node] = {}
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._open: list[tuple[str, str]] = []
        self._needed: set[tuple[str, str]] = set()
        self._kind = Kinds(self._item, self._wrong)

    def plan(self) -> Plan:
        for unit in self._tables:
            if unit not in self._units:
                hint = did_you_mean(unit, self._units)
                raise self._wrong(unit, f"is not a unit of {self._codebook.id}. {hint}")
            missing = [each for each in above(self._units, unit) if each not in self._tables]
            if missing:
                raise self._wrong(unit, f"needs a table {missing[0]} as well; add it")
            self._items[unit] = self._checked(unit)
        add_derived(self._derived, self._tables, self._items)
        for unit, items in self._items.copy().items():
            for name in list(items):
                self._item(unit, name)
        links = {u: (self._key(u, t.key), self._parent(u)) for u, t in self._tables.items()}
        self._need(list(links.values()))
        found = {}
        for unit in self._units:
            if unit in self._tables:
                found[unit] = self._planned(unit, *links[unit])
        return Plan(found)

    def _need(self, left: list[Any]) -> None:
        """Note which items others need, however far away: an own item that nothing needs is checked
        like the others, but never read."""
        left += [
            self._resolved[unit, name]
            for unit, items in self._items.items()
            for name in items
            if name not in self._tables[unit].let or name in self._dated
        ]
        while left:
            for each in parts(left.pop()):
                if isinstance(each, Item | FirstOf | CountOf):
                    names = {
                        (each.unit, name)
                        for name in names_of(each)
                        if (each.unit, name) not in self._needed
                    }
                    self._needed |= names
                    left += [self._resolved[place] for place in names]

    def _wrong(self, where: str, what: str) -> SetupError:
        return SetupError(f"{self._file}: tables.{where} {what}.")

    def _checked(self, unit: str) -> dict[str, Node]:
        table = self._tables[unit]
        known = {n for n, v in self._codebook.variables.items() if v.per == unit}
        allowed = known | self._derived.items.get(unit, frozenset()) | table.let
        for name in (*table.items, *table.absent):
            if name in allowed:
                continue
            variable = self._codebook.variables.get(name)
            if variable is not None:
                raise self._wrong(f"{unit}.{name}", f"belongs in the table {variable.per}; move it")
            hint = did_you_mean(name, allowed)
            raise self._wrong(
                f"{unit}.{name}", f"is not in the codebook. {hint} Own items go below let"
            )
        if taken := table.let & known:
            raise self._wrong(f"{unit}.let.{min(taken)}", "is in the codebook; move it out of let")
        return dict(table.items)

    def _planned(self, unit: str, key: Node | None, parent: Node | None) -> PlannedTable:
        table = self._tables[unit]
        kinds = {name: self._kinds[unit, name] for name in self._items[unit]}
        variables = []
        for name, variable in self._codebook.variables.items():
            if variable.per == unit and name in kinds:
                if not fits(kinds[name], variable):
                    raise self._wrong(
                        f"{unit}.{name}", f"gives a {kinds[name]}, which is no {variable.type}"
                    )
                self._check_levels(unit, variable)
                variables.append(name)
        below = [u for u in self._tables if u != unit and unit in above(self._units, u)]
        collapsed = any(self._tables[u].table == table.table for u in below)
        if collapsed and not table.key:
            raise self._wrong(f"{unit}.key", "is missing; name the column that tells rows apart")
        if unit == next(iter(self._units)) and not table.key and not table.row_number:
            raise self._wrong(f"{unit}.key", "is missing; name the column with the patient number")
        return PlannedTable(
            unit=unit,
            table=table.table,
            parent_unit=self._units[unit],
            key=key,
            row_number=table.row_number,
            parent=parent,
            joins=tuple(
                replace(join, left=self._of_columns(unit, join.left, f"join.{join.name}"))
                for join in table.joins
            ),
            explode=table.explode,
            when=None if table.when is None else self._when(unit, table.when),
            items={
                name: self._resolved[unit, name]
                for name in self._items[unit]
                if name not in table.let or name in self._dated or (unit, name) in self._needed
            },
            kinds=kinds,
            variables=tuple(variables),
            collapsed=collapsed,
        )

    def _check_levels(self, unit: str, variable: Variable) -> None:
        """What a map or rules lead to is a value of the codebook."""
        node = self._resolved[unit, variable.name]
        meant: set[str] = set()
        if isinstance(node, MapTexts):
            meant = {value for value in node.pairs.values() if value is not None}
        elif isinstance(node, ByYear):
            meant = {value for _, _, value in node.rules}
        elif isinstance(node, ex.Text):
            meant = {node.value}
        levels = variable.group_labels if variable.type == "category" else None
        wrong = sorted(meant - set(levels)) if levels is not None else []
        if variable.type == "boolean":
            wrong = sorted(value for value in meant if math.isinf(truth_meaning(value)))
        if wrong:
            raise self._wrong(
                f"{unit}.{variable.name}", f"leads to '{wrong[0][:60]}', which the codebook has not"
            )

    def _key(self, unit: str, node: Node | None) -> Node | None:
        if node is not None and self._units[unit] is None:
            # The patient's number is read without a codebook, too: for letters and handles.
            if not isinstance(node, Column) or self._column(unit, node).table:
                raise self._wrong(f"{unit}.key", "must be a column of this table")
            return node
        return self._linked(unit, node, "key")

    def _linked(self, unit: str, node: Node | None, what: str) -> Node | None:
        """What tells rows apart or finds them: known before any row has its place."""
        if node is None:
            return None
        found: Node = self._resolve(unit, node, what)
        if not self._is_plain(found):
            raise self._wrong(f"{unit}.{what}", "may use columns of its own row only")
        return found

    def _is_plain(self, node: Any) -> bool:
        for each in parts(node):
            if isinstance(each, CountOf | FirstOf) or (isinstance(each, Item) and each.above):
                return False
            if isinstance(each, Item):
                self._item(each.unit, each.name)
                if not self._is_plain(self._resolved[each.unit, each.name]):
                    return False
        return True

    def _of_columns(self, unit: str, node: Node, what: str) -> Node:
        found: Node = self._resolve(unit, node, what)
        if any(isinstance(each, Item | CountOf | FirstOf) for each in parts(found)):
            raise self._wrong(f"{unit}.{what}", "may use columns only, not items of the mapping")
        return found

    def _when(self, unit: str, node: Node) -> Node:
        found = self._of_columns(unit, node, "when")
        if self._kind.of(found, f"{unit}.when") != "truth":
            raise self._wrong(f"{unit}.when", "must be a comparison, such as value == 1")
        return found

    def _parent(self, unit: str) -> Node | None:
        """What names the row above; None where both are the same row of the data."""
        parent = self._units[unit]
        table = self._tables[unit]
        if parent is None:
            if table.parent is not None:
                raise self._wrong(f"{unit}.parent", "has no sense here; remove it")
            return None
        if table.parent is not None:
            return self._linked(unit, table.parent, "parent")
        other = self._tables[parent]
        if other.table == table.table and _is_whole(other):
            return None
        if other.table != table.table and isinstance(other.key, Column):
            return self._column(unit, other.key)  # the same column here as there
        raise self._wrong(f"{unit}.parent", f"is missing; name the column with the {parent}'s key")

    def _item(self, unit: str, name: str) -> Kind:
        """Resolve one item and what it needs; its kind. Raises SetupError for a circle."""
        place = (unit, name)
        if place not in self._kinds:
            if place in self._open or len(self._open) > MAX_CHAIN:
                way = " → ".join(f"{u}.{n}" for u, n in [*self._open[-5:], place])
                raise self._wrong(f"{unit}.{name}", f"needs itself ({way}); write it otherwise")
            self._open.append(place)
            node = self._resolve(unit, self._items[unit][name], name)
            self._resolved[place] = node
            self._kinds[place] = self._kind.of(node, f"{unit}.{name}")
            self._open.pop()
        return self._kinds[place]

    def _resolve(self, unit: str, node: Any, what: str) -> Any:
        """The same tree with every name a column or an item, and days read where days are due."""
        if isinstance(node, tuple):
            return tuple(self._resolve(unit, each, what) for each in node)
        if isinstance(node, ex.Name):
            return self._name(unit, node, what)
        if isinstance(node, Column):
            return self._column(unit, node)
        if isinstance(node, CountOf | FirstOf):
            return self._from_below(unit, node, what)
        if isinstance(node, ByLabel) and not self._tables[unit].explode:
            raise self._wrong(f"{unit}.{what}", "has by_label, but the table does not explode")
        if not is_dataclass(node):
            return node
        changed = {
            each.name: self._resolve(unit, getattr(node, each.name), what)
            for each in fields(node)
            if isinstance(getattr(node, each.name), tuple) or is_dataclass(getattr(node, each.name))
        }
        made = replace(node, **changed)  # type: ignore[type-var]
        if isinstance(made, ex.Call) and made.name in ("days", "years", "year"):
            ends = tuple(self._as_date(each, f"{unit}.{what}") for each in made.arguments)
            return replace(made, arguments=ends)
        if isinstance(made, ex.Arithmetic) and made.op == "+":
            # Whether the two go together is seen once, when the whole tree is there.
            if self._is_text(made.left) or self._is_text(made.right):
                return Joined(made.left, made.right)
        return made

    def _is_text(self, node: Any) -> bool:
        """Whether a resolved node is a text for certain. Looks no deeper than it must."""
        if isinstance(node, Item):
            return self._item(node.unit, node.name) == "text"
        if isinstance(node, ex.Call):
            texts = node.name in ("lower", "upper")
            return texts or (node.name == "first_known" and all(map(self._is_text, node.arguments)))
        return isinstance(node, ex.Text | ex.Slice | Joined)

    def _as_date(self, node: Any, where: str) -> Any:
        return DateText(node, (ISO_DATE,), "day") if self._kind.of(node, where) == "raw" else node

    def _column(self, unit: str, node: Column) -> Column:
        if node.table:
            return node
        table, point, name = node.name.partition(".")
        aliases = {join.name for join in self._tables[unit].joins}
        return Column(table, name) if point and table in aliases else node

    def _name(self, unit: str, node: ex.Name, what: str) -> Node:
        table = self._tables[unit]
        if node.quoted:
            return Column("", node.name)
        if not node.table:
            if table.explode and node.name in ("label", "value"):
                return Exploded(node.name)
            if node.name in self._items[unit] and node.name != what:
                return Item(unit, node.name, above=False)
            for other in self._same_rows(unit):
                if node.name in self._items[other]:
                    return Item(other, node.name, above=False)
            return Column("", node.name)
        if node.table in {join.name for join in table.joins}:
            return Column(node.table, node.name)
        if node.table not in self._tables:
            return Column("", f"{node.table}.{node.name}")
        return self._of_table(unit, node, what)

    def _of_table(self, unit: str, node: ex.Name, what: str) -> Item:
        """An item that is named with its table."""
        if node.name not in self._items[node.table]:
            hint = did_you_mean(node.name, self._items[node.table])
            raise self._wrong(
                f"{unit}.{what}", f"names {node.table}.{node.name}, which is not there. {hint}"
            )
        if node.table == unit:
            return Item(unit, node.name, above=False)
        if node.table in above(self._units, unit):
            return Item(node.table, node.name, above=True)
        if node.table in self._same_rows(unit):
            return Item(node.table, node.name, above=False)
        raise self._wrong(
            f"{unit}.{what}",
            f"names {node.table}.{node.name}, of which a {unit} may have several; use first_of",
        )

    def _same_rows(self, unit: str) -> list[str]:
        """Other units of which each row of the data is a row as well."""
        table = self._tables[unit].table
        return [
            other
            for other, found in self._tables.items()
            if other != unit and found.table == table and _is_whole(found)
        ]

    def _from_below(self, unit: str, node: CountOf | FirstOf, what: str) -> Node:
        where = f"{unit}.{what}"
        below = [u for u in self._tables if u != unit and unit in above(self._units, u)]
        if node.unit not in below:
            raise self._wrong(where, f"counts {node.unit[:60]}, which is no table below {unit}")
        for name in (node.name, node.by) if isinstance(node, FirstOf) else ():
            if name and name not in self._items[node.unit]:
                raise self._wrong(where, f"names {node.unit}.{name[:60]}, which is not there")
        if node.when is None:
            return node
        # The condition is an item of the unit below like any other, under a name of its own.
        name = f"{unit}.{what}"
        self._items[node.unit][name] = node.when  # type: ignore[assignment]
        if self._item(node.unit, name) != "truth":
            raise self._wrong(where, "has a when that is no comparison")
        return replace(node, when=name)


def _is_whole(table: MappedTable) -> bool:
    return not table.explode and table.when is None
