"""What a doctor says: one thing it looked at, and the exit code of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

GOOD, WARN, BAD = "good", "warn", "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state` is good, warn or bad; `about` a hospital or empty."""

    code: str
    state: str
    sentence: str
    change: str = ""
    about: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 all good, 1 something does not work, 4 something is missing or should be looked at."""
    states = {each.state for each in findings}
    return 1 if BAD in states else 4 if WARN in states else 0
