"""One request to a server that drips, floods, redirects, lingers or is not who it should be."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federation.carriage.transport import Limits, Transport, TransportError

QUICK = Limits(connect=1.0, stall=0.5, whole=0.6, size=100_000)
Serve = Callable[[socket.socket], None]


class Server:
    """One connection at a time, answered by ``serve`` with plain bytes."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with near, contextlib.suppress(OSError):
                    head = b""
                    while b"\r\n\r\n" not in head and (data := near.recv(65536)):
                        head += data
                    self.heads.append(head)
                    self._serve(near)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def serving() -> Iterator[Callable[[Serve], Server]]:
    made: list[Server] = []

    def start(serve: Serve) -> Server:
        made.append(Server(serve))
        return made[-1]

    yield start
    for each in made:
        each.close()


def ask(url: str, limits: Limits = QUICK, **given: Any) -> Any:
    transport = Transport(limits)
    try:
        return transport.ask("POST" if given else "GET", url, **given)
    finally:
        transport.close()


def drip(near: socket.socket, head: bytes) -> None:
    """Never silent for long enough to be given up, and never finished."""
    near.sendall(head)
    for _ in range(200):
        time.sleep(0.05)
        near.sendall(b"1")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 ",
    ],
    ids=["length", "close", "chunk", "header", "status"],
)
def test_an_answer_that_drips_in_ends(serving: Callable[[Serve], Server], head: bytes) -> None:
    """A socket's own time limit begins anew with every byte."""
    server = serving(lambda near: drip(near, head))
    began = time.monotonic()
    with pytest.raises(TransportError, match="endless") as caught:
        ask(server.url)
    # The answer itself would take ten seconds; a busy machine is late by some of them.
    assert QUICK.whole <= time.monotonic() - began < 6
    assert caught.value.sent


def test_silence_ends_sooner(serving: Callable[[Serve], Server]) -> None:
    server = serving(lambda near: time.sleep(2))
    with pytest.raises(TransportError, match="unreachable") as caught:
        ask(server.url, Limits(connect=1.0, stall=0.1, whole=60.0, size=10))
    assert caught.value.sent


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found\r\nLocation: /elsewhere"])
def test_a_flood_is_not_read_to_its_end(serving: Callable[[Serve], Server], status: bytes) -> None:
    sent: list[int] = []

    def flood(near: socket.socket) -> None:
        near.sendall(b"HTTP/1.1 %b\r\nConnection: close\r\n\r\n" % status)
        while True:
            sent.append(near.send(bytes(1 << 16)))

    server = serving(flood)
    with pytest.raises(TransportError, match="endless"):
        ask(server.url)
    assert sum(sent) < 50_000_000


def test_a_redirect_is_an_answer_and_is_not_followed(serving: Callable[[Serve], Server]) -> None:
    server = serving(
        lambda near: near.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno"
        )
    )
    answer = ask(server.url)
    assert (answer.status, answer.data, len(server.heads)) == (302, b"no", 1)


def test_a_large_message_may_take_its_time(serving: Callable[[Serve], Server]) -> None:
    """urllib3 gives all of one write the seconds for connecting: a list of all patients would never
    get through a slow line."""
    size = 6_000_000

    def slow(near: socket.socket) -> None:
        left = size + 2 - len(server.heads[-1].partition(b"\r\n\r\n")[2])  # in quotes
        while left > 0:
            time.sleep(0.01)
            left -= len(near.recv(1 << 16))
        near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = serving(slow)
    began = time.monotonic()
    limits = Limits(connect=0.2, stall=3.0, whole=30.0, size=10)
    assert ask(server.url, limits, body="x" * size).status == 200
    assert time.monotonic() - began > 2 * limits.connect


def test_nobody_there_is_told_from_no_answer(serving: Callable[[Serve], Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(TransportError, match="unreachable") as caught:
        ask(f"http://127.0.0.1:{port}")
    assert not caught.value.sent
    hung_up = serving(lambda near: None)
    with pytest.raises(TransportError, match="unreachable") as caught:
        ask(hung_up.url)
    assert caught.value.sent
    # Also while an earlier failure is being dealt with.
    try:
        ask(f"http://127.0.0.1:{port}")
    except TransportError:
        with pytest.raises(TransportError) as caught:
            ask(hung_up.url)
    assert caught.value.sent


def test_what_the_machine_keeps_for_others_is_not_sent(
    serving: Callable[[Serve], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serving(
        lambda near: near.sendall(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nDate: soon\r\nContent-Length: 0\r\n\r\n"
        )
    )
    transport = Transport(QUICK)
    for _ in range(2):
        assert transport.ask("GET", server.url, headers={"Authorization": "Bearer t"}).at is None
    transport.close()
    for head in server.heads:
        assert b"Authorization: Bearer t\r\n" in head
        assert b"Cookie" not in head
