"""Counting changes of a hospital's part, so that two people at one card do not undo each other."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from studies.errors import StudiesError
from studies.models import Participation


def begin_change(session: Session, part: Participation, expected: int | None) -> None:
    """Count one more change of a hospital's part, or refuse.

    `expected` is the version that the caller was shown. Two at once: the database lets one through.
    Raises StudiesError `changed_meanwhile` with both versions.
    """
    seen = part.version if expected is None else expected
    session.flush()
    found = session.execute(
        update(Participation)
        .where(Participation.id == part.id, Participation.version == seen)
        .values(version=seen + 1)
        .execution_options(synchronize_session=False)
    )
    changed = getattr(found, "rowcount", 0)
    session.refresh(part)
    if not changed:
        raise StudiesError("changed_meanwhile", versions=(seen, part.version))
