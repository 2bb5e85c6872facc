"""Writers of one SQLite file take turns in the order in which they came.

SQLite itself lets whoever waits look again after ever longer pauses, so that with many patients at
once one of them may wait until it gives up while later ones get in. Here the threads of a program
queue; between programs SQLite's own waiting remains.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from threading import Event, Lock


class Turns:
    """A queue for one resource; whoever is first has it until it is given back."""

    def __init__(self) -> None:
        self._mutex = Lock()
        self._waiting: deque[Event] = deque()
        self._taken = False

    def take(self, seconds: float) -> bool:
        """Wait for the turn, at most so long; whether it came."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            mine = Event()
            self._waiting.append(mine)
        if mine.wait(seconds):
            return True
        with self._mutex:
            if mine.is_set():  # it came in this very moment
                return True
            self._waiting.remove(mine)
            return False

    def give(self) -> None:
        """Hand the turn to whoever came first."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class QueuedConnection(sqlite3.Connection):
    """A connection that has the turn from before its writing transaction until that has ended."""

    turns: Turns | None = None
    _has_turn = False

    def wait_for_turn(self, seconds: float) -> bool:
        """Call before BEGIN IMMEDIATE; False when the turn did not come in so many seconds."""
        if self.turns is not None and not self._has_turn:
            self._has_turn = self.turns.take(seconds)
            return self._has_turn
        return True

    def commit(self) -> None:
        """Commit, and let the next one write."""
        try:
            super().commit()
        finally:
            self._end_turn()

    def rollback(self) -> None:
        """Roll back, and let the next one write."""
        try:
            super().rollback()
        finally:
            self._end_turn()

    def close(self) -> None:
        """Close, and let the next one write."""
        try:
            super().close()
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn and self.turns is not None:
            self._has_turn = False
            self.turns.give()
