"""Which of a codebook's own derivations a mapping has what it takes for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from federation.site.data import expressions as ex
from federation.site.data.derived import Derived
from federation.site.data.mapping_forms import CountOf, FirstOf, Node
from federation.site.data.mapping_tables import MappedTable


def add_derived(
    derived: Derived, tables: Mapping[str, MappedTable], items: dict[str, dict[str, Node]]
) -> None:
    """Add to `items`, by unit, what can be derived and is neither given nor said to be absent.

    Again until nothing is added: a patient's first score is made of the questionnaires below, and
    what changed since then of that.
    """
    left = [
        (unit, name, node)
        for unit, name, node in derived.definitions
        if unit in items and name not in tables[unit].absent
    ]
    added = True
    while added:
        added, later = False, []
        for unit, name, node in left:
            if name in items[unit]:
                continue
            if _is_there(items, unit, node):
                items[unit][name] = node
                added = True
            else:
                later.append((unit, name, node))
        left = later


def _is_there(items: Mapping[str, Mapping[str, Node]], unit: str, node: Any) -> bool:
    """Whether the mapping has every item that a derivation names."""
    if isinstance(node, CountOf):
        return node.unit in items and _is_there(items, node.unit, node.when)
    if isinstance(node, FirstOf):
        there = {node.name, node.by or node.name} <= set(items.get(node.unit, {}))
        return there and _is_there(items, node.unit, node.when)
    if isinstance(node, ex.Name):
        return node.name in items.get(node.table or unit, {})
    if isinstance(node, tuple):
        return all(_is_there(items, unit, each) for each in node)
    if is_dataclass(node):
        return all(_is_there(items, unit, getattr(node, each.name)) for each in fields(node))
    return True
