"""When which questionnaire is due: pathways as data, windows around a start, states on a day."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from federation.prom.instruments import INSTRUMENTS

MONTHS: Final[Mapping[str, int]] = {
    "T0": 0,
    "3m": 3,
    "6m": 6,
    "12m": 12,
    "24m": 24,
    "36m": 36,
    "60m": 60,
}
"""The time points of oncomin/1 -> months after the start."""
MOST_DAYS: Final = 183
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")

State = Literal["later", "due", "received", "late", "missed"]


@dataclass(frozen=True)
class Timepoint:
    """before, after: on how many days around its day it may be filled in."""

    code: str
    before: int
    after: int


@dataclass(frozen=True)
class Pathway:
    """Which questionnaires a group of patients gets, and when."""

    id: str
    instruments: tuple[str, ...]
    timepoints: tuple[Timepoint, ...]


@dataclass(frozen=True)
class Window:
    """One questionnaire at one time point for one patient: from `opens` to `closes`, both days in.
    day: the day it is about."""

    instrument: str
    timepoint: str
    opens: date
    day: date
    closes: date

    def state(self, received: date | None, today: date) -> State:
        """Where it stands on `today`. received: the day on which it was filled in.

        received on time, or `late` after the window; not received: `later` before it opens, `due`
        while it is open, `missed` after it.
        """
        if received is not None:
            return "received" if received <= self.closes else "late"
        if today < self.opens:
            return "later"
        return "due" if today <= self.closes else "missed"


def read_pathways(value: object) -> dict[str, Pathway]:
    """The pathways of a file: {name: {instruments: [...], timepoints: {T0: {before, after}}}}.

    ValueError with one sentence for anything missing, unknown or malformed.
    """
    if not isinstance(value, dict) or not 1 <= len(value) <= 50:
        raise ValueError("pathways must name at least one pathway.")
    return {name: _pathway(name, each) for name, each in value.items()}


def _pathway(name: object, value: object) -> Pathway:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("a pathway has a short name of small letters.")
    if not isinstance(value, dict) or set(value) != {"instruments", "timepoints"}:
        raise ValueError(f"pathway {name} must have exactly instruments and timepoints.")
    instruments, points = value["instruments"], value["timepoints"]
    known = ", ".join(INSTRUMENTS)
    if not isinstance(instruments, list) or not instruments or len(instruments) > 10:
        raise ValueError(f"pathway {name}: instruments must be a list of: {known}.")
    if any(each not in INSTRUMENTS for each in instruments) or len(set(instruments)) < len(
        instruments
    ):
        raise ValueError(f"pathway {name}: instruments must be different, and of: {known}.")
    if not isinstance(points, dict) or not points or not set(points) <= set(MONTHS):
        raise ValueError(f"pathway {name}: timepoints must be of: {', '.join(MONTHS)}.")
    ordered = sorted(points, key=lambda code: MONTHS[code])
    return Pathway(
        name, tuple(instruments), tuple(_timepoint(name, code, points[code]) for code in ordered)
    )


def _timepoint(name: str, code: str, value: Any) -> Timepoint:
    days = value if isinstance(value, dict) and set(value) == {"before", "after"} else {}
    if not days or any(type(n) is not int or not 0 <= n <= MOST_DAYS for n in days.values()):
        raise ValueError(
            f"pathway {name}: {code} must say before and after, each 0 to {MOST_DAYS} days."
        )
    return Timepoint(code, days["before"], days["after"])


SHIPPED: Final = read_pathways(
    {
        "standard": {
            "instruments": ["QLQ-C30", "EQ-5D-5L"],
            "timepoints": {
                "T0": {"before": 28, "after": 14},
                "3m": {"before": 14, "after": 28},
                "6m": {"before": 28, "after": 42},
                "12m": {"before": 42, "after": 60},
                "24m": {"before": 60, "after": 90},
            },
        }
    }
)
"""A pathway to begin with; a hospital writes its own in prom.yaml."""


def windows(pathway: Pathway, start: date) -> tuple[Window, ...]:
    """What a patient who starts on `start` is asked, in order of time. start: the day of T0, as a
    rule that of the first treatment. Months later means the same day of the month, or its last."""
    found = []
    for point in pathway.timepoints:
        day = _months_later(start, MONTHS[point.code])
        opens, closes = day - timedelta(point.before), day + timedelta(point.after)
        found += [Window(each, point.code, opens, day, closes) for each in pathway.instruments]
    return tuple(found)


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last))
