"""`python -m federation.site.process DIRECTORY`: one site over stdin and stdout.

Frames come in on stdin and go out on stdout; stderr gets codes only. It ends when stdin closes,
and on SIGTERM after the reply it is working on. Exit codes: 0 ended, 1 failed, 2 the directory is
not as it must be (one sentence says what).
"""

import os
import signal
import sys
import warnings
from types import FrameType
from typing import BinaryIO

OK, FAILED, WRONG_SETUP = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Serve the directory in `arguments`; see the module docstring."""
    if len(arguments) != 1:
        sys.stderr.write("Give one argument: the site's directory.\n")
        return WRONG_SETUP
    outgoing = _take_stdout()
    # A warning or a traceback may repeat a value from the data.
    warnings.simplefilter("ignore")
    os.umask(0o077)
    try:
        return _serve(arguments[0], outgoing)
    except Exception:
        sys.stderr.write("INTERNAL\n")
        return FAILED


def _serve(path: str, outgoing: BinaryIO) -> int:
    from federation.site.directory import SiteDirectory
    from federation.site.errors import SetupError
    from federation.site.frames import FrameError
    from federation.site.program import SiteProgram
    from federation.site.serving import serve

    try:
        directory = SiteDirectory.load(path)
        program = SiteProgram(directory)
    except SetupError as error:
        sys.stderr.write(f"SETUP {error.sentence}\n")
        return WRONG_SETUP
    ending = _Ending()
    signal.signal(signal.SIGTERM, ending.asked)
    try:
        serve(
            program,
            # Read in a thread that may still be reading when the program ends: a buffer would hold
            # a lock then.
            open(sys.stdin.fileno(), "rb", buffering=0, closefd=False),
            outgoing,
            sys.stderr,
            bucket_seconds=directory.policy.timing_bucket_s,
            busy=ending,
        )
    except _Ended:
        return OK
    except (FrameError, BrokenPipeError):
        sys.stderr.write("PIPE\n")
        return FAILED
    finally:
        program.close()
    return OK


class _Ended(Exception):
    """Asked to end, and nothing is being worked on."""


class _Ending:
    """SIGTERM ends the program between two messages, never inside one."""

    def __init__(self) -> None:
        self._working = False
        self._wanted = False

    def asked(self, number: int, frame: FrameType | None) -> None:
        """What SIGTERM calls; the first time counts."""
        if not self._wanted:
            self._wanted = True
            if not self._working:
                raise _Ended

    def __enter__(self) -> None:
        self._working = True

    def __exit__(self, raised: object, *_: object) -> None:
        self._working = False
        if self._wanted and raised is None:
            raise _Ended


def _take_stdout() -> BinaryIO:
    """Keep stdout for frames: whatever else prints, prints into nothing."""
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
    return outgoing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
