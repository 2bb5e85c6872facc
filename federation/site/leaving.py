"""Writing down a reply before it leaves: journal, audit line and register, in one place.

The caller has opened the one transaction in which all of it is true, or none (N4 to N5).
"""

import hashlib
import sqlite3
from collections.abc import Container
from datetime import datetime

from federation.site import audit
from federation.site.checks import Question
from federation.site.journal import Journal
from federation.site.settings import StudyHere
from federation.site.step_message import StepMessage
from federation.site.steward.sent import REFUSAL, Register, kind_of


class Leaving:
    """Notes the replies to questions. `peers`: the hospitals that are known here."""

    def __init__(
        self, database: sqlite3.Connection, journal: Journal, peers: Container[str]
    ) -> None:
        self._database = database
        self._journal = journal
        self._register = Register(database)
        self._peers = peers

    def keep(
        self,
        question: Question | None,
        asked: StepMessage,
        code: str,
        reply: bytes,
        now: datetime,
        *,
        snapshot: int,
        reason: str = "",
        patients: int | None = None,
        inside: bytes | None = None,
        study: StudyHere | None = None,
    ) -> None:
        """Note a reply that the same step will get again; `patients`: how many it counted here;
        `inside`: what is sealed in it, readable; `study`: where it answers no question of a
        researcher, what it is about."""
        self._journal.keep_reply(asked.run, asked.step, asked.content_sha256, code, reply, now)
        self._journal.keep_seen(asked.jti, asked.message_sha256, asked.expires, now)
        line = self._line(asked, code, reply, now, snapshot, reason)
        self._row(line, question, asked, code, patients, None, inside)
        if study is not None:
            self._register.keep_asked(asked, study, self._peers)

    def note(
        self,
        question: Question | None,
        asked: StepMessage | None,
        code: str,
        reply: bytes,
        now: datetime,
        *,
        snapshot: int,
        reason: str = "",
    ) -> None:
        """Note a refusal that may pass when the same step is asked again."""
        line = self._line(asked, code, reply, now, snapshot, reason)
        if asked is None:
            self._register.keep(line, REFUSAL, body=reply)
        else:
            self._row(line, question, asked, code, None, reply)

    def _line(
        self,
        asked: StepMessage | None,
        code: str,
        reply: bytes,
        now: datetime,
        snapshot: int,
        reason: str,
    ) -> int:
        facts: dict[str, str | int] = {
            "code": code,
            "seq": snapshot,
            "sha256": hashlib.sha256(reply).hexdigest(),
        }
        if reason:
            facts["reason"] = reason
        if asked is not None:
            facts |= {"run": asked.run, "step": asked.step, "query_sha256": asked.query_sha256}
        return audit.record(self._database, "STEP", facts, now)

    def _row(
        self,
        line: int,
        question: Question | None,
        asked: StepMessage,
        code: str,
        patients: int | None,
        body: bytes | None,
        inside: bytes | None = None,
    ) -> None:
        self._register.keep(
            line,
            kind_of(code, asked.step_name),
            run=asked.run,
            step=asked.step,
            step_name=asked.step_name,
            query_sha256=asked.query_sha256,
            patients=patients,
            body=body,
            inside=inside,
        )
        if question is not None:
            self._register.keep_asked(asked, question.study, self._peers)
