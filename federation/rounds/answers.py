"""What the hospitals answered to one question of a round, as the findings read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.rounds.snapshot import Asked

SMALL: Final = "small"
#: Public codes of one hospital's refusal that mean: too few patients.
_SMALL_CODES: Final = frozenset({"SMALL_GROUP", "MODEL_TOO_RICH", "MODEL_UNSTABLE"})

Json = Mapping[str, Any]
Pair = tuple[float | None, float | None]


@dataclass(frozen=True)
class Answer:
    """One question's end. ``sites``: its roster; ``gave_up``: who was in an earlier roster of it;
    ``why``: the code without which there would be numbers; ``outcome``: the run's envelope;
    ``without``: whose numbers were taken out of it (federation/rounds/without.py)."""

    sites: tuple[str, ...]
    gave_up: tuple[str, ...]
    why: str | None
    outcome: Json
    asked: Asked | None
    without: tuple[str, ...] = ()

    @property
    def own(self) -> Mapping[str, Json]:
        """Each hospital's own part; empty when there is none."""
        return {} if self.why is not None else self.outcome.get("by_site") or {}

    @property
    def pooled(self) -> Json:
        """The pooled part; empty when there is none."""
        return {} if self.why is not None else self.outcome.get("result") or {}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(str(each) for each in self.outcome.get("warnings") or ())


def refused(part: Json | None) -> str | None:
    """Why a hospital's part holds no numbers, as a reason of the snapshot; None when it does."""
    if part is None:
        return "not_measured"
    if "code" in part:
        code = str(part["code"])
        if code == "SITE_UNREACHABLE":
            return "silent"
        return SMALL if code in _SMALL_CODES else code
    return None


def pair(value: object) -> Pair | None:
    """A pair of numbers, None when neither is there."""
    if not isinstance(value, list | tuple) or len(value) != 2 or value[0] is value[1] is None:
        return None
    return value[0], value[1]


def full_pair(value: object) -> tuple[float, float] | None:
    """A pair of numbers of which both are there."""
    found = pair(value)
    if found is None or found[0] is None or found[1] is None:
        return None
    return found[0], found[1]


def middle(value: Pair | None) -> float | None:
    """One number to draw for an interval that holds a median."""
    if value is None:
        return None
    ends = [each for each in value if each is not None]
    return sum(ends) / len(ends) if ends else None


def total(values: Iterable[int | None]) -> int | None:
    """The sum; None when one of them, or all, are not shown: a part of a sum is no sum."""
    found = list(values)
    known = [each for each in found if each is not None]
    return sum(known) if found and len(known) == len(found) else None
