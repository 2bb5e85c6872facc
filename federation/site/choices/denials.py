"""The newest "no" that this hospital ever saw for each patient; nothing takes it back.

A later yes opens again; a "no" that a consent list stops telling does not go away. Of the "no"s to
new data every one is kept: the first that is not answered ends the time of which the data count,
and a later one, made up or not, must not move that end.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from consent.rule import COLLECT_NEW
from federation.site.store import milliseconds

_LATER = (
    "INSERT INTO {table} (handle, study, item, at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (handle, study, item) DO UPDATE SET at = excluded.at"
    " WHERE excluded.at > {table}.at"
)
_NEWEST = _LATER.format(table="denial")
_NEWEST_OWN = _LATER.format(table="own_denial")


def close(
    database: sqlite3.Connection,
    handle: bytes,
    study: str,
    items: Iterable[str],
    at: datetime,
    *,
    own: bool = False,
) -> None:
    """Remember a "no" of this patient to `items` of `study` ("*": all). Inside a transaction.

    own: the patient said it in person; then nobody else's yes opens it again. It works for every
    question from the commit on, also before the hub knows of it.
    """
    rows = [(handle, study, item, milliseconds(at)) for item in items]
    database.executemany(_NEWEST, rows)
    if own:
        database.executemany(_NEWEST_OWN, rows)
    database.executemany(
        "INSERT INTO nothing_new (handle, study, at, own) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(*row[:2], row[3], int(own)) for row in rows if row[2] == COLLECT_NEW],
    )


Said = dict[tuple[bytes, str, str], int]
"""By handle, study and item the moment of the newest "no", in milliseconds."""


_ALL = "SELECT handle, study, item, at FROM denial"
_OWN = "SELECT handle, study, item, at FROM own_denial"


def newest(database: sqlite3.Connection, *, own: bool = False) -> Said:
    """Every "no" there is; or only what patients said in person."""
    rows = database.execute(_OWN if own else _ALL)
    return {(handle, study, item): at for handle, study, item, at in rows}


def to_new_data(database: sqlite3.Connection) -> list[tuple[bytes, str, int, bool]]:
    """Every "no" to new data: handle, study, moment, and whether it was the patient in person."""
    rows = database.execute("SELECT handle, study, at, own FROM nothing_new ORDER BY at")
    return [(handle, study, at, bool(own)) for handle, study, at, own in rows]
