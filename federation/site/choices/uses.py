"""Telling patients which questions used their data: once per question, and roughly how many.

The number is of all patients here who agreed to the study, in scope of every question of it; never
of those whom a question picked. No handle is named: the hub knows who agreed.
"""

import sqlite3
from datetime import datetime

import numpy as np

from consent.bands import band
from federation.site.answering import Prepared
from federation.site.checks import Question
from federation.site.choices.outbox import Outbox
from federation.site.directory import SiteDirectory
from federation.site.selection import Selection
from federation.site.step_message import StepMessage
from federation.site.store import milliseconds

LEAST = 5
"""As a policy's floor: fewer patients are never spoken of, also by a site without protection."""


class Uses:
    """The table `use_told`. Call `note` inside the transaction of the answer."""

    def __init__(self, directory: SiteDirectory, database: sqlite3.Connection) -> None:
        settings, terms = directory.settings, directory.policy.terms()
        self._database = database
        self._outbox = Outbox(
            database, directory.sign, site=settings.slug, network=settings.network
        )
        self._least = max(terms.t_cohort_site, terms.t_cell, LEAST)

    def note(
        self,
        question: Question,
        asked: StepMessage,
        prepared: Prepared,
        now: datetime,
    ) -> None:
        """Put a message in the outbox when this hospital took part in the answer, did not tell
        of this question before, and enough patients agreed to its study."""
        n = _agreed(prepared.selection) if prepared.counted.contributes else 0
        self.tell(asked, question.study.slug, n, prepared.consent[0], now)

    def tell(self, asked: StepMessage, study: str, n: int, snapshot: int, now: datetime) -> None:
        """As `note`, of `n` patients who took part."""
        known = self._database.execute(
            "SELECT 1 FROM use_told WHERE query_id = ?", (asked.query_sha256,)
        ).fetchone()
        if known is not None or n < self._least:
            return
        self._database.execute(
            "INSERT INTO use_told (query_id, study, at) VALUES (?, ?, ?)",
            (asked.query_sha256, study, milliseconds(now)),
        )
        content = {
            "study": study,
            "query_id": asked.query_sha256,
            "snapshot": snapshot,
            "band": band(n),
        }
        self._outbox.add("use", content, now)


def _agreed(selection: Selection) -> int:
    """How many patients in the data agreed, whether the question picks them or not."""
    rows = np.concatenate([selection.places, selection.outside])
    people = selection.table.people
    return len(rows) if people is None else len(np.unique(people[rows]))
