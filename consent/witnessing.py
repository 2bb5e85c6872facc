"""Heads of the log as hospitals saw them: two that do not agree show that the hub told two stories.

Each confirmation of a hospital names the head that came with its snapshot and is signed by the
hospital, so the hub cannot take it back. Every head is held against all others and our own leaves.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.alarms import raise_alarm
from consent.errors import ConsentError
from consent.models import LogHead, SnapshotRecord
from consent.models_trust import TreeHead, Witness
from consent.refreshing import saw_nothing_new
from consent.tree import root_at
from studies.actor import Actor
from studies.events import account_later, announce

#: A head that others saw is shown to a hospital only when it was seen this recently.
SEEN_WITHIN: Final = timedelta(hours=24)
OTHERS: Final = 2
#: The kind of message in which a hospital says to everybody which head it saw.
WORD_FOR_ALL: Final = "consent-witness+jws"


@dataclass(frozen=True)
class Fault:
    """A head that does not agree: the kind of alarm and what it tells."""

    kind: str
    facts: Mapping[str, Any]


def note_witness(
    session: Session, *, site: str, seq: int, size: int, root: str, body: bytes, now: datetime
) -> Witness:
    """Keep the head that `site` (authenticated by its signature) saw with snapshot `seq`.

    root: hex. body: the site's own signed word about the head, as it came; it is shown to others,
    so it says nothing else. The first word about each snapshot is kept. Raises an alarm when the
    head does not agree with another hospital's or with our log.
    Raises ConsentError `snapshot_never_sent`.
    """
    snapshot = session.get(SnapshotRecord, (site, seq))
    if snapshot is None:
        raise ConsentError("snapshot_never_sent")
    kept = session.get(Witness, (site, seq))
    if kept is not None:
        if (kept.size, kept.root) != (size, root):
            facts = {"sites": [site], "seq": seq, "size": size, "roots": sorted({kept.root, root})}
            raise_alarm(session, kept.network, "two_histories", facts, now)
        return kept
    seen = Witness(
        site=site, seq=seq, network=snapshot.network, size=size, root=root, at=now, body=body
    )
    session.add(seen)
    session.flush()
    if saw_nothing_new(session, seen):
        account_later(session, Witness.__tablename__)
    else:
        announce(
            session,
            actor=Actor(kind="site", id=site),
            action="consent.witnessed",
            about=f"network:{seen.network}",
            facts={"seq": seq, "size": size, "root": root},
        )
    check_head(session, seen.network, size, root, now, site=site)
    return seen


def check_head(
    session: Session, network: str, size: int, root: str, now: datetime, *, site: str | None = None
) -> str | None:
    """Hold one head against all others; raise an alarm and give its kind, None when it agrees."""
    fault = judge_head(session, network, size, root, site=site)
    if fault is None:
        return None
    raise_alarm(session, network, fault.kind, fault.facts, now)
    return fault.kind


def judge_head(
    session: Session, network: str, size: int, root: str, *, site: str | None = None
) -> Fault | None:
    """Hold one head against all witnessed heads and our leaves. Reads only.

    site: who saw it; None for a head that we signed ourselves.
    """
    others = session.execute(
        select(Witness.site, Witness.root)
        .where(Witness.network == network, Witness.size == size, Witness.root != root)
        .distinct()
    ).all()
    if others:
        who = {other for other, _ in others} | ({site} if site else set())
        roots = {theirs for _, theirs in others} | {root}
        facts: dict[str, Any] = {"sites": sorted(who), "size": size, "roots": sorted(roots)}
        return Fault("two_histories", facts)
    if _ours(session, network, size) == root:
        return None
    # Not our leaves. Did we publish it, or did somebody else do that in our name?
    ours = site is None or _published(session, network, size, root)
    facts = {"sites": [site] if site else [], "size": size, "roots": [root]}
    return Fault("log_broken" if ours else "head_unknown", facts)


def judge_all_heads(session: Session, network: str) -> list[Fault]:
    """Hold every head that was ever signed or seen against our leaves. Reads only."""
    signed = session.execute(
        select(TreeHead.size, TreeHead.root).where(TreeHead.network == network).distinct()
    ).all()
    seen = session.execute(
        select(Witness.size, Witness.root, Witness.site)
        .where(Witness.network == network)
        .distinct()
    ).all()
    heads: dict[tuple[int, str], str | None] = {(size, root): site for size, root, site in seen}
    heads |= {(size, root): None for size, root in signed}
    found = [
        judge_head(session, network, size, root, site=site) for (size, root), site in heads.items()
    ]
    return [fault for fault in found if fault is not None]


def _ours(session: Session, network: str, size: int) -> str | None:
    head = session.get(LogHead, network)
    if size > (0 if head is None else head.size):
        return None
    try:
        return root_at(session, network, size).hex()
    except ConsentError:
        return None


def _published(session: Session, network: str, size: int, root: str) -> bool:
    signed = session.scalar(
        select(TreeHead.root)
        .where(TreeHead.network == network, TreeHead.size == size, TreeHead.root == root)
        .limit(1)
    )
    if signed is not None:
        return True
    sent = session.scalar(
        select(SnapshotRecord.seq)
        .where(
            SnapshotRecord.network == network,
            SnapshotRecord.log_size == size,
            SnapshotRecord.log_root == root,
        )
        .limit(1)
    )
    return sent is not None


def seen_by_others(
    session: Session, site: str, network: str, now: datetime, count: int = OTHERS
) -> Sequence[Witness]:
    """The newest heads that other hospitals confirmed within a day, one per hospital.

    They travel in a snapshot, so that each hospital can see that others were told the same. Only
    words that were signed for everybody: a confirmation as a whole also tells the hub of patients.
    """
    rows = session.scalars(
        select(Witness)
        .where(
            Witness.network == network,
            Witness.site != site,
            Witness.at > now - SEEN_WITHIN,
        )
        .order_by(Witness.at.desc(), Witness.size.desc(), Witness.site)
    )
    newest: dict[str, Witness] = {}
    for row in rows:
        if is_for_everybody(row.body):
            newest.setdefault(row.site, row)
        if len(newest) == count:
            break
    return tuple(newest.values())


def is_for_everybody(body: bytes) -> bool:
    """Whether a hospital's signed words are of the kind that others may read, by their header."""
    head = body.partition(b".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and header.get("typ") == WORD_FOR_ALL


def newest_words(session: Session, network: str) -> Sequence[Witness]:
    """The newest head that each hospital confirmed, by hospital."""
    newest = (
        select(Witness.site, func.max(Witness.seq).label("seq"))
        .where(Witness.network == network)
        .group_by(Witness.site)
        .subquery()
    )
    return session.scalars(
        select(Witness)
        .join(newest, (Witness.site == newest.c.site) & (Witness.seq == newest.c.seq))
        .order_by(Witness.site)
    ).all()
