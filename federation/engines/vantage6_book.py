"""What the vantage6 engine knows: open tasks, who waits for them, which sites are there.

No network and no threads of its own; every method may be called from any thread.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from federation.engines.interface import SITE_UNREACHABLE, Reply, SiteStatus, State

SITE_TIMEOUT = "SITE_TIMEOUT"
#: Seconds a site may work on one message (security.md 4.2).
ANSWER_SECONDS = 600.0
#: Seconds between two looks: the shortest and the longest, without and with the open line.
POLL, POLL_WITH_LINE = (0.2, 5.0), (2.0, 30.0)
#: Seconds for which a look at the nodes' presence, or a site's own reply, is worth anything.
PRESENCE_LASTS = 90.0
_MOST_FOREIGN = 10_000


@dataclass(eq=False)
class Task:
    """One message to one site, and everybody who waits for its answer."""

    site: str
    message: bytes
    handle: str  # its name on the server
    key: tuple[str, bytes]
    made: float
    waiting: set[str] = field(default_factory=set)
    id: int | None = None
    started: float | None = None  # when we first saw the site work on it
    look_at: float = 0.0
    over: bool = False


@dataclass
class _Presence:
    state: State = "unknown"
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    heard: float = float("-inf")


class Book:
    """See the module docstring. ``sites``: the organisation's number per slug."""

    def __init__(self, sites: Mapping[str, int], wait_seconds: float) -> None:
        self.sites = dict(sites)
        self.line = False
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._by_handle: dict[str, Task] = {}
        self._by_key: dict[tuple[str, bytes], Task] = {}
        self._by_id: dict[int, Task] = {}
        self._replies: SimpleQueue[Reply] = SimpleQueue()
        self._unread: set[str] = set()
        self._foreign: OrderedDict[int, None] = OrderedDict()
        self._presence = {site: _Presence() for site in sites}
        self._presence_read = float("-inf")

    # For the callers of the engine

    def open(self, site: str, message: bytes) -> tuple[str, Task | None]:
        """(handle, the task to make), or None for the task when these bytes are on their way."""
        handle = secrets.token_hex(16)
        key = (site, hashlib.sha256(message).digest())
        with self._lock:
            known = self._by_key.get(key)
            task = known or Task(site, message, handle, key, time.monotonic())
            self._by_key[key] = task
            task.waiting.add(handle)
            self._by_handle[handle] = task
        return handle, None if known else task

    def replies(self, timeout: float) -> list[Reply]:
        found: list[Reply] = []
        until = time.monotonic() + timeout
        while not found:
            try:
                batch = [self._replies.get(timeout=max(0.0, until - time.monotonic()))]
            except Empty:
                return found
            with suppress(Empty):
                while True:
                    batch.append(self._replies.get_nowait())
            with self._lock:
                found = [reply for reply in batch if reply.handle in self._unread]
                self._unread.difference_update(reply.handle for reply in batch)
        return found

    def cancel(self, handle: str) -> Task | None:
        """Forget ``handle``; the task that nobody waits for any more, if that leaves one."""
        with self._lock:
            self._unread.discard(handle)
            task = self._by_handle.pop(handle, None)
            if task is None:
                return None
            task.waiting.discard(handle)
            if task.waiting or task.over:
                return None
            self._drop(task)
            return task

    def status(self, site: str) -> SiteStatus:
        now, at = datetime.now(UTC), time.monotonic()
        with self._lock:
            known = self._presence.get(site)
            if known is not None and at - self._presence_read < PRESENCE_LASTS:
                return SiteStatus(site, known.state, known.since)
            if known is not None and at - known.heard < PRESENCE_LASTS:
                return SiteStatus(site, "up", known.since)
        return SiteStatus(site, "unknown", now)

    # For the threads of the engine

    def posted(self, task: Task, number: int) -> bool:
        """The server has it under this number. False: nobody waits for it any more."""
        with self._lock:
            task.id = number
            if task.over:
                return False
            self._by_id[number] = task
            self._plan(task)
            return True

    def task(self, number: int) -> Task | None:
        with self._lock:
            return self._by_id.get(number)

    def open_tasks(self) -> dict[int, str]:
        with self._lock:
            return {number: task.site for number, task in self._by_id.items()}

    def due(self) -> dict[int, Task]:
        """The tasks to ask after now; each is planned again, later."""
        soon = time.monotonic() + 0.1
        with self._lock:
            found = {number: task for number, task in self._by_id.items() if task.look_at <= soon}
            for task in found.values():
                self._plan(task)
            return found

    def look_soon(self, number: int | None = None) -> None:
        """Ask after this task, or after all, at once."""
        with self._lock:
            for task in self._by_id.values():
                if number in (None, task.id):
                    task.look_at = 0.0

    def next_look(self) -> float:
        with self._lock:
            return min((task.look_at for task in self._by_id.values()), default=float("inf"))

    def late(self) -> list[tuple[Task, str]]:
        """What took too long by our own clock, with the code that says at what."""
        now = time.monotonic()
        with self._lock:
            return [
                (task, SITE_UNREACHABLE if task.started is None else SITE_TIMEOUT)
                for task in self._by_id.values()
                if now - task.made > self._wait_seconds
                or (task.started is not None and now - task.started > ANSWER_SECONDS)
            ]

    def finish(self, task: Task, body: bytes | None, failure: str | None) -> bool:
        """Answer everybody who waits for it. False: it was over already."""
        with self._lock:
            if task.over:
                return False
            self._drop(task)
            if body is not None:
                self._presence[task.site].heard = time.monotonic()
                self._set(task.site, "up")
            for handle in task.waiting:
                self._by_handle.pop(handle, None)
                self._unread.add(handle)
                self._replies.put(Reply(handle, task.site, body, failure))
            return True

    def is_foreign(self, run: int) -> bool:
        return run in self._foreign

    def disown(self, run: int) -> bool:
        """Whether it is a run of somebody else: unknown while a task of ours has no number yet."""
        with self._lock:
            if any(task.id is None for task in self._by_handle.values()):
                return False
            self._foreign[run] = None
            if len(self._foreign) > _MOST_FOREIGN:
                self._foreign.popitem(last=False)
            return True

    def saw(self, online: Mapping[int, bool], *, all_of_them: bool = False) -> None:
        """The server says of these organisations whether their node is there. A node that polls
        is never "online"; a reply of its own within the last while says more."""
        now = time.monotonic()
        with self._lock:
            if all_of_them:
                self._presence_read = now
            for site, organization in self.sites.items():
                if organization in online:
                    heard = now - self._presence[site].heard < PRESENCE_LASTS
                    self._set(site, "up" if online[organization] or heard else "down")

    def _set(self, site: str, state: State) -> None:
        if self._presence[site].state != state:
            heard = self._presence[site].heard
            self._presence[site] = _Presence(state, heard=heard)

    def _plan(self, task: Task) -> None:
        """When to look at it next; the longer it takes, the less often."""
        least, most = POLL_WITH_LINE if self.line else POLL
        now = time.monotonic()
        task.look_at = now + min(most, max(least, (now - task.made) / 5))

    def _drop(self, task: Task) -> None:
        task.over = True
        if self._by_key.get(task.key) is task:
            del self._by_key[task.key]
        if task.id is not None:
            self._by_id.pop(task.id, None)
