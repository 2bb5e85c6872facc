"""Named arrays as one fixed-point vector, and back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.protocol import fixed
from federation.protocol.errors import ProtocolError

Layout = list[list[Any]]  # [name, shape, "i" or "f"], sorted by name


def layout_of(sums: Mapping[str, NDArray[Any]]) -> Layout:
    """Names, shapes and number kinds of `sums`: all a hub needs to read a total."""
    return [
        [name, list(array.shape), "i" if array.dtype.kind in "iu" else "f"]
        for name, array in sorted(sums.items())
    ]


def flatten(sums: Mapping[str, NDArray[Any]]) -> tuple[Layout, fixed.Limbs]:
    """The layout and the fixed-point vector of `sums`, arrays in order of name."""
    parts = [fixed.encode(array) for _, array in sorted(sums.items())]
    vector = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)
    return layout_of(sums), vector


def check_layout(value: object) -> Layout:
    """`value` when it is a layout as `layout_of` writes it; ProtocolError otherwise."""
    if not isinstance(value, list):
        raise ProtocolError("BAD_LAYOUT")
    names = []
    for entry in value:
        if not (
            isinstance(entry, list)
            and len(entry) == 3
            and isinstance(entry[0], str)
            and isinstance(entry[1], list)
            and len(entry[1]) <= 4
            and all(type(n) is int and n >= 0 for n in entry[1])
            and entry[2] in ("i", "f")
        ):
            raise ProtocolError("BAD_LAYOUT")
        names.append(entry[0])
    if names != sorted(set(names)):
        raise ProtocolError("BAD_LAYOUT")
    return value


def unflatten(layout: Layout, vector: fixed.Limbs) -> dict[str, NDArray[Any]]:
    """The named arrays behind a total; ProtocolError when layout and vector do not fit."""
    sizes = [math.prod(shape) for _, shape, _ in layout]
    if vector.ndim != 2 or vector.shape != (sum(sizes), 2):
        raise ProtocolError("BAD_LAYOUT")
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for (name, shape, kind), size in zip(layout, sizes, strict=True):
        part = vector[start : start + size]
        decoded = fixed.decode_integers(part) if kind == "i" else fixed.decode_floats(part)
        arrays[name] = decoded.reshape(shape)
        start += size
    return arrays


def total(vectors: Sequence[fixed.Limbs]) -> fixed.Limbs:
    """The sum of vectors of equal length; ProtocolError when they are not."""
    if not vectors or any(v.ndim != 2 or v.shape != vectors[0].shape for v in vectors):
        raise ProtocolError("BAD_LAYOUT")
    result = vectors[0]
    for vector in vectors[1:]:
        result = fixed.add(result, vector)
    return result
