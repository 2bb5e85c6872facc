"""What a patient can say yes or no to: the catalogue (design: consent.md 3.9), ready for use.

The items stand in catalogue.yaml beside this file and are read once, when the program starts.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Final

from consent.catalogue import LANGUAGES, Catalogue, Group, Item, read_catalogue
from consent.errors import ConsentError

__all__ = [
    "CATALOGUE",
    "GROUPS",
    "ITEMS",
    "LANGUAGES",
    "Group",
    "Item",
    "in_groups",
    "only_messages",
    "with_parents",
]

CATALOGUE: Final[Catalogue] = read_catalogue(
    files("consent").joinpath("catalogue.yaml").read_text(encoding="utf-8")
)
ITEMS: Final[Mapping[str, Item]] = CATALOGUE.items
GROUPS: Final[Mapping[str, Group]] = CATALOGUE.groups


def with_parents(codes: Iterable[str]) -> tuple[str, ...]:
    """`codes` and everything they rest on, parents first, each once.

    Raises ConsentError `requirement_set_empty` for nothing, `unknown_item` for a code that is not
    in the catalogue: neither may ever mean "no condition".
    """
    found: dict[str, None] = {}

    def add(code: str) -> None:
        item = ITEMS.get(code)
        if item is None:
            raise ConsentError("unknown_item")
        for parent in item.parents:
            add(parent)
        found[code] = None

    for code in codes:
        add(code)
    if not found:
        raise ConsentError("requirement_set_empty")
    return tuple(found)


def only_messages(codes: Iterable[str]) -> bool:
    """Whether all of these allow messages only, or nothing at all: no data may be used by them.
    A code that is not in the catalogue allows nothing anyway, and is not judged here."""
    found = [ITEMS[code] for code in codes if code in ITEMS]
    return bool(found) and all(item.contact or item.regime != "consent" for item in found)


def in_groups(codes: Iterable[str]) -> tuple[tuple[Group, tuple[Item, ...]], ...]:
    """The items of `codes` by group, groups in the order of the form, items as they came."""
    items = [ITEMS[code] for code in codes]
    pairs = (
        (group, tuple(item for item in items if item.group == group.code))
        for group in GROUPS.values()
    )
    return tuple((group, members) for group, members in pairs if members)
