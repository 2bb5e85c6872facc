"""The hub's open line to a vantage6 server: hears at once that a task changed or a node came.

Only an aid: an event makes the engine look, and nothing in it is believed. The server's events do
get lost, and without the line the engine polls.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import socketio

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Vantage6Error

SPACE = "/tasks"
CONNECT_SECONDS = 10
#: Seconds before the next attempt: doubled each time, and spread.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Events:
    """Keeps the line open in a thread of its own until ``close``.

    ``changed`` gets the number of a run, ``online`` an organisation and whether its node is there;
    both are called from threads of the line. ``line`` is told when the line comes or goes.
    """

    def __init__(
        self,
        client: Vantage6Client,
        *,
        changed: Callable[[int], None],
        online: Callable[[int, bool], None],
        line: Callable[[bool], None],
    ) -> None:
        self._client, self._changed, self._online, self._line = client, changed, online, line
        self._ended, self._gone = threading.Event(), threading.Event()
        self._pause = FIRST_PAUSE
        self._thread = threading.Thread(target=self._stay, name="vantage6-events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _stay(self) -> None:
        while not self._ended.is_set():
            self._gone.clear()
            line = self._made()
            try:
                line.connect(
                    self._client.base_path.removesuffix(self._client.path),
                    headers=self._client.bearer(),
                    namespaces=[SPACE],
                    wait_timeout=CONNECT_SECONDS,
                )
                self._pause = FIRST_PAUSE
                self._line(True)
                self._gone.wait()
            except (Vantage6Error, socketio.exceptions.SocketIOError, OSError, ValueError):
                pass  # the engine's own requests meet the same, and say so
            self._line(False)
            self._end(line)
            self._ended.wait(self._pause * (0.5 + random.random()))  # noqa: S311  a spread
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    @staticmethod
    def _end(line: socketio.Client) -> None:
        try:
            line.disconnect()
        except Exception:
            logging.getLogger("oncokring.engine").info("VANTAGE6_SOCKET")

    def _made(self) -> socketio.Client:
        line = socketio.Client(
            reconnection=False, handle_sigint=False, request_timeout=CONNECT_SECONDS
        )

        def status_update(data: Any = None, *_: Any) -> None:
            if (run := _number(data, "run_id")) is not None:
                self._changed(run)

        def came(data: Any = None, *_: Any) -> None:
            if (organization := _number(data, "org_id")) is not None:
                self._online(organization, True)

        def went(data: Any = None, *_: Any) -> None:
            if (organization := _number(data, "org_id")) is not None:
                self._online(organization, False)

        def gone(*_: Any) -> None:
            self._gone.set()

        for event, handler in (
            ("status_update", status_update),
            ("node-online", came),
            ("node-offline", went),
            ("expired_token", gone),
            ("invalid_token", gone),
            ("disconnect", gone),
        ):
            line.on(event, handler, namespace=SPACE)
        return line


def _number(data: Any, name: str) -> int | None:
    value = data.get(name) if isinstance(data, dict) else None
    return value if type(value) is int else None
