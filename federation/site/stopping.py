"""The hospital's own switch: while a file STOP lies in its directory, no question is answered.

A person may make an empty file by hand, or use `oncokring site pause`, which writes into it who
stopped the site, when and why. The file alone decides: it needs no database and no running
program, and a serving program looks at it before each message.
"""

import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from federation.site.errors import SetupError

STOP_FILE = "STOP"
_MAX_BYTES = 10_000


@dataclass(frozen=True)
class Stop:
    """Who stopped the site, when and why; all empty when the file was made by hand."""

    by: str = ""
    at: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"by": self.by, "at": self.at, "reason": self.reason}


def is_stopped(path: Path) -> bool:
    """Whether the site in the directory `path` is stopped, whatever lies there under that name.
    OSError when that cannot be seen, so that a site never answers because it could not look."""
    try:
        (path / STOP_FILE).lstat()
    except FileNotFoundError:
        return False
    return True


def read_stop(path: Path) -> Stop | None:
    """Who stopped the site in `path`; None when it is not stopped. What cannot be read is left
    out: an odd file stops the site like any other."""
    if not is_stopped(path):
        return None
    try:
        with (path / STOP_FILE).open("rb") as file:
            table = tomllib.loads(file.read(_MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError):
        return Stop()
    return Stop(*(value if isinstance(value := table.get(key), str) else "" for key in _KEYS))


_KEYS = ("by", "at", "reason")


def write_stop(path: Path, by: str, reason: str, now: datetime) -> Stop:
    """Stop the site in `path` from the next message on. SetupError when it cannot be written."""
    stop = Stop(by, f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", reason)
    facts = stop.to_dict().items()
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in facts]
    draft = path / (STOP_FILE + ".new")
    try:
        # An existing STOP is replaced in one move, so that there is no moment without it.
        draft.write_text("".join(lines), "utf-8")
        draft.replace(path / STOP_FILE)
    except OSError as error:
        raise SetupError(
            "the file STOP cannot be written; make one by hand, or end the site program."
        ) from error
    return stop


def remove_stop(path: Path) -> None:
    """Let the site answer again. SetupError when it was not stopped or the file stays."""
    try:
        (path / STOP_FILE).unlink()
    except FileNotFoundError:
        raise SetupError("the site is not paused, so there is nothing to resume.") from None
    except OSError as error:
        raise SetupError("the file STOP cannot be removed; remove it by hand.") from error
