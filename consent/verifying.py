"""Checking the log of choices against itself: every event has its leaf, every leaf its place.

What is found: an event that was changed, removed or written past the log; a leaf that was changed;
a head that does not belong to the leaves. What is not found here: a log rewritten as a whole,
which only a receipt or a site that keeps an older root can show (RFC 9162 section 2.1.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from consent.acts import event_content
from consent.log import EMPTY_ROOT, leaf_hash, root
from consent.models import ConsentEvent, LogHead, LogLeaf


@dataclass(frozen=True)
class LogBroken:
    """The first thing that does not hold: at which leaf (None for the head), and what."""

    leaf: int | None
    why: str


@dataclass(frozen=True)
class LogHolds:
    """The whole log holds: its size and its root as hex."""

    size: int
    root: str


def verify_log(session: Session, network: str) -> LogBroken | LogHolds:
    """Recompute the log of `network` from its events. Reads only."""
    leaves = session.scalars(
        select(LogLeaf).where(LogLeaf.network == network).order_by(LogLeaf.number)
    ).all()
    events = {
        event.leaf: event
        for event in session.scalars(select(ConsentEvent).where(ConsentEvent.network == network))
    }
    for place, leaf in enumerate(leaves):
        if leaf.number != place:
            return LogBroken(place, "leaf missing")
        event = events.pop(place, None)
        if event is None:
            return LogBroken(place, "event missing")
        if leaf_hash(event.salt, event_content(_columns(event)).encode("utf-8")) != leaf.hash:
            return LogBroken(place, "event or leaf changed")
    if events:
        return LogBroken(min(events), "event without a leaf")
    head = session.get(LogHead, network)
    computed = root([leaf.hash for leaf in leaves])
    kept = (0, EMPTY_ROOT.hex()) if head is None else (head.size, head.root)
    if kept != (len(leaves), computed.hex()):
        return LogBroken(None, "head does not belong to the leaves")
    return LogHolds(len(leaves), computed.hex())


def _columns(event: ConsentEvent) -> Mapping[str, Any]:
    return {column.key: getattr(event, column.key) for column in inspect(ConsentEvent).column_attrs}
