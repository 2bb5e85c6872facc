"""Where this hospital is in its private matches, and how many there may be (the table match_run).

The secret of a run makes its secret numbers. It is erased in the transaction that answers step 2;
after that nobody, this hospital included, can trace a point of the run to a patient.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from federation.protocol.errors import ProtocolError
from federation.protocol.match_steps import COUNT, DOUBLE
from federation.query.refusals import Refused
from federation.site.step_message import StepMessage
from federation.site.store import milliseconds, moment

ATTEMPTS: Final = 5
"""Each attempt shows a third hospital one blurred number; a few may fail for lack of a hospital."""

LEFT_OFF: Final = timedelta(days=7)
"""Longer than the hub waits for hospitals."""


@dataclass(frozen=True)
class MatchRun:
    """The last step that was answered. digest: keyed with the secret, whom this hospital put in."""

    run: str
    study: str
    run_sha256: str
    step: int
    secret: bytes | None
    digest: bytes = b""

    @property
    def kept_secret(self) -> bytes:
        """The secret while it is there. ProtocolError after that."""
        if self.secret is None:
            raise ProtocolError("STEP_OUT_OF_TURN")
        return self.secret

    def at(self, step: int, digest: bytes) -> "MatchRun":
        """The run one step on."""
        return replace(self, step=step, digest=digest)


class MatchRuns:
    """The table. days: how long one finished match of a study stands; 0 for no limit."""

    def __init__(self, database: sqlite3.Connection, days: int) -> None:
        self._database = database
        self._days = days

    def of(self, run: str) -> MatchRun | None:
        """What is known of a run."""
        row = self._database.execute(
            "SELECT run, study, run_sha256, step, secret, digest FROM match_run WHERE run = ?",
            (run,),
        ).fetchone()
        return None if row is None else MatchRun(*row)

    def check_turn(self, run: MatchRun | None, asked: StepMessage) -> None:
        """ProtocolError for a step out of turn, or of a run that was about something else."""
        next_step, fixed = (0, asked.run_sha256) if run is None else (run.step + 1, run.run_sha256)
        if asked.step != next_step or asked.run_sha256 != fixed:
            raise ProtocolError("STEP_OUT_OF_TURN")

    def check_budget(self, run: str, study: str, now: datetime) -> None:
        """Refused BUDGET, with the day from which it is possible again, when another match of this
        study was finished or too often begun in the last days. Asked at every step: matches that
        run side by side are not more than one after the other."""
        since = milliseconds(now - timedelta(days=self._days))
        rows = self._database.execute(
            "SELECT started_at, finished_at FROM match_run"
            " WHERE study = ? AND run != ? AND step >= ? AND started_at > ? ORDER BY started_at",
            (study, run, DOUBLE, since),
        ).fetchall()
        finished = [started for started, ended in rows if ended is not None]
        if self._days and (finished or len(rows) >= ATTEMPTS):
            last = finished[-1] if finished else rows[-ATTEMPTS][0]
            again = moment(last) + timedelta(days=self._days + 1)
            raise Refused("BUDGET", again_from=again.date())

    @contextmanager
    def erasing(self, run: MatchRun) -> Iterator[None]:
        """Around the transaction of a step: where it erases the secret, so does the disk."""
        last = run.step == DOUBLE
        if last:
            self._database.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self._database.execute("PRAGMA secure_delete = OFF")
        if last:
            # What the log of changes still holds goes into the database, and the log is emptied.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def keep(self, run: MatchRun, now: datetime) -> None:
        """Store a run after a step, inside the transaction of its reply. A secret of a run that
        nobody went on with goes as well."""
        self._database.execute(
            "DELETE FROM match_run WHERE step < ? AND started_at < ?",
            (DOUBLE, milliseconds(now - LEFT_OFF)),
        )
        self._database.execute(
            "INSERT INTO match_run (run, study, run_sha256, step, secret, digest, started_at,"
            " finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run) DO UPDATE SET"
            " step = excluded.step, secret = excluded.secret, digest = excluded.digest,"
            " finished_at = excluded.finished_at",
            (
                run.run,
                run.study,
                run.run_sha256,
                run.step,
                run.secret if run.step < DOUBLE else None,
                run.digest,
                milliseconds(now),
                milliseconds(now) if run.step == COUNT else None,
            ),
        )
