"""The register of everything that left this hospital: written with each message, never changed.

A message that leaves has a line in the audit log, a row here, and its exact bytes in the journal or
in the row. `patients`, how many patients an answer counted here, stays in this database.
"""

import hashlib
import json
import sqlite3
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from federation.disclosure.looking import LOOK
from federation.protocol.encoding import canonical, parse_json, unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.match_steps import STEPS as MATCH_STEPS
from federation.site.settings import StudyHere
from federation.site.step_message import StepMessage
from federation.site.store import moment

LOOKED, ANSWER, REPLAY, REFUSAL = "look", "answer", "replay", "refusal"
MATCH = "match"
ACKNOWLEDGEMENT, COVERAGE, MESSAGES = "acknowledgement", "coverage", "messages"
MAX_BODY = 64 * 1024 * 1024
MAX_QUERY = 100_000
"""A longer query is no question of a researcher and is not kept."""


@dataclass(frozen=True)
class Sent:
    """One message that left. `line`: its line in the audit log. `code`: OK, REPLAY, APPLIED or the
    public refusal code; `reason`: what only this hospital's log says. `patients` is None when
    nobody was counted for it. `body`: the exact bytes; None for what an older version sent.
    `inside`: what is sealed in them, which this hospital could not open again."""

    line: int
    at: datetime
    kind: str
    code: str
    reason: str
    run: str
    step: int
    step_name: str
    query_sha256: str
    snapshot: int
    patients: int | None
    sha256: str
    body: bytes | None
    inside: bytes | None = None

    @property
    def intact(self) -> bool:
        """Whether the bytes are those that the chained audit line names."""
        if not self.sha256:
            return True  # sent by a version that did not note it
        return self.body is not None and hashlib.sha256(self.body).hexdigest() == self.sha256


@dataclass(frozen=True)
class Asked:
    """What is known of a run: the query and its codebook as JSON, the thresholds it was asked
    under, who asked and with which hospitals. Empty where an older version kept nothing."""

    study: str
    query: Mapping[str, Any]
    codebook: Mapping[str, Any]
    terms: Mapping[str, Any]
    requester: str
    roster: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """What the overview shows as one: all messages of a run, or a single one without a run."""

    run: str
    first: datetime
    last: datetime
    messages: int
    query_sha256: str
    kinds: tuple[str, ...]
    refusals: tuple[str, ...]
    last_line: int


class Register:
    """The tables `sent`, `question`, `codebook` and `run_asked`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def keep(
        self,
        line: int,
        kind: str,
        *,
        run: str = "",
        step: int = 0,
        step_name: str = "",
        query_sha256: str = "",
        patients: int | None = None,
        body: bytes | None = None,
        inside: bytes | None = None,
    ) -> None:
        """Note a message that is about to leave, inside the transaction of its audit line.

        `body`: its bytes, None when the journal holds them. `inside`: what is sealed in it.
        """
        self._database.execute(
            "INSERT INTO sent (line, kind, run, step, step_name, query_sha256, patients, body,"
            " inside) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (line, kind, run, step, step_name, query_sha256, patients, body, inside),
        )

    def keep_asked(self, asked: StepMessage, study: StudyHere, known: Container[str]) -> None:
        """Keep what a run asks, so that it can be said in words later. Call it for a question that
        was read: its codebook is the agreed one and its thresholds are thresholds. Of the roster
        only hospitals that are `known` here are kept."""
        run = self._database.execute("SELECT 1 FROM run_asked WHERE run = ?", (asked.run,))
        if run.fetchone() is not None:
            return
        query = canonical(dict(asked.query)).decode()
        if len(query) <= MAX_QUERY:
            self._database.execute(
                "INSERT INTO codebook (sha256, content) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (study.codebook_sha256, canonical(dict(asked.codebook)).decode()),
            )
            self._database.execute(
                "INSERT INTO question (query_sha256, study, codebook_sha256, query)"
                " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (asked.query_sha256, study.slug, study.codebook_sha256, query),
            )
        self._database.execute(
            "INSERT INTO run_asked (run, query_sha256, terms, requester, roster)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                asked.run,
                asked.query_sha256,
                canonical(dict(asked.terms)).decode(),
                asked.requester,
                canonical(sorted(slug for slug in asked.roster if slug in known)).decode(),
            ),
        )

    def messages(
        self, *, run: str | None = None, lists: bool = False, last: int = 1_000_000
    ) -> list[Sent]:
        """At most `last` messages, newest first: of one run when it is given; with `lists` also
        those that only tell that a consent list came in."""
        rows = self._database.execute(
            _SELECT + " WHERE (:run IS NULL OR sent.run = :run)"
            " AND (:lists OR sent.kind != 'acknowledgement') ORDER BY sent.line DESC LIMIT :last",
            {"run": run, "lists": lists, "last": last},
        )
        return [_sent(row) for row in rows]

    def acknowledgement_kind(self, reply: bytes) -> str:
        """COVERAGE when an acknowledgement tells something else of the hospital's data than the
        one before, MESSAGES when it carries what the hospital says of its own patients,
        ACKNOWLEDGEMENT otherwise."""
        claims = decoded(reply)["claims"]
        told = claims.get("coverage")
        otherwise = MESSAGES if claims.get("messages") else ACKNOWLEDGEMENT
        if told is None:
            return otherwise
        row = self._database.execute(
            "SELECT body FROM sent WHERE kind = ? ORDER BY line DESC LIMIT 1", (COVERAGE,)
        ).fetchone()
        same = row is not None and decoded(row[0])["claims"].get("coverage") == told
        return otherwise if same else COVERAGE

    def message(self, line: int) -> Sent | None:
        """The message of one audit line."""
        row = self._database.execute(f"{_SELECT} WHERE sent.line = ?", (line,)).fetchone()
        return None if row is None else _sent(row)

    def items(self, *, first: int = 0, most: int = 1_000_000) -> list[Item]:
        """Runs and single messages, newest first, without what is about consent lists."""
        rows = self._database.execute(
            "SELECT sent.run, min(audit.at), max(audit.at), count(*), max(sent.query_sha256),"
            " group_concat(DISTINCT sent.kind),"
            " group_concat(DISTINCT CASE sent.kind WHEN 'refusal'"
            " THEN json_extract(audit.facts, '$.code') END), max(sent.line)"
            " FROM sent JOIN audit ON audit.seq = sent.line"
            " WHERE sent.kind != 'acknowledgement'"
            " GROUP BY CASE sent.run WHEN '' THEN 'line ' || sent.line ELSE sent.run END"
            " ORDER BY max(sent.line) DESC LIMIT ? OFFSET ?",
            (most, first),
        )
        return [
            Item(run, moment(low), moment(high), n, query, _several(kinds), _several(codes), line)
            for run, low, high, n, query, kinds, codes, line in rows
        ]

    def counts(self) -> dict[str, int]:
        """How many messages of each kind left."""
        rows = self._database.execute("SELECT kind, count(*) FROM sent GROUP BY kind ORDER BY kind")
        return {str(kind): int(n) for kind, n in rows}

    def asked(self, run: str, query_sha256: str) -> Asked:
        """What a run asked, or what is known of the query when the run is not."""
        of_run = self._database.execute(
            "SELECT query_sha256, terms, requester, roster FROM run_asked WHERE run = ?", (run,)
        ).fetchone()
        sha256, terms, requester, roster = of_run or (query_sha256, "{}", "", "[]")
        found = self._database.execute(
            "SELECT question.study, question.query, codebook.content FROM question"
            " JOIN codebook ON codebook.sha256 = question.codebook_sha256"
            " WHERE question.query_sha256 = ?",
            (sha256,),
        ).fetchone()
        study, query, codebook = found or ("", "{}", "{}")
        return Asked(
            study=study,
            query=json.loads(query),
            codebook=json.loads(codebook),
            terms=json.loads(terms),
            requester=requester,
            roster=tuple(json.loads(roster)),
        )

    def first_changed(self) -> int | None:
        """The audit line of the first message whose bytes are not those that left; None if all
        are."""
        for row in self._database.execute(_SELECT + " ORDER BY sent.line"):
            if not (message := _sent(row)).intact:
                return message.line
        return None


_SELECT = (
    "SELECT sent.line, audit.at, sent.kind, audit.facts, sent.run, sent.step, sent.step_name,"
    " sent.query_sha256, sent.patients, coalesce(sent.body, journal.reply), sent.inside"
    " FROM sent JOIN audit ON audit.seq = sent.line"
    " LEFT JOIN journal ON sent.body IS NULL AND journal.run = sent.run"
    " AND journal.step = sent.step AND journal.code = json_extract(audit.facts, '$.code')"
)


def kind_of(code: str, step_name: str) -> str:
    """The kind of a reply to a question, by its code and step."""
    if code == "OK" and step_name in MATCH_STEPS:
        return MATCH
    if code == "OK":
        return LOOKED if step_name == LOOK else ANSWER
    return REPLAY if code == "REPLAY" else REFUSAL


def _several(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(text.split(","))) if text else ()


def _sent(row: tuple[Any, ...]) -> Sent:
    line, at, kind, text, run, step, step_name, query_sha256, patients, body, inside = row
    facts = json.loads(text)
    return Sent(
        line=line,
        at=moment(at),
        kind=kind,
        code=facts.get("code", ""),
        reason=facts.get("reason", ""),
        run=run,
        step=step,
        step_name=step_name,
        query_sha256=query_sha256,
        snapshot=facts.get("seq", 0),
        patients=patients,
        sha256=facts.get("sha256", ""),
        body=body,
        inside=inside,
    )


def decoded(body: bytes) -> dict[str, Any]:
    """What a signed message of this site says: `header`, `claims`, `signature`. The signature is
    not checked: these are the site's own bytes. ProtocolError when they are damaged."""
    parts = body.decode("ascii", "replace").split(".")
    if len(parts) != 3:
        raise ProtocolError("BAD_MESSAGE")
    header, claims = (parse_json(unb64(part), MAX_BODY) for part in parts[:2])
    return {"header": header, "claims": claims, "signature": parts[2]}
