"""Sealed questionnaires that travel to a hospital with a consent list, and what is kept of such a
list: nothing, once they have arrived.

They go only with a list that says nothing new, so that of what a hospital was told of choices the
signed bytes stay on record in another list.
"""

from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from consent.models import SnapshotRecord
from consent.reporting import waiting
from studies.events import account_later


def load(
    session: Session,
    site: str,
    last: SnapshotRecord | None,
    content: str,
    claims: dict[str, Any],
) -> int:
    """Add what waits for this hospital to the claims of its next list; how many.

    last: the list before it. content: the hash of what the next one says of choices.
    """
    if last is None or last.content_sha256 != content:
        return 0
    sealed = waiting(session, site)
    if sealed:
        claims["prom"] = sealed
    return len(sealed)


def forget_bodies(session: Session, record: SnapshotRecord) -> None:
    """Forget the bodies of earlier lists that say the same, which would fill the disk, and of those
    that carried something."""
    said_again = SnapshotRecord.content_sha256 == record.content_sha256
    carried = SnapshotRecord.carries > 0
    session.execute(
        update(SnapshotRecord)
        .where(
            SnapshotRecord.site == record.site,
            SnapshotRecord.seq < record.seq,
            carried if record.carries else or_(carried, said_again),
            SnapshotRecord.body.is_not(None),
        )
        .values(body=None)
    )


def arrived(session: Session, site: str, seq: int) -> None:
    """Forget the body of a list that carried something: the hospital uses it."""
    record = session.get_one(SnapshotRecord, (site, seq))
    if record.carries:
        record.body = None
        account_later(session, SnapshotRecord.__tablename__)
