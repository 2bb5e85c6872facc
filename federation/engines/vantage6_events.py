"""What the hub listens to at a vantage6 server: a task changed, a node came or went.

An event makes the engine look, and nothing in it is believed. The server's events do get lost, and
without the line the engine polls.
"""

import logging
from collections.abc import Callable
from typing import Any

from federation.carriage.line import Line, Talk
from federation.engines.vantage6_client import Vantage6Client


def open_line(
    client: Vantage6Client,
    *,
    changed: Callable[[int], None],
    online: Callable[[int, bool], None],
    there: Callable[[bool], None],
) -> Line:
    """A line, to be started. ``changed`` gets the number of a run, ``online`` an organisation and
    whether its node is there; ``there`` is told when the line itself comes or goes. All of them are
    called from threads of the line."""

    def status_update(data: Any) -> None:
        if (run := _number(data, "run_id")) is not None:
            changed(run)

    def came(data: Any) -> None:
        if (organization := _number(data, "org_id")) is not None:
            online(organization, True)

    def went(data: Any) -> None:
        if (organization := _number(data, "org_id")) is not None:
            online(organization, False)

    hears = {"status_update": status_update, "node-online": came, "node-offline": went}
    return Line(
        client.origin,
        client.bearer,
        Talk(hears),
        there=there,
        odd=lambda: logging.getLogger("oncokring.engine").info("VANTAGE6_SOCKET"),
        ca_file=client.connection.ca_file,
    )


def _number(data: Any, name: str) -> int | None:
    value = data.get(name) if isinstance(data, dict) else None
    return value if type(value) is int else None
