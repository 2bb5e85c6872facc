"""By what the hospitals together recognise a set that was answered about before.

Each hospital draws a secret random number per patient and sends, under masks, the sum over the
patients of a set. Added up over the hospitals that is the set's mark: the same mark means the same
patients, and nothing else can be read from it. Two analyses of one cohort have the same analysis
set at every hospital, and that is no new set, although each hospital by itself could not rule out
that it is a new one elsewhere (see federation.disclosure.looking).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.disclosure.nesting import ReleasedSet

WORDS: Final = 2
BITS: Final = 50
"""A mark is two numbers of 50 bits: sums over a thousand hospitals still travel exactly, and two
sets among 2^33 or fewer have the same one with a chance below 2^-34."""

_MODULUS: Final = 1 << BITS

Mark = tuple[int, ...]


def pooled_marks(sums: npt.NDArray[Any]) -> tuple[Mark, ...]:
    """The marks behind pooled sums of shape (sets, WORDS)."""
    return tuple(tuple(int(word) % _MODULUS for word in row) for row in sums)


def mark_text(mark: Mark) -> str:
    """A mark as text for keeping; `mark_of` reads it back."""
    return ".".join(f"{word:x}" for word in mark)


def mark_of(text: str) -> Mark:
    """What `mark_text` wrote."""
    return tuple(int(word, 16) for word in text.split("."))


class Known:
    """Earlier sets by their marks, and as they were defined where that is known."""

    def __init__(self, sets: Iterable[tuple[Mark, ReleasedSet | None]] = ()) -> None:
        self._marks: set[Mark] = set()
        self._words = np.zeros((0, WORDS), np.int64)
        self._tables: dict[str, dict[bytes, tuple[ReleasedSet, Mark]]] = {}
        self.add(sets)

    def add(self, sets: Iterable[tuple[Mark, ReleasedSet | None]]) -> None:
        """Remember these, too. Of one definition the last mark counts."""
        new: dict[Mark, None] = {}
        for mark, defined in sets:
            if mark not in self._marks:
                new[mark] = None
            if defined is not None and defined.table:
                self._tables.setdefault(defined.table, {})[defined.definition] = (defined, mark)
        self._marks.update(new)
        more = np.array(list(new), np.int64).reshape(-1, WORDS)
        self._words = np.concatenate((self._words, more))

    def tells(self, mark: Mark, defined: ReleasedSet | None = None) -> bool:
        """Whether nothing about this set is new: it is an earlier one, or two earlier ones added or
        subtracted, or made up of cells of one earlier table. No patients are told, too."""
        if mark in self._marks or not any(mark):
            return True
        word = np.array(mark, np.int64)
        sums = (word - self._words) % _MODULUS  # the mark is one of ours and this
        differences = (word + self._words) % _MODULUS  # the mark and one of ours are this
        if any(tuple(row) in self._marks for row in [*sums.tolist(), *differences.tolist()]):
            return True
        if defined is None:
            return False
        # Who has a value in other variables the mark will tell.
        wide = replace(defined, known=frozenset())
        return any(
            _sum(of for cell, of in cells.values() if wide.contains(cell)) == mark
            for cells in self._tables.values()
        )


def _sum(marks: Iterable[Mark]) -> Mark:
    """The mark of sets that do not overlap, together."""
    total: Mark = (0,) * WORDS
    for mark in marks:
        total = tuple((a + b) % _MODULUS for a, b in zip(total, mark, strict=True))
    return total


def sums_of(marks: Sequence[Mark], sets: int) -> npt.NDArray[np.int64]:
    """One hospital's part of the marks as it travels: int64 of shape (sets, WORDS)."""
    return np.array(marks, np.int64).reshape(sets, WORDS)
