"""What a worker keeps in memory of the runs it drives, and its times."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from federation.runs.lanes import Drives


@dataclass(frozen=True)
class Timing:
    """The worker's times (security.md 4.2). ``resend``: when a site has not answered.

    ``open_runs``: how many runs a worker has in hand, more than a night of rounds puts at once
    (federation/rounds/running.py); a run mostly waits, for a refusal to leave a hospital."""

    deadline: timedelta = timedelta(hours=72)
    lease: timedelta = timedelta(minutes=1)
    message: timedelta = timedelta(hours=1)
    resend: timedelta = timedelta(minutes=5)
    back_off: timedelta = timedelta(seconds=5)
    back_off_most: timedelta = timedelta(minutes=5)
    open_runs: int = 64


@dataclass(frozen=True)
class Kept:
    """A message as it is stored: for which step, its bytes, until when a site takes it."""

    step: int
    message: bytes
    expires: datetime


@dataclass
class Active:
    """A run this worker holds the lease of. ``ready``: sites whose snapshot will do. ``noted``:
    sites of which the next sending is in the database already."""

    run_id: str
    context: str
    driver: Drives
    deadline: datetime
    messages: dict[str, Kept] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    renewed: datetime | None = None
