"""The stock vantage6 client, as a researcher starts it, and our engine beside it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

from vantage6.client import UserClient
from vantage6_lab import Collaboration

from federation.carriage.wire import ALLOW_UNENCRYPTED
from federation.engines.interface import Reply
from federation.engines.vantage6 import Vantage6Engine
from federation.engines.vantage6_keys import Connection


def stock(who: Collaboration, user: Any = None, *, url: str = "") -> UserClient:
    """The stock client of the hub's user, or of another one."""
    host, _, port = (url or who.url).rpartition(":")
    with contextlib.redirect_stdout(io.StringIO()):
        client = UserClient(host, int(port), "/api", log_level="critical")
        user = user or who.user
        client.authenticate(user.username, user.password)
    return client


def connection(who: Collaboration, url: str = "", **other: Any) -> Connection:
    given: dict[str, Any] = {"key": who.hub.key_file if who.encrypted else None} | other
    return Connection(url or who.url, who.user.username, who.user.password, who.id, **given)


def engine(who: Collaboration, url: str = "", **options: Any) -> Vantage6Engine:
    """Our engine; without events, unless they are asked for, so that a test knows what is asked."""
    made = connection(who, url, allow_unencrypted="" if who.encrypted else ALLOW_UNENCRYPTED)
    given: dict[str, Any] = {"fingerprints": who.fingerprints, "events": False} | options
    return Vantage6Engine(made, who.organizations, **given)


def collect(engine: Vantage6Engine, count: int, seconds: float = 20.0) -> list[Reply]:
    until, found = time.monotonic() + seconds, list[Reply]()
    while len(found) < count and time.monotonic() < until:
        found += engine.replies(0.5)
    return found


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


class Enough(Exception):
    """Ends a loop of the stock client that has no end of its own."""
