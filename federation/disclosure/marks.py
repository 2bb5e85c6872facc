"""By what the hospitals together recognise a set that was answered about before.

Each hospital draws a secret random number per patient and sends, under masks, the sum over the
patients of a set. Added up over the hospitals that is the set's mark: the same mark means the same
patients, and nothing else can be read from it. Two analyses of one cohort have the same analysis
set at every hospital, and that is no new set, although each hospital by itself could not rule out
that it is a new one elsewhere (see federation.disclosure.looking).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

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
    """The marks of earlier sets."""

    def __init__(self, marks: Iterable[Mark] = ()) -> None:
        self._marks: set[Mark] = set()
        self._words = np.zeros((0, WORDS), np.int64)
        self.add(marks)

    def add(self, marks: Iterable[Mark]) -> None:
        """Remember these, too."""
        new = list(dict.fromkeys(mark for mark in marks if mark not in self._marks))
        self._marks.update(new)
        more = np.array(new, np.int64).reshape(-1, WORDS)
        self._words = np.concatenate((self._words, more))

    def tells(self, mark: Mark) -> bool:
        """Whether the set is an earlier one, or two earlier ones added or subtracted, so that
        nothing about it is new. No patients at all are told, too."""
        if mark in self._marks or not any(mark):
            return True
        word = np.array(mark, np.int64)
        sums = (word - self._words) % _MODULUS  # the mark is one of ours and this
        differences = (word + self._words) % _MODULUS  # the mark and one of ours are this
        return any(tuple(row) in self._marks for row in [*sums.tolist(), *differences.tolist()])


def sums_of(marks: Sequence[Mark], sets: int) -> npt.NDArray[np.int64]:
    """One hospital's part of the marks as it travels: int64 of shape (sets, WORDS)."""
    return np.array(marks, np.int64).reshape(sets, WORDS)
