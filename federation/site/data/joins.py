"""Rows that belong together: keys matched, rows of one key grouped. No row is ever multiplied."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from federation.site.data.values import Dates, Mask, Numbers, Places, Texts, Value


@dataclass(frozen=True)
class Matched:
    """places: for each row the row of the other table, -1 for none. unmatched: rows with a key
    that the other table does not have. ambiguous: rows with one that it has more than once."""

    places: Places
    unmatched: int
    ambiguous: int


def match(left: Texts, right: Texts) -> Matched:
    """Find for each key in `left` the one row of `right` that has it."""
    first: dict[str, int] = {}
    twice: set[str] = set()
    for place, key in enumerate(right.list()):
        if key in first:
            twice.add(key)
        else:
            first[key] = place
    for key in twice | {""}:
        first.pop(key, None)
    found = left.numbers(lambda text: float(first.get(text, math.nan)))
    places = np.where(np.isfinite(found), found, -1).astype(np.int64)
    many = left.numbers(lambda text: float(text in twice))
    ambiguous = int(np.count_nonzero(many[left.known]))
    lost = int(np.count_nonzero(left.known & (places < 0)))
    return Matched(places, lost - ambiguous, ambiguous)


@dataclass(frozen=True)
class Groups:
    """Rows with the same key, below the same row, as one row each, in order of their first row.

    of_row: each row's group, -1 without a key. first: the first row of each group.
    """

    of_row: Places
    first: Places

    @property
    def size(self) -> int:
        return len(self.first)


def group(keys: Texts, above: Places | None = None) -> Groups:
    """The groups of equal keys; with `above`, of equal keys below the same row."""
    ids = keys.ids()
    if above is not None:
        whole = np.where(keys.known, ids, 0.0).astype(np.int64)  # only known keys are grouped
        ids = whole * (above.max(initial=0) + 2) + above + 1
    known = np.flatnonzero(keys.known)
    _, first, inverse = np.unique(ids[known], return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    of_row = np.full(len(keys), -1, np.int64)
    of_row[known] = rank[inverse]
    return Groups(of_row, known[first[order]].astype(np.int64))


def repeats(keys: Texts) -> int:
    """How many rows have a key that an earlier row has too."""
    return int(np.count_nonzero(keys.known)) - group(keys).size


def first_known(value: Value, groups: Groups) -> tuple[Value, int]:
    """One value per group, the first that is known; and in how many groups rows disagree."""
    usable = np.flatnonzero(value.known & (groups.of_row >= 0))
    owners = groups.of_row[usable]
    different, first = np.unique(owners, return_index=True)
    # a group in which nothing is known keeps what its first row has: missing, or without meaning
    places = groups.first.copy()
    places[different] = usable[first]
    ids = value.ids()
    unlike = ids[usable] != ids[places[owners]]
    return value.take(places), len(np.unique(owners[unlike]))


def first_rows(owners: Places, size: int, order: Value | None) -> Places:
    """Per owner, of `size`, the first of its rows by `order` or as they come; -1 for none.

    Rows whose place in the order is not known come last.
    """
    rank = np.zeros(len(owners)) if order is None else _rank(order)
    sorted_rows = np.lexsort((np.arange(len(owners)), rank))
    sorted_rows = sorted_rows[owners[sorted_rows] >= 0]
    found = np.full(size, -1, np.int64)
    different, first = np.unique(owners[sorted_rows], return_index=True)
    found[different] = sorted_rows[first]
    return found


def _rank(value: Value) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if isinstance(value, Dates):
        found, known = value.low, value.known
    elif isinstance(value, Numbers):
        found, known = value.values, value.known
    else:
        by_text = {text: n for n, text in enumerate(sorted(set(value.texts)))}
        found, known = value.numbers(lambda text: float(by_text[text])), value.known
    return np.where(known, found, np.inf)


def chain(one: Places, other: Places) -> Places:
    """`other` at the places `one` leads to; -1 where either leads nowhere."""
    if len(other) == 0:
        return np.full(len(one), -1, np.int64)
    return np.where(one < 0, -1, other[one])


def some(mask: Mask) -> Places:
    """The places where `mask` holds."""
    return np.flatnonzero(mask).astype(np.int64)
