"""Plain data that is read once: a hub meets the same codebook at every question of a night.

Only for what cannot change after it was read, because every reader gets the same object.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class ParsedOnce(Generic[T]):
    """What ``read`` made of plain data, for the `most` last used that were not refused.

    Two things are the same only when their keys stand in one order and their types are equal:
    the first level of a category is its reference, and 1, 1.0 and true are not one value. That is
    why canonical JSON, which sorts keys, is not what is compared.
    """

    def __init__(self, read: Callable[[object], T], most: int) -> None:
        self._read, self._most = read, most
        self._kept: OrderedDict[bytes, T] = OrderedDict()
        self._lock = Lock()

    def __call__(self, obj: object) -> T:
        """Return what ``read`` makes of `obj`, or made of its equal. Raises what ``read`` does."""
        try:
            # As Python writes it, which tells 1 from "1". Only the digest is kept: the data of a
            # codebook may be a megabyte.
            key = sha256(repr(obj).encode("utf-8", "surrogatepass")).digest()
        except (RecursionError, ValueError):  # too deep, or too long a number: `read` refuses it
            return self._read(obj)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = self._read(obj)
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
