"""One limiter for every secret that can be tried: counting wrong tries, and locking for a while.

Counted are a name or a letter's digits, the session, the network address and all tries together:

- a name: after 5 wrong tries 1 minute, doubling to at most 60 minutes; after 100 in a row locked
  until an administrator resumes it (SP 800-63B-4 allows at most 100). Unknown names lock alike, so
  a lock says nothing about whether a name exists.
- the six digits of a letter: an hour after every 5, and after 20 in a row for good: who has the
  letter and guesses finds them with a chance of 20 in a million. A new letter has new digits.
- a session or a browser half signed in: after 5 wrong tries 15 minutes.
- an address: after every 30 wrong tries 15 minutes. An IPv6 address counts as its network (/64).
- numbers of letters that do not fit, by who enters participants: a day after every 20.
- everything together: after every 600 wrong tries in an hour ten seconds, so that a guesser with
  many addresses leaves room for others. It is short on purpose: it also keeps patients waiting.

No address is kept: its key is a keyed hash that changes every day (`address_of`), and what is not a
lock for good is forgotten a day later (`sweep`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import delete, or_
from sqlalchemy.dialects import postgresql, sqlite
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
OVERALL = "overall"


@dataclass(frozen=True)
class Limit:
    """After every `free` wrong tries `lock`, doubling up to `longest`; after `most` for good.

    window: tries longer ago than this are forgotten; None to remember them all.
    """

    free: int
    lock: timedelta
    longest: timedelta
    most: int | None = None
    every: bool = True
    window: timedelta | None = FORGET_AFTER

    def locked_for(self, failures: int) -> timedelta | None:
        """How long a lock the try with this number brings; None for none."""
        if self.most is not None and failures >= self.most:
            return FOREVER
        if failures < self.free or (self.every and failures % self.free != 0):
            return None
        if self.every:
            return self.lock
        doublings = min(failures - self.free, 10)
        return min(self.lock * (1 << doublings), self.longest)


NAME = Limit(FREE_PER_NAME, timedelta(minutes=1), LONGEST, MAX_PER_NAME, every=False, window=None)
DIGITS = Limit(5, LONGEST, LONGEST, 20, window=None)
SESSION = Limit(5, ADDRESS_LOCK, ADDRESS_LOCK)
ADDRESS = Limit(FREE_PER_ADDRESS, ADDRESS_LOCK, ADDRESS_LOCK)
LETTERS = Limit(20, FORGET_AFTER, FORGET_AFTER)
EVERYTHING = Limit(600, timedelta(seconds=10), timedelta(seconds=10), window=timedelta(hours=1))

# Keys of names have no mark (they are older than the others); the marks say what may be swept.
_MARKS: Mapping[str, Limit] = {
    "d": DIGITS,
    "s": SESSION,
    "a": ADDRESS,
    "o": EVERYTHING,
    "l": LETTERS,
}
_SWEPT = ("s", "a", "o", "u", "l")


def name_key(name: str) -> str:
    """Key of a name's attempts."""
    return sha256(f"name:{name}")


def digits_key(code_id: str) -> str:
    """Key of the tries of a letter's six digits."""
    return _key("d", code_id)


def session_key(session_id: str) -> str:
    """Key of what one session, or one browser half signed in, tries."""
    return _key("s", session_id)


def address_key(address: str) -> str:
    """Key of an address's attempts; give what `address_of` makes, never the address itself."""
    return _key("a", address)


def letters_key(account: str) -> str:
    """Key of the numbers of letters that an account tries to enter participants with."""
    return _key("l", account)


def overall_key() -> str:
    """Key of all tries together."""
    return _key("o", OVERALL)


def address_of(remote: str, secret: bytes, now: datetime) -> str:
    """A keyed hash of a network address that nobody can compare with another day's."""
    try:
        address = ip_address(remote)
    except ValueError:
        network = remote
    else:
        wide = isinstance(address, IPv6Address) and address.ipv4_mapped is None
        network = str(ip_network(f"{remote}/64", strict=False)) if wide else str(address)
    return hmac.digest(secret, f"{now:%Y-%m-%d}|{network}".encode(), "sha256").hex()


def check(session: Session, keys: tuple[str, ...], now: datetime) -> None:
    """Raise AccountError LOCKED with the seconds to wait when one of the keys is locked."""
    for key in keys:
        row = session.get(AccountAttempt, key)
        if row is not None and row.locked_until is not None and now < row.locked_until:
            wait = min(row.locked_until - now, LONGEST)
            raise AccountError("LOCKED", retry_after=int(wait.total_seconds()) + 1)


def is_locked(session: Session, key: str, now: datetime) -> bool:
    """Whether a key is locked, for answers that must not tell a lock from a wrong try."""
    row = session.get(AccountAttempt, key)
    return row is not None and row.locked_until is not None and now < row.locked_until


def count(session: Session, keys: tuple[str, ...], now: datetime) -> None:
    """One more wrong try under each of these keys."""
    for key in keys:
        limit = _limit(key)
        row = _row(session, key, now)
        if limit.window is not None and now - row.last_at > limit.window:
            row.failures = 0
        row.failures += 1
        locked = limit.locked_for(row.failures)
        if locked is not None:
            row.locked_until = now + locked
        row.last_at = now
    session.flush()


def count_failure(session: Session, *, name: str, address: str, now: datetime) -> None:
    """One more wrong attempt under this name and from this address."""
    count(session, (name_key(name), address_key(address), overall_key()), now)


def forget(session: Session, name: str) -> None:
    """A right attempt under this name clears its count; the address keeps its own."""
    clear(session, name_key(name))


def clear(session: Session, key: str) -> None:
    """A right try clears the count of what was tried."""
    session.execute(delete(AccountAttempt).where(AccountAttempt.key == key))


def use_once(session: Session, what: str, now: datetime) -> bool:
    """Whether this is the first use of a challenge or state; later uses within a day say no.

    Of two uses at the same moment one is the first.
    """
    return _inserted(session, _key("u", what), now)


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in the same time for every difference."""
    return hmac.compare_digest(one.encode(), other.encode())


def sweep(session: Session, now: datetime) -> None:
    """Forget sessions, addresses and used challenges a day after their last try."""
    marks = [AccountAttempt.key.startswith(f"{mark}:") for mark in _SWEPT]
    old = AccountAttempt.last_at < now - FORGET_AFTER
    session.execute(delete(AccountAttempt).where(old, or_(*marks)))


def _key(mark: str, text: str) -> str:
    return f"{mark}:{sha256(f'{mark}:{text}')[:60]}"


def _limit(key: str) -> Limit:
    return _MARKS.get(key.split(":")[0], NAME) if ":" in key else NAME


def _row(session: Session, key: str, now: datetime) -> AccountAttempt:
    """The row of a key, locked until the commit and read afresh: tries at once all count."""
    row = session.get(AccountAttempt, key, with_for_update=True, populate_existing=True)
    if row is None:
        _inserted(session, key, now)
        row = session.get_one(AccountAttempt, key, with_for_update=True, populate_existing=True)
    return row


def _inserted(session: Session, key: str, now: datetime) -> bool:
    """Whether this transaction made the row; false when it was there or another just made it."""
    postgres = session.get_bind().dialect.name == "postgresql"
    insert = (postgresql if postgres else sqlite).insert(AccountAttempt)
    row = insert.values(key=key, failures=0, last_at=now).on_conflict_do_nothing()
    made = session.execute(row.returning(AccountAttempt.key)).first()
    return made is not None
