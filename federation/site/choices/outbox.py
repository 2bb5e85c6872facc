"""What this hospital tells the hub of its own patients: numbered, signed, kept until it arrived.

Messages ride in the acknowledgement of a consent list, oldest first, again and again until a later
list says that the hub has them. A hub that cannot be reached gets the same messages as a file.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from federation.protocol.encoding import canonical
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SITE_MESSAGE, sign
from federation.site import audit
from federation.site.step_message import HUB
from federation.site.steward.sent import decoded
from federation.site.store import milliseconds, moment

MAX_MESSAGE = 8_000
MAX_AT_ONCE = 100
MAX_BYTES_AT_ONCE = 60_000
"""So that with the coverage of the data it stays a message of ordinary size."""
MAX_LOST = 100_000
"""How many numbers a hub can have that this database does not remember. More is no lost copy but a
hub that would use up the numbers, so that nothing is ever taken again."""
LOST = "lost"
"""Stands for numbers that the hub has and that this database, put back from an older copy, does
not remember."""

_LIFETIME = timedelta(days=3650)  # the hub orders by number; a message does not age on its way


@dataclass(frozen=True)
class Waiting:
    """One message. `refused`: the code with which the hub turned it down; None when it did not."""

    seq: int
    kind: str
    made_at: datetime
    sent_at: datetime | None
    taken_at: datetime | None
    refused: str | None

    def words(self) -> tuple[str, ...]:
        """Number, time, kind and state, for a line on the screen."""
        state = "with the hub" if self.taken_at else "sent" if self.sent_at else "waits"
        if self.refused is not None:
            state = f"refused: {self.refused}"
        return (str(self.seq), self.made_at.isoformat(timespec="seconds"), self.kind, state)


class Outbox:
    """The table `outbox` of one site. Every method is called inside the caller's transaction."""

    def __init__(
        self, database: sqlite3.Connection, key: SigningKey, *, site: str, network: str
    ) -> None:
        self._database = database
        self._key = key
        self._site = site
        self._network = network

    def add(self, kind: str, content: Mapping[str, Any], now: datetime) -> int:
        """Put a message under the next number; its number. ValueError when it is too long."""
        seq = self._last() + 1
        body = self._signed(seq, kind, content, now)
        self._database.execute(
            "INSERT INTO outbox (seq, kind, claims, body, made_at) VALUES (?, ?, ?, ?, ?)",
            (seq, kind, canonical(dict(content)).decode(), body, milliseconds(now)),
        )
        sha256 = hashlib.sha256(body).hexdigest()
        audit.record(self._database, "TOLD_HUB", {"seq": seq, "kind": kind, "sha256": sha256}, now)
        return seq

    def waiting(self, most: int = MAX_AT_ONCE, most_bytes: int = MAX_BYTES_AT_ONCE) -> list[bytes]:
        """The oldest messages that the hub does not have yet, as they are sent."""
        found: list[bytes] = []
        size = 0
        rows = self._database.execute(
            "SELECT seq, kind, claims, body, made_at FROM outbox WHERE taken_at IS NULL"
            " ORDER BY seq LIMIT ?",
            (most,),
        )
        for seq, kind, claims, body, made_at in rows.fetchall():
            sent = self._with_this_key(seq, kind, claims, body, made_at)
            size += len(sent)
            if size > most_bytes:
                break
            found.append(sent)
        return found

    def leaves(self, messages: Sequence[bytes], now: datetime) -> None:
        """Note that these are about to leave."""
        self._database.executemany(
            "UPDATE outbox SET sent_at = coalesce(sent_at, ?) WHERE body = ?",
            [(milliseconds(now), body) for body in messages],
        )

    def settle(self, claims: Mapping[str, Any], now: datetime) -> None:
        """Take in what a consent list says of these messages: `site_seq`, the highest number that
        the hub has worked in, `site_sha256` of its bytes, and `site_refused`, what it refused.

        Never raises for what the list holds. A hub put back from an older copy gets again what it
        has lost; where this database was put back, what still waits gets numbers that are free.
        """
        has = claims.get("site_seq")
        if type(has) is not int or not 0 <= has <= self._last() + MAX_LOST:
            return
        if self._forked(has, claims.get("site_sha256")):
            self._renumber(has, now)
        else:
            self._database.execute(
                "UPDATE outbox SET taken_at = ? WHERE seq <= ? AND taken_at IS NULL",
                (milliseconds(now), has),
            )
        self._database.execute(
            "UPDATE outbox SET taken_at = NULL WHERE seq > ? AND kind != ?", (has, LOST)
        )
        self._note_refused(claims.get("site_refused"))

    def _forked(self, has: int, sha256: object) -> bool:
        """Whether the hub has another message under number `has` than this database."""
        if has > self._last():
            return True
        row = self._database.execute(
            "SELECT body FROM outbox WHERE seq = ? AND kind != ? AND taken_at IS NULL", (has, LOST)
        ).fetchone()
        if row is None or not isinstance(sha256, str):
            return False
        return hashlib.sha256(row[0]).hexdigest() != sha256

    def _renumber(self, has: int, now: datetime) -> None:
        waiting = self._database.execute(
            "SELECT seq, kind, claims, made_at FROM outbox WHERE taken_at IS NULL ORDER BY seq"
        ).fetchall()
        self._database.execute("DELETE FROM outbox WHERE taken_at IS NULL")
        self._database.execute(
            "INSERT INTO outbox (seq, kind, claims, body, made_at, taken_at)"
            " VALUES (max(?, (SELECT coalesce(max(seq), 0) FROM outbox) + 1), ?, '{}', x'', ?, ?)",
            (has, LOST, milliseconds(now), milliseconds(now)),
        )
        audit.record(self._database, "NUMBERS_LOST", {"seq": has}, now)
        for _, kind, content, made_at in waiting:
            self.add(kind, json.loads(content), moment(made_at))

    def _note_refused(self, refused: object) -> None:
        for pair in refused if isinstance(refused, list) else ():
            if isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is int:
                self._database.execute(
                    "UPDATE outbox SET refused = ? WHERE seq = ? AND kind != ?",
                    (str(pair[1])[:40], pair[0], LOST),
                )

    def listed(self, last: int = 1_000_000) -> list[Waiting]:
        """All messages, newest first."""
        rows = self._database.execute(
            "SELECT seq, kind, made_at, sent_at, taken_at, refused FROM outbox WHERE kind != ?"
            " ORDER BY seq DESC LIMIT ?",
            (LOST, last),
        )
        return [
            Waiting(seq, kind, moment(made), _moment(sent), _moment(taken), refused)
            for seq, kind, made, sent, taken, refused in rows
        ]

    def _last(self) -> int:
        return int(self._database.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])

    def _signed(self, seq: int, kind: str, content: Mapping[str, Any], now: datetime) -> bytes:
        (after,) = self._database.execute(
            "SELECT coalesce(max(seq), 0) FROM outbox WHERE seq < ? AND kind != ?", (seq, LOST)
        ).fetchone()
        body = sign(
            TYP_SITE_MESSAGE,
            {
                "network": self._network,
                "seq": seq,
                "after": after,
                "kind": kind,
                "content": dict(content),
            },
            self._key,
            issuer=self._site,
            audience=HUB,
            now=now,
            lifetime=_LIFETIME,
        )
        if len(body) > MAX_MESSAGE:
            raise ValueError("a message to the hub is at most 8 kB")
        return body

    def _with_this_key(self, seq: int, kind: str, claims: str, body: bytes, made_at: int) -> bytes:
        """The message, signed anew where this site got another key in the meantime."""
        if decoded(body)["header"]["kid"] == self._key.kid:
            return body
        again = self._signed(seq, kind, json.loads(claims), moment(made_at))
        self._database.execute("UPDATE outbox SET body = ? WHERE seq = ?", (again, seq))
        return again


def counts(database: sqlite3.Connection) -> dict[str, int]:
    """How many messages wait for the hub, and how many the hub refused."""
    waiting, refused = database.execute(
        "SELECT count(*) FILTER (WHERE taken_at IS NULL), count(refused) FROM outbox"
    ).fetchone()
    return {"waiting": int(waiting), "refused": int(refused)}


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
