"""Answering the messages of a pipe, one after the other, and when each reply may leave (rule S2).

A refusal about patients leaves a whole number of buckets after its message came, so that how long
it took does not say which rule refused. A message that waited behind it began when it was done; so
its reply, and that of every message that came before the refusal had left, keeps to buckets of its
own as well. Then nothing that can be seen from outside depends on how long a refusal took, and the
next message need not wait until the refusal has left.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import BinaryIO, Protocol, TextIO

from federation.site.faults import point
from federation.site.frames import FrameError, read_frame, write_frame

# Refusals that depend on patients. Ticks count from the arrival of the message: on ticks of the
# clock a hub could let its message arrive just before one, and learn how long it took.
HELD = frozenset(
    {"SMALL_GROUP", "MODEL_TOO_RICH", "MODEL_UNSTABLE", "INSTITUTION_HIDDEN", "BUDGET"}
)
#: Messages that came in and whose replies have not left. The next is not read before one has left,
#: and what is held back leaves on a tick: so when a message is read tells nothing either.
MOST_INSIDE = 64
#: The same in bytes; a single message may be longer.
MOST_BYTES = 64 * 1024 * 1024


class Reply(Protocol):
    """A signed reply, and what is said of it in the log."""

    @property
    def body(self) -> bytes: ...

    @property
    def code(self) -> str: ...


class Answers(Protocol):
    """What answers a message; it never raises."""

    def handle(self, message: bytes, now: datetime) -> Reply: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ticks:
    """When replies may leave, in the order in which their messages came."""

    def __init__(self, bucket_seconds: float) -> None:
        self._bucket = bucket_seconds
        self._last = -math.inf  # when the last one that is held back leaves

    def leaves(self, code: str, arrived: float, done: float) -> float:
        """When a reply leaves that came to be at `done`: then, or a whole number of buckets after
        its message `arrived`."""
        if not self._bucket or (code not in HELD and arrived >= self._last):
            return done
        at = max(done, self._last)
        buckets = max(1, math.ceil((at - arrived) / self._bucket))
        self._last = arrived + buckets * self._bucket
        return self._last


def hold_back(code: str, arrived: float, bucket_seconds: float) -> None:
    """Wait until a reply with this code may leave, for a carrier that takes one message at a time
    and reads the next when the reply has left."""
    now = time.monotonic()
    time.sleep(max(0.0, Ticks(bucket_seconds).leaves(code, arrived, now) - now))


def serve(
    program: Answers,
    incoming: BinaryIO,
    outgoing: BinaryIO,
    log: TextIO,
    *,
    bucket_seconds: float,
    clock: Callable[[], datetime] = utc_now,
    steady: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    busy: AbstractContextManager[object] | None = None,
) -> None:
    """Answer frames until `incoming` ends, replies in the order of their messages.

    `log` gets one code per message that was not simply answered, nothing else. `busy` is entered
    with each message and left when it is answered; what it raises then is raised here when all that
    was answered has left. Raises FrameError and OSError of the pipes. A thread reads `incoming`:
    give it unbuffered where the program may end before it does.
    """
    house, ticks = _House(incoming, outgoing, steady, sleep), Ticks(bucket_seconds)
    try:
        while (came := house.next()) is not None:
            arrived, message = came
            with busy or nullcontext():
                reply = program.handle(message, clock())
                if reply.code not in ("OK", "REPLAY", "APPLIED"):
                    log.write(reply.code + "\n")
                    log.flush()
                done = steady()
                house.leave(ticks.leaves(reply.code, arrived, done), done, reply.body)
    finally:
        house.empty()


class _House:
    """The messages that came in, and the replies that wait to leave."""

    def __init__(
        self,
        incoming: BinaryIO,
        outgoing: BinaryIO,
        steady: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._steady, self._sleep = steady, sleep
        self._arrived: deque[tuple[float, bytes]] = deque()
        self._leaving: deque[tuple[float, bytes]] = deque()
        self._inside: deque[int] = deque()  # the bytes of each message whose reply has not left
        self._ended = self._over = False
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        for work in (self._read, self._write):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()

    def next(self) -> tuple[float, bytes] | None:
        """The oldest message and when it came; None when no more come and all has left."""
        with self._changed:
            while not self._arrived:
                if self._failure is not None:
                    raise self._failure
                if self._ended and not self._inside:
                    return None
                self._changed.wait()
            return self._arrived.popleft()

    def leave(self, at: float, now: float, body: bytes) -> None:
        """Let a reply leave at its moment, after those before it."""
        with self._changed:
            if at > now or self._leaving:
                self._leaving.append((at, body))
                self._changed.notify_all()
                return
        self._out(body)

    def empty(self) -> None:
        """Wait until what waits to leave has left, or cannot, and end."""
        with self._changed:
            while self._leaving and not self._over:
                self._changed.wait()
            self._over = True
            self._changed.notify_all()

    def _read(self) -> None:
        while True:
            with self._changed:
                while len(self._inside) >= MOST_INSIDE or sum(self._inside) > MOST_BYTES:
                    if self._over:
                        return
                    self._changed.wait()
            frame = read_frame(self._incoming)
            with self._changed:
                if frame is None:
                    self._ended = True
                else:
                    self._arrived.append((self._steady(), frame))
                    self._inside.append(len(frame))
                self._changed.notify_all()
            if frame is None:
                return

    def _write(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._leaving:
                        if self._over:
                            return
                        self._changed.wait()
                    at, body = self._leaving[0]
                if (wait := at - self._steady()) > 0:
                    self._sleep(wait)
                self._out(body)
                with self._changed:
                    self._leaving.popleft()
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._over = True  # nothing leaves any more
                self._changed.notify_all()

    def _out(self, body: bytes) -> None:
        write_frame(self._outgoing, body)
        point("N6")
        with self._changed:
            self._inside.popleft()
            self._changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        """What goes wrong in a thread is the program's to know."""
        try:
            work()
        except (OSError, FrameError, ValueError) as error:  # ValueError: the pipe was closed here
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
