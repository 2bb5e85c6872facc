"""Periods: from `since` (in) to `until` (out); no end means that it still holds.

The same rule once for a question to the database and once for a row at hand.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement

from studies.errors import StudiesError


class Lasting(Protocol):
    """A row with a period."""

    @property
    def since(self) -> Any: ...

    @property
    def until(self) -> Any: ...


Row = TypeVar("Row", bound=Lasting)


def in_force(table: Any, at: datetime) -> ColumnElement[bool]:
    """The condition that a row of `table` holds at a moment."""
    condition: ColumnElement[bool] = (table.since <= at) & (
        table.until.is_(None) | (table.until > at)
    )
    return condition


def holds(row: Lasting, at: datetime) -> bool:
    """Whether a row holds at a moment; a row without a beginning always did."""
    began = row.since is None or row.since <= at
    return began and (row.until is None or row.until > at)


def holding(rows: Iterable[Row], at: datetime) -> list[Row]:
    """Those of the rows that hold at a moment, in their order."""
    return [row for row in rows if holds(row, at)]


def check_period(since: datetime, until: datetime | None) -> None:
    """Raise StudiesError `bad_period` unless the end lies after the beginning."""
    if until is not None and until <= since:
        raise StudiesError("bad_period")


def end(row: Any, at: datetime) -> None:
    """Let a row end at a moment. Raises StudiesError `bad_period`, also when it ended before."""
    if not holds(row, at):
        raise StudiesError("bad_period")
    check_period(row.since, at)
    row.until = at
