"""Named points at which a test can kill a site (design: security.md 4.4 and 5.2)."""

import os
import signal

_VARIABLE = "ONCOKRING_CRASH"
_passages: dict[str, int] = {}


def point(name: str) -> None:
    """Do nothing, unless the environment says `ONCOKRING_CRASH=NAME:N`: then this process dies
    by SIGKILL at its Nth passage here.

    N1 message verified; N3 rows read; N4 computed, not journaled; N5 journaled, not sent;
    N6 sent.
    """
    wanted, _, count = os.environ.get(_VARIABLE, "").partition(":")
    if wanted != name:
        return
    _passages[name] = _passages.get(name, 0) + 1
    if _passages[name] == int(count or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
