"""Reading the small files of a site's directory."""

from pathlib import Path

from federation.query.files import read_at_most
from federation.site.errors import SetupError

MAX_FILE_BYTES = 1_000_000


def read_small(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """A whole file. OSError when there is no regular file that can be read; SetupError when it
    holds more than `most` bytes."""
    data = read_at_most(path, most)
    if len(data) > most:
        raise SetupError(f"{path.name} is larger than {most // 1000} kB; shorten it.")
    return data


def read_given(path: Path) -> bytes:
    """As `read_small`, for a file that a person named: SetupError also when it cannot be read."""
    try:
        return read_small(path)
    except OSError as error:
        raise SetupError(f"{path.name} cannot be read; give a file of at most 1 MB.") from error
