"""How the items of a text are asked: one subject per page, and what a "no" closes. Pure.

An item that rests on another is never on the same page as that other, so that a "no" is known
before the page is made; an item with a screen of its own stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from consent.items import ITEMS, with_parents

YES, NO, LATER = "yes", "no", "later"
ANSWERS: Final = (YES, NO, LATER)
MOST: Final = 5


@dataclass(frozen=True)
class Section:
    """One page of the form: the questions of one subject."""

    group: str
    items: tuple[str, ...]


def sections(items: Sequence[str]) -> tuple[Section, ...]:
    """The pages for these items of a text, in its order, each item after what it rests on."""
    pages: list[Section] = []
    run: list[str] = []
    for item in _parents_first(items):
        if run and not _fits(item, run):
            pages.extend(_split(run))
            run = []
        run.append(item)
    pages.extend(_split(run))
    return tuple(pages)


def parents_in(item: str) -> tuple[str, ...]:
    """Everything the item rests on, the furthest first."""
    return tuple(code for code in with_parents([item]) if code != item)


def closed_by(item: str, given: Mapping[str, str]) -> str | None:
    """The item whose answer keeps this one from being asked; None when it may be asked.

    A parent without an answer closes too: it comes first.
    """
    return next((code for code in parents_in(item) if given.get(code) != YES), None)


def open_items(section: Section, given: Mapping[str, str]) -> tuple[str, ...]:
    """What is asked on this page after the answers so far."""
    return tuple(item for item in section.items if closed_by(item, given) is None)


def missing(items: Iterable[str], given: Mapping[str, str]) -> tuple[str, ...]:
    """What may be asked and has no answer yet."""
    return tuple(
        item for item in items if given.get(item) not in ANSWERS and closed_by(item, given) is None
    )


def said(items: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """What is written down for each item: the answer, and "later" for what was not asked.

    Nothing that rests on a "no" becomes a "yes", whatever was answered before; a "no" stays.
    """
    whole: dict[str, str] = {}
    for item in _parents_first(items):
        answer = given.get(item, LATER)
        if answer != NO and closed_by(item, whole) is not None:
            answer = LATER
        whole[item] = answer
    return {item: whole[item] for item in items}


def not_asked(items: Sequence[str], given: Mapping[str, str]) -> frozenset[str]:
    """The items that a "no", or "I don't know yet", to another one leaves out."""
    whole = said(items, given)
    return frozenset(
        item for item in items if whole[item] == LATER and closed_by(item, whole) is not None
    )


def left_out_by(item: str, kinds: Mapping[str, str]) -> str | None:
    """The item because of which this one was not asked in the same act; None when it was asked.

    kinds: what was written down for each item ("granted", "refused", "deferred" and so on).
    """
    if item not in ITEMS or kinds.get(item) != "deferred":
        return None
    given = {code: YES if kind == "granted" else NO for code, kind in kinds.items()}
    parent = closed_by(item, given)
    return parent if parent in kinds else None


def basic(items: Sequence[str], requires: Iterable[str]) -> tuple[str, ...]:
    """What "yes to the basic questions" answers: what the study cannot do without, but never an
    item with a screen of its own."""
    needed = set(with_parents(requires))
    return tuple(item for item in items if item in needed and ITEMS[item].in_yes_to_all)


def _fits(item: str, run: Sequence[str]) -> bool:
    if ITEMS[item].group != ITEMS[run[0]].group:
        return False
    if ITEMS[item].own_screen or ITEMS[run[0]].own_screen:
        return False
    return not set(parents_in(item)) & set(run)


def _split(run: Sequence[str]) -> list[Section]:
    """At most `MOST` on a page, about equally many on each."""
    if not run:
        return []
    pages = -(-len(run) // MOST)
    cuts = [round(len(run) * number / pages) for number in range(pages + 1)]
    group = ITEMS[run[0]].group
    return [Section(group, tuple(run[start:end])) for start, end in pairwise(cuts)]


def _parents_first(items: Sequence[str]) -> list[str]:
    """The order of the text, but each item after those it rests on."""
    left, placed = list(items), list[str]()
    while left:
        ready = next(
            (item for item in left if not set(parents_in(item)) & (set(left) - {item})), left[0]
        )
        left.remove(ready)
        placed.append(ready)
    return placed
