"""What must not happen and did: written down once, seen by a named person, never taken away."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.models_trust import Alarm
from studies.actor import SYSTEM, Actor
from studies.events import announce

#: What each kind of alarm says: two hospitals were shown different histories; leaves no longer give
#: a head that was published; a hospital saw a head that this hub never published.
ALARM_KINDS: Final = ("two_histories", "log_broken", "head_unknown")


def raise_alarm(
    session: Session, network: str, kind: str, facts: Mapping[str, Any], now: datetime
) -> Alarm:
    """Write an alarm down; the same kind with the same facts is one alarm, also when raised again.

    facts: codes, sizes, roots and names of hospitals; nothing about a patient.
    """
    told = dict(facts)
    for earlier in session.scalars(
        select(Alarm).where(Alarm.network == network, Alarm.kind == kind)
    ):
        if earlier.facts == told:
            return earlier
    alarm = Alarm(network=network, kind=kind, facts=told, raised_at=now)
    session.add(alarm)
    session.flush()
    announce(
        session,
        actor=SYSTEM,
        action="consent.alarm_raised",
        about=f"network:{network}",
        facts={"alarm": alarm.id, "kind": kind},
    )
    return alarm


def alarms(session: Session, *, open_only: bool = False) -> Sequence[Alarm]:
    """All alarms, those that nobody has seen yet first, then the newest first."""
    wanted = select(Alarm).order_by(Alarm.seen_at.is_not(None), Alarm.raised_at.desc(), Alarm.id)
    if open_only:
        wanted = wanted.where(Alarm.seen_at.is_(None))
    return session.scalars(wanted).all()


def acknowledge(session: Session, alarm_id: str, *, actor: Actor, now: datetime) -> Alarm:
    """Say with one's name that an alarm was seen. A second person's word changes nothing.

    Raises ConsentError `alarm_not_found`.
    """
    alarm = session.get(Alarm, alarm_id)
    if alarm is None:
        raise ConsentError("alarm_not_found")
    if alarm.seen_at is None:
        alarm.seen_by, alarm.seen_at = actor.id, now
        session.flush()
        announce(
            session,
            actor=actor,
            action="consent.alarm_seen",
            about=f"network:{alarm.network}",
            facts={"alarm": alarm.id, "kind": alarm.kind},
        )
    return alarm
