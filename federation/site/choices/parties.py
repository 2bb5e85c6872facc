"""What this hospital knows of who may speak for a patient, and whose yes that makes needed.

The hub is told the same in numbered messages, but the hospital counts by its own books.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent.parties import (
    ADULT,
    BEGIN,
    HOLDERS,
    ROLES,
    SELF,
    Age,
    Span,
    Speaker,
    check_age,
    month_start,
    spans,
)
from federation.site import audit
from federation.site.choices.outbox import Outbox
from federation.site.choices.pseudonyms import handle_text
from federation.site.desk.two_people import same_person
from federation.site.errors import SetupError
from federation.site.store import milliseconds, moment

AGE: Final = "age_class"
REPRESENTATIVE: Final = "representative"
DEATH: Final = "death"
DEATH_MISTAKEN: Final = "death_mistaken"
"""That a death was entered by mistake. A new fact: what was entered stays in the book."""
CONTACT_STOP: Final = "contact_stop"
DEATH_QUESTIONED: Final = "death_questioned"
"""That somebody says so; it changes nothing until a second person does."""
_TOLD_AS: Final = {DEATH: "closed", DEATH_MISTAKEN: "reopened"}
"""What the hub is told: that no yes may come, or may again; not why."""


@dataclass(frozen=True)
class Person:
    """What is known of one patient; `needed` are the spans that follow from it."""

    age: Age | None
    speakers: tuple[Speaker, ...]
    died: bool
    contact_stopped: bool

    @property
    def needed(self) -> list[Span]:
        return spans(self.age, self.speakers)


def person(database: sqlite3.Connection, handle: bytes) -> Person:
    """What this hospital knows of a patient; the newest word counts."""
    age: Age | None = None
    speakers: dict[str, Speaker] = {}
    contact_stopped = died = False
    for kind, text, effective in database.execute(
        "SELECT kind, value, effective_at FROM fact WHERE handle = ? ORDER BY number", (handle,)
    ):
        value = json.loads(text)
        contact_stopped |= kind == CONTACT_STOP
        if kind in (DEATH, DEATH_MISTAKEN):
            died = kind == DEATH
        elif kind == AGE:
            age = Age(value["class"], value["next_month"], moment(effective))
        elif kind == REPRESENTATIVE:
            end = value["until"]
            speakers[value["party"]] = Speaker(
                value["party"],
                value["role"],
                moment(value["from"]),
                None if end is None else moment(end),
            )
    return Person(age, tuple(speakers.values()), died, contact_stopped)


def dead(database: sqlite3.Connection) -> list[bytes]:
    """The patients who died, by the newest word of this hospital about it and nobody else's."""
    rows = database.execute(
        "SELECT handle, kind FROM fact WHERE kind IN (?, ?) ORDER BY number",
        (DEATH, DEATH_MISTAKEN),
    )
    newest: dict[bytes, str] = dict(rows)
    return [handle for handle, kind in newest.items() if kind == DEATH]


def questioned_by(database: sqlite3.Connection, handle: bytes) -> str | None:
    """Who says that this patient's death was entered by mistake, where nobody else did yet."""
    row = database.execute(
        "SELECT kind, by_name FROM fact WHERE handle = ? AND kind IN (?, ?, ?)"
        " ORDER BY number DESC LIMIT 1",
        (handle, DEATH, DEATH_MISTAKEN, DEATH_QUESTIONED),
    ).fetchone()
    return row[1] if row is not None and row[0] == DEATH_QUESTIONED else None


def begun_at(database: sqlite3.Connection) -> Mapping[tuple[bytes, str], int]:
    """From when each representative may speak, by handle and party, in milliseconds; only those
    whose authority has a begin. What they said before it does not count."""
    newest: dict[tuple[bytes, str], int] = {}
    for handle, party, start in database.execute(
        "SELECT handle, party, valid_from FROM party WHERE party != ? ORDER BY number", (SELF,)
    ):
        newest[handle, party] = start
    return {place: start for place, start in newest.items() if start > 0}


def needs(database: sqlite3.Connection, at: datetime) -> Mapping[bytes, frozenset[str]]:
    """Whose yes is needed at `at`, for each patient of whom anything is known about it. An empty
    set: nobody can open. Whoever is not named decides alone."""
    newest: dict[tuple[bytes, str], tuple[int, int | None]] = {}
    for handle, party, start, end in database.execute(
        "SELECT handle, party, valid_from, valid_until FROM party ORDER BY number"
    ):
        newest[handle, party] = (start, end)
    now, found = milliseconds(at), dict[bytes, set[str]]()
    for (handle, party), (start, end) in newest.items():
        own = found.setdefault(handle, set())
        if start <= now and (end is None or now < end):
            own.add(party)
    return {handle: frozenset(own) for handle, own in found.items()}


def grown_up_since(database: sqlite3.Connection, at: datetime) -> Mapping[bytes, int]:
    """Since when a patient decides without holders of authority, who had them before, in
    milliseconds. Their own yes of before was one of several, and does not stand alone.

    Every word counts, also one that was overruled later: authority that ended, did.
    """
    now = milliseconds(at)
    newest: dict[tuple[bytes, str], bool] = {}
    ended: dict[bytes, int] = {}
    for handle, party, role, start, end in database.execute(
        "SELECT handle, party, role, valid_from, valid_until FROM party ORDER BY number"
    ):
        holder = role in HOLDERS
        newest[handle, party] = holder and start <= now and (end is None or now < end)
        if holder and end is not None and end <= now:
            ended[handle] = max(end, ended.get(handle, 0))
    held = {handle for (handle, _), in_force in newest.items() if in_force}
    return {handle: end for handle, end in ended.items() if handle not in held}


def coming_of_age(database: sqlite3.Connection, until: datetime) -> list[tuple[bytes, str]]:
    """Patients who get a voice of their own, or the only one, before `until`, and have no letter
    of their own yet; each with the month in which it begins, the first one first."""
    handles = database.execute(
        "SELECT DISTINCT handle FROM fact WHERE kind = ? AND handle NOT IN"
        " (SELECT handle FROM letter WHERE party = ? AND ended_at IS NULL)",
        (AGE, SELF),
    )
    found = []
    for (handle,) in handles.fetchall():
        known = person(database, handle)
        month = None if known.age is None else known.age.month
        if month is not None and not known.died and month_start(month) <= until:
            found.append((handle, month))
    return sorted(found, key=lambda each: (each[1], each[0]))


class People:
    """Writes down facts about patients and tells the hub. Call inside one transaction."""

    def __init__(self, database: sqlite3.Connection, outbox: Outbox, by: str) -> None:
        self._database = database
        self._outbox = outbox
        self._by = by

    def set_age(self, handle: bytes, age_class: str, month: str | None, now: datetime) -> None:
        """The patient's age class and, for a child, in which month it leaves it. For an adult it
        also says: this patient decides again. SetupError for what makes no sense."""
        try:
            check_age(age_class, month)
        except ValueError as error:
            raise SetupError(
                "give the month in which a child leaves its age class, such as 2031-05; "
                "an adult has none."
            ) from error
        self._keep(handle, AGE, {"class": age_class, "next_month": month}, now)

    def add_representative(
        self,
        handle: bytes,
        role: str,
        start: datetime | None,
        end: datetime | None,
        now: datetime,
        party: str | None = None,
    ) -> str:
        """Somebody who may speak for the patient, with or without a known end; the opaque name of
        this person. With `party` the newest word about one who is known already."""
        if role not in ROLES:
            raise SetupError(f"a representative is one of: {', '.join(sorted(ROLES))}.")
        if start is not None and end is not None and end < start:
            raise SetupError("the end lies before the begin; correct one of them.")
        known = {each.party for each in person(self._database, handle).speakers}
        if party is not None and party not in known:
            raise SetupError("this patient has no representative with this name; see site person.")
        name = party or f"p-{secrets.token_hex(8)}"
        value = {
            "party": name,
            "role": role,
            "from": milliseconds(start or BEGIN),
            "until": None if end is None else milliseconds(end),
        }
        self._keep(handle, REPRESENTATIVE, value, now)
        return name

    def end_representative(self, handle: bytes, party: str, end: datetime, now: datetime) -> None:
        """The authority of this person ends, or has ended."""
        known = {each.party: each for each in person(self._database, handle).speakers}
        if party not in known:
            raise SetupError("this patient has no representative with this name; see site person.")
        role, start = known[party].role, known[party].start
        self.add_representative(handle, role, start, max(start, end), now, party)
        self._database.execute(
            "UPDATE letter SET ended_at = ? WHERE handle = ? AND party = ? AND ended_at IS NULL",
            (milliseconds(now), handle, party),
        )

    def died(self, handle: bytes, now: datetime) -> None:
        """The patient has died: no yes is made or widened from now on, and no message is sent.

        The hub is told that this patient's choices are closed, not why. Letters end.
        """
        self._keep(handle, DEATH, {}, now)
        self._database.execute(
            "UPDATE letter SET ended_at = ? WHERE handle = ? AND ended_at IS NULL",
            (milliseconds(now), handle),
        )

    def not_died(self, handle: bytes, now: datetime) -> bool:
        """The death was entered by mistake: what this patient agreed to counts again, and a yes can
        be given. It opens, so two people say so, each by an act of their own; whether this was the
        second. The first changes nothing. Letters that ended with the death stay ended: make a new
        one.

        SetupError when no death is written down, or the same person says so twice.
        """
        if not person(self._database, handle).died:
            raise SetupError("no death of this patient is written down; nothing was changed.")
        first = questioned_by(self._database, handle)
        if first is None:
            self._write(handle, DEATH_QUESTIONED, {}, self._by, now)
            return False
        if same_person(first, self._by):
            raise SetupError("somebody else than who said it first must say it too.")
        self._keep(handle, DEATH_MISTAKEN, {}, now, names=f"{first}, {self._by}")
        return True

    def stop_contact(self, handle: bytes, now: datetime) -> None:
        """The patient gets no messages any more; what was agreed to stays."""
        self._keep(handle, CONTACT_STOP, {}, now)

    def _keep(
        self,
        handle: bytes,
        kind: str,
        value: Mapping[str, Any],
        now: datetime,
        names: str | None = None,
    ) -> None:
        self._write(handle, kind, value, names or self._by, now)
        self._work_out(handle, now)
        content = {"handle": handle_text(handle), **value}
        if kind == AGE:
            content["since"] = milliseconds(now)
        self._outbox.add(_TOLD_AS.get(kind, kind), content, now)

    def _write(
        self, handle: bytes, kind: str, value: Mapping[str, Any], by: str, now: datetime
    ) -> None:
        self._database.execute(
            "INSERT INTO fact (handle, kind, value, by_name, effective_at, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (handle, kind, json.dumps(value), by, milliseconds(now), milliseconds(now)),
        )
        audit.record(self._database, "PERSON", {"kind": kind, "names": by}, now)

    def _work_out(self, handle: bytes, now: datetime) -> None:
        """Write whose yes is needed from now on; who is not needed any more gets an empty span."""
        found = {span.party: span for span in person(self._database, handle).needed}
        gone = {
            row[0]
            for row in self._database.execute("SELECT party FROM party WHERE handle = ?", (handle,))
        } - set(found)
        rows = [
            (each.party, each.role, milliseconds(each.start), _milliseconds(each.end))
            for each in found.values()
        ] + [(party, "self" if party == SELF else "parent", 0, 0) for party in sorted(gone)]
        self._database.executemany(
            "INSERT INTO party (handle, party, role, valid_from, valid_until, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(handle, *row, milliseconds(now)) for row in rows],
        )


def _milliseconds(value: datetime | None) -> int | None:
    return None if value is None else milliseconds(value)


__all__ = ["ADULT", "HOLDERS", "People", "Person", "needs", "person"]
