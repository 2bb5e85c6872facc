"""What this site was asked and what it sent: the same question of a run gets the same bytes.

All writing happens inside the caller's one transaction, before anything is sent
(design: security.md 4.4, N4 and N5).
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from federation.disclosure.looking import Votes
from federation.methods.base import Step
from federation.protocol.encoding import canonical
from federation.site.store import milliseconds, moment


@dataclass(frozen=True)
class Kept:
    """A journaled reply with its code, and the hash of the message content it answers."""

    content_sha256: str
    code: str
    reply: bytes


@dataclass(frozen=True)
class RunState:
    """Where this site is in one run: the last step it computed.

    run_sha256: everything that must be the same in all messages of the run. sets_sha256: the
    sets of patients it counts. analysis_sha256: the analysis set alone. roster: the sites.
    votes: what was said in the look, None without one. answered: sums have left, so that the
    answer counts from now on. by_site: each hospital answers alone, from the first step on.
    """

    run: str
    study: str
    question_sha256: str
    run_sha256: str
    roster: tuple[str, ...]
    sets_sha256: str
    analysis_sha256: str
    contributes: bool
    number: int
    step: Step
    snapshot: int
    started_at: datetime
    votes: Votes | None = None
    answered: bool = True
    by_site: bool = False


class Journal:
    """The run and journal tables of a site's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def reply(self, run: str, step: int) -> Kept | None:
        """What was answered to this step of this run."""
        row = self._database.execute(
            "SELECT content_sha256, code, reply FROM journal WHERE run = ? AND step = ?",
            (run, step),
        ).fetchone()
        return None if row is None else Kept(*row)

    def keep_reply(
        self, run: str, step: int, content_sha256: str, code: str, reply: bytes, now: datetime
    ) -> None:
        """Journal an answer; a second one to the same step is an sqlite3.IntegrityError."""
        self._database.execute(
            "INSERT INTO journal (run, step, content_sha256, code, reply, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (run, step, content_sha256, code, reply, milliseconds(now)),
        )

    def message_of(self, jti: str) -> str | None:
        """The SHA-256 of the message that was seen under this number."""
        row = self._database.execute(
            "SELECT message_sha256 FROM seen WHERE jti = ?", (jti,)
        ).fetchone()
        return None if row is None else str(row[0])

    def keep_seen(self, jti: str, message_sha256: str, expires: int, now: datetime) -> None:
        """Remember a message number until the message has expired (epoch seconds) and a day."""
        self._database.execute(
            "DELETE FROM seen WHERE expires < ?", (int(now.timestamp()) - 86_400,)
        )
        self._database.execute(
            "INSERT INTO seen (jti, message_sha256, expires) VALUES (?, ?, ?)"
            " ON CONFLICT (jti) DO NOTHING",
            (jti, message_sha256, expires),
        )

    def run(self, run: str) -> RunState | None:
        """The state of a run this site has computed a step of."""
        row = self._database.execute(_SELECT_RUN + " WHERE run = ?", (run,)).fetchone()
        return None if row is None else _state(row)

    def latest(self, question_sha256: str, study: str) -> RunState | None:
        """The run that was the last to compute this question for this study here.

        Never another study's: its answer is about patients who agreed to something else.
        """
        row = self._database.execute(
            _SELECT_RUN + " WHERE question_sha256 = ? AND study = ? AND answered = 1"
            " ORDER BY started_at DESC, rowid DESC LIMIT 1",
            (question_sha256, study),
        ).fetchone()
        return None if row is None else _state(row)

    def keep_run(self, state: RunState) -> None:
        """Store the state after a step; the earlier step's is overwritten."""
        self._database.execute(
            "INSERT INTO run (run, study, question_sha256, run_sha256, roster, sets_sha256,"
            " analysis_sha256, contributes, step, step_name, params, labelled, snapshot,"
            " started_at, votes, answered, by_site)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run) DO UPDATE SET step = excluded.step,"
            " step_name = excluded.step_name, params = excluded.params,"
            " labelled = excluded.labelled, snapshot = excluded.snapshot,"
            " answered = excluded.answered",
            (
                state.run,
                state.study,
                state.question_sha256,
                state.run_sha256,
                canonical(list(state.roster)).decode(),
                state.sets_sha256,
                state.analysis_sha256,
                int(state.contributes),
                state.number,
                state.step.name,
                canonical(state.step.params).decode(),
                int(state.step.labelled),
                state.snapshot,
                milliseconds(state.started_at),
                "" if state.votes is None else canonical(state.votes.to_json()).decode(),
                int(state.answered),
                int(state.by_site),
            ),
        )

    def asked(self, query_sha256: str, study: str, query: Mapping[str, Any], now: datetime) -> None:
        """Keep a query that a person of this hospital may want to approve."""
        self._database.execute(
            "INSERT INTO asked (query_sha256, study, query, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (query_sha256) DO NOTHING",
            (query_sha256, study, canonical(dict(query)).decode(), milliseconds(now)),
        )

    def waiting(self) -> list[tuple[str, str, dict[str, Any], datetime]]:
        """Queries that were asked and neither approved nor refused here: hash, study, query, first
        asked."""
        rows = self._database.execute(
            "SELECT query_sha256, study, query, at FROM asked WHERE query_sha256 NOT IN"
            " (SELECT query_sha256 FROM approval UNION SELECT query_sha256 FROM refused_here)"
            " ORDER BY at"
        )
        return [(sha, study, json.loads(text), moment(at)) for sha, study, text, at in rows]

    def approved_here(self, query_sha256: str) -> bool:
        """Whether a person of this hospital approved exactly this query."""
        row = self._database.execute(
            "SELECT 1 FROM approval WHERE query_sha256 = ?", (query_sha256,)
        ).fetchone()
        return row is not None

    def refused_here(self, query_sha256: str) -> bool:
        """Whether a person of this hospital turned exactly this query down."""
        row = self._database.execute(
            "SELECT 1 FROM refused_here WHERE query_sha256 = ?", (query_sha256,)
        ).fetchone()
        return row is not None

    def approve(self, query_sha256: str, by: str, now: datetime) -> None:
        """Record this hospital's approval of a query; an earlier refusal ends."""
        self._database.execute("DELETE FROM refused_here WHERE query_sha256 = ?", (query_sha256,))
        self._database.execute(
            "INSERT INTO approval (query_sha256, by_name, at) VALUES (?, ?, ?)"
            " ON CONFLICT (query_sha256) DO NOTHING",
            (query_sha256, by, milliseconds(now)),
        )

    def refuse(self, query_sha256: str, by: str, reason: str, now: datetime) -> None:
        """Record that this hospital turns a query down; an earlier approval ends."""
        self._database.execute("DELETE FROM approval WHERE query_sha256 = ?", (query_sha256,))
        self._database.execute(
            "INSERT INTO refused_here (query_sha256, by_name, reason, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (query_sha256) DO UPDATE SET by_name = excluded.by_name,"
            " reason = excluded.reason, at = excluded.at",
            (query_sha256, by, reason, milliseconds(now)),
        )

    def decided(self) -> list[tuple[str, str, str, str, datetime]]:
        """What people of this hospital decided, newest first: hash, "approved" or "refused", by
        whom, why, when."""
        rows = self._database.execute(
            "SELECT query_sha256, 'approved', by_name, '', at FROM approval"
            " UNION ALL SELECT query_sha256, 'refused', by_name, reason, at FROM refused_here"
            " ORDER BY 5 DESC"
        )
        return [(sha, what, by, reason, moment(at)) for sha, what, by, reason, at in rows]


_SELECT_RUN = (
    "SELECT run, study, question_sha256, run_sha256, roster, sets_sha256, analysis_sha256,"
    " contributes, step, step_name, params, labelled, snapshot, started_at, votes, answered,"
    " by_site FROM run"
)


def _state(row: tuple[Any, ...]) -> RunState:
    return RunState(
        run=row[0],
        study=row[1],
        question_sha256=row[2],
        run_sha256=row[3],
        roster=tuple(json.loads(row[4])),
        sets_sha256=row[5],
        analysis_sha256=row[6],
        contributes=bool(row[7]),
        number=row[8],
        step=Step(name=row[9], params=json.loads(row[10]), labelled=bool(row[11])),
        snapshot=row[12],
        started_at=moment(row[13]),
        votes=Votes.from_json(json.loads(row[14])) if row[14] else None,
        answered=bool(row[15]),
        by_site=bool(row[16]),
    )
