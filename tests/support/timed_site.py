"""`python timed_site.py DIRECTORY NOW`: the site program, with ticks that cost no time.

Work takes the time it takes; only the wait for a tick is skipped, and counted as if it had passed.
For each message one line on stderr: `T`, the seconds until its reply left.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, TextIO

from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram, serve


class Clock:
    """A steady clock that jumps over every wait."""

    def __init__(self, log: TextIO) -> None:
        self.log = log
        self.skipped = 0.0
        self.began = 0.0

    def steady(self) -> float:
        return time.monotonic() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds

    def __enter__(self) -> None:
        self.began = self.steady()

    def __exit__(self, *_: object) -> None:
        self.log.write(f"T {self.steady() - self.began:.6f}\n")
        self.log.flush()


def main(path: str, now: str, incoming: BinaryIO, outgoing: BinaryIO, log: TextIO) -> None:
    start = datetime.fromisoformat(now)
    began = time.monotonic()
    directory = SiteDirectory.load(path)
    clock = Clock(log)
    program = SiteProgram(directory)
    serve(
        program,
        incoming,
        outgoing,
        log,
        bucket_seconds=directory.policy.timing_bucket_s,
        clock=lambda: start.astimezone(UTC) + timedelta(seconds=time.monotonic() - began),
        steady=clock.steady,
        sleep=clock.sleep,
        busy=clock,
    )
    program.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer, sys.stderr)
