"""To whom this hospital owes a notice of a yes, and what came of it (design: consent.md 3.8).

A yes is proved with the secret of a letter, and whoever runs the hub's program could keep a secret
that is typed into its pages. So the hospital tells each person of every yes by its own channel: who
did not say it calls. A row is written in the transaction in which the yes begins to count, so none
is lost; it is told once, and never goes away.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from consent.evidence import HANDLE_BYTES
from consent.snapshot import NO_END, Snapshot
from federation.site import audit
from federation.site.choices.parties import CONTACT_STOP, DEATH, person
from federation.site.choices.proofs import NEVER, Proofs
from federation.site.errors import SetupError
from federation.site.store import milliseconds, moment

BY_HAND: Final = ("phone", "desk", "other")
"""Ways in which a person may have told it without this program."""
BEFORE: Final = "before"
"""The telling of every yes that counted here before notices were kept."""
INVENTED: Final = "invented"
"""The role of letters that this hospital's own machine made and used for a network that is invented
(federation/site/agreeing.py): there is nobody to tell."""
MEANWHILE: Final = "notice_meanwhile"
"""Code of the error when two people tell at once."""
_MARK: Final = "S16"


@dataclass(frozen=True)
class Owed:
    """A person who is not told yet of one yes or several about one patient.

    numbers: of the notices, the first one first. said_at: the newest moment of a yes. letters: the
    codes of the letters that the yeses rest on. kept_back: why nothing is sent by itself: "died",
    "no_contact", "unsure" (it was begun, and nobody knows whether it left), or "".
    """

    handle: bytes
    party: str
    numbers: tuple[int, ...]
    studies: tuple[str, ...]
    letters: tuple[str, ...]
    said_at: datetime
    kept_back: Literal["", "died", "no_contact", "unsure"] = ""


class NoticeBook:
    """Writes down which yeses of a consent list have to be told. One per site program."""

    def __init__(self, database: sqlite3.Connection, proofs: Proofs) -> None:
        self._database = database
        self._proofs = proofs
        self._all_known: NDArray[np.bytes_] = np.zeros(0, _MARK)

    @property
    def begun(self) -> bool:
        """Whether notices are kept here already."""
        row = self._database.execute("SELECT 1 FROM telling WHERE id = ?", (BEFORE,)).fetchone()
        return row is not None

    def begin(
        self, told: Snapshot | None, moments: NDArray[np.int64] | None, now: datetime
    ) -> None:
        """Take what counted before notices were kept as told, once in the life of a site. Inside a
        transaction. told: the list in use; moments: from when each act of it counts."""
        at = milliseconds(now)
        self._database.execute(
            "INSERT INTO telling (id, how, by_name, begun_at, done_at, sha256)"
            " VALUES (?, 'before', '', ?, ?, '')",
            (BEFORE, at, at),
        )
        if told is not None and moments is not None:
            self._write(told, moments, at, BEFORE)

    def note(self, told: Snapshot, moments: NDArray[np.int64], now: datetime) -> None:
        """Write down every yes of this list that is not known here. Inside the transaction in which
        the list is kept. moments: from when each act counts; NEVER: it is not proved."""
        self._write(told, moments, milliseconds(now), None)

    def _write(
        self, told: Snapshot, moments: NDArray[np.int64], at: int, telling: str | None
    ) -> None:
        evidence = told.evidence
        acts = evidence.acts
        places = np.flatnonzero((moments != NEVER) & (acts["items"] != 0))
        places = places[~_invented(self._database, acts.by[places])]
        marks = self._proofs.marks(evidence, told.handles, places)
        # Most lists only say again what the one before said: of a million yeses nothing is looked
        # up then. What a transaction wrote that was rolled back is not taken for known.
        if np.array_equal(marks, self._all_known):
            return
        fresh = np.flatnonzero(~np.isin(marks, self._known()))
        if not len(fresh):
            self._all_known = marks
            return
        party, study = acts["party"], acts["study"]
        self._database.executemany(
            "INSERT INTO notice (mark, handle, party, study, letter, said_at, seen_at, telling)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (mark) DO NOTHING",
            (
                (
                    bytes(marks[n]).ljust(marks.itemsize, b"\0"),
                    bytes(told.handles[acts.handle[place]]).ljust(HANDLE_BYTES, b"\0"),
                    evidence.parties[int(party[place])],
                    evidence.studies[int(study[place])],
                    bytes(acts.by[place]).decode("ascii", "replace"),
                    int(moments[place]),
                    at,
                    telling,
                )
                for n, place in zip(fresh.tolist(), places[fresh].tolist(), strict=True)
            ),
        )

    def _known(self) -> NDArray[np.bytes_]:
        return _marks(self._database.execute("SELECT mark FROM notice"))


class Told:
    """Which yeses were told long enough ago, for a hospital that counts none before. `days`: so
    many after the notice was sent."""

    def __init__(self, database: sqlite3.Connection, days: int) -> None:
        self._database = database
        self._wait = timedelta(days=days)

    def long_enough(
        self, marks: NDArray[np.bytes_], by: NDArray[np.bytes_], now: datetime
    ) -> NDArray[np.bool_]:
        """For each yes whether its notice was sent so long ago. A yes that counted before notices
        were kept goes on. by: the letter of each."""
        latest = milliseconds(now - self._wait)
        rows = self._database.execute(
            "SELECT notice.mark FROM notice JOIN telling ON telling.id = notice.telling"
            " WHERE telling.done_at <= ? OR telling.id = ?",
            (latest, BEFORE),
        )
        found: NDArray[np.bool_] = np.isin(marks, _marks(rows)) | _invented(self._database, by)
        return found

    def next(self, now: datetime) -> int:
        """When the next yes begins to count, in milliseconds; NO_END for none."""
        (done,) = self._database.execute(
            "SELECT min(done_at) FROM telling WHERE done_at > ? AND id != ?",
            (milliseconds(now - self._wait), BEFORE),
        ).fetchone()
        return NO_END if done is None else int(done) + self._wait // timedelta(milliseconds=1)


class Tellings:
    """What was done about notices. `by`: the person, or the program. Inside one transaction."""

    def __init__(self, database: sqlite3.Connection, by: str) -> None:
        self._database = database
        self._by = by

    def begin(self, waiting: Owed, how: str, sha256: str, now: datetime) -> str:
        """Note that this person is about to be told; the name of it. SetupError when somebody else
        began it since."""
        name = secrets.token_hex(8)
        self._database.execute(
            "INSERT INTO telling (id, how, by_name, begun_at, sha256) VALUES (?, ?, ?, ?, ?)",
            (name, how, self._by, milliseconds(now), sha256),
        )
        changed = self._database.executemany(
            "UPDATE notice SET telling = ? WHERE number = ? AND telling IS NULL",
            [(name, number) for number in waiting.numbers],
        ).rowcount
        if changed != len(waiting.numbers):
            raise SetupError(
                "somebody else told this patient meanwhile; nothing was changed.", MEANWHILE
            )
        return name

    def done(self, telling: str, now: datetime) -> None:
        """It was sent."""
        self._database.execute(
            "UPDATE telling SET done_at = ? WHERE id = ?", (milliseconds(now), telling)
        )
        (how,) = self._database.execute(
            "SELECT how FROM telling WHERE id = ?", (telling,)
        ).fetchone()
        audit.record(self._database, "TOLD_PATIENT", {"kind": how, "names": self._by}, now)

    def failed(self, telling: str, now: datetime) -> None:
        """It was surely not sent, so it is owed again."""
        self._database.execute(
            "UPDATE telling SET failed_at = ? WHERE id = ?", (milliseconds(now), telling)
        )
        self._database.execute("UPDATE notice SET telling = NULL WHERE telling = ?", (telling,))

    def told(self, number: int, how: str, now: datetime) -> Owed:
        """A person told it by phone or otherwise, or found out that it did leave. SetupError when
        it was told already."""
        if how not in BY_HAND:
            raise SetupError(f"a notice is told by {', '.join(BY_HAND)}.")
        waiting = self._found(number)
        if waiting.kept_back == "unsure":
            (name,) = self._database.execute(
                "SELECT telling FROM notice WHERE number = ?", (number,)
            ).fetchone()
        else:
            name = self.begin(waiting, how, "", now)
        self.done(name, now)
        return waiting

    def again(self, number: int, now: datetime) -> None:
        """It did not reach the person, so it is owed again. SetupError when it is owed already."""
        name = _telling_of(self._database, number)
        if name is None:
            raise SetupError("this notice is not sent yet; nothing was changed.", "notice_waits")
        if name == BEFORE:
            raise SetupError(
                "this yes counted before notices were kept; there is no notice.", "notice_before"
            )
        self._database.execute("UPDATE notice SET telling = NULL WHERE telling = ?", (name,))
        audit.record(self._database, "NOTICE_AGAIN", {"seq": number, "names": self._by}, now)

    def wrong(self, about: Owed, now: datetime) -> list[str]:
        """This person says that these yeses were not theirs: their letters about this patient end;
        the codes of those that ended."""
        at = milliseconds(now)
        self._database.executemany(
            "UPDATE notice SET wrong_at = ?, wrong_by = ? WHERE number = ? AND wrong_at IS NULL",
            [(at, self._by, number) for number in about.numbers],
        )
        ended = self._database.execute(
            "UPDATE letter SET ended_at = ? WHERE handle = ? AND party = ? AND ended_at IS NULL"
            " RETURNING code_id",
            (at, about.handle, about.party),
        ).fetchall()
        facts: dict[str, str | int] = {"seq": about.numbers[0], "names": self._by}
        audit.record(self._database, "NOTICE_WRONG", facts, now)
        return sorted(code for (code,) in ended)

    def _found(self, number: int) -> Owed:
        for each in owed(self._database):
            if number in each.numbers:
                return each
        _telling_of(self._database, number)
        raise SetupError("this notice was told before; nothing was changed.", "notice_told")


def owed(database: sqlite3.Connection) -> list[Owed]:
    """Everybody who has to be told, and those of whom nobody knows whether they were, the one who
    waits longest first."""
    silent = _silent(database)
    found: dict[tuple[bytes, str, str | None], list[tuple[int, str, str, int]]] = {}
    for number, handle, party, study, letter, said_at, telling in database.execute(
        "SELECT number, handle, party, study, letter, said_at, telling FROM notice"
        " WHERE telling IS NULL OR telling IN"
        " (SELECT id FROM telling WHERE done_at IS NULL AND failed_at IS NULL) ORDER BY number"
    ):
        found.setdefault((handle, party, telling), []).append((number, study, letter, said_at))
    return [
        Owed(
            handle=handle,
            party=party,
            numbers=tuple(row[0] for row in rows),
            studies=tuple(sorted({row[1] for row in rows})),
            letters=tuple(sorted({row[2] for row in rows} - {""})),
            said_at=moment(max(row[3] for row in rows)),
            kept_back="unsure" if telling is not None else silent.get(handle, ""),
        )
        for (handle, party, telling), rows in found.items()
    ]


def of(database: sqlite3.Connection, number: int) -> Owed:
    """The notice with this number and those that were told together with it. SetupError for a
    number that no notice has."""
    telling = _telling_of(database, number)
    handle, party = database.execute(
        "SELECT handle, party FROM notice WHERE number = ?", (number,)
    ).fetchone()
    rows = database.execute(
        "SELECT number, study, letter, said_at FROM notice"
        " WHERE handle = ? AND party = ? AND telling IS ? ORDER BY number",
        (handle, party, telling),
    ).fetchall()
    return Owed(
        handle=handle,
        party=party,
        numbers=tuple(row[0] for row in rows),
        studies=tuple(sorted({row[1] for row in rows})),
        letters=tuple(sorted({row[2] for row in rows} - {""})),
        said_at=moment(max(row[3] for row in rows)),
    )


def tellings(database: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """Every message that was begun, newest first, with the numbers of its notices."""
    rows: Sequence[tuple[str, str, str, int, int | None, int | None]] = database.execute(
        "SELECT id, how, by_name, begun_at, done_at, failed_at FROM telling WHERE id != ?"
        " ORDER BY begun_at DESC, id",
        (BEFORE,),
    ).fetchall()
    for name, how, by, begun, done, failed in rows:
        numbers = database.execute(
            "SELECT number FROM notice WHERE telling = ? ORDER BY number", (name,)
        ).fetchall()
        yield {
            "notices": [number for (number,) in numbers],
            "how": how,
            "by": by,
            "begun": moment(begun).isoformat(timespec="seconds"),
            "state": "told" if done else "not sent" if failed else "unsure",
        }


def counts(database: sqlite3.Connection) -> dict[str, int]:
    """How many persons have to be told, and of how many nobody knows whether they were."""
    all_of_them = owed(database)
    return {
        "waiting": sum(each.kept_back == "" for each in all_of_them),
        "unsure": sum(each.kept_back == "unsure" for each in all_of_them),
        "no_contact": sum(each.kept_back == "no_contact" for each in all_of_them),
    }


def _silent(database: sqlite3.Connection) -> dict[bytes, Literal["died", "no_contact"]]:
    """The patients who get no message, and why."""
    rows = database.execute(
        "SELECT DISTINCT handle FROM fact WHERE kind IN (?, ?)", (DEATH, CONTACT_STOP)
    ).fetchall()
    found: dict[bytes, Literal["died", "no_contact"]] = {}
    for (handle,) in rows:
        known = person(database, handle)
        if known.died or known.contact_stopped:
            found[handle] = "died" if known.died else "no_contact"
    return found


def _invented(database: sqlite3.Connection, by: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which yeses come from letters of an invented network."""
    rows = database.execute("SELECT code_id FROM letter WHERE role = ?", (INVENTED,)).fetchall()
    if not rows:
        return np.zeros(len(by), np.bool_)
    (letters,) = database.execute("SELECT count(*) FROM letter").fetchone()
    if letters == len(rows) and bool(np.all(by != b"")):
        return np.ones(len(by), np.bool_)  # there is no other: of a million none is looked up
    codes = np.array([code.encode() for (code,) in rows], np.bytes_)
    found: NDArray[np.bool_] = np.isin(by, codes)
    return found


def _marks(rows: Iterable[tuple[bytes]]) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(mark for (mark,) in rows), _MARK)


def _telling_of(database: sqlite3.Connection, number: int) -> str | None:
    row = database.execute("SELECT telling FROM notice WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise SetupError(
            "there is no notice with this number; see site notices list.", "notice_unknown"
        )
    found: str | None = row[0]
    return found
