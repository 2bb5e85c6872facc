"""Counting wrong sign-ins, per name and per network address, and locking for a while.

Limits: after 5 wrong attempts under one name, 1 minute, doubling to at most 60 minutes, and after
100 in a row the account stays locked until an administrator resumes it (SP 800-63B-4 allows at
most 100). Unknown names lock alike, so a lock says nothing about whether a name exists. From one
address 30 wrong attempts are followed by 15 minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from registry.accounts.errors import AccountError
from registry.accounts.models import AccountAttempt
from registry.accounts.secrets import sha256

FREE_PER_NAME = 5
MAX_PER_NAME = 100
FREE_PER_ADDRESS = 30
LONGEST = timedelta(minutes=60)
ADDRESS_LOCK = timedelta(minutes=15)
FORGET_AFTER = timedelta(hours=24)
FOREVER = timedelta(days=36500)


def name_key(name: str) -> str:
    """Key of a name's attempts."""
    return sha256(f"name:{name}")


def address_key(address: str) -> str:
    """Key of a network address's attempts."""
    return sha256(f"address:{address}")


def check(session: Session, keys: tuple[str, ...], now: datetime) -> None:
    """Raise AccountError LOCKED with the seconds to wait when one of the keys is locked."""
    for key in keys:
        row = session.get(AccountAttempt, key)
        if row is not None and row.locked_until is not None and now < row.locked_until:
            wait = min(row.locked_until - now, LONGEST)
            raise AccountError("LOCKED", retry_after=int(wait.total_seconds()) + 1)


def count_failure(session: Session, *, name: str, address: str, now: datetime) -> None:
    """One more wrong attempt under this name and from this address."""
    by_name = _row(session, name_key(name), now)
    by_name.failures += 1
    if by_name.failures >= MAX_PER_NAME:
        by_name.locked_until = now + FOREVER
    elif by_name.failures >= FREE_PER_NAME:
        minutes = 2 ** min(by_name.failures - FREE_PER_NAME, 10)
        by_name.locked_until = now + min(timedelta(minutes=minutes), LONGEST)
    by_name.last_at = now
    count_address(session, address, now)


def count_address(session: Session, address: str, now: datetime) -> None:
    """One more wrong attempt from this address."""
    by_address = _row(session, address_key(address), now)
    if now - by_address.last_at > FORGET_AFTER:
        by_address.failures = 0
    by_address.failures += 1
    if by_address.failures % FREE_PER_ADDRESS == 0:
        by_address.locked_until = now + ADDRESS_LOCK
    by_address.last_at = now
    session.flush()


def forget(session: Session, name: str) -> None:
    """A right attempt under this name clears its count; the address keeps its own."""
    session.execute(delete(AccountAttempt).where(AccountAttempt.key == name_key(name)))


def _row(session: Session, key: str, now: datetime) -> AccountAttempt:
    row = session.get(AccountAttempt, key)
    if row is None:
        row = AccountAttempt(key=key, failures=0, last_at=now)
        session.add(row)
    return row
