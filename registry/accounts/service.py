"""Accounts, roles and tokens: commands that change them. Services flush, the edge commits."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.access import PROFESSIONAL
from registry.accounts import secrets
from registry.accounts.attempts import name_key
from registry.accounts.errors import AccountError
from registry.accounts.models import (
    ACTIVE,
    SUSPENDED,
    Account,
    AccountAttempt,
    AccountRole,
    AccountSession,
    ApiToken,
)
from studies.actor import Actor
from studies.events import announce
from studies.models import Institution, Study
from studies.network.groups import find_group

TOKEN_SCOPES = frozenset({"read", "write"})
TOKEN_MAX = timedelta(days=366)
_NAME = re.compile(r"^[a-z0-9._@-]{2,64}$")


def fold(name: str) -> str:
    """The form in which names are stored and compared (in Python, alike on both databases)."""
    return name.strip().casefold()


def add_account(
    session: Session,
    *,
    name: str,
    display_name: str,
    password: str,
    by: Actor,
    now: datetime,
    totp_secret: str | None = None,
    expires_at: datetime | None = None,
) -> Account:
    """A new active account without roles.

    Raises AccountError BAD_NAME, NAME_TAKEN, WEAK_PASSWORD. Give ``totp_secret`` from
    :func:`registry.accounts.secrets.new_totp_secret`; without it nobody can sign in.
    """
    folded = fold(name)
    if not _NAME.match(folded):
        raise AccountError("BAD_NAME")
    if session.scalar(select(Account.id).where(Account.name == folded)) is not None:
        raise AccountError("NAME_TAKEN")
    account = Account(
        name=folded,
        display_name=display_name.strip()[:200] or folded,
        password_hash=secrets.hash_password(password),
        totp_secret=totp_secret,
        expires_at=expires_at,
        created_at=now,
    )
    session.add(account)
    session.flush()
    _announce(session, by, "account.added", account)
    return account


def find_account(session: Session, name: str) -> Account:
    """The account of this name; raises AccountError UNKNOWN_ACCOUNT."""
    account = session.scalar(select(Account).where(Account.name == fold(name)))
    if account is None:
        raise AccountError("UNKNOWN_ACCOUNT")
    return account


def list_accounts(session: Session) -> list[Account]:
    """All accounts by name."""
    return list(session.scalars(select(Account).order_by(Account.name)))


def grant_role(
    session: Session,
    account: Account,
    *,
    role: str,
    scope: str,
    by: Actor,
    now: datetime,
    until: datetime | None = None,
) -> AccountRole:
    """Give a role for ``scope``: "network", "site:SLUG", "study:SLUG" or "group:NETWORK.SLUG".

    A role that is there already gets the new end. Raises AccountError UNKNOWN_ROLE.
    """
    kind, _, slug = scope.partition(":")
    _check_role(session, role, kind, slug)
    held = next(
        (
            row
            for row in account.roles
            if (row.role, row.scope_kind, row.scope_id) == (role, kind, slug)
        ),
        None,
    )
    if held is None:
        held = AccountRole(
            role=role, scope_kind=kind, scope_id=slug, since=now, granted_by=by.id, until=until
        )
        account.roles.append(held)
    else:
        held.until = until
    session.flush()
    _announce(session, by, "account.role-granted", account, role=held.text)
    return held


def _check_role(session: Session, role: str, kind: str, slug: str) -> None:
    known = {
        "network": lambda: slug == "",
        "site": lambda: session.get(Institution, slug) is not None,
        "study": lambda: session.get(Study, slug) is not None,
        "group": lambda: find_group(session, slug) is not None,
    }.get(kind)
    if role not in PROFESSIONAL or known is None or not known():
        raise AccountError("UNKNOWN_ROLE")


def revoke_role(
    session: Session, account: Account, *, role: str, scope: str, by: Actor, now: datetime
) -> None:
    """Take a role away at once; raises AccountError UNKNOWN_ROLE, LAST_ADMINISTRATOR."""
    wanted = f"{role}@{scope}"
    held = next((row for row in account.roles if row.text == wanted), None)
    if held is None:
        raise AccountError("UNKNOWN_ROLE")
    if wanted == "administrator@network":
        _check_other_administrator(session, account, now)
    account.roles.remove(held)
    session.flush()
    _announce(session, by, "account.role-revoked", account, role=wanted)


def suspend(session: Session, account: Account, *, by: Actor, now: datetime) -> None:
    """Stop an account at once: its sessions end. Raises AccountError LAST_ADMINISTRATOR."""
    _check_other_administrator(session, account, now)
    account.state = SUSPENDED
    end_sessions(session, account)
    _announce(session, by, "account.suspended", account)


def resume(session: Session, account: Account, *, by: Actor) -> None:
    """Let a suspended account act again, and forget its wrong attempts."""
    account.state = ACTIVE
    session.execute(delete(AccountAttempt).where(AccountAttempt.key == name_key(account.name)))
    _announce(session, by, "account.resumed", account)


def change_secrets(
    session: Session,
    account: Account,
    *,
    by: Actor,
    password: str | None = None,
    totp_secret: str | None = None,
) -> None:
    """Set a new password, a new one-time-code seed, or both; all sessions end."""
    if password is not None:
        account.password_hash = secrets.hash_password(password)
    if totp_secret is not None:
        account.totp_secret = totp_secret
    end_sessions(session, account)
    _announce(session, by, "account.secrets-changed", account)


def end_sessions(session: Session, account: Account) -> None:
    """Sign the account out everywhere."""
    session.execute(delete(AccountSession).where(AccountSession.account_id == account.id))


def _check_other_administrator(session: Session, account: Account, now: datetime) -> None:
    administers = [
        other.id
        for other in list_accounts(session)
        if other.usable(now)
        and any(row.text == "administrator@network" and row.active(now) for row in other.roles)
    ]
    if administers == [account.id]:
        raise AccountError("LAST_ADMINISTRATOR")


def issue_token(
    session: Session,
    account: Account,
    *,
    label: str,
    scopes: Collection[str],
    expires_at: datetime,
    by: Actor,
    now: datetime,
) -> tuple[ApiToken, str]:
    """A new token: its row, and the text that is shown this once.

    Raises AccountError UNKNOWN_SCOPE, TOKEN_TOO_LONG.
    """
    if not scopes or set(scopes) - TOKEN_SCOPES:
        raise AccountError("UNKNOWN_SCOPE")
    if not now < expires_at <= now + TOKEN_MAX:
        raise AccountError("TOKEN_TOO_LONG")
    text = secrets.new_token()
    token = ApiToken(
        account_id=account.id,
        label=label.strip()[:100],
        sha256=secrets.sha256(text),
        scopes=sorted(scopes),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    _announce(session, by, "account.token-added", account, token=token.id)
    return token, text


def list_tokens(session: Session, account: Account) -> list[ApiToken]:
    """The account's tokens, newest first; never their text."""
    return list(
        session.scalars(
            select(ApiToken)
            .where(ApiToken.account_id == account.id)
            .order_by(ApiToken.created_at.desc(), ApiToken.id)
        )
    )


def revoke_token(
    session: Session, account: Account, token_id: str, *, by: Actor, now: datetime
) -> None:
    """End a token at once; raises AccountError UNKNOWN_TOKEN, also for somebody else's."""
    token = session.get(ApiToken, token_id)
    if token is None or token.account_id != account.id:
        raise AccountError("UNKNOWN_TOKEN")
    token.revoked_at = token.revoked_at or now
    session.flush()
    _announce(session, by, "account.token-revoked", account, token=token.id)


def roles_of(account: Account, now: datetime) -> frozenset[str]:
    """Roles that count now, plain and with scope: {"committee", "committee@study:x"}."""
    active = [row for row in account.roles if row.active(now)]
    return frozenset({row.role for row in active} | {row.text for row in active})


def actor_of(account: Account, now: datetime) -> Actor:
    """The account as an actor with the roles that count now."""
    return Actor(
        kind="user", id=account.id, roles=roles_of(account, now), name=account.display_name
    )


def _announce(session: Session, by: Actor, action: str, account: Account, **facts: str) -> None:
    announce(session, actor=by, action=action, about=f"account:{account.id}", facts=facts)
