"""The site program: takes a message, gives a signed reply, one at a time."""

import binascii
import fcntl
import hashlib
import json
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from consent.bands import band
from consent.errors import ConsentError
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.messages import TYP_MATCH, TYP_SNAPSHOT
from federation.site import audit
from federation.site.choices.consenting import Consenting
from federation.site.choices.destroying import Orders
from federation.site.choices.log_watch import ALONE, head_seen, head_told
from federation.site.choices.outbox import Outbox
from federation.site.data.coverage import Telling
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.matching import Matching
from federation.site.pipeline import Outgoing, Pipeline
from federation.site.prom.taking import Answers
from federation.site.replies import Replies
from federation.site.serving import utc_now
from federation.site.steward.policy_log import note_policy
from federation.site.steward.sent import Register
from federation.site.store import open_store, transaction

LOCK_FILE = "site.lock"
LOCK_SECONDS = 10.0


class SiteProgram:
    """One serving site. Holds the directory's lock until `close`, and waits `lock_seconds` at most
    (LOCK_SECONDS) for another program that holds it."""

    def __init__(self, directory: SiteDirectory, *, lock_seconds: float | None = None) -> None:
        self._lock = _lock(directory.path, LOCK_SECONDS if lock_seconds is None else lock_seconds)
        self._directory = directory
        self._database = open_store(directory.database)
        settings = directory.settings
        try:
            self._consenting = Consenting(
                self._database,
                slug=settings.slug,
                network=settings.network,
                hub_public=settings.hub_public,
                peers=directory.peers,
                periods=settings.periods,
                notice_days=settings.notice_days,
            )
        except (ProtocolError, ConsentError) as error:
            raise SetupError(
                "the consent snapshot in site.sqlite does not fit site.toml; check hub and network."
            ) from error
        self._note_start()
        self._register = Register(self._database)
        self._replies = Replies(directory)
        self._outbox = Outbox(
            self._database, directory.sign, site=settings.slug, network=settings.network
        )
        self._orders = Orders(self._database, self._outbox)
        self._answers = Answers(
            self._database,
            self._outbox,
            directory.box,
            site=settings.slug,
            network=settings.network,
        )
        self._pipeline = Pipeline(directory, self._database, self._consenting)
        self._matching = Matching(
            directory, self._database, self._consenting, self._pipeline.stores
        )
        self._telling = Telling(directory, self._database, self._pipeline.stores)

    def _note_start(self) -> None:
        """Write down under which policy this program runs; a site whose ledger cannot be written
        does not start."""
        now, policy = utc_now(), self._directory.policy
        try:
            note_policy(self._database, policy, now)
            with transaction(self._database):
                audit.record(self._database, "STARTED", {"sha256": policy.sha256}, now)
                self._consenting.begin_notices(now)
        except sqlite3.Error as error:
            self.close()
            raise SetupError(
                "site.sqlite cannot be written; free disk space, or correct the file's rights."
            ) from error

    def handle(self, message: bytes, now: datetime) -> Outgoing:
        """The reply to one message of the hub, whatever it holds. Never raises."""
        kind = _kind(message)
        if kind == TYP_SNAPSHOT:
            return self._take_snapshot(message, now)
        if kind == TYP_MATCH:
            return self._matching.answer(message, now)
        return self._pipeline.answer(message, now)

    def _take_snapshot(self, message: bytes, now: datetime) -> Outgoing:
        """Store a newer state of consent, then count by it, then say so."""
        seq, code = 0, ""
        try:
            claims = self._consenting.verified(message, now)
            if type(claims.get("seq")) is int and claims["seq"] >= 0:
                seq = claims["seq"]
            told = self._consenting.read(claims)
            with transaction(self._database):
                self._consenting.remember(told, now)
                self._outbox.settle(claims, now)
                self._orders.take(claims, now)
                self._answers.take(claims, now)
                messages = self._outbox.waiting()
                self._outbox.leaves(messages, now)
            snapshot = self._consenting.proven(told, now)
            unproven = self._consenting.count_unproven(told, snapshot)
            coverage = self._telling.due(snapshot, now)
            reply = self._replies.acknowledgement(
                seq,
                None,
                now,
                now,
                coverage,
                messages,
                head=_with(seq, head_told(told)),
                unproven=band(unproven) if unproven else None,
                notice_days=self._directory.settings.notice_days,
            )
            with transaction(self._database):
                self._consenting.keep(told, message, now, unproven)
                self._note(seq, "APPLIED", reply, now)
                if coverage is not None:
                    self._telling.told(now)
            self._consenting.use(told, snapshot)
            return Outgoing(reply, "APPLIED")
        except (ProtocolError, ConsentError) as error:
            code = error.code
        except Exception:
            code = "INTERNAL_REFUSED"
        # The list in use and its head stay as they were: where the hub lost count, it learns them.
        kept = _with(self._consenting.seq, head_seen(self._database))
        reply = self._replies.acknowledgement(seq, code, None, now, head=kept)
        try:
            with transaction(self._database):
                self._note(seq, code, reply, now)
        except sqlite3.Error:
            pass  # it says nothing of patients, and the hub must know that the list was not taken
        return Outgoing(reply, code)

    def _note(self, seq: int, code: str, reply: bytes, now: datetime) -> None:
        """Inside a transaction: the audit line and the row of an acknowledgement that leaves."""
        sha256 = hashlib.sha256(reply).hexdigest()
        facts: dict[str, str | int] = {"seq": seq, "code": code, "sha256": sha256}
        if code == "APPLIED" and self._consenting.alone:
            facts["status"] = ALONE
        line = audit.record(self._database, "SNAPSHOT", facts, now)
        self._register.keep(line, self._register.acknowledgement_kind(reply), body=reply)

    def close(self) -> None:
        self._database.close()
        self._lock.close()


def _with(seq: int, head: tuple[int, str] | None) -> tuple[int, tuple[int, str]] | None:
    """The head together with the list that told of it; None without a list or a head."""
    return None if head is None or seq == 0 else (seq, head)


def _kind(message: bytes) -> str:
    """What a message says it is; only to choose who checks it. "" when that cannot be read."""
    try:
        header = json.loads(unb64(message[:1024].split(b".")[0].decode("ascii")))
        return str(header["typ"])
    except (ProtocolError, ValueError, KeyError, TypeError, binascii.Error):
        return ""


def _lock(path: Path, seconds: float) -> BinaryIO:
    """Take the directory for this program alone; SetupError when another one keeps it."""
    file = (path / LOCK_FILE).open("ab")
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            if time.monotonic() > until:
                file.close()
                raise SetupError("another program serves this directory; end that one.") from error
            time.sleep(0.05)
