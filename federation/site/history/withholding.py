"""The hospital's choice to withhold instead of repeating stored answers (`after_withdrawal`).

When somebody has left a study since its patients were last counted, every question of that study
gets PAUSED_FOR_UPDATE, whatever it is about, so that the pause points at no cohort. It ends when
enough patients have changed, or after three months (design: disclosure.md 4.7, W3).
"""

import sqlite3
from datetime import datetime, timedelta

import numpy as np

from federation.query.refusals import Refused
from federation.site.history.slots import Slots
from federation.site.selection import Selection
from federation.site.store import milliseconds, moment, transaction

RELEASE = timedelta(days=91)


class Withholding:
    """The patients of each study as they were when it last took questions."""

    def __init__(self, database: sqlite3.Connection, slots: Slots) -> None:
        self._database = database
        self._slots = slots

    def check(self, study: str, selection: Selection, t: int, now: datetime) -> None:
        """Refuse PAUSED_FOR_UPDATE while the study is paused; remember its patients otherwise.

        Patients are counted by versions of their rows: one with a corrected value has left and
        come. `t`: so many must have left, or come, for the pause to end before its time.
        """
        everyone = np.concatenate((selection.places, selection.outside))
        present = self._slots.bitmap(selection.table, everyone)
        row = self._database.execute(
            "SELECT bits, at FROM study_release WHERE study = ?", (study,)
        ).fetchone()
        if row is not None:
            before, at = int.from_bytes(row[0], "little"), moment(row[1])
            left, came = (before & ~present).bit_count(), (present & ~before).bit_count()
            if 0 < left and max(left, came) < t and now - at < RELEASE:
                raise Refused("PAUSED_FOR_UPDATE")
        bits = present.to_bytes((present.bit_length() + 7) // 8, "little")
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO study_release (study, bits, at) VALUES (?, ?, ?)"
                " ON CONFLICT (study) DO UPDATE SET bits = excluded.bits, at = excluded.at",
                (study, bits, milliseconds(now)),
            )
