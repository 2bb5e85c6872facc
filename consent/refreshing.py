"""Lists that say nothing new, and how the audit still holds every one of them.

A hospital's list is made anew every five minutes so that it stays fresh. One that says the same as
the one before gets no audit line of its own: its rows, and the hospital's word on it, stand in the
tables, and the next line about this hospital's lists holds how many there were and a hash over
them. That line comes with the next list that says something new, and in any case with the first of
each hour. What a hospital refuses, or says otherwise than before, has its own line at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.models import Ack, SnapshotRecord
from consent.models_trust import Witness
from studies.base import canonical_json, to_ms
from studies.events import Fact

PUBLISHED: Final = "consent.snapshot_published"
COUNT: Final = "refreshed"
HASH: Final = "refreshed_sha256"
_HOUR: Final = 60 * 60 * 1000
_AT_ONCE: Final = 200
_SAME: Final = ("network", "log_size", "log_root", "columns_sha256", "content_sha256", "facts")


@dataclass(frozen=True)
class Covered:
    """What a line said of the lists before it, and whether they are still so."""

    site: str
    seq: int
    count: int
    holds: bool


def says_nothing_new(session: Session, record: SnapshotRecord) -> bool:
    """Whether this list says what the one before it said, within the same hour."""
    before = session.get(SnapshotRecord, (record.site, record.seq - 1))
    return before is not None and _repeats(record, before)


def confirms_nothing_new(session: Session, ack: Ack) -> bool:
    """Whether the hospital says of a list that says nothing new what it said of the one before."""
    record = session.get(SnapshotRecord, (ack.site, ack.seq))
    before = session.get(Ack, (ack.site, ack.seq - 1))
    return (
        record is not None
        and before is not None
        and _is_newest(session, ack.site, ack.seq)
        and says_nothing_new(session, record)
        and (ack.status, ack.code) == (before.status, before.code) == ("applied", None)
        and (ack.unproven, ack.notice_days) == (before.unproven, before.notice_days)
    )


def saw_nothing_new(session: Session, seen: Witness) -> bool:
    """Whether the hospital saw the same head of the log with a list that says nothing new."""
    record = session.get(SnapshotRecord, (seen.site, seen.seq))
    before = session.get(Witness, (seen.site, seen.seq - 1))
    return (
        record is not None
        and before is not None
        and _is_newest(session, seen.site, seen.seq)
        and says_nothing_new(session, record)
        and (seen.size, seen.root) == (before.size, before.root)
    )


def facts_before(session: Session, record: SnapshotRecord) -> dict[str, Fact]:
    """For the line about `record`: how many lists before it have no line of their own, and a hash
    over them and what the hospital said of them. Nothing when there are none."""
    rows = _quiet_before(session, record)
    if not rows:
        return {}
    return {COUNT: len(rows), HASH: _hash(session, rows, record)}


def check_lines(session: Session, lines: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Covered]:
    """What lines `PUBLISHED` said of lists without a line: (site, facts) of each such line."""
    found = []
    for site, facts in lines:
        count, seq = facts.get(COUNT), facts.get("seq")
        if type(count) is not int or type(seq) is not int:
            continue
        record = session.get(SnapshotRecord, (site, seq))
        rows = list(
            session.scalars(
                select(SnapshotRecord)
                .where(SnapshotRecord.site == site)
                .where(SnapshotRecord.seq.between(seq - count, seq - 1))
                .order_by(SnapshotRecord.seq)
            )
        )
        holds = record is not None and len(rows) == count
        holds = holds and record is not None and _hash(session, rows, record) == facts.get(HASH)
        found.append(Covered(site, seq, count, holds))
    return found


def _repeats(record: SnapshotRecord, before: SnapshotRecord) -> bool:
    # A function of rows that never change, so that it is the same whenever it is asked.
    return all(getattr(record, name) == getattr(before, name) for name in _SAME) and (
        to_ms(record.issued) // _HOUR == to_ms(before.issued) // _HOUR
    )


def _quiet_before(session: Session, record: SnapshotRecord) -> list[SnapshotRecord]:
    """The lists before `record` that have no line of their own, the oldest first."""
    rows: list[SnapshotRecord] = []
    later: SnapshotRecord | None = None
    last = record.seq
    while True:
        page = session.scalars(
            select(SnapshotRecord)
            .where(SnapshotRecord.site == record.site, SnapshotRecord.seq < last)
            .order_by(SnapshotRecord.seq.desc())
            .limit(_AT_ONCE)
        ).all()
        for each in page:
            if later is not None:
                if not _repeats(later, each):
                    return rows[::-1]
                rows.append(later)
            later = each
        if len(page) < _AT_ONCE:
            return rows[::-1]  # the first of all has a line
        last = page[-1].seq


def _hash(session: Session, rows: Sequence[SnapshotRecord], record: SnapshotRecord) -> str:
    """Over the lists, and what the hospital had said of them when `record` was made. A refusal has
    a line of its own and may still become a confirmation, so it is not in."""
    site, numbers = record.site, [row.seq for row in rows]
    acks = {
        ack.seq: [
            *(ack.applied_at and to_ms(ack.applied_at), to_ms(ack.received_at), ack.unproven),
            # Only where it was said, so that lines of before still hold.
            *([] if ack.notice_days is None else [ack.notice_days]),
        ]
        for ack in session.scalars(
            select(Ack).where(
                Ack.site == site,
                Ack.seq.in_(numbers),
                Ack.status == "applied",
                Ack.received_at <= record.issued,
            )
        )
    }
    seen = {
        each.seq: [each.size, each.root, sha256(each.body).hexdigest()]
        for each in session.scalars(
            select(Witness).where(
                Witness.site == site, Witness.seq.in_(numbers), Witness.at <= record.issued
            )
        )
    }
    told = [
        [
            *(row.seq, to_ms(row.issued), to_ms(row.valid_until)),
            *(row.log_size, row.log_root, row.columns_sha256, row.content_sha256),
            *(acks.get(row.seq), seen.get(row.seq)),
        ]
        for row in rows
    ]
    return sha256(canonical_json(told).encode()).hexdigest()


def _is_newest(session: Session, site: str, seq: int) -> bool:
    """A word on an older list comes after the line that covers it, and gets one of its own."""
    newest = session.scalar(select(func.max(SnapshotRecord.seq)).where(SnapshotRecord.site == site))
    return newest == seq
