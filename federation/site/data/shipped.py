"""The mappings that come with the program, found by name: `nkr-breast`."""

import re
from importlib import resources
from pathlib import Path
from typing import Final

from federation.site.errors import SetupError
from federation.site.files import read_small

_FOLDER: Final = resources.files("federation") / "mappings"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}")


def mapping_names() -> tuple[str, ...]:
    """The names of the shipped mappings, in order."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir()))


def shipped_mapping(name: Path) -> bytes | None:
    """The shipped mapping of this name; None when a file lies there, or none is called so."""
    if name.exists() or not _NAME.fullmatch(str(name)):
        return None
    file = _FOLDER / f"{name}.yaml"
    return file.read_bytes() if file.is_file() else None


def mapping_bytes(path: Path) -> bytes:
    """A mapping file, or the shipped mapping of that name. Raises SetupError."""
    shipped = shipped_mapping(path)
    if shipped is not None:
        return shipped
    try:
        return read_small(path)
    except OSError as error:
        raise SetupError(
            f"{path.name} is not there or cannot be read; give a file, or one of: "
            f"{', '.join(mapping_names())}."
        ) from error
