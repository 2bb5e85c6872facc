"""The open line to a vantage6 server: hears at once what changed there. Needs python-socketio.

Only an aid, at both ends. Nothing that comes in is believed: an event makes whoever listens look
for itself, as it also does without a line. So whatever a server sends here, the worst it does is to
end the line, and that comes back.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import socketio
import websocket

from federation.carriage.pause import Pause
from federation.carriage.transport import Limits, Session

SPACE = "/tasks"
CONNECT_SECONDS = 10.0
#: An answer to a poll of the line comes when something happens, or when the server pings.
LIMITS = Limits(connect=CONNECT_SECONDS, stall=60.0, whole=120.0, size=1 << 20)
#: Events after which the server takes our token no more, and the one for a line that was closed.
STALE, CLOSED = ("expired_token", "invalid_token"), "disconnect"


@dataclass(frozen=True)
class Talk:
    """What is said on a line. ``hears``: a handler for each event, called from threads of the line
    with what came along, which may be anything.

    With a ``greeting`` the line counts only when this event has come. ``hello`` is then sent, and
    ``ping`` every so many seconds.
    """

    hears: Mapping[str, Callable[[Any], None]]
    greeting: str = ""
    hello: tuple[str, Any] | None = None
    ping_seconds: float | None = None
    pause: Pause = field(default_factory=Pause)


class Line:
    """Keeps the line open in a thread of its own, from `start` until `close`.

    ``bearer`` gives the headers that sign in and may raise anything; ``stale`` hears that the
    server did not take them; ``there`` that the line came or went; ``odd`` that it could not be
    closed.
    """

    def __init__(
        self,
        origin: str,
        bearer: Callable[[], Mapping[str, str]],
        talk: Talk,
        *,
        there: Callable[[bool], None],
        stale: Callable[[], None] = lambda: None,
        odd: Callable[[], None] = lambda: None,
        ca_file: Path | None = None,
    ) -> None:
        self._origin, self._bearer, self._talk = origin, bearer, talk
        self._there, self._stale, self._odd = there, stale, odd
        self._ca_file = ca_file
        self._ended, self._gone, self._greeted = (threading.Event() for _ in range(3))
        self._online = False
        self._thread = threading.Thread(target=self._stay, name="vantage6-events", daemon=True)

    @property
    def online(self) -> bool:
        """Whether every event is heard now."""
        return self._online

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say goodbye, so that the server knows it at once."""
        self._ended.set()
        self._gone.set()
        self._greeted.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _stay(self) -> None:
        while not self._ended.is_set():
            self._gone.clear()
            self._greeted.clear()
            session = Session(LIMITS, self._ca_file)
            socket = self._made(session)
            with suppress(Exception):  # a request of the owner's own meets the same, and says so
                self._hold(socket)
            self._gone.set()
            if self._online:
                self._online = False
                self._there(False)
            self._end(socket)
            session.close()
            self._ended.wait(self._talk.pause.again())

    def _hold(self, socket: socketio.Client) -> None:
        """Open the line and keep it until it is gone."""
        talk = self._talk
        socket.connect(
            self._origin,
            headers=dict(self._bearer()),
            namespaces=[SPACE],
            wait_timeout=CONNECT_SECONDS,
        )
        if talk.greeting and not self._greeted.wait(CONNECT_SECONDS):
            return
        if self._gone.is_set():
            return
        if talk.hello is not None:
            socket.emit(*talk.hello, namespace=SPACE)
        self._online = True
        self._there(True)
        talk.pause.reset()
        while not self._gone.wait(talk.ping_seconds):
            socket.emit("ping", namespace=SPACE)

    def _end(self, socket: socketio.Client) -> None:
        try:
            socket.disconnect()
        except Exception:
            self._odd()
        with suppress(Exception):  # a line that broke is left to the garbage collector otherwise
            socket.eio.ws.shutdown()

    def _made(self, session: Session) -> socketio.Client:
        silent = logging.Logger("vantage6-line")
        silent.disabled = True  # the libraries' own would print what the server sent
        socket = _Client(
            self._lost,
            reconnection=False,
            handle_sigint=False,
            logger=silent,
            engineio_logger=silent,
            request_timeout=CONNECT_SECONDS,
            http_session=session,
            websocket_extra_options={"class_": _SmallMessages},
        )
        for event, handler in self._talk.hears.items():
            socket.on(event, _unharmed(handler), namespace=SPACE)
        if self._talk.greeting:
            # It may come before the line is ready to be used.
            socket.on(self._talk.greeting, lambda *_: self._greeted.set(), namespace=SPACE)
        for event in STALE:
            socket.on(event, self._turned_away, namespace=SPACE)
        socket.on(CLOSED, self._lost, namespace=SPACE)
        return socket

    def _turned_away(self, *_: Any) -> None:
        self._stale()
        self._lost()

    def _lost(self, *_: Any) -> None:
        self._gone.set()
        self._greeted.set()


def _unharmed(handler: Callable[[Any], None]) -> Callable[..., None]:
    """What cannot be read is as if it had not come."""

    def heard(data: Any = None, *_: Any) -> None:
        with suppress(Exception):
            handler(data)

    return heard


class _Client(socketio.Client):  # type: ignore[misc]  # it carries no types
    """Without it, a message that cannot be read ends a thread of the library with a traceback, and
    the line stays, deaf."""

    def __init__(self, lost: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._lost = lost

    def _handle_eio_message(self, data: Any) -> None:
        try:
            super()._handle_eio_message(data)
        except Exception:
            self._lost()


class _SmallMessages(websocket.WebSocket):
    """A websocket that ends at a message larger than an event is; the library has no limit."""

    _left = LIMITS.size

    def recv(self) -> Any:
        self._left = LIMITS.size
        return super().recv()

    def _recv(self, bufsize: int) -> Any:
        found = super()._recv(bufsize)  # type: ignore[no-untyped-call]
        self._left -= len(found)
        if self._left < 0:
            raise websocket.WebSocketPayloadException("too large")
        return found
