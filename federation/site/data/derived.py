"""What a built-in codebook derives from dates and other items that stay in the hospital.

`oncomin-1.derived.yaml` beside `oncomin-1.yaml` names, per unit, the items that a mapping may fill
though no query may see them, and how variables follow from items. A derivation is used where the
mapping has all it needs and does not give the variable itself; of several, the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from federation.query.builtin import beside
from federation.query.yaml_data import load_yaml
from federation.site.data.mapping_forms import Node, read_form


@dataclass(frozen=True)
class Derived:
    """items: by unit. definitions: (unit, variable, tree with unresolved names), in order."""

    items: Mapping[str, frozenset[str]]
    definitions: tuple[tuple[str, str, Node], ...]


@cache
def derived_of(codebook: str) -> Derived:
    """What belongs to the built-in codebook of this name; nothing for any other."""
    data = beside(codebook, "derived")
    if data is None:
        return Derived({}, ())
    value = load_yaml(data)
    definitions: list[tuple[str, str, Node]] = []
    for unit, named in value["derived"].items():
        for name, forms in named.items():
            for form in forms if isinstance(forms, list) else [forms]:
                definitions.append((unit, name, read_form(form, f"derived.{unit}.{name}")))
    items = {unit: frozenset(names) for unit, names in value["items"].items()}
    return Derived(items, tuple(definitions))
