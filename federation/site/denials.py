"""The newest "no" that this hospital ever saw for each patient; nothing takes it back.

A later yes opens again; a "no" that a consent list stops telling does not go away.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from federation.site.store import milliseconds


def close(
    database: sqlite3.Connection, handle: bytes, study: str, items: Iterable[str], at: datetime
) -> None:
    """Remember a "no" of this patient to `items` of `study` ("*": all). Inside a transaction.

    It works for every question from the commit on, also before the hub knows of it.
    """
    database.executemany(
        "INSERT INTO denial (handle, study, item, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (handle, study, item) DO UPDATE SET at = excluded.at"
        " WHERE excluded.at > denial.at",
        [(handle, study, item, milliseconds(at)) for item in items],
    )
