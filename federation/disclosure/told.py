"""What the hub's kept numbers say of a set of patients: told, or holding something held back.

By definition and pooled number only (federation.disclosure.nesting); the hospitals themselves
recognise sets by their patients (federation.disclosure.recognition).
"""

from __future__ import annotations

from collections.abc import Iterable

from federation.disclosure.nesting import ReleasedSet


def is_told(one: ReleasedSet, n: int, earlier: Iterable[ReleasedSet]) -> bool:
    """Whether shown numbers tell of this set of `n` patients: of the same set, of parts of it by
    one and the same table that add up to all of it, none of them hidden, or of a wider set and of
    all of that which is not in this one.

    The same conditions with the same number are taken as the same set, whoever has a value in which
    other variables: the hospitals have made sure that the set is no new one.
    """
    wide = one.of_anybody
    conditions = wide.definition
    parts: dict[str, dict[bytes, int | None]] = {}
    wider: list[ReleasedSet] = []
    beside: list[ReleasedSet] = []
    for old in earlier:
        if old.n == n and old.of_anybody.definition == conditions:
            return True
        if old.table and wide.contains(old):
            cells = parts.setdefault(old.table, {})
            cells[old.definition] = cells.get(old.definition) or old.n
        if old.n is None:
            continue
        if old.of_anybody.contains(one):
            wider.append(old.of_anybody)
        elif old.n > 0 and one.excludes(old):
            beside.append(old)
    numbers = [list(cells.values()) for cells in parts.values()]
    if any(None not in cells and sum(filter(None, cells)) == n for cells in numbers):
        return True
    return any(
        whole.n == n + (rest.n or 0) and whole.contains(rest) for whole in wider for rest in beside
    )


def rosters_of(one: ReleasedSet, earlier: Iterable[ReleasedSet]) -> set[frozenset[str]]:
    """Over which hospitals sets of these conditions were answered, whoever has a value in what."""
    return {old.sites for old in earlier if old.conditions == one.conditions}


def holds_hidden(one: ReleasedSet, earlier: Iterable[ReleasedSet]) -> bool:
    """Whether a part of this set was held back, and never shown since.

    Conditions that are taken as they are (`any`, `not`) do not say what lies inside what. Where the
    two differ in them, a hidden set may be a part unless something else keeps the two apart.
    """
    hidden: set[bytes] = set()
    told: set[bytes] = set()
    for old in earlier:
        unclear = old.other != one.other and not one.excludes(old)
        if unclear or one.contains(old):
            (hidden if old.n is None else told).add(old.definition)
    return bool(hidden - told)
