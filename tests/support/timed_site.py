"""`python timed_site.py DIRECTORY NOW`: the site program, with ticks that cost no time.

Work takes the time it takes; only the wait for a tick is skipped, and counted as if it had passed.
For each message one line on stderr: `T`, the seconds until its reply left.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TextIO

from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram
from federation.site.serving import serve


class Clock:
    """A steady clock that jumps over every wait; and the end of the pipe at which replies leave."""

    def __init__(self, outgoing: BinaryIO, log: TextIO) -> None:
        self.outgoing, self.log = outgoing, log
        self.skipped = 0.0
        self.began = 0.0

    def steady(self) -> float:
        return time.monotonic() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds

    def write(self, data: bytes) -> int:
        return self.outgoing.write(data)

    def flush(self) -> None:
        # Before the other side knows of it: it would send the next message.
        self.log.write(f"T {self.steady() - self.began:.6f}\n")
        self.log.flush()
        self.outgoing.flush()


class Program(SiteProgram):
    """Notes when a message was begun."""

    clock: Clock

    def handle(self, message: bytes, now: datetime) -> Any:
        self.clock.began = self.clock.steady()
        return super().handle(message, now)


def main(path: str, now: str, incoming: BinaryIO, outgoing: BinaryIO, log: TextIO) -> None:
    start = datetime.fromisoformat(now)
    began = time.monotonic()
    directory = SiteDirectory.load(path)
    clock = Clock(outgoing, log)
    program = Program(directory)
    program.clock = clock
    serve(
        program,
        incoming,
        clock,
        log,
        bucket_seconds=directory.policy.timing_bucket_s,
        clock=lambda: start.astimezone(UTC) + timedelta(seconds=time.monotonic() - began),
        steady=clock.steady,
        sleep=clock.sleep,
    )
    program.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer, sys.stderr)
