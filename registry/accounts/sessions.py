"""Server-side sessions: the cookie holds a random id, the database its SHA-256.

A session ends after 30 minutes without a request (a patient's after 20), after 12 hours in any
case, and at once when the account is suspended, expires or changes its secrets, or when somebody
may no longer speak for a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from consent.speakers import may_speak
from registry.accounts import secrets
from registry.accounts.models import Account, AccountSession, ApiToken
from registry.accounts.service import actor_of
from studies.actor import Actor

IDLE = timedelta(minutes=30)
PATIENT_IDLE = timedelta(minutes=20)
ABSOLUTE = timedelta(hours=12)
FRESH = timedelta(minutes=10)
TOUCH_EVERY = timedelta(minutes=1)
MAX_DRAFT_CHARACTERS = 20_000


@dataclass(frozen=True)
class Visit:
    """What a cookie or token opens now. ``session_id`` is None for a token.

    level, party: how a patient came in and for whom they speak. until: when the session ends if
    nothing more is asked of it; None for a token.
    """

    actor: Actor
    session_id: str | None
    fresh: bool
    stale_touch: bool
    scopes: frozenset[str]
    draft: dict[str, Any]
    level: str = ""
    party: str = "self"
    until: datetime | None = None


def start(
    session: Session,
    *,
    now: datetime,
    account_id: str | None = None,
    subject_id: str | None = None,
    previous: str | None = None,
    level: str = "letter",
    party: str = "self",
) -> str:
    """A new session; ``previous`` (the id of this browser's old one) ends. Returns the new id.

    ``level`` and ``party`` are a patient's: how sure the sign-in is, and for whom they speak.
    """
    if previous:
        session.execute(
            delete(AccountSession).where(AccountSession.id_sha256 == secrets.sha256(previous))
        )
    session_id = secrets.new_session_id()
    session.add(
        AccountSession(
            id_sha256=secrets.sha256(session_id),
            account_id=account_id,
            subject_id=subject_id,
            created_at=now,
            last_seen_at=now,
            proved_at=now,
            draft={},
            level=level,
            party=party,
        )
    )
    session.flush()
    return session_id


def raise_level(session: Session, session_id: str, level: str, now: datetime) -> str:
    """A new id for the same session at another level: who copied the old id gains nothing."""
    row = session.get_one(AccountSession, secrets.sha256(session_id))
    fresh = secrets.new_session_id()
    session.execute(
        update(AccountSession)
        .where(AccountSession.id_sha256 == row.id_sha256)
        .values(id_sha256=secrets.sha256(fresh), level=level, last_seen_at=now, proved_at=now)
    )
    session.expire_all()
    return fresh


def visit_of_cookie(session: Session, session_id: str, now: datetime) -> Visit | None:
    """Who the session id stands for at ``now``; None when it is unknown or has ended."""
    row = session.get(AccountSession, secrets.sha256(session_id))
    if row is None or now > row.last_seen_at + _idle(row) or now - row.created_at > ABSOLUTE:
        return None
    if row.subject_id is not None:
        if not may_speak(session, row.subject_id, row.party, now):
            return None
        actor = Actor(kind="patient", id=row.subject_id, roles=frozenset({"patient"}))
    else:
        account = session.get(Account, row.account_id)
        if account is None or not account.usable(now):
            return None
        actor = actor_of(account, now)
    return Visit(
        actor=actor,
        session_id=session_id,
        fresh=now - row.proved_at <= FRESH,
        stale_touch=now - row.last_seen_at > TOUCH_EVERY,
        scopes=frozenset({"read", "write"}),
        draft=dict(row.draft),
        level=row.level if row.subject_id is not None else "",
        party=row.party,
        until=min(row.last_seen_at + _idle(row), row.created_at + ABSOLUTE),
    )


def _idle(row: AccountSession) -> timedelta:
    return IDLE if row.subject_id is None else PATIENT_IDLE


def visit_of_token(session: Session, token: str, now: datetime) -> Visit | None:
    """Who the API token stands for at ``now``; never fresh, so it cannot approve."""
    row = session.scalar(select(ApiToken).where(ApiToken.sha256 == secrets.sha256(token)))
    if row is None or not row.usable(now):
        return None
    account = session.get(Account, row.account_id)
    if account is None or not account.usable(now):
        return None
    return Visit(
        actor=actor_of(account, now),
        session_id=None,
        fresh=False,
        stale_touch=False,
        scopes=frozenset(row.scopes),
        draft={},
    )


def touch(session: Session, session_id: str, now: datetime) -> None:
    """Note that the session was used."""
    row = session.get(AccountSession, secrets.sha256(session_id))
    if row is not None:
        row.last_seen_at = max(now, row.last_seen_at)


def keep_draft(session: Session, session_id: str, draft: dict[str, Any]) -> None:
    """Store a half-filled form with the session; ValueError when it is unreasonably large."""
    if len(str(draft)) > MAX_DRAFT_CHARACTERS:
        raise ValueError("The draft is too large to keep.")
    row = session.get(AccountSession, secrets.sha256(session_id))
    if row is not None:
        row.draft = draft
        session.flush()
