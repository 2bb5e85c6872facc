"""One site's process on this machine, and the messages that wait for it.

A site process reads and writes frames (four bytes big-endian length, then the bytes). It answers
one message after the other and its replies come in the order of the messages, but a reply may have
to wait before it leaves (rule S2); so it has several messages inside at a time.

A process that dies is started again and the same bytes are sent again, one by one from there on, so
that it is known which message kills it; the site's own journal makes that safe. After ``RESTARTS``
starts in vain a message has failed (SITE_UNREACHABLE). A process ends by itself when its stdin
closes, so none survives this program, killed or not. It is made by fork from one that has imported
the site's modules, where the system can do that: importing them is nine tenths of a start.
"""

import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, cast

import federation
from federation.engines import forked
from federation.engines.forked import ForkedProcess
from federation.engines.interface import SITE_UNREACHABLE, Reply, SiteStatus, State

#: How often a process is started again for one message before the message has failed.
RESTARTS = 3
#: Seconds before the first new start; doubled each time.
BACK_OFF = 0.05
#: Seconds a site may work on one message (security.md 4.2) before it is killed.
ANSWER_SECONDS = 600.0
#: A longer frame than this from a site is not read.
MAX_FRAME = 128 * 1024 * 1024
#: Messages that a site may have inside; it reads no more by itself (federation/site/serving.py).
MOST_INSIDE = 64
SITE_TIMEOUT = "SITE_TIMEOUT"

_HEADER = struct.Struct(">I")
_CODE = re.compile(r"\b[A-Z][A-Z0-9_]{2,40}\b")
_CHUNK = 1 << 16

#: (site, how often its process was started before) -> extra environment variables.
Environment = Callable[[str, int], Mapping[str, str]]


class _Died(Exception):
    """The process ended, or had to be ended, before it answered."""


@dataclass
class _Job:
    """A message. attempts: how often the process died when this was all it had."""

    handle: str
    message: bytes
    attempts: int = 0


class Site:
    """One site's process, its thread, and the messages that wait for it."""

    def __init__(
        self,
        slug: str,
        path: Path,
        replies: SimpleQueue[Reply],
        is_cancelled: Callable[[str], bool],
        environment: Environment | None,
    ) -> None:
        self.slug = slug
        self.codes: deque[str] = deque(maxlen=100)
        self.starts = 0
        self._path = path
        self._replies = replies
        self._is_cancelled = is_cancelled
        self._environment = environment
        self._ended = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._since = datetime.now(UTC)
        self._outbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._bell, self._rings = socket.socketpair()
        self._bell.setblocking(False)
        self._rings.setblocking(False)
        # Only the thread's from here on.
        self._waiting: deque[_Job] = deque()
        self._inside: deque[_Job] = deque()  # sent, in the order in which replies come
        self._alone = 0  # so many of those that wait go one by one
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._deaf = False  # stderr is closed
        self._until = 0.0  # by when the oldest inside must be answered
        self._thread = threading.Thread(target=self._work, name=f"site-{slug}", daemon=True)
        self._thread.start()

    def put(self, handle: str, message: bytes) -> None:
        """Send a message when its turn comes."""
        self._outbox.put(_Job(handle, message))
        self._ring()

    def status(self) -> SiteStatus:
        process = self._process
        up = process is not None and process.poll() is None
        state: State = "up" if up else "down" if self.starts else "unknown"
        return SiteStatus(self.slug, state, self._since)

    def process_id(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def end(self) -> None:
        self._ended = True
        self._outbox.put(None)
        self._ring()
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def join(self) -> None:
        self._thread.join()
        self._bell.close()
        self._rings.close()

    def _ring(self) -> None:
        with suppress(OSError):  # full: it is heard anyway; closed: nobody is there to hear
            self._bell.send(b"1")

    def _work(self) -> None:
        self._start()
        while self._take():
            if self._process is None:
                self._start()
            self._load()
            if not self._inside:
                continue
            try:
                self._exchange()
            except TimeoutError:
                # A site that hangs on a message would hang on it again: ask the hub to decide.
                self._stop()
                self._reply(self._inside.popleft(), None, SITE_TIMEOUT)
                self._put_back()
            except (_Died, OSError):
                self._stop()
                self._after_death()
        self._stop()

    def _take(self) -> bool:
        """Take what waits outside, and wait for something to do; False when it is over."""
        while not self._ended:
            try:
                job = self._outbox.get(block=not (self._waiting or self._inside))
            except Empty:
                return True
            if job is not None:
                self._waiting.append(job)
        return False

    def _load(self) -> None:
        """Choose what is sent next, when nothing is half sent and the site has room."""
        most = 1 if self._alone else MOST_INSIDE
        while self._waiting and not self._unsent and len(self._inside) < most:
            job = self._waiting.popleft()
            if self._is_cancelled(job.handle):
                # A site does not work on what nobody waits for any more.
                self._reply(job, None, "CANCELLED")
                continue
            if not self._inside:
                self._until = time.monotonic() + ANSWER_SECONDS
            self._inside.append(job)
            self._unsent = memoryview(_HEADER.pack(len(job.message)) + job.message)

    def _exchange(self) -> None:
        """Write and read what can be, draining stderr all the while."""
        process = self._process
        if process is None:
            raise _Died
        stdin, stdout, stderr = (
            cast(IO[bytes], pipe).fileno()
            for pipe in (process.stdin, process.stdout, process.stderr)
        )
        watched = select.poll()
        watched.register(self._rings, select.POLLIN)
        watched.register(stdout, select.POLLIN)
        if not self._deaf:
            watched.register(stderr, select.POLLIN)
        if self._unsent:
            watched.register(stdin, select.POLLOUT)
        ready = watched.poll(max(0.0, self._until - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError
        for number, _ in ready:
            if number == stdin:
                self._unsent = self._unsent[os.write(stdin, self._unsent[:_CHUNK]) :]
            elif number == self._rings.fileno():
                self._rings.recv(_CHUNK)
            elif number == stderr:
                chunk = os.read(stderr, _CHUNK)
                self._deaf = not chunk
                self.codes.extend(_CODE.findall(chunk.decode("ascii", "replace")))
            else:
                self._read(os.read(stdout, _CHUNK))

    def _read(self, chunk: bytes) -> None:
        """Take in a piece of what the site says. A frame that answers nothing means that nothing it
        says can be matched to a question any more."""
        if not chunk:
            raise _Died
        self._received += chunk
        while len(self._received) >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._received)
            sent = len(self._inside) - bool(self._unsent)
            if length > MAX_FRAME or not sent:
                raise _Died
            if len(self._received) < _HEADER.size + length:
                return
            body = bytes(self._received[_HEADER.size : _HEADER.size + length])
            del self._received[: _HEADER.size + length]
            self._reply(self._inside.popleft(), body, None)
            self._until = time.monotonic() + ANSWER_SECONDS

    def _reply(self, job: _Job, body: bytes | None, failure: str | None) -> None:
        self._alone = max(0, self._alone - 1)
        self._replies.put(Reply(job.handle, self.slug, body, failure))

    def _after_death(self) -> None:
        """Send again what was inside; what killed the process too often has failed."""
        if len(self._inside) > 1:
            self._put_back()
            pause = BACK_OFF
        else:
            job = self._inside[0]
            job.attempts += 1
            if job.attempts > RESTARTS:
                self._reply(self._inside.popleft(), None, SITE_UNREACHABLE)
                return
            self._waiting.appendleft(self._inside.popleft())
            self._alone = max(1, self._alone)
            pause = BACK_OFF * 2.0 ** (job.attempts - 1)
        if not self._ended:
            time.sleep(pause)

    def _put_back(self) -> None:
        self._alone = max(self._alone, len(self._inside))
        self._waiting.extendleft(reversed(self._inside))
        self._inside.clear()

    def _start(self) -> None:
        extra = self._environment(self.slug, self.starts) if self._environment else {}
        self._unsent, self._deaf = memoryview(b""), False
        self._received.clear()
        with self._lock:
            if self._ended:
                return
            self.starts += 1
            self._since = datetime.now(UTC)
            try:
                self._process = _spawn(self._path, extra)
            except OSError:
                self._process = None

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            self._since = datetime.now(UTC)
            if process is None:
                return
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                cast(IO[bytes], pipe).close()


def _spawn(path: Path, extra: Mapping[str, str]) -> subprocess.Popen[bytes] | ForkedProcess:
    """Start the site program: no shell, and no more environment than Python needs."""
    code = Path(federation.__file__).parent.parent
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(code),
        # Many sites share this machine: one thread each is faster than all fighting for cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    made = None if extra else _fork(path, environment)
    process = made or subprocess.Popen(  # noqa: S603  a fixed program, no shell
        [sys.executable, "-P", "-m", "federation.site.process", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **extra},
        bufsize=0,
    )
    for pipe in (process.stdin, process.stdout, process.stderr):
        os.set_blocking(cast(IO[bytes], pipe).fileno(), False)
    return process


def _fork(path: Path, environment: Mapping[str, str]) -> ForkedProcess | None:
    """The same from the fork server; None where there is none."""
    try:
        return forked.start(os.path.abspath(path), environment)
    except OSError:
        return None
