"""The site program: takes a message, gives a signed reply, one at a time, until the pipe closes."""

import binascii
import fcntl
import json
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

from consent.errors import ConsentError
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.messages import TYP_SNAPSHOT
from federation.site import audit
from federation.site.consenting import Consenting
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.faults import point
from federation.site.frames import read_frame, write_frame
from federation.site.pipeline import Outgoing, Pipeline
from federation.site.policy_log import note_policy
from federation.site.replies import Replies
from federation.site.store import open_store, transaction

LOCK_FILE = "site.lock"
LOCK_SECONDS = 10.0

# Refusals that depend on patients leave at the next tick of `timing_bucket_s` (rule S2), so that
# how long a refusal took does not say which rule refused.
HELD = frozenset({"SMALL_GROUP", "MODEL_TOO_RICH", "MODEL_UNSTABLE", "INSTITUTION_HIDDEN"})


def utc_now() -> datetime:
    return datetime.now(UTC)


class SiteProgram:
    """One serving site. Holds the directory's lock until `close`."""

    def __init__(self, directory: SiteDirectory) -> None:
        self._lock = _lock(directory.path)
        self._directory = directory
        self._database = open_store(directory.database)
        settings = directory.settings
        try:
            self._consenting = Consenting(
                self._database,
                slug=settings.slug,
                network=settings.network,
                hub_public=settings.hub_public,
            )
        except (ProtocolError, ConsentError) as error:
            raise SetupError(
                "the consent snapshot in site.sqlite does not fit site.toml; check hub and network."
            ) from error
        note_policy(self._database, directory.policy, utc_now())
        self._replies = Replies(directory)
        self._pipeline = Pipeline(directory, self._database, self._consenting)

    def handle(self, message: bytes, now: datetime) -> Outgoing:
        """The reply to one message of the hub, whatever it holds. Never raises."""
        if _kind(message) == TYP_SNAPSHOT:
            return self._take_snapshot(message, now)
        return self._pipeline.answer(message, now)

    def _take_snapshot(self, message: bytes, now: datetime) -> Outgoing:
        """Store a newer state of consent, then count by it, then say so."""
        seq, code = 0, ""
        try:
            claims = self._consenting.verified(message, now)
            if type(claims.get("seq")) is int and claims["seq"] >= 0:
                seq = claims["seq"]
            snapshot = self._consenting.read(claims)
            with transaction(self._database):
                self._consenting.keep(snapshot, message, now)
                audit.record(self._database, "SNAPSHOT", {"seq": seq, "code": "APPLIED"}, now)
            self._consenting.use(snapshot)
            return Outgoing(self._replies.acknowledgement(seq, None, now, now), "APPLIED")
        except (ProtocolError, ConsentError) as error:
            code = error.code
        except Exception:
            code = "INTERNAL_REFUSED"
        try:
            with transaction(self._database):
                audit.record(self._database, "SNAPSHOT", {"seq": seq, "code": code}, now)
        except sqlite3.Error:
            pass
        return Outgoing(self._replies.acknowledgement(seq, code, None, now), code)

    def close(self) -> None:
        self._database.close()
        self._lock.close()


def serve(
    program: SiteProgram,
    incoming: BinaryIO,
    outgoing: BinaryIO,
    log: TextIO,
    *,
    bucket_seconds: int,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Answer frames until `incoming` ends. `log` gets one code per message that was not simply
    answered, nothing else."""
    while (message := read_frame(incoming)) is not None:
        reply = program.handle(message, clock())
        if reply.code not in ("OK", "REPLAY", "APPLIED"):
            log.write(reply.code + "\n")
            log.flush()
        if bucket_seconds and reply.code in HELD:
            sleep(bucket_seconds - clock().timestamp() % bucket_seconds)
        write_frame(outgoing, reply.body)
        point("N6")


def _kind(message: bytes) -> str:
    """What a message says it is; only to choose who checks it. "" when that cannot be read."""
    try:
        header = json.loads(unb64(message[:1024].split(b".")[0].decode("ascii")))
        return str(header["typ"])
    except (ProtocolError, ValueError, KeyError, TypeError, binascii.Error):
        return ""


def _lock(path: Path) -> BinaryIO:
    """Take the directory for this program alone; SetupError when another one keeps it."""
    file = (path / LOCK_FILE).open("ab")
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            if time.monotonic() > until:
                file.close()
                raise SetupError("another program serves this directory; end that one.") from error
            time.sleep(0.05)
