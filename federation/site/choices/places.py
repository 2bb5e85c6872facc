"""Where a patient stands in a consent list, by handle."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from consent.snapshot import HANDLE_BYTES


class Places(Mapping[bytes, int]):
    """The places of sorted handles, looked up where they stand: of a million patients a table would
    take ten times the room of the handles themselves."""

    def __init__(self, handles: NDArray[np.bytes_]) -> None:
        self._handles = handles

    def __getitem__(self, handle: bytes) -> int:
        at = int(np.searchsorted(self._handles, np.bytes_(handle)))
        if at == len(self._handles) or self._whole(at) != handle:
            raise KeyError(handle)
        return at

    def __len__(self) -> int:
        return len(self._handles)

    def __iter__(self) -> Iterator[bytes]:
        return map(self._whole, range(len(self._handles)))

    def _whole(self, at: int) -> bytes:
        # numpy drops trailing zero bytes when it gives one element.
        return bytes(self._handles[at]).ljust(HANDLE_BYTES, b"\0")
