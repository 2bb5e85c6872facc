"""What is read for a mapping of version 2, with no name left to be looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from federation.site.data.kinds import Kind
from federation.site.data.mapping_forms import Column, CountOf, FirstOf, Item, Node, parts
from federation.site.data.mapping_tables import Join, MappedTable


@dataclass(frozen=True)
class PlannedTable:
    """One unit, its names resolved. variables: the codebook's own among `items`, in its order.
    collapsed: rows with the same key are one row of the unit, because a unit below is read from
    the same table of the source. below: the units whose rows belong to rows of this one."""

    unit: str
    table: str
    parent_unit: str | None
    key: Node | None
    row_number: bool
    parent: Node | None
    joins: tuple[Join, ...]
    explode: tuple[tuple[str, str], ...]
    when: Node | None
    items: Mapping[str, Node]
    kinds: Mapping[str, Kind]
    variables: tuple[str, ...]
    collapsed: bool

    @property
    def whole(self) -> bool:
        """Whether each row of the table that is read is a row here."""
        return not self.explode and self.when is None

    def columns(self) -> dict[str, set[str]]:
        """The columns that are needed, by name of the joined table, "" for its own."""
        found: dict[str, set[str]] = {"": {column for _, column in self.explode}}
        for join in self.joins:
            found.setdefault(join.name, set()).add(join.right)
        nodes = [*self.items.values(), self.key, self.parent, self.when]
        for node in [*nodes, *(join.left for join in self.joins)]:
            for each in parts(node):
                if isinstance(each, Column):
                    found.setdefault(each.table, set()).add(each.name)
        return found


@dataclass(frozen=True)
class Plan:
    """Tables by unit, the highest first."""

    tables: Mapping[str, PlannedTable]

    def variables(self, unit: str) -> frozenset[str]:
        """The variables that rows of `unit` can have, those of the units above included."""
        found: set[str] = set()
        name: str | None = unit
        while name is not None and name in self.tables:
            found |= set(self.tables[name].variables)
            name = self.tables[name].parent_unit
        return frozenset(found)


def key_only(table: MappedTable) -> PlannedTable:
    """The highest table with nothing but its key: a column, so that no codebook is needed."""
    return PlannedTable(
        unit=table.unit,
        table=table.table,
        parent_unit=None,
        key=table.key,
        row_number=table.row_number,
        parent=None,
        joins=(),
        explode=(),
        when=None,
        items={},
        kinds={},
        variables=(),
        collapsed=table.key is not None,
    )


def names_of(node: Item | FirstOf | CountOf) -> set[str]:
    """The items of its unit that a node needs."""
    if isinstance(node, Item):
        return {node.name}
    when = set() if node.when is None else {str(node.when)}
    if isinstance(node, FirstOf):
        return ({node.name, node.by} - {""}) | when
    return when
