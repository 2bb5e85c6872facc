"""What an engine promises: it carries one signed message to one site and brings one reply back.

Everything else (rounds, deadline, repeats, once-only effect) lives in ``federation.runs``, once.
Nothing about authorisation, consent or disclosure relies on an engine: it may lose, double, delay
or reorder messages, and a site and the hub stay safe.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["up", "down", "unknown"]

#: The site did not answer: it is unknown here, did not start, or died more often than allowed.
SITE_UNREACHABLE = "SITE_UNREACHABLE"


class EngineError(Exception):
    """The engine itself cannot work (unknown site, closed engine). ``code`` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Reply:
    """One answer to one ``send``.

    ``handle`` is what ``send`` returned. Exactly one of ``body`` (the site's signed bytes) and
    ``failure`` (a code; the site may be asked again) is set.
    """

    handle: str
    site: str
    body: bytes | None
    failure: str | None

    def __post_init__(self) -> None:
        if (self.body is None) == (self.failure is None):
            raise ValueError("a reply has either a body or a failure code")


@dataclass(frozen=True)
class SiteStatus:
    """Whether a site can be reached, as far as the engine knows, and since when (UTC)."""

    site: str
    state: State
    since: datetime


class Engine(Protocol):
    """Carries messages between the hub and the sites.

    ``send`` never waits for the site: it hands the message over and returns a fresh handle
    (``EngineError`` for a site this engine does not know or after ``close``).

    ``replies`` waits at most ``timeout`` seconds for the first reply, returns all that are there
    (perhaps none), each one once, in any order.

    ``cancel`` forgets a handle: a reply to it is not returned by a later ``replies``. The site may
    have worked on it all the same. An unknown handle is no error.

    ``close`` ends everything the engine started; a second call does nothing.
    """

    def send(self, site: str, message: bytes) -> str: ...

    def replies(self, timeout: float) -> list[Reply]: ...

    def cancel(self, handle: str) -> None: ...

    def status(self, site: str) -> SiteStatus: ...

    def close(self) -> None: ...
