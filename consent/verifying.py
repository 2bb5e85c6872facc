"""Checking the log of choices against itself: every event has its leaf, every leaf its place.

What is found: an event or a mark that was changed, removed or written past the log; a leaf that was
changed; a head that does not belong to the leaves; a head that was signed or seen by a hospital
and that the leaves no longer give. A leaf whose content was erased is fine when `consent_erasure`
names it and its study has ended: what still has to be obeyed is never erased. What is not found
here: a log rewritten as a whole before anybody saw a head of it.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.acts import event_content, mark_content
from consent.alarms import raise_alarm
from consent.log import EMPTY_ROOT, Frontier, leaf_hash
from consent.models import ConsentEvent, ConsentMark, LogHead, LogLeaf, Receipt
from consent.models_trust import Erasure
from consent.witnessing import Fault, judge_all_heads
from studies.models import Study

_PAGE: Final = 2000


@dataclass(frozen=True)
class LogBroken:
    """The first thing that does not hold: at which leaf (None for the head), and what."""

    leaf: int | None
    why: str


@dataclass(frozen=True)
class LogHolds:
    """The whole log holds: its size, its root as hex, and of how many leaves content was erased."""

    size: int
    root: str
    erased: int = 0


def verify_log(session: Session, network: str) -> LogBroken | LogHolds:
    """Recompute the log of `network` from its events and marks. Reads only, a part at a time."""
    frontier, erased, more = Frontier(), 0, True
    while more:
        leaves, gone, wrong = _check_page(session, network, frontier.size)
        if wrong is not None:
            return wrong
        frontier, erased, more = frontier.append(leaves), erased + gone, len(leaves) == _PAGE
    stray = _past_the_log(session, network, frontier.size)
    if stray is not None:
        return LogBroken(stray, "event without a leaf")
    early = _erased_too_early(session, network) if erased else None
    if early is not None:
        return LogBroken(early, "content erased before its study ended")
    head = session.get(LogHead, network)
    kept = (0, EMPTY_ROOT.hex()) if head is None else (head.size, head.root)
    if kept != (frontier.size, frontier.root.hex()):
        return LogBroken(None, "head does not belong to the leaves")
    return LogHolds(frontier.size, frontier.root.hex(), erased)


def look_whole(session: Session, network: str) -> tuple[LogBroken | LogHolds, list[Fault]]:
    """The nightly look: the log itself, and every head that was signed or seen. Reads only.

    A head that does not agree is told as LogBroken too.
    """
    found = verify_log(session, network)
    if isinstance(found, LogBroken):
        return found, [Fault("log_broken", {"leaf": found.leaf, "why": found.why})]
    faults = judge_all_heads(session, network)
    if faults:
        found = LogBroken(None, "a head that was signed or seen does not belong to the leaves")
    return found, faults


def verify_whole(session: Session, network: str, now: datetime) -> LogBroken | LogHolds:
    """As `look_whole`, and write down an alarm for each thing that does not hold."""
    found, faults = look_whole(session, network)
    for fault in faults:
        raise_alarm(session, network, fault.kind, fault.facts, now)
    return found


def _check_page(
    session: Session, network: str, first: int
) -> tuple[list[bytes], int, LogBroken | None]:
    """The leaves from `first` on, a page of them; how many were erased; what does not hold."""
    end = first + _PAGE
    leaves = session.execute(
        select(LogLeaf.number, LogLeaf.hash)
        .where(LogLeaf.network == network, LogLeaf.number >= first, LogLeaf.number < end)
        .order_by(LogLeaf.number)
    ).all()
    said = _said(session, network, first, end)
    erased = set(
        session.scalars(
            select(Erasure.leaf).where(
                Erasure.network == network, Erasure.leaf >= first, Erasure.leaf < end
            )
        )
    )
    gone = 0
    for place, (number, hashed) in enumerate(leaves, start=first):
        if number != place:
            return [], 0, LogBroken(place, "leaf missing")
        content = said.pop(place, None)
        if content is None:
            if place not in erased:
                return [], 0, LogBroken(place, "event missing")
            gone += 1
        elif leaf_hash(content[0], content[1].encode("utf-8")) != hashed:
            return [], 0, LogBroken(place, "event or leaf changed")
    if said:
        why = "leaf missing" if len(leaves) == _PAGE else "event without a leaf"
        return [], 0, LogBroken(min(said), why)
    return [hashed for _, hashed in leaves], gone, None


def _said(session: Session, network: str, first: int, end: int) -> dict[int, tuple[bytes, str]]:
    """Salt and canonical text of every event and mark that claims one of these leaves."""
    event, mark = ConsentEvent, ConsentMark
    events = session.scalars(
        select(event).where(event.network == network, event.leaf >= first, event.leaf < end)
    )
    found = {row.leaf: (row.salt, event_content(columns_of(row))) for row in events}
    marks = session.scalars(
        select(mark).where(mark.network == network, mark.leaf >= first, mark.leaf < end)
    )
    for row in marks:
        # Two that claim one leaf: at most one of them is it, so neither is believed.
        twice = row.leaf in found
        found[row.leaf] = (b"", "") if twice else (row.salt, mark_content(columns_of(row)))
    return found


def _past_the_log(session: Session, network: str, size: int) -> int | None:
    event, mark = ConsentEvent, ConsentMark
    strays = [
        session.scalar(
            select(func.min(event.leaf)).where(
                event.network == network, (event.leaf >= size) | (event.leaf < 0)
            )
        ),
        session.scalar(
            select(func.min(mark.leaf)).where(
                mark.network == network, (mark.leaf >= size) | (mark.leaf < 0)
            )
        ),
    ]
    return min((stray for stray in strays if stray is not None), default=None)


def columns_of(row: ConsentEvent | ConsentMark) -> Mapping[str, Any]:
    """All columns of an event or a mark by name, as their canonical text takes them."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _erased_too_early(session: Session, network: str) -> int | None:
    """The first leaf that was erased though no study that has ended lets it go.

    Receipts stay, so the act of each erased answer is known. A mark has no receipt; it only goes
    together with the answer that it is about.
    """
    closed = set(session.scalars(select(Study.slug).where(Study.state == "closed")))
    acts = session.execute(
        select(Receipt.first_leaf, Receipt.leaves, Receipt.study)
        .where(Receipt.network == network)
        .order_by(Receipt.first_leaf)
    ).all()
    firsts = [first for first, _, _ in acts]
    with_an_answer, marks = set(), []
    for leaf, at in session.execute(
        select(Erasure.leaf, Erasure.at).where(Erasure.network == network).order_by(Erasure.leaf)
    ):
        place = bisect_right(firsts, leaf) - 1
        first, leaves, study = acts[place] if place >= 0 else (0, 0, "")
        if leaf >= first + leaves:
            marks.append((leaf, at))
        elif study not in closed:
            return int(leaf)
        else:
            with_an_answer.add(at)
    return next((leaf for leaf, at in marks if at not in with_an_answer), None)
