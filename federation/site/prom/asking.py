"""Which questionnaires this hospital asks of which patient, and where each stands on a day."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from consent.parties import ADULT, SELF
from federation.prom.instruments import scores_of
from federation.prom.schedule import SHIPPED, Pathway, State, Window, read_pathways, windows
from federation.query.yaml_data import YamlError, load_yaml
from federation.site import audit
from federation.site.choices.outbox import Outbox
from federation.site.choices.parties import person
from federation.site.choices.pseudonyms import handle_text
from federation.site.errors import SetupError
from federation.site.files import read_small
from federation.site.prom.taking import tell_scores
from federation.site.store import milliseconds

PATHWAYS_FILE: Final = "prom.yaml"


@dataclass(frozen=True)
class Line:
    """One questionnaire of one patient. received: the day on which it was filled in."""

    number: str
    window: Window
    state: State
    received: date | None
    asked: bool

    def to_dict(self, *, with_number: bool) -> dict[str, Any]:
        """As JSON, with the local number only where it is wanted."""
        told: dict[str, Any] = {"number": self.number} if with_number else {}
        return told | {
            "instrument": self.window.instrument,
            "timepoint": self.window.timepoint,
            "opens": str(self.window.opens),
            "closes": str(self.window.closes),
            "state": self.state if self.asked or self.received else "ended",
            "received": None if self.received is None else str(self.received),
        }


def pathways(folder: Path) -> Mapping[str, Pathway]:
    """The pathways of a site: its prom.yaml, or the one that comes with the program. SetupError."""
    file = folder / PATHWAYS_FILE
    if not file.exists():
        return SHIPPED
    try:
        return read_pathways(load_yaml(read_small(file)))
    except OSError as error:
        raise SetupError(f"{PATHWAYS_FILE} cannot be read; put it in place.") from error
    except (YamlError, ValueError) as error:
        raise SetupError(f"{PATHWAYS_FILE}: {error}") from error


class Asking:
    """The table `prom_ask`. Call inside one transaction."""

    def __init__(self, database: sqlite3.Connection, outbox: Outbox, by: str) -> None:
        self._database = database
        self._outbox = outbox
        self._by = by

    def ask(self, handle: bytes, number: str, wanted: Sequence[Window], now: datetime) -> None:
        """Ask a patient these questionnaires, beside what is asked already; a window that is asked
        again gets its new days. SetupError for who is not to be asked, or cannot be yet."""
        known = person(self._database, handle)
        if known.died or known.contact_stopped:
            raise SetupError(
                "this patient is not to be written to; nothing was asked.", "prom_not_written"
            )
        if known.speakers or (known.age is not None and known.age.age_class != ADULT):
            raise SetupError(
                "these questionnaires are for adults who answer themselves; nothing was asked.",
                "prom_not_adult",
            )
        letter = self._database.execute(
            "SELECT 1 FROM letter WHERE handle = ? AND party = ? AND ended_at IS NULL",
            (handle, SELF),
        ).fetchone()
        if letter is None:
            raise SetupError(
                "this patient has no letter; make one first: oncokring site invite.",
                "prom_no_letter",
            )
        for each in wanted:
            self._database.execute(
                "INSERT INTO prom_ask (handle, number, instrument, timepoint, opens, closes, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (handle, instrument, timepoint)"
                " DO UPDATE SET opens = excluded.opens, closes = excluded.closes, ended_at = NULL",
                (
                    *(handle, number, each.instrument, each.timepoint),
                    *(str(each.opens), str(each.closes), milliseconds(now)),
                ),
            )
        self._tell(handle, now)

    def end(self, handle: bytes, now: datetime, *, forget: bool = False) -> int:
        """Ask a patient nothing more; `forget`: also destroy the answers that were kept here. How
        many questionnaires that is about."""
        rows = self._database.execute(
            "UPDATE prom_ask SET ended_at = ? WHERE handle = ? AND ended_at IS NULL",
            (milliseconds(now), handle),
        ).rowcount
        if forget:
            rows += self._database.execute(
                "DELETE FROM prom_answer WHERE handle = ?", (handle,)
            ).rowcount
            # What the patient sees is what there is: nothing.
            tell_scores(self._database, self._outbox, handle, 0, now)
        self._tell(handle, now)
        return rows

    def _tell(self, handle: bytes, now: datetime) -> None:
        asks = self._database.execute(
            "SELECT instrument, timepoint, opens, closes FROM prom_ask"
            " WHERE handle = ? AND ended_at IS NULL ORDER BY opens, instrument",
            (handle,),
        ).fetchall()
        content = {"handle": handle_text(handle), "asks": [list(row) for row in asks]}
        self._outbox.add("prom_ask", content, now)
        audit.record(self._database, "PROM_ASKED", {"names": self._by}, now)


def planned(
    folder: Path, pathway: str, start: date, instruments: Sequence[str]
) -> tuple[Window, ...]:
    """The windows of a pathway from `start`, of these instruments only when some are named.
    SetupError for a pathway or an instrument that it does not have."""
    known = pathways(folder)
    if pathway not in known:
        raise SetupError(
            f"there is no pathway '{pathway[:60]}'; use one of: {', '.join(known)}.",
            "prom_pathway",
        )
    found = known[pathway]
    for each in instruments:
        if each not in found.instruments:
            listed = ", ".join(found.instruments)
            raise SetupError(
                f"pathway {pathway} asks {listed}, and not '{each[:60]}'.", "prom_pathway"
            )
    return tuple(w for w in windows(found, start) if not instruments or w.instrument in instruments)


def lines(database: sqlite3.Connection, today: date) -> list[Line]:
    """Every questionnaire that is or was asked, in order of its days."""
    rows = database.execute(
        "SELECT ask.number, ask.instrument, ask.timepoint, ask.opens, ask.closes, ask.ended_at,"
        " given.day FROM prom_ask AS ask LEFT JOIN prom_answer AS given"
        " ON given.handle = ask.handle AND given.instrument = ask.instrument"
        " AND given.timepoint = ask.timepoint ORDER BY ask.opens, ask.number, ask.instrument"
    )
    found = []
    for number, instrument, point, opens, closes, ended, day in rows:
        first, last = date.fromisoformat(opens), date.fromisoformat(closes)
        received = None if day is None else date.fromisoformat(day)
        window = Window(instrument, point, first, first, last)
        state = window.state(received, today)
        found.append(Line(number, window, state, received, ended is None))
    return found


def received(database: sqlite3.Connection) -> list[dict[str, Any]]:
    """What patients answered, with scores, for the hospital's own systems."""
    rows = database.execute(
        "SELECT ask.number, given.instrument, given.version, given.timepoint, given.day,"
        " given.answers FROM prom_answer AS given JOIN prom_ask AS ask"
        " ON ask.handle = given.handle AND ask.instrument = given.instrument"
        " AND ask.timepoint = given.timepoint ORDER BY ask.number, given.day, given.instrument"
    )
    return [
        {
            "number": number,
            "instrument": instrument,
            "version": version,
            "timepoint": point,
            "day": day,
            **json.loads(answers),
            **scores_of(instrument, json.loads(answers)),
        }
        for number, instrument, version, point, day, answers in rows
    ]


def note_export(database: sqlite3.Connection, by: str, now: datetime) -> None:
    """Write down that somebody took the answers out. Call inside a transaction."""
    audit.record(database, "PROM_EXPORTED", {"names": by}, now)
