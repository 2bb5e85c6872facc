"""Heads of the log that the hub signed: what it can never deny later (RFC 9162 2.1, 4.10).

A head is signed when a snapshot is published and at least hourly. Before that the log is held
against the head signed before: a hub whose log does not continue it signs nothing more.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.alarms import raise_alarm
from consent.errors import ConsentError
from consent.log import EMPTY_ROOT
from consent.models import LogHead
from consent.models_trust import TreeHead
from consent.tree import root_at
from studies.actor import SYSTEM
from studies.base import to_ms
from studies.events import announce

AT_LEAST_EVERY: Final = timedelta(hours=1)

#: Gets the claims, gives the signed message (JWS, Ed25519, typ `consent-head+jws`).
SignHead = Callable[[Mapping[str, Any]], bytes]


def head_claims(network: str, size: int, root: str, at: datetime) -> dict[str, Any]:
    """What a signed head says: network, size, root (hex) and the moment in milliseconds."""
    return {"network": network, "size": size, "root": root, "at": to_ms(at)}


def sign_head(session: Session, sign: SignHead, network: str, now: datetime) -> TreeHead | None:
    """Sign the head of the log as it is now, unless that was done within the last hour.

    None when the log does not continue the head signed before: then the alarm `log_broken` is
    raised and nothing is signed.
    """
    head = session.get(LogHead, network, populate_existing=True)
    size, root = (0, EMPTY_ROOT.hex()) if head is None else (head.size, head.root)
    last = latest_head(session, network)
    if last is not None and (last.size, last.root) == (size, root):
        if timedelta(0) <= now - last.at < AT_LEAST_EVERY:
            return last
    if not _continues(session, network, last, size, root, now):
        return None
    at = now if last is None or now > last.at else last.at + timedelta(milliseconds=1)
    body = sign(head_claims(network, size, root, at))
    signed = TreeHead(network=network, size=size, at=at, root=root, body=body)
    session.add(signed)
    session.flush()
    announce(
        session,
        actor=SYSTEM,
        action="consent.head_signed",
        about=f"network:{network}",
        facts={"size": size, "root": root},
    )
    return signed


def _continues(
    session: Session, network: str, last: TreeHead | None, size: int, root: str, now: datetime
) -> bool:
    try:
        if root_at(session, network, size).hex() != root:
            raise ConsentError("log_inconsistent")
        if last is not None and (
            last.size > size or root_at(session, network, last.size).hex() != last.root
        ):
            raise ConsentError("log_inconsistent")
    except ConsentError:
        signed = None if last is None else {"size": last.size, "root": last.root}
        facts = {"size": size, "root": root, "signed_before": signed}
        raise_alarm(session, network, "log_broken", facts, now)
        return False
    return True


def latest_head(session: Session, network: str, at_least: int = 0) -> TreeHead | None:
    """The newest signed head of a network's log that covers `at_least` leaves."""
    return session.scalars(
        select(TreeHead)
        .where(TreeHead.network == network, TreeHead.size >= at_least)
        .order_by(TreeHead.at.desc(), TreeHead.size.desc())
        .limit(1)
    ).first()
