"""What an indicator can measure, which hospital can count it, and what each measure needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Role = Literal["first_visit", "diagnosis", "treatment", "surgery", "any"]
Measure = Literal["share", "time", "mix", "volume", "survival", "mean", "difference"]
Better = Literal["lower", "higher", "neither"]

#: Which variable says that a row counts for this hospital, per role (domain.md F32).
ROLE_VARIABLES: Final[Mapping[str, str | None]] = {
    "first_visit": "first_seen_here",
    "diagnosis": "diagnosed_here",
    "treatment": "treated_here",
    "surgery": "operated_here",
    "any": None,
}
BETTER: Final = ("lower", "higher", "neither")

#: Per measure the fields that it must have, and those that it may have beside them.
FIELDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "share": (("numerator",), ("case_mix",)),
    "time": (("time", "norms"), ()),
    "mix": (("variable",), ()),
    "volume": ((), ("variable",)),
    "survival": (("time", "event", "at"), ()),
    "mean": (("variable",), ("baseline", "case_mix")),
    "difference": (("numerator", "exposure"), ()),
}
