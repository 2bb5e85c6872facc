"""The codebooks that come with the program, found by name: `oncomin/1`."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from federation.query.codebook import Codebook, load_codebook

_FOLDER: Final = resources.files("federation") / "codebooks"
_NAME: Final = re.compile(r"([a-z][a-z0-9_-]{0,40})/([0-9]{1,4})")


def names() -> tuple[str, ...]:
    """Return the names of the built-in codebooks, in order."""
    found = (re.fullmatch(r"([a-z0-9_-]+)-([0-9]+)\.yaml", file.name) for file in _FOLDER.iterdir())
    return tuple(sorted(f"{match[1]}/{match[2]}" for match in found if match))


@cache
def builtin_codebook(name: str) -> Codebook | None:
    """Return the built-in codebook called `name`, such as oncomin/1; None when there is none."""
    data = _read(name, "")
    return None if data is None else load_codebook(data)


def find_codebook(name: str | Path) -> Codebook:
    """Return the built-in codebook of this name, or the one in the file of this path.

    A file that lies there goes first. Raises QueryError BAD_CODEBOOK, or OSError without a file.
    """
    path = Path(name)
    built_in = None if path.is_file() else builtin_codebook(str(name))
    return load_codebook(path) if built_in is None else built_in


def beside(name: str, what: str) -> bytes | None:
    """Return the file of kind `what` that comes with the built-in codebook `name`, if any."""
    return _read(name, f".{what}")


def _read(name: str, suffix: str) -> bytes | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    file = _FOLDER / f"{found[1]}-{found[2]}{suffix}.yaml"
    return file.read_bytes() if file.is_file() else None
