"""Telling the transaction what happened, so that it writes one audit line per act."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy.orm import Session

from studies.actor import Actor

Fact = str | int | None
_KEY = "announced"
_LATER = "accounted_later"


@dataclass(frozen=True)
class Announcement:
    """One act: who, what (`study.opened`), about which object (`study:hormone-therapy`)."""

    actor: Actor
    action: str
    about: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))


def announce(
    session: Session,
    *,
    actor: Actor,
    action: str,
    about: str,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    """Append one announcement to `session.info["announced"]`.

    `facts` are small and hold nothing about a patient: no handle, no code, no answer. What is not
    a string, a whole number or None is a TypeError, so that nothing larger slips into the audit.
    """
    given = dict(facts or {})
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
            raise TypeError(f"fact {name} must be text, a whole number or None")
    announcement = Announcement(actor, action, about, MappingProxyType(given))
    session.info.setdefault(_KEY, []).append(announcement)


def account_later(session: Session, table: str) -> None:
    """Say that rows of `table` changed that repeat what was announced before: a later announcement
    covers them with a hash. Only for the tables that registry/transaction.py names for it."""
    session.info.setdefault(_LATER, []).append(table)


def announced(session: Session) -> tuple[Announcement, ...]:
    """What this session's work has announced so far."""
    return tuple(session.info.get(_KEY, ()))
