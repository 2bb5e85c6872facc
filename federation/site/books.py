"""Noticing that people at the desk changed what counts while the site program runs."""

import sqlite3
from datetime import datetime

from federation.site.store import milliseconds

# Every change of these makes another row of numbers: a no only moves forward, facts and spans are
# only added, a form is confirmed or ended once, a letter ends once.
_STATE = """
SELECT
    (SELECT coalesce(sum(at - 1700000000000), 0) FROM denial), (SELECT count(*) FROM denial),
    (SELECT coalesce(sum(at - 1700000000000), 0) FROM own_denial),
    (SELECT count(*) FROM own_denial), (SELECT count(*) FROM nothing_new),
    (SELECT coalesce(max(number), 0) FROM fact), (SELECT coalesce(max(number), 0) FROM party),
    (SELECT count(confirmed_at) FROM paper_act), (SELECT count(ended_at) FROM paper_act),
    (SELECT count(ended_at) FROM letter)
"""
# Only where a yes waits for its notice: elsewhere a letter that is printed changes nothing.
_TOLD = """,
    (SELECT count(done_at) FROM telling), (SELECT count(*) FROM notice WHERE telling IS NULL)
"""
_NEXT = """
SELECT min(at) FROM (
    SELECT valid_from AS at FROM party WHERE valid_from > :now
    UNION ALL SELECT valid_until FROM party WHERE valid_until > :now
)
"""


class Books:
    """What this hospital's own books held when they were read last. notices: a yes counts only
    when it was told."""

    def __init__(self, database: sqlite3.Connection, *, notices: bool = False) -> None:
        self._database = database
        self._query = _STATE + (_TOLD if notices else "")
        self._version = -1
        self._state: tuple[int, ...] = ()
        self._until: int | None = None

    def read(self, now: datetime) -> None:
        """Remember the books as they are now; call it before working anything out from them."""
        self._version = self._data_version()
        self._state = self._numbers()
        row = self._database.execute(_NEXT, {"now": milliseconds(now)}).fetchone()
        self._until = row[0]

    def changed(self, now: datetime) -> bool:
        """Whether something was written since, or somebody's authority began or ended."""
        if self._until is not None and milliseconds(now) >= self._until:
            return True
        version = self._data_version()
        if version == self._version:
            return False
        if self._numbers() != self._state:
            return True
        self._version = version
        return False

    def _data_version(self) -> int:
        """SQLite's own number: another one exactly when another connection has written."""
        return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def _numbers(self) -> tuple[int, ...]:
        return tuple(self._database.execute(self._query).fetchone())
