"""Signing in of professionals: checks the secrets and makes the server-side session.

Patients come in through registry/accounts/letter_door.py and its neighbours.

These functions sit at the edge: each opens its own unit of work, because a wrong attempt must be
counted and audited although the request fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from registry.access import ANONYMOUS
from registry.accounts import attempts, secrets
from registry.accounts.errors import AccountError
from registry.accounts.models import Account, AccountSession, AccountTotpUsed
from registry.accounts.service import actor_of, fold
from registry.accounts.sessions import ABSOLUTE, start
from registry.database import SessionFactory
from registry.transaction import reading, unit_of_work
from studies.actor import Actor
from studies.events import announce


@dataclass(frozen=True)
class SignedIn:
    """A fresh session: the id that goes into the cookie, and who it is."""

    session_id: str
    actor: Actor


def sign_in(
    factory: SessionFactory,
    *,
    name: str,
    password: str,
    code: str,
    address: str,
    now: datetime,
    previous: str | None = None,
) -> SignedIn:
    """Check name, password and one-time code; a new session replaces ``previous``.

    Raises AccountError WRONG_SIGN_IN, the same for every reason, or LOCKED.
    """
    folded = fold(name)[:200]
    keys = (attempts.name_key(folded), attempts.address_key(address), attempts.overall_key())
    password_right = _password_right(factory, Account.name == folded, keys, password, now)
    with unit_of_work(factory, ANONYMOUS) as session:
        attempts.check(session, keys, now)
        account = session.scalar(select(Account).where(Account.name == folded))
        right = password_right and _code_right(session, account, code, now)
        if account is not None and right:
            attempts.forget(session, folded)
            actor = actor_of(account, now)
            session_id = start(session, now=now, account_id=account.id, previous=previous)
            announce(session, actor=actor, action="account.signed-in", about=_about(actor))
        else:
            _refused(session, account, folded, address, now)
    if account is None or not right:
        raise AccountError("WRONG_SIGN_IN")
    return SignedIn(session_id, actor)


def confirm(
    factory: SessionFactory,
    *,
    actor: Actor,
    password: str,
    code: str,
    address: str,
    now: datetime,
    previous: str,
) -> SignedIn:
    """Password and code again before an approval; the session gets a new id and is fresh.

    Raises AccountError WRONG_SIGN_IN or LOCKED.
    """
    with reading(factory) as session:
        account = session.get(Account, actor.id)
        name = "" if account is None else account.name
    keys = (attempts.name_key(name), attempts.address_key(address), attempts.overall_key())
    password_right = _password_right(factory, Account.id == actor.id, keys, password, now)
    with unit_of_work(factory, actor) as session:
        attempts.check(session, keys, now)
        account = session.get(Account, actor.id)
        right = password_right and _code_right(session, account, code, now)
        if right:
            attempts.forget(session, name)
            session_id = start(session, now=now, account_id=actor.id, previous=previous)
            announce(session, actor=actor, action="account.confirmed", about=_about(actor))
        else:
            _refused(session, account, name, address, now)
    if not right:
        raise AccountError("WRONG_SIGN_IN")
    return SignedIn(session_id, actor)


def sign_out(factory: SessionFactory, *, actor: Actor, session_id: str) -> None:
    """End one session at once."""
    with unit_of_work(factory, actor) as session:
        session.execute(
            delete(AccountSession).where(AccountSession.id_sha256 == secrets.sha256(session_id))
        )
        word = "patient" if actor.kind == "patient" else "account"
        announce(session, actor=actor, action=f"{word}.signed-out", about=_about(actor))


def sweep(session: Session, now: datetime) -> None:
    """Delete sessions past their absolute end and used codes nobody can repeat."""
    session.execute(delete(AccountSession).where(AccountSession.created_at < now - ABSOLUTE))
    session.execute(delete(AccountTotpUsed).where(AccountTotpUsed.used_at < now - ABSOLUTE))
    attempts.sweep(session, now)


def _about(actor: Actor) -> str:
    return f"{'subject' if actor.kind == 'patient' else 'account'}:{actor.id}"


def _password_right(
    factory: SessionFactory,
    which: ColumnElement[bool],
    keys: tuple[str, ...],
    password: str,
    now: datetime,
) -> bool:
    """Whether the password fits; outside any writing transaction, because argon2 takes its time.

    Takes alike long without an account, so that time does not tell which names exist.
    """
    with reading(factory) as session:
        attempts.check(session, keys, now)
        stored = session.scalar(select(Account.password_hash).where(which))
    return secrets.password_fits(stored, password)


def _code_right(session: Session, account: Account | None, code: str, now: datetime) -> bool:
    """Whether a usable account gave a one-time code that was not used before; uses it up."""
    if account is None or not account.usable(now) or account.totp_secret is None:
        return False
    counter = secrets.totp_counter(account.totp_secret, code, now)
    if counter is None or session.get(AccountTotpUsed, (account.id, counter)) is not None:
        return False
    session.add(AccountTotpUsed(account_id=account.id, counter=counter, used_at=now))
    session.flush()
    return True


def _refused(
    session: Session, account: Account | None, name: str, address: str, now: datetime
) -> None:
    attempts.count_failure(session, name=name, address=address, now=now)
    announce(
        session,
        actor=ANONYMOUS,
        action="account.sign-in-refused",
        about=f"account:{'unknown' if account is None else account.id}",
        facts={"outcome": "refused"},
    )
