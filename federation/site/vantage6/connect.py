"""`python -m federation.site.vantage6.connect DIRECTORY`: a site as a node of a vantage6 server.

Needs no Docker and no inbound port. It answers one task at a time and ends on SIGTERM between two.
Standard output gets one line per event, a time and a code, and nothing else ever. Exit codes:
0 ended, 1 failed, 2 the directory is not as it must be, 3 this site must not work with that server.

What makes it safe to end at any moment: the site program journals a reply before it leaves, and a
task stays on the server's list until the server has the reply. So whatever happens, the task is
taken up again and gets the same bytes.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from federation.carriage.wire import IMAGE, WireError, decode_input, encode_result
from federation.site.errors import SetupError
from federation.site.faults import point
from federation.site.program import SiteProgram
from federation.site.serving import hold_back, utc_now
from federation.site.silence import be_silent
from federation.site.vantage6.answers import NodeError, Refused, Rejected, Run

if TYPE_CHECKING:
    from federation.site.vantage6.node import SiteClient, Status

OK, FAILED, WRONG_SETUP, REFUSED = 0, 1, 2, 3
#: A task that takes longer than this is shown as active; a quicker one is not worth a request.
SLOW_SECONDS = 2.0
#: How often a reply is offered again to a server that fails on it, before the next task's turn.
OFFERS = 5
#: Seconds without a further sign of a new task before the site looks, and the most it waits.
SETTLE_SECONDS, LONGEST_SETTLE = 0.1, 0.8
#: Tasks at the head of the list that this site is done with and the server still shows.
MOST_SKIPPED = 200


class Node:
    """Takes the tasks of one site one by one until `end`; `say` gets codes."""

    def __init__(
        self,
        program: SiteProgram,
        client: "SiteClient",
        say: Callable[[str], None],
        *,
        bucket_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._program, self._client, self._say = program, client, say
        self._bucket, self._poll = bucket_seconds, poll_seconds
        # put() may be called from a signal handler, which an Event's set() may not
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._ended = False
        self._entered = False
        self._settled: dict[int, None] = {}
        self._unsent: dict[int, tuple[Status, bytes | None, str, datetime]] = {}
        self._offers: dict[int, int] = {}
        self._is_told: Callable[[], bool] = lambda: False  # of every new task, by an open line

    def end(self) -> None:
        """End after the task at hand. May be called by a signal."""
        self._ended = True
        self._bell.put(True)

    def wake(self) -> None:
        """Look at the list of tasks now. May be called from any thread."""
        self._bell.put(True)

    def once(self) -> int:
        """Answer what waits now."""
        try:
            self._enter()
            self._take_all()
        except NodeError as error:
            self._say(error.code)
            return _exit_code(error)
        return OK

    def stay(self) -> int:
        """Answer until `end`; out of reach, try again, ever less often."""
        from federation.carriage.pause import Pause
        from federation.site.vantage6.events import FIRST_PAUSE, LONGEST_PAUSE, open_line

        pause, last, known = Pause(FIRST_PAUSE, LONGEST_PAUSE), "", False
        line = open_line(self._client, self.wake, self._say, self._about())
        self._is_told = lambda: line.online
        try:
            while not self._ended:
                try:
                    if not self._entered:
                        self._enter()
                    if not known:
                        known = True
                        line.start()
                    self._take_all()
                    pause.reset()
                    last = ""
                    self._wait(self._poll)
                except Refused as error:
                    self._say(error.code)
                    return REFUSED
                except NodeError as error:
                    if error.code != last:
                        self._say(error.code)
                    if error.code == "KEY_REFUSED" and not known:
                        return FAILED
                    last = error.code
                    # Whoever answers next may be somebody else: it is looked at anew.
                    self._entered = False
                    self._wait(pause.again())
            return OK
        finally:
            if known:
                line.close()

    def _about(self) -> dict[str, Any]:
        from federation.site.replies import SOFTWARE

        return {
            "oncokring": SOFTWARE.partition("/")[2],
            "allowed_algorithms": IMAGE,
            "encryption": self._client.encrypted,
        }

    def _enter(self) -> None:
        for code in self._client.enter():
            self._say(code)
        self._entered = True
        self._say("CONNECTED")

    def _wait(self, seconds: float) -> None:
        """Until the bell, at most so long; then until it is quiet. The server rings for every task
        of the network, and each look costs it something."""
        with suppress(Empty):
            self._bell.get(timeout=seconds)
            until = time.monotonic() + LONGEST_SETTLE
            while not self._ended and time.monotonic() < until:
                self._bell.get(timeout=SETTLE_SECONDS)

    # -- tasks ---------------------------------------------------------------------------------

    def _take_all(self) -> None:
        place = 1
        while not self._ended and place <= MOST_SKIPPED:
            run = self._client.open_run(place)
            if run is None:
                if place == 1:  # nobody waits for what could not be delivered
                    self._unsent.clear()
                    self._offers.clear()
                return
            if run.closed or run.id in self._settled:
                place += 1
            else:
                self._take(run)
                if run.alone and self._is_told():
                    return  # the bell rang meanwhile, or will

    def _take(self, run: Run) -> None:
        if run.id not in self._unsent:
            self._unsent[run.id] = self._answered(run)
        self._deliver(run, *self._unsent[run.id])

    def _answered(self, run: Run) -> tuple["Status", bytes | None, str, datetime]:
        started, arrived = datetime.now(UTC), time.monotonic()
        if run.image != IMAGE or run.by != self._client.hub or run.blob:
            return "not allowed", None, "", started
        try:
            message = decode_input(self._client.opened(run) or b"")
        except WireError:
            # Another method, another key, or changed on the way: the server learns no more.
            self._say("UNREADABLE")
            return "not allowed", None, "", started
        slow = threading.Timer(SLOW_SECONDS, self._begin, (run, started))
        slow.daemon = True
        slow.start()
        try:
            reply = self._program.handle(message, utc_now())
            hold_back(reply.code, arrived, self._bucket)
        finally:
            slow.cancel()
        self._say(reply.code)
        return "completed", encode_result(reply=reply.body), "", started

    def _begin(self, run: Run, started: datetime) -> None:
        with suppress(NodeError):
            self._client.begin(run, started)

    def _deliver(
        self, run: Run, status: "Status", result: bytes | None, code: str, started: datetime
    ) -> None:
        try:
            self._client.finish(run, status, result, code, started)
        except Rejected as rejected:
            if rejected.status == 413 and result is not None and code != "TOO_LARGE":
                failure = encode_result(failure="TOO_LARGE")
                self._unsent[run.id] = ("failed", failure, "TOO_LARGE", started)
                return
            # Finished by an earlier try, taken away, or not ours: nobody waits for it.
            self._say("NOT_TAKEN")
        except NodeError:
            self._offers[run.id] = self._offers.get(run.id, 0) + 1
            if self._offers[run.id] >= OFFERS:
                self._say("GIVEN_UP")
                self._settle(run)
            raise
        else:
            point("N6")
            if status != "completed":
                self._say(code or "NOT_ALLOWED")
        self._settle(run)

    def _settle(self, run: Run) -> None:
        self._settled[run.id] = None
        self._unsent.pop(run.id, None)
        self._offers.pop(run.id, None)
        while len(self._settled) > 10 * MOST_SKIPPED:
            del self._settled[next(iter(self._settled))]


def connect(path: Path, *, once: bool, out: TextIO) -> int:
    """Serve the site directory `path`; see the module's words. SetupError when it is wrong."""
    from federation.site.directory import SiteDirectory
    from federation.site.vantage6.settings import read_node_settings

    directory = SiteDirectory.load(path)
    settings = read_node_settings(path)
    try:
        from federation.site.vantage6.node import SiteClient
    except ImportError as error:
        raise SetupError(
            "vantage6-client is not installed here; install requirements/site.txt."
        ) from error
    writing = threading.Lock()

    def say(code: str) -> None:
        with writing, suppress(OSError):
            out.write(f"{utc_now():%Y-%m-%dT%H:%M:%SZ} {code}\n")
            out.flush()

    program, client = SiteProgram(directory), SiteClient(settings)
    try:
        node = Node(
            program,
            client,
            say,
            bucket_seconds=directory.policy.timing_bucket_s,
            poll_seconds=settings.poll_seconds,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: node.end())
        return node.once() if once else node.stay()
    finally:
        client.close()
        program.close()


def main(arguments: list[str]) -> int:
    """`[--once] DIRECTORY`; see the module's words."""
    names = [each for each in arguments if each != "--once"]
    if len(names) != 1:
        sys.stderr.write("Give one argument: the site's directory.\n")
        return WRONG_SETUP
    os.umask(0o077)
    be_silent()
    try:
        return connect(Path(names[0]), once="--once" in arguments, out=sys.stdout)
    except SetupError as error:
        sys.stderr.write(f"SETUP {error.sentence}\n")
        return WRONG_SETUP
    except Exception:
        sys.stderr.write("INTERNAL\n")
        return FAILED


def _exit_code(error: Exception) -> int:
    return REFUSED if isinstance(error, Refused) else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
