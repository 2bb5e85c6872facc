"""The open line to a vantage6 server: hears at once of a new task, and shows this site as online.

Only an aid. Nothing that comes in here is believed or kept: each event makes the site look at its
list of tasks, which it also does by itself. While the line cannot be had, the list is polled.
"""

import random
import threading
from collections.abc import Callable
from typing import Any

import socketio

from federation.site.vantage6_node import SiteClient

SPACE = "/tasks"
#: The server takes a node for offline after 65 seconds; it also does so, wrongly, when an old line
#: dies later than its successor was made. A ping puts both right.
PING_SECONDS = 30.0
CONNECT_SECONDS = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Pause:
    """Seconds to wait before trying again: doubled each time, with a spread, so that all sites of
    a network do not come back in the same second after the server's restart."""

    def __init__(self, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> None:
        self._first, self._longest = first, longest
        self._next = first

    def again(self) -> float:
        seconds, self._next = self._next, min(self._longest, self._next * 2)
        return seconds * (0.5 + random.random())  # noqa: S311  a spread, no secret

    def reset(self) -> None:
        self._next = self._first


class Events:
    """Keeps the line open in a thread of its own until `close`. `wake` is called from threads."""

    def __init__(
        self,
        client: SiteClient,
        wake: Callable[[], None],
        say: Callable[[str], None],
        about: dict[str, Any],
    ) -> None:
        self._client, self._wake, self._say, self._about = client, wake, say, about
        self._ended = threading.Event()
        self._gone = threading.Event()
        self._pause = Pause()
        self._known = threading.Event()
        self.online = False
        self._thread = threading.Thread(target=self._stay, name="vantage6-events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say goodbye, so that the server shows this site as offline at once."""
        self._ended.set()
        self._gone.set()
        self._known.set()
        self._thread.join(5)

    def _stay(self) -> None:
        while not self._ended.is_set():
            self._gone.clear()
            socket = self._made()
            try:
                self._hold(socket)
            except Exception:
                # Whatever a server sends here, the list of tasks is polled meanwhile.
                self._gone.set()
            if self.online:
                self.online = False
                self._say("OFFLINE")
            self._end(socket)
            self._ended.wait(self._pause.again())

    def _hold(self, socket: socketio.Client) -> None:
        """Open the line and keep it until it is gone."""
        self._known.clear()
        socket.connect(
            self._client.base_path.removesuffix(self._client.path),
            headers=self._client.bearer(),
            namespaces=[SPACE],
            wait_timeout=CONNECT_SECONDS,
        )
        if not self._known.wait(CONNECT_SECONDS) or self._gone.is_set():
            return
        socket.emit("node_info_update", self._about, namespace=SPACE)
        self.online = True
        self._say("ONLINE")
        self._pause.reset()
        self._wake()
        while not self._gone.wait(PING_SECONDS):
            socket.emit("ping", namespace=SPACE)

    def _end(self, socket: socketio.Client) -> None:
        try:
            socket.disconnect()
        except Exception:
            self._say("SOCKET")

    def _made(self) -> socketio.Client:
        socket = socketio.Client(
            reconnection=False, handle_sigint=False, request_timeout=CONNECT_SECONDS
        )

        def sync(*_: Any) -> None:
            """Signed in: the server sends this to a node it recognised, even before the line is
            ready to be used."""
            self._known.set()

        def wake(*_: Any) -> None:
            self._wake()

        def gone(*_: Any) -> None:
            self._gone.set()
            self._known.set()

        def stale(*_: Any) -> None:
            self._client.forget_token()
            gone()

        for event, handler in (
            ("sync", sync),
            ("new_task", wake),
            ("expired_token", stale),
            ("invalid_token", stale),
            ("disconnect", gone),
        ):
            socket.on(event, handler, namespace=SPACE)
        return socket
