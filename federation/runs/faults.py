"""Named points at which a test can kill the hub's worker (security.md 4.4, 5.2)."""

import os
import signal

_VARIABLE = "ONCOKRING_HUB_CRASH"
_passages: dict[str, int] = {}


def point(name: str) -> None:
    """Do nothing, unless the environment says ``ONCOKRING_HUB_CRASH=NAME:N``: then this process
    dies by SIGKILL at its Nth passage here."""
    wanted, _, count = os.environ.get(_VARIABLE, "").partition(":")
    if wanted != name:
        return
    _passages[name] = _passages.get(name, 0) + 1
    if _passages[name] == int(count):
        os.kill(os.getpid(), signal.SIGKILL)
