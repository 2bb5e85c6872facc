"""Opening files that somebody else wrote: regular ones only, and never more of them than agreed.

A named pipe would make the program wait for ever, and a device would give it bytes for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file (or a link to one) for reading. OSError for anything else."""
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb")


def read_at_most(path: Path, most: int) -> bytes:
    """The file, or its first `most` + 1 bytes when it is longer. OSError as `open_regular`."""
    with open_regular(path) as file:
        return file.read(most + 1)
