"""Which patients have to be asked again for new data, so that the hospital can write to them.

By this hospital's own books and proofs, as it counts (federation/site/choices/windowing.py). The
hub knows nobody it could write to: the letter comes from the hospital, and the answer through it.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from consent.rule import SELF
from federation.site.choices.consenting import Consenting
from federation.site.choices.parties import person
from federation.site.directory import SiteDirectory

WRITTEN: Final = timedelta(days=92)
"""A letter of so long before the day is about this; nobody is written to twice."""


def to_ask_again(
    directory: SiteDirectory, database: sqlite3.Connection, until: datetime
) -> list[tuple[bytes, int]]:
    """Patients whose yes is due to be said again before `until`, or is overdue, and from when new
    data do not count, in milliseconds; the first one first.

    Left out: who wants nothing new or no messages, who died, and who has a letter of their own
    that was made for it.
    """
    settings = directory.settings
    consenting = Consenting(
        database,
        slug=settings.slug,
        network=settings.network,
        hub_public=settings.hub_public,
        periods=settings.periods,
    )
    found = consenting.due(until)
    written = _letters(database)
    wanted = []
    for handle, day in found.items():
        known = person(database, handle)
        asked = written.get(handle, -1) >= day - WRITTEN // timedelta(milliseconds=1)
        if not (known.died or known.contact_stopped or asked):
            wanted.append((handle, day))
    return sorted(wanted, key=lambda each: (each[1], each[0]))


def _letters(database: sqlite3.Connection) -> Mapping[bytes, int]:
    """When the newest letter of each patient's own was made that did not end."""
    rows = database.execute(
        "SELECT handle, max(made_at) FROM letter WHERE party = ? AND ended_at IS NULL"
        " GROUP BY handle",
        (SELF,),
    )
    return dict(rows)
