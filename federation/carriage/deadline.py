"""Connections on which no answer takes longer than it may, however slowly it drips in.

A socket's own time limit begins anew with each byte: a server that sends one every half-minute
holds whoever reads for hours, in headers as well as in a body. Here every read and every write of a
request, on the socket itself, gets the time that is left of the whole. It also lets a large message
take its time on a slow line: urllib3 gives all of one write the seconds meant for connecting.
"""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

#: (moment at which the request at hand must be over, seconds without a byte), per thread.
_limits: ContextVar[tuple[float, float] | None] = ContextVar("limits", default=None)
#: Bytes of one write, which has the seconds without a byte for itself.
_PIECE = 1 << 18


class TookTooLong(TimeoutError):
    """The whole time of a request is over."""


@contextmanager
def within(whole: float, stall: float) -> Iterator[None]:
    """All that this thread reads and writes inside ends after ``whole`` seconds (TookTooLong), or
    when nothing moves for ``stall`` seconds (TimeoutError)."""
    mark = _limits.set((time.monotonic() + whole, stall))
    try:
        yield
    finally:
        _limits.reset(mark)


@contextmanager
def _timed(sock: socket.socket) -> Iterator[None]:
    """One read or write on ``sock``, with the time that is left."""
    limits = _limits.get()
    if limits is None:
        yield
        return
    until, stall = limits
    left = until - time.monotonic()
    if left <= 0:
        raise TookTooLong
    sock.settimeout(min(left, stall))
    try:
        yield
    except TimeoutError:
        if time.monotonic() < until:
            raise
        raise TookTooLong from None


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _timed(self._sock):
            read: int = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Timed:
    """A connected socket, as far as http.client and urllib3 use one."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def fileno(self) -> int:
        found: int = self._sock.fileno()
        return found

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data) as view, view.cast("B") as whole:
            for start in range(0, len(whole), _PIECE):
                with _timed(self._sock):
                    self._sock.sendall(whole[start : start + _PIECE], flags)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Always for reading bytes, which is all that http.client asks for."""
        return io.BufferedReader(_Reader(self._sock), 1 << 16)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock: Any = _Timed(self.sock)


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock: Any = _Timed(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class TimedAdapter(HTTPAdapter):
    """For a ``requests`` session: its connections keep to ``within``."""

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *given: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager
