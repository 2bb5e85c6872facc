"""Days as people in the network mean them: what is typed is a day of the Netherlands.

A moment is kept in UTC; the Dutch day begins one or two hours before the UTC day. Everything that
compares a day that somebody typed with today, or counts by day or month, asks here (domain.md 2.5).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Amsterdam")


def local_day(moment: datetime) -> date:
    """The day that it is here at a moment."""
    return moment.astimezone(ZONE).date()


def local_month(moment: datetime) -> str:
    """The month that it is here at a moment, as "2026-11"."""
    return f"{local_day(moment):%Y-%m}"


def week_began(moment: datetime) -> datetime:
    """The Monday at which this week began here, in UTC."""
    day = local_day(moment)
    return beginning(day - timedelta(days=day.weekday()))


def beginning(day: date) -> datetime:
    """The moment at which a day begins here, in UTC."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)
