"""What came with a form of the desk, and where the browser goes after an act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from federation.site.desk.acts import MadeLetter


@dataclass(frozen=True)
class Asked:
    """What was typed, all values of each field, and when it came."""

    all: Mapping[str, Sequence[str]]
    now: datetime
    typed: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "typed", {name: each[-1] for name, each in self.all.items()})


@dataclass(frozen=True)
class Place:
    """Where the browser goes after an act; a letter that was made, under its name in the
    address."""

    where: str
    name: str = ""
    letter: MadeLetter | None = None
