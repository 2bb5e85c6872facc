"""By what the hospitals together recognise a set that was answered about before.

Each hospital draws secret random numbers per patient and sends, under masks, their sums over the
patients of a set. Added up over the hospitals that is the set's mark: the same mark means the same
patients, a mark that is the sum of two others means those two sets together, and nothing else can
be read from it. See federation.disclosure.recognition for what it is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

PRIME: Final = 251
WORDS: Final = 12
"""A mark is twelve residues modulo 251: two different sets have the same one with a chance of
2^-95."""

Mark = tuple[int, ...]


def pooled_marks(sums: npt.NDArray[Any]) -> tuple[Mark, ...]:
    """The marks behind pooled sums of shape (sets, WORDS)."""
    return tuple(tuple(int(word) % PRIME for word in row) for row in sums)


def mark_text(mark: Mark) -> str:
    """A mark as text for keeping; `mark_of` reads it back."""
    return ".".join(f"{word:x}" for word in mark)


def mark_of(text: str) -> Mark:
    """What `mark_text` wrote."""
    return tuple(int(word, 16) for word in text.split("."))


def sums_of(marks: Sequence[Mark], sets: int) -> npt.NDArray[np.int64]:
    """One hospital's part of the marks as it travels: int64 of shape (sets, WORDS)."""
    return np.array(marks, np.int64).reshape(sets, WORDS)
