"""The embedded engine: one subprocess per site on this machine, messages over its pipes.

For demo, development, tests and small networks that trust one host. A site process reads and
writes frames (four bytes big-endian length, then the bytes) and answers one message at a time, so
one thread per site does the whole exchange and nothing ever polls.

A process that dies is started again and the same bytes are sent again; the site's own journal
makes that safe. After ``RESTARTS`` starts in vain the message has failed (SITE_UNREACHABLE).
A process ends by itself when its stdin closes, so none survives this program, killed or not. It is
made by fork from one that has imported the site's modules, where the system can do that: importing
them is nine tenths of a start.
"""

import os
import re
import secrets
import selectors
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, cast

import federation
from federation.engines import forked
from federation.engines.forked import ForkedProcess
from federation.engines.interface import (
    SITE_UNREACHABLE,
    EngineError,
    Reply,
    SiteStatus,
    State,
)

#: How often a process is started again for one message before the message has failed.
RESTARTS = 3
#: Seconds before the first new start; doubled each time.
BACK_OFF = 0.05
#: Seconds a site may work on one message (security.md 4.2) before it is killed.
ANSWER_SECONDS = 600.0
#: A longer frame than this from a site is not read.
MAX_FRAME = 128 * 1024 * 1024
SITE_TIMEOUT = "SITE_TIMEOUT"

_HEADER = struct.Struct(">I")
_CODE = re.compile(r"\b[A-Z][A-Z0-9_]{2,40}\b")
_CHUNK = 1 << 16

#: (site, how often its process was started before) -> extra environment variables.
Environment = Callable[[str, int], Mapping[str, str]]


class EmbeddedEngine:
    """An ``Engine`` over one process per site directory.

    ``directories`` maps each slug to a directory made by ``federation.site.directory.init_site``.
    Processes start at once and in parallel; the first message waits for nothing but its own site.
    """

    def __init__(
        self, directories: Mapping[str, Path], *, environment: Environment | None = None
    ) -> None:
        self._replies: SimpleQueue[Reply] = SimpleQueue()
        self._cancelled: set[str] = set()
        self._open: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._sites = {
            site: _Site(site, Path(path), self._replies, self._is_cancelled, environment)
            for site, path in directories.items()
        }

    def send(self, site: str, message: bytes) -> str:
        """Queue ``message`` for ``site``; see ``Engine``."""
        if self._closed:
            raise EngineError("ENGINE_CLOSED", "The engine is closed.")
        if site not in self._sites:
            raise EngineError("UNKNOWN_SITE", f"No site {site!r} on this machine.")
        handle = secrets.token_hex(16)
        with self._lock:
            self._open.add(handle)
        self._sites[site].outbox.put((handle, message))
        return handle

    def replies(self, timeout: float) -> list[Reply]:
        """Wait for the first reply, then take all that are there; see ``Engine``."""
        found: list[Reply] = []
        until = time.monotonic() + timeout
        while not found:
            try:
                batch = [self._replies.get(timeout=max(0.0, until - time.monotonic()))]
            except Empty:
                return found
            while not self._replies.empty():
                batch.append(self._replies.get())
            with self._lock:
                found = [reply for reply in batch if reply.handle not in self._cancelled]
                self._open.difference_update(reply.handle for reply in batch)
                self._cancelled.difference_update(reply.handle for reply in batch)
        return found

    def cancel(self, handle: str) -> None:
        """Forget ``handle``; see ``Engine``."""
        with self._lock:
            if handle in self._open:
                self._cancelled.add(handle)

    def _is_cancelled(self, handle: str) -> bool:
        with self._lock:
            return handle in self._cancelled

    def status(self, site: str) -> SiteStatus:
        """Whether the site's process runs; see ``Engine``."""
        if site not in self._sites:
            return SiteStatus(site, "unknown", datetime.now(UTC))
        return self._sites[site].status()

    def codes(self, site: str) -> list[str]:
        """The last codes the site wrote on stderr; anything else it wrote is not kept."""
        return list(self._sites[site].codes)

    def starts(self, site: str) -> int:
        """How often the site's process was started."""
        return self._sites[site].starts

    @property
    def sites(self) -> list[str]:
        """The sites it knows, by slug."""
        return sorted(self._sites)

    def process_id(self, site: str) -> int | None:
        """The process id of a running site, for tests that kill it."""
        return self._sites[site].process_id()

    def close(self) -> None:
        """End every site process and wait for it; see ``Engine``."""
        self._closed = True
        for site in self._sites.values():
            site.end()
        for site in self._sites.values():
            site.join()

    def __enter__(self) -> "EmbeddedEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Died(Exception):
    """The process ended, or had to be ended, before it answered."""


class _Site:
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
        self.outbox: SimpleQueue[tuple[str, bytes] | None] = SimpleQueue()
        self.codes: deque[str] = deque(maxlen=50)
        self.starts = 0
        self._path = path
        self._replies = replies
        self._is_cancelled = is_cancelled
        self._environment = environment
        self._ended = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._since = datetime.now(UTC)
        self._thread = threading.Thread(target=self._work, name=f"site-{slug}", daemon=True)
        self._thread.start()

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
        self.outbox.put(None)
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def join(self) -> None:
        self._thread.join()

    def _work(self) -> None:
        self._start()
        while (job := self.outbox.get()) is not None and not self._ended:
            handle, message = job
            # A site does not work on what nobody waits for any more.
            cancelled = self._is_cancelled(handle)
            body, failure = (None, "CANCELLED") if cancelled else self._ask(message)
            self._replies.put(Reply(handle, self.slug, body, failure))
        self._stop()

    def _ask(self, message: bytes) -> tuple[bytes | None, str | None]:
        failure = SITE_UNREACHABLE
        for attempt in range(RESTARTS + 1):
            if attempt:
                time.sleep(BACK_OFF * 2 ** (attempt - 1))
            if self._ended:
                break
            try:
                if self._process is None:
                    self._start()
                return self._exchange(message), None
            except TimeoutError:
                # A site that hangs on a message would hang on it again: ask the hub to decide.
                self._stop()
                return None, SITE_TIMEOUT
            except (_Died, OSError):
                self._stop()
        return None, failure

    def _start(self) -> None:
        extra = self._environment(self.slug, self.starts) if self._environment else {}
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

    def _exchange(self, message: bytes) -> bytes:
        """Write one frame and read one frame, draining stderr all the while."""
        process = self._process
        if process is None:
            raise _Died
        stdin, stdout, stderr = (
            cast(IO[bytes], pipe).fileno()
            for pipe in (process.stdin, process.stdout, process.stderr)
        )
        unsent = memoryview(_HEADER.pack(len(message)) + message)
        received = bytearray()
        until = time.monotonic() + ANSWER_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(stdin, selectors.EVENT_WRITE)
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while True:
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    if key.fd == stdin:
                        unsent = unsent[os.write(stdin, unsent[:_CHUNK]) :]
                        if not unsent:
                            selector.unregister(stdin)
                        continue
                    chunk = os.read(key.fd, _CHUNK)
                    if key.fd == stderr:
                        self.codes.extend(_CODE.findall(chunk.decode("ascii", "replace")))
                        if not chunk:
                            selector.unregister(stderr)
                        continue
                    if not chunk:
                        raise _Died
                    received += chunk
                    if (frame := _whole_frame(received)) is not None:
                        return frame


def _whole_frame(received: bytearray) -> bytes | None:
    """The frame when it is complete. More bytes than one frame means the site does not keep to
    one answer per message, and nothing it says can be matched to a question any more."""
    if len(received) < _HEADER.size:
        return None
    (length,) = _HEADER.unpack_from(received)
    if length > MAX_FRAME or len(received) > _HEADER.size + length:
        raise _Died
    return bytes(received[_HEADER.size :]) if len(received) == _HEADER.size + length else None


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
