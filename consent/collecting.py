"""Making very many objects without Python looking for garbage among them again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let Python not look for garbage: it would go through all that is kept each time, which can
    double the time of reading a large table."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
