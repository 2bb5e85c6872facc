"""Opening files that somebody else wrote: regular ones only, and never more of them than agreed.

A named pipe would make the program wait for ever, and a device would give it bytes for ever.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from federation.site.errors import SetupError

MAX_FILE_BYTES = 1_000_000


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file (or a link to one) for reading. OSError for anything else."""
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb")


def read_small(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """A whole file of the site's directory. OSError when there is none that can be read;
    SetupError when it holds more than `most` bytes."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SetupError(f"{path.name} is larger than {most // 1000} kB; shorten it.")
    return data
