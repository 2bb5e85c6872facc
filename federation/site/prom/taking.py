"""Answers of patients: taken from the hub's post box, proved, kept here, and told to nobody.

They come sealed with the consent lists. What can be opened with this hospital's key and was proved
with the secret of the patient's own letter is kept; of everything that came the hub hears a word.
"""

import binascii
import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from consent.answered import Answered, fingerprint, read_answered, seal_own
from consent.encoding import b64
from consent.parties import SELF
from federation.prom.instruments import INSTRUMENTS, check_answers, scores_of
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey
from federation.protocol.sealing import open_sealed
from federation.site import audit
from federation.site.choices.outbox import Outbox
from federation.site.choices.pseudonyms import handle_text
from federation.site.desk.letter_book import LetterBook
from federation.site.store import milliseconds

MOST_TAKEN: Final = 50
MAX_BLOB: Final = 20_000
MOST_TOLD: Final = 10
"""Patients whose own scores are told with one list, so that the others' messages have room."""
UNREADABLE: Final = "unreadable"
NOT_OURS: Final = "not_ours"
NOT_PROVED: Final = "not_proved"
NOT_ASKED: Final = "not_asked"
ANSWERED_BEFORE: Final = "answered_before"
OWN_SCORES: Final = "own-scores"
_NUMBER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AHEAD: Final = timedelta(days=1)  # a Dutch day begins before the UTC day


class Answers:
    """The tables of questionnaires at one site. Call inside the caller's transaction."""

    def __init__(
        self,
        database: sqlite3.Connection,
        outbox: Outbox,
        box: BoxKey,
        *,
        site: str,
        network: str,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._box = box
        self._site = site
        self._network = network
        self._letters = LetterBook(database)

    def take(self, claims: Mapping[str, Any], now: datetime) -> None:
        """Take what a consent list carries, and say of each what became of it: None, or a code.

        Never raises for what the list holds. What came before changes nothing and is said again.
        """
        given = claims.get("prom")
        taken = [
            [each[0], self._once(each[0], each[1], now)]
            for each in (given[:MOST_TAKEN] if isinstance(given, list) else ())
            if _is_blob(each)
        ]
        if taken:
            self._outbox.add("prom_taken", {"taken": taken}, now)
        self.tell_own(now)

    def _once(self, number: str, blob: str, now: datetime) -> str | None:
        row = self._database.execute(
            "SELECT code FROM prom_seen WHERE id = ?", (number,)
        ).fetchone()
        if row is not None:
            return None if row[0] is None else str(row[0])
        code = self._take(number, blob, now)
        self._database.execute(
            "INSERT INTO prom_seen (id, code, at) VALUES (?, ?, ?)",
            (number, code, milliseconds(now)),
        )
        facts = {"code": code or "TAKEN", "sha256": fingerprint(blob)}
        audit.record(self._database, "ANSWERS", facts, now)
        return code

    def _take(self, number: str, blob: str, now: datetime) -> str | None:
        """Keep one questionnaire; the code why not."""
        try:
            said, mac = read_answered(open_sealed(blob, self._box))
            handle = unb64(said.handle)
            check_answers(said.instrument, said.answers)
        except (ProtocolError, ValueError, TypeError, binascii.Error):
            return UNREADABLE
        if (said.id, said.network, said.site) != (number, self._network, self._site):
            return NOT_OURS
        if not self._proved(said, mac, handle):
            return NOT_PROVED
        if not self._is_asked(said, handle, now):
            return NOT_ASKED
        place = (handle, said.instrument, said.timepoint)
        if self._database.execute(
            "SELECT 1 FROM prom_answer WHERE handle = ? AND instrument = ? AND timepoint = ?", place
        ).fetchone():
            return ANSWERED_BEFORE
        self._database.execute(
            "INSERT INTO prom_answer (id, handle, instrument, version, timepoint, day, language,"
            " answers, taken_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(said.id, handle, said.instrument, said.version, said.timepoint, str(said.day)),
                *(said.language, json.dumps(dict(said.answers)), milliseconds(now)),
            ),
        )
        return None

    def _proved(self, said: Answered, mac: str, handle: bytes) -> bool:
        """Whether the patient's own letter proves it: a hub can seal, and cannot do this."""
        if not said.letter.isascii():
            return False
        letter = self._letters.rows([said.letter.encode()]).get(said.letter.encode())
        if letter is None or (letter.handle, letter.party) != (handle, SELF):
            return False
        return said.proved_by(mac, letter.key)

    def _is_asked(self, said: Answered, handle: bytes, now: datetime) -> bool:
        row = self._database.execute(
            "SELECT opens, closes FROM prom_ask"
            " WHERE handle = ? AND instrument = ? AND timepoint = ? AND ended_at IS NULL",
            (handle, said.instrument, said.timepoint),
        ).fetchone()
        if row is None or said.version != INSTRUMENTS[said.instrument].version:
            return False
        opens, closes = map(date.fromisoformat, row)
        return opens <= said.day <= closes and said.day <= (now + _AHEAD).date()

    def tell_own(self, now: datetime) -> None:
        """Seal the scores of each patient whose answers or letter are new, for that patient alone,
        with the secret of the newest letter. A patient without a letter waits for one."""
        rows = self._database.execute(
            "SELECT letter.handle, given.last FROM letter JOIN (SELECT handle,"
            " max(taken_at) AS last FROM prom_answer GROUP BY handle) AS given"
            " ON given.handle = letter.handle"
            " LEFT JOIN prom_own_told AS told ON told.handle = letter.handle"
            " WHERE letter.party = ? AND letter.ended_at IS NULL"
            " AND (told.letter IS NOT letter.code_id OR told.upto IS NOT given.last)"
            " ORDER BY given.last LIMIT ?",
            (SELF, MOST_TOLD),
        ).fetchall()
        for handle, last in rows:
            tell_scores(self._database, self._outbox, handle, last, now)


def tell_scores(
    database: sqlite3.Connection, outbox: Outbox, handle: bytes, upto: int, now: datetime
) -> None:
    """Tell a patient's own scores to the hub, sealed for the patient alone; nothing for a patient
    without a letter. upto: when the newest of the answers was taken, 0 for none."""
    letter = database.execute(
        "SELECT code_id, proof_key FROM letter WHERE handle = ? AND party = ? AND ended_at IS NULL",
        (handle, SELF),
    ).fetchone()
    if letter is None:
        return
    code, key = letter
    name = handle_text(handle)
    sealed = b64(seal_own(key, code, OWN_SCORES, name, own_scores(database, handle)))
    outbox.add("prom_own", {"handle": name, "letter": code, "sealed": sealed}, now)
    database.execute(
        "INSERT INTO prom_own_told (handle, letter, upto) VALUES (?, ?, ?)"
        " ON CONFLICT (handle) DO UPDATE SET letter = excluded.letter, upto = excluded.upto",
        (handle, code, upto),
    )


def own_scores(database: sqlite3.Connection, handle: bytes) -> dict[str, Any]:
    """The scores of one patient, the oldest first: {"scores": [[day, instrument, time point,
    {variable: score with one decimal, the index with three}]]}."""
    rows = database.execute(
        "SELECT day, instrument, timepoint, answers FROM prom_answer WHERE handle = ?"
        " ORDER BY day, instrument",
        (handle,),
    )
    return {
        "scores": [
            [day, instrument, point, _rounded(scores_of(instrument, json.loads(answers)))]
            for day, instrument, point, answers in rows
        ]
    }


def _rounded(scores: Mapping[str, float]) -> dict[str, str]:
    return {
        name: f"{value:.3f}" if name == "eq5d_index" else f"{value:.1f}"
        for name, value in scores.items()
    }


def _is_blob(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, str) for each in value)
        and _NUMBER.fullmatch(value[0]) is not None
        and len(value[1]) <= MAX_BLOB
        and value[1].isascii()
    )
