"""Numbers and short texts of many rows as bytes, one column after the other. Pure; numpy only.

A column of numbers is as wide as its largest one needs, little-endian; how wide follows from its
length. So nothing that is read is larger than a few times what was sent.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WIDEST: Final = 8
_NATIVE: Final = frozenset({1, 2, 4, 8})


def pack_numbers(values: NDArray[Any]) -> bytes:
    """Whole numbers from 0 up, each in as few bytes as the largest needs."""
    if not len(values):
        return b""
    wide = np.ascontiguousarray(values, "<u8")
    width = max(1, (int(wide.max()).bit_length() + 7) // 8)
    return wide.view(np.uint8).reshape(-1, _WIDEST)[:, :width].tobytes()


def read_numbers(data: object, rows: int, end: int) -> NDArray[np.uint64]:
    """The numbers of `pack_numbers`, all of them below `end`.

    Raises ValueError or TypeError for anything else; `end` is at most 2^63.
    """
    raw = as_bytes(data)
    width, rest = divmod(len(raw), rows) if rows else (0, len(raw))
    if rest or width > _WIDEST or (rows and not width):
        raise ValueError("a column has a number for each row")
    if not rows:
        return np.zeros(0, np.uint64)
    if width in _NATIVE:
        values: NDArray[np.uint64] = np.frombuffer(raw, f"<u{width}").astype(np.uint64)
    else:
        wide = np.zeros((rows, _WIDEST), np.uint8)
        wide[:, :width] = np.frombuffer(raw, np.uint8).reshape(rows, width)
        values = wide.view("<u8").ravel()
    if int(values.max()) >= end:
        raise ValueError("a number stands for nothing")
    return values


def read_texts(data: object, rows: int, length: int) -> NDArray[np.bytes_]:
    """A column of texts of `length` bytes each, as they stand in `data`."""
    raw = as_bytes(data)
    if len(raw) != rows * length:
        raise ValueError("a column has a text for each row")
    return np.frombuffer(raw, f"S{length}") if rows else np.zeros(0, f"S{length}")


def as_bytes(data: object) -> memoryview:
    """What came as bytes, or as a view of them. Raises TypeError for anything else."""
    if not isinstance(data, bytes | memoryview):
        raise TypeError("a column is bytes")
    return memoryview(data)
