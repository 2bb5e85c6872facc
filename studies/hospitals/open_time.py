"""When a hospital was open for new participants: its steps, corrected, as periods. Nothing writes.

Time on hold is not open time. These periods are the denominator of every rate of recruitment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from studies.hospitals.steps import taken
from studies.models import Participation
from studies.states import PARTICIPATION_ENDED, PARTICIPATION_STATES

OPEN: Final = "open"
BEFORE_OPEN: Final[tuple[str, ...]] = tuple(
    state
    for state in PARTICIPATION_STATES[: PARTICIPATION_STATES.index(OPEN)]
    if state not in PARTICIPATION_ENDED
)
"""The states that a hospital passes before it is open, in the order of the road."""
MONTH: Final = timedelta(days=30.4375)
"""A month of 365.25 / 12 days."""


@dataclass(frozen=True)
class Stay:
    """A time in one state; `until` None while it goes on."""

    state: str
    since: datetime
    until: datetime | None

    def days(self, now: datetime) -> float:
        """Its length in days, until `now` while it goes on."""
        return max((self.until or now) - self.since, timedelta(0)) / timedelta(days=1)


def stays(part: Participation, now: datetime) -> tuple[Stay, ...]:
    """The states of a hospital's part in order, up to `now`, with corrections worked in."""
    steps = [step for step in taken(part.steps) if step.at <= now]
    ends = [*(step.at for step in steps[1:]), None]
    return tuple(Stay(step.state, step.at, end) for step, end in zip(steps, ends, strict=True))


def open_stays(part: Participation, now: datetime) -> tuple[Stay, ...]:
    """The times in which new participants could come in."""
    return tuple(stay for stay in stays(part, now) if stay.state == OPEN)


def months(periods: Iterable[Stay], now: datetime) -> float:
    """Their length together in months (:data:`MONTH`)."""
    return sum(stay.days(now) for stay in periods) / (MONTH / timedelta(days=1))
