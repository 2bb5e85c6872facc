"""Who has to be asked again for new data, so that the hospital can write to them: the patient, or
each of those who decide for the patient.

By this hospital's own books and proofs, as it counts (federation/site/choices/windowing.py). The
hub knows nobody it could write to: the letter comes from the hospital, and the answer through it.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent.parties import SELF, needed
from federation.site.choices.consenting import Consenting
from federation.site.choices.parties import person
from federation.site.directory import SiteDirectory

WRITTEN: Final = timedelta(days=92)
"""A letter of so long before the day is about this; nobody is written to twice."""


@dataclass(frozen=True)
class AskAgain:
    """One person to write to about one patient. day: from when new data do not count, in
    milliseconds."""

    handle: bytes
    party: str
    day: int


def to_ask_again(
    directory: SiteDirectory, database: sqlite3.Connection, now: datetime, until: datetime
) -> list[AskAgain]:
    """Everybody whose yes is needed about patients for whom a yes is due to be said again before
    `until`, or is overdue, the first one first.

    Left out: patients who want nothing new or no messages, or who died, and who has a letter that
    was made for it. Where one of two parents said yes again, the other one is still asked.
    """
    settings = directory.settings
    consenting = Consenting(
        database,
        slug=settings.slug,
        network=settings.network,
        hub_public=settings.hub_public,
        periods=settings.periods,
        notice_days=settings.notice_days,
    )
    found = consenting.due(until)
    written = _letters(database)
    wanted = []
    for handle, day in found.items():
        known = person(database, handle)
        if known.died or known.contact_stopped:
            continue
        spans = known.needed
        for party in sorted(needed(spans, now)) if spans else [SELF]:
            if written.get((handle, party), -1) < day - WRITTEN // timedelta(milliseconds=1):
                wanted.append(AskAgain(handle, party, day))
    return sorted(wanted, key=lambda each: (each.day, each.handle, each.party))


def _letters(database: sqlite3.Connection) -> Mapping[tuple[bytes, str], int]:
    """When the newest letter to each person about each patient was made that did not end."""
    rows = database.execute(
        "SELECT handle, party, max(made_at) FROM letter WHERE ended_at IS NULL"
        " GROUP BY handle, party"
    )
    return {(handle, party): made_at for handle, party, made_at in rows}
