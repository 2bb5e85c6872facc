"""The open line, to servers that send what cannot be read: it ends, it comes back, it says nothing.

What it hears of a real server is in tests/vantage6.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from federation.carriage.line import LIMITS, Line, Talk
from federation.carriage.pause import Pause

OPEN = (
    '0{"sid":"s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
    '"maxPayload":1000000}'
)
HEADER = re.compile(rb"Sec-WebSocket-Key: (\S+)")


class SocketServer:
    """Answers polls of engine.io with the texts it is given, one per request; the websocket with
    what ``frames`` sends."""

    def __init__(self, polls: list[str], frames: Callable[[socket.socket], None]) -> None:
        self._polls, self._frames = polls, frames
        self.lines = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            while data := near.recv(65536):
                if key := HEADER.search(data):
                    near.sendall(_accepted(key[1]))
                    self._frames(near)
                    return
                if b"sid=" not in data:
                    self.lines += 1
                text = self._polls[0 if b"sid=" not in data else -1]
                body = text.encode()
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _accepted(key: bytes) -> bytes:
    mark = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(mark) + b"\r\n\r\n"
    )


def frame(data: bytes) -> bytes:
    return b"\x81\x7f" + struct.pack("!Q", len(data)) + data


def flood(near: socket.socket) -> None:
    """The upgrade as it should be, and then a message of which the end is not in sight."""
    near.recv(65536)
    near.sendall(frame(b"3probe"))
    near.sendall(b"\x81\x7f" + struct.pack("!Q", 1 << 40))
    while True:
        near.sendall(bytes(1 << 16))


def junk(near: socket.socket) -> None:
    near.recv(65536)
    near.sendall(frame(b"3probe"))
    for data in (
        b"0",
        b"9",
        b'40{"sid":"x"}',
        b'42/tasks,{"',
        b"451-[",
        b"\xff\xfe",
        b"4" + b"[" * 9999,
    ):
        near.sendall(frame(data))


@pytest.mark.parametrize(
    ("polls", "frames"),
    [
        (["<h1>Hello</h1>"], junk),
        (["0{}"], junk),
        (["0[" + "[" * 5000], junk),
        (['0{"sid":"s","upgrades":7,"pingInterval":"soon","pingTimeout":null}'], junk),
        (["x" * (LIMITS.size + 1)], junk),
        ([OPEN], junk),
        ([OPEN], flood),
    ],
    ids=["page", "empty", "deep", "types", "long", "junk", "flood"],
)
def test_whatever_comes_the_line_tries_again(
    polls: list[str],
    frames: Callable[[socket.socket], None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("federation.carriage.line.CONNECT_SECONDS", 0.3)
    server = SocketServer(polls, frames)
    said: list[bool] = []
    talk = Talk({}, greeting="sync", pause=Pause(0.01, 0.02))
    line = Line(server.origin, lambda: {"Authorization": "Bearer t"}, talk, there=said.append)
    line.start()
    until = time.monotonic() + 20
    while server.lines < 3 and time.monotonic() < until:
        time.sleep(0.01)
    server.close()
    line.close()
    assert server.lines >= 3
    assert said == []
    assert not line.online
    assert capfd.readouterr() == ("", "")


def test_a_line_that_may_not_sign_in_tries_again() -> None:
    tried: list[int] = []

    def bearer() -> dict[str, str]:
        tried.append(1)
        raise KeyError("whatever")

    talk: Any = Talk({}, pause=Pause(0.01, 0.02))
    line = Line("http://127.0.0.1:1", bearer, talk, there=lambda _: None)
    line.start()
    until = time.monotonic() + 5
    while len(tried) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    line.close()
    assert len(tried) >= 3
