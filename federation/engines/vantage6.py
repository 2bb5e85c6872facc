"""The vantage6 engine: a vantage6 server carries the messages, one task per site and message.

The server is not trusted: it may lose, delay, double, reorder, alter or make up anything. Messages
are signed (and sealed where that matters) by hub and site; encryption by vantage6, with pinned
keys, comes on top of that. What it does wrong ends as a code in a ``Reply`` and in the log
``oncokring.engine``, with the site's name.

Times are our own: the server's ``assigned_at`` is when it was started, and a run for a hospital
that is away stays ``pending`` for ever. Replies are copied when they are first seen and never read
from the server again, since others may delete tasks.

The same bytes to the same site while a task for them is open are the same task: a caller that
repeats itself while a hospital is away makes no pile.
"""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Literal

from federation.carriage.line import Line
from federation.engines.interface import EngineError, Reply, SiteStatus
from federation.engines.vantage6_book import Book, Task
from federation.engines.vantage6_events import open_line
from federation.engines.vantage6_keys import Connection, Vantage6Error
from federation.engines.vantage6_tasks import FAILED, FAILURES, GONE, UNREADABLE, WAITING, Tasks

log = logging.getLogger("oncokring.engine")

#: Seconds a task may wait for a site that is away.
WAIT_SECONDS = 3600.0
#: Seconds in which a message must have reached the server.
SEND_SECONDS = 20.0
#: How many tasks are made at the same time: the server then tells all nodes of a round at once.
SENDERS = 10
#: After a lost answer: how often the task is looked for before it is made again.
LOOKS = 3
#: Seconds that ``close`` gives requests that are under way; what is left ends with the program.
CLOSE_SECONDS = 10.0
#: How often the nodes' presence is read.
PRESENCE_SECONDS = 20.0
#: Errors after which the same request may well succeed.
_PASSING = frozenset(
    {
        "VANTAGE6_UNREACHABLE",
        "VANTAGE6_SERVER",
        "VANTAGE6_UNKNOWN_ANSWER",
        "VANTAGE6_CERTIFICATE",  # one that ran out is renewed
    }
)
INTERNAL = "VANTAGE6_INTERNAL"


class Vantage6Engine:
    """An ``Engine`` over a vantage6 server; see the module docstring.

    ``sites`` maps each slug to the number of its organisation on the server, ``fingerprints`` to
    the SHA-256 of its public key there. Making one does not touch the network: ``check`` does, and
    raises ``Vantage6Error`` for what a person must mend.
    """

    def __init__(
        self,
        connection: Connection,
        sites: Mapping[str, int],
        fingerprints: Mapping[str, str] | None = None,
        *,
        events: bool = True,
        wait_seconds: float = WAIT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._tasks = Tasks(connection, sites, fingerprints or {})
        self._book = Book(sites, wait_seconds)
        self._send_seconds = send_seconds
        self._jobs: SimpleQueue[tuple[Literal["post", "delete"], Task] | None] = SimpleQueue()
        self._runs: SimpleQueue[int] = SimpleQueue()
        self._early: SimpleQueue[int] = SimpleQueue()  # heard of before our task had its number
        self._presence_at = 0.0
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._trouble = ""
        self._line: Line | None = None
        if events:
            self._line = open_line(
                self._tasks.client, changed=self._changed, online=self._online, there=self._lined
            )
        self._threads = [
            threading.Thread(target=self._work, name=f"vantage6-send-{number}", daemon=True)
            for number in range(min(SENDERS, max(1, len(sites))))
        ] + [threading.Thread(target=self._watch, name="vantage6-watch", daemon=True)]
        self._starting = threading.Lock()
        self._started = False

    # The Engine protocol

    def send(self, site: str, message: bytes) -> str:
        """Queue ``message`` for ``site``; see ``Engine``."""
        if self._closed.is_set():
            raise EngineError("ENGINE_CLOSED", "The engine is closed.")
        if site not in self._book.sites:
            raise EngineError("UNKNOWN_SITE", f"{site!r} is not set up on the vantage6 server.")
        self._start()
        handle, task = self._book.open(site, message)
        if task is not None:
            self._jobs.put(("post", task))
        return handle

    def replies(self, timeout: float) -> list[Reply]:
        """Wait for the first reply, then take all that are there; see ``Engine``."""
        return self._book.replies(timeout)

    def cancel(self, handle: str) -> None:
        """Forget ``handle``; a task that nobody waits for any more is taken from the server."""
        task = self._book.cancel(handle)
        if task is not None:
            self._jobs.put(("delete", task))

    def status(self, site: str) -> SiteStatus:
        """Whether the site's node is connected, as the server last said; no request is made."""
        self._start()
        return self._book.status(site)

    def close(self) -> None:
        """End all threads; tasks stay on the server until the sites have answered them."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.set()
        for _ in self._threads:
            self._jobs.put(None)
        if self._line is not None:
            self._line.close()
        if self._started:
            until = time.monotonic() + CLOSE_SECONDS
            for thread in self._threads:
                thread.join(max(0.0, until - time.monotonic()))
        self._tasks.close()

    def __enter__(self) -> "Vantage6Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What this engine offers besides

    def check(self) -> None:
        """Sign in and compare server and settings; ``Vantage6Error`` says what is wrong."""
        self._tasks.check()

    def pin(self, site: str, fingerprint: str) -> None:
        """The hospital has another key, and said so by another way than the server."""
        self._tasks.pin(site, fingerprint)

    def open_tasks(self) -> dict[int, str]:
        """The site of each task on the server that is waited for, by the task's number there."""
        return self._book.open_tasks()

    def _start(self) -> None:
        with self._starting:
            if self._started or self._closed.is_set():
                return
            self._started = True
            for thread in self._threads:
                thread.start()
            if self._line is not None:
                self._line.start()

    # Sending

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closed.is_set():
            kind, task = job
            try:
                if kind == "post":
                    self._post(task)
                elif task.id is not None:
                    with suppress(Vantage6Error):  # our role may not delete: the site works in vain
                        self._tasks.delete(task.id)
            except Exception as error:
                log.error("%s %s", INTERNAL, type(error).__name__)
                self._finish(task, None, INTERNAL)

    def _post(self, task: Task) -> None:
        """Make the task, once. After a lost answer it is looked for before it is made again."""
        looks, pause = LOOKS, 0.2
        while not self._closed.is_set() and not task.over:
            found = None
            try:
                if looks < LOOKS:
                    found = self._tasks.find(task.handle)
                    looks += 1
                else:
                    found = self._tasks.create(task.site, task.handle, task.message)
                self._say("")
            except Vantage6Error as error:
                late = time.monotonic() - task.made > self._send_seconds
                if error.code not in _PASSING or late:
                    self._finish(task, None, error.code)
                    return
                self._say(error.code)
                if error.unsure and looks == LOOKS:
                    looks = 0
            if found is not None:
                if not self._book.posted(task, found):
                    self._jobs.put(("delete", task))
                with suppress(Empty):
                    while True:
                        self._runs.put(self._early.get_nowait())
                self._wake.set()
                return
            self._closed.wait(pause)
            pause = min(2 * pause, 2.0)

    # Watching

    def _changed(self, run: int) -> None:
        self._runs.put(run)
        self._wake.set()

    def _online(self, organization: int, there: bool) -> None:
        self._book.saw({organization: there})

    def _lined(self, there: bool) -> None:
        if there or self._book.line:
            self._book.line = there
            self._presence_at = 0.0
            self._book.look_soon()  # what happened in between was not heard
            self._wake.set()

    def _watch(self) -> None:
        pause = 0.5
        while not self._closed.is_set():
            try:
                self._look_round()
                pause = 0.5
            except Exception as error:
                code = error.code if isinstance(error, Vantage6Error) else INTERNAL
                self._say(code if code != INTERNAL else f"{code} {type(error).__name__}")
                self._closed.wait(pause)
                pause = min(2 * pause, 10.0)
            now = time.monotonic()
            until = min(self._book.next_look(), self._presence_at, now + 1.0)
            self._wake.wait(max(0.0, until - now))
            self._wake.clear()

    def _look_round(self) -> None:
        for task, code in self._book.late():
            self._finish(task, None, code)
            self._jobs.put(("delete", task))
        with suppress(Empty):
            while True:
                self._take_run(self._runs.get_nowait())
        if due := self._book.due():
            self._look(due)
            self._say("")
        if time.monotonic() >= self._presence_at:
            self._tasks.check()
            self._book.saw(self._tasks.online(), all_of_them=True)
            self._presence_at = time.monotonic() + PRESENCE_SECONDS
            self._say("")

    def _take_run(self, run: int) -> None:
        """A run changed: take its result when it is there and one of ours."""
        if self._book.is_foreign(run):
            return
        try:
            number, result = self._tasks.result_of_run(run)
        except Vantage6Error as error:
            if not 400 <= error.status < 500:
                raise
            self._book.disown(run)  # gone, or not for us to see
            return
        task = self._book.task(number)
        if task is None:
            if not self._book.disown(run):
                self._early.put(run)
        elif result is None:
            self._book.look_soon(number)
        else:
            self._take(task, result)

    def _look(self, due: Mapping[int, Task]) -> None:
        for number, word in self._tasks.statuses(due).items():
            task = due[number]
            if word is None:
                self._finish(task, None, GONE)
            elif word in WAITING:
                if word == "active" and task.started is None:
                    task.started = time.monotonic()
            else:
                result = self._tasks.result_of(number)
                if result is not None:
                    self._take(task, result)
                elif word == "completed":
                    self._finish(task, None, UNREADABLE)
                else:
                    # A node refuses what it cannot read: it may have another key by now.
                    self._tasks.forget_key(task.site)
                    self._finish(task, None, FAILURES.get(word, FAILED))

    def _take(self, task: Task, result: str) -> None:
        answer = self._tasks.read(result)
        if answer.failure == UNREADABLE:
            self._tasks.forget_key(task.site)
        self._finish(task, answer.body, answer.failure)

    def _finish(self, task: Task, body: bytes | None, failure: str | None) -> None:
        if self._book.finish(task, body, failure) and failure is not None:
            log.warning("%s site=%s", failure, task.site)

    def _say(self, code: str) -> None:
        """Log a trouble with the server when it begins, not each time it is met."""
        if code and code != self._trouble:
            log.warning("%s", code)
        self._trouble = code
