"""The embedded engine: one subprocess per site on this machine, messages over its pipes.

For demo, development, tests and small networks that trust one host. What happens to one site's
process and its messages is site_process.py's; one thread per site does the whole exchange and
nothing ever polls.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from federation.engines.interface import EngineError, Reply, SiteStatus
from federation.engines.site_process import Environment, Site


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
            site: Site(site, Path(path), self._replies, self._is_cancelled, environment)
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
        self._sites[site].put(handle, message)
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
