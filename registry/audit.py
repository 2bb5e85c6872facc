"""The audit log: one hash-chained line per announced act or reading, after NEN 7513.

A line's hash covers all its fields and the hash of the line before. A change, deletion, insertion
or swap breaks the chain (:func:`verify`). Cutting off the end or rewriting everything is only
found by who kept an earlier head, so :func:`head` is there to be copied elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import BigInteger, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from studies.actor import Actor
from studies.base import Base, Json, UtcTime, canonical_json, to_ms

START = "0" * 64
PAGE = 500
LABEL = b"oncokring-audit-1\0"
ADVISORY_LOCK = 0x6F6E636F  # "onco": one writer at the end of the chain on PostgreSQL

# NEN 7513 EventActionCode by the verb at the end of an action; E (execute) is the rest.
EVENT_CODES: Mapping[str, str] = {
    **dict.fromkeys(("read", "viewed", "listed", "exported", "searched"), "R"),
    **dict.fromkeys(
        (
            *("created", "added", "invited", "submitted", "recorded", "granted", "given"),
            *("published", "started", "enrolled"),
        ),
        "C",
    ),
    **dict.fromkeys(("deleted", "removed", "revoked", "erased"), "D"),
    **dict.fromkeys(
        (
            *("changed", "moved", "renamed", "withdrawn", "updated", "decided", "suspended"),
            *("resumed", "acknowledged", "feasibility", "approved", "refused", "open", "opened"),
            *("hold", "closed", "complete", "partial", "insufficient", "cancelled", "expired"),
        ),
        "U",
    ),
}


class AuditFailure(RuntimeError):
    """The audit line could not be written, so the act was not carried out either."""


class AuditLine(Base):
    """One line. Rows are only ever added; triggers of migration 0001 refuse the rest."""

    __tablename__ = "audit_line"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str] = mapped_column(String(64), index=True)
    actor_name: Mapped[str] = mapped_column(String(200))
    roles: Mapped[str] = mapped_column(String(500))
    event_code: Mapped[str] = mapped_column(String(1))
    action: Mapped[str] = mapped_column(String(64), index=True)
    about: Mapped[str] = mapped_column(String(200), index=True)
    outcome: Mapped[str] = mapped_column(String(16))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    source: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(36))
    rule: Mapped[str] = mapped_column(String(200))
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


@dataclass(frozen=True)
class Head:
    """End of the chain: how many lines and the hash of the last."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Broken:
    """First place where the chain does not hold."""

    seq: int
    why: str


def event_code(action: str) -> str:
    """NEN 7513 action code C, R, U, D or E of an action such as ``consent.withdrawn``."""
    verb = action.replace("-", ".").replace("_", ".").rsplit(".", 1)[-1]
    return EVENT_CODES.get(verb, "E")


@cache
def source() -> str:
    """Program and version that wrote a line."""
    try:
        return f"oncokring-hub@{version('oncokring')}"
    except PackageNotFoundError:
        return "oncokring-hub@unknown"


def head(session: Session) -> Head:
    """The end of the chain as this transaction sees it; (0, START) when there is no line."""
    row = session.execute(
        select(AuditLine.seq, AuditLine.hash).order_by(AuditLine.seq.desc()).limit(1)
    ).first()
    return Head(0, START) if row is None else Head(row.seq, row.hash)


def append(
    session: Session,
    *,
    at: datetime,
    actor: Actor,
    action: str,
    about: str,
    facts: Mapping[str, str | int | None],
    request_id: str = "",
    rule: str = "",
) -> AuditLine:
    """Add one line at the end of the chain, inside the transaction of ``session``.

    A fact named ``outcome`` ("ok", "refused", "failed") goes to its own column.
    """
    if session.get_bind().dialect.name == "postgresql":
        # SQLite's BEGIN IMMEDIATE already lets one writer in.
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    end = head(session)
    line = AuditLine(
        seq=end.seq + 1,
        at=at,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        roles=" ".join(sorted(actor.roles))[:500],
        event_code=event_code(action),
        action=action,
        about=about,
        outcome=str(facts.get("outcome", "ok")),
        facts={key: value for key, value in facts.items() if key != "outcome"},
        source=source(),
        request_id=request_id,
        rule=rule,
        previous=end.hash,
    )
    line.hash = line_hash(line)
    session.add(line)
    session.flush()
    return line


def line_hash(line: AuditLine) -> str:
    """SHA-256 over all fields but ``hash``, as labelled canonical JSON."""
    return hashlib.sha256(LABEL + canonical_json(_fields(line)).encode()).hexdigest()


def as_json(line: AuditLine) -> dict[str, Any]:
    """All fields of a line, the hash too; time in milliseconds since 1970."""
    return {**_fields(line), "hash": line.hash}


def _fields(line: AuditLine) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "at_ms": to_ms(line.at),
        "actor_kind": line.actor_kind,
        "actor_id": line.actor_id,
        "actor_name": line.actor_name,
        "roles": line.roles,
        "event_code": line.event_code,
        "action": line.action,
        "about": line.about,
        "outcome": line.outcome,
        "facts": line.facts,
        "source": line.source,
        "request_id": line.request_id,
        "rule": line.rule,
        "previous": line.previous,
    }


def verify(session: Session, known: Head | None = None) -> Broken | Head:
    """Walk the whole chain; the first break, or the head when every line holds.

    ``known`` is a head kept elsewhere: the chain must still contain it unchanged, which also
    finds a cut-off end and a rewritten log.
    """
    end = Head(0, START)
    for line in lines(session):
        if line.seq != end.seq + 1:
            return Broken(end.seq + 1, "line missing")
        if line.previous != end.hash:
            return Broken(line.seq, "does not follow the line before")
        if line_hash(line) != line.hash:
            return Broken(line.seq, "content changed")
        end = Head(line.seq, line.hash)
        if known is not None and known.seq == line.seq and known.hash != line.hash:
            return Broken(line.seq, "log was rewritten since the known head")
    if known is not None and known.seq > end.seq:
        return Broken(end.seq + 1, "log is shorter than the known head")
    return end


def facts_of(session: Session, action: str) -> list[tuple[str, dict[str, Any]]]:
    """What the lines of one action said, in order: what each was about, and its facts."""
    rows = session.execute(
        select(AuditLine.about, AuditLine.facts)
        .where(AuditLine.action == action)
        .order_by(AuditLine.seq)
    )
    return [(about.partition(":")[2], dict(facts)) for about, facts in rows]


def lines(session: Session, after: int = 0) -> Iterator[AuditLine]:
    """All lines after number ``after``, in order, read in pieces."""
    while True:
        page = session.scalars(
            select(AuditLine).where(AuditLine.seq > after).order_by(AuditLine.seq).limit(PAGE)
        ).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].seq
