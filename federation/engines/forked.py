"""Processes made by the site's fork server, with what an engine needs of `subprocess.Popen`.

The server (federation/site/fork_server.py) is started when the first process is wanted, and ends
with this program, killed or not: its socket closes then.
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

#: Seconds that the server may take to import the site's modules and make a process.
START_SECONDS = 60.0
_LAST_WAIT = 5.0


class ForkedProcess:
    """A process that is not this one's child, known by a descriptor that no other process can get.

    stdin, stdout and stderr are this side's ends of its pipes, unbuffered.
    """

    def __init__(
        self, pid: int, handle: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
    ) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._handle: int | None = handle
        self._ended = select.poll()
        self._ended.register(handle, select.POLLIN)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """None while it runs; else 0, for nobody here learns its exit code."""
        with self._lock:
            return None if self._handle is not None and not self._ended.poll(0) else 0

    def kill(self) -> None:
        """End it at once; nothing when it has ended."""
        with self._lock:
            if self._handle is not None:
                try:
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def wait(self) -> int:
        """Return when it has ended, and let go of it."""
        with self._lock:
            if self._handle is not None:
                self._ended.poll()
                os.close(self._handle)
                self._handle = None
        return 0


class ForkServer:
    """The running server; `start` may be called from any thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is that of every process it makes."""
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(START_SECONDS)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  a fixed program, no shell
                [sys.executable, "-P", "-m", "federation.site.fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                pass_fds=[theirs.fileno()],
            )

    def start(self, path: str) -> ForkedProcess:
        """The site program of the directory `path`. OSError when the server does not answer."""
        (child_in, stdin), (stdout, child_out), (stderr, child_err) = (os.pipe() for _ in range(3))
        ours, theirs = [stdin, stdout, stderr], [child_in, child_out, child_err]
        try:
            with self._lock:
                socket.send_fds(self._socket, [os.fsencode(path)], theirs)
                answer, handles, _, _ = socket.recv_fds(self._socket, 64, 1)
            if not handles:
                raise ConnectionError("the fork server has ended")
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        return ForkedProcess(
            int(answer),
            handles[0],
            os.fdopen(stdin, "wb", buffering=0),
            os.fdopen(stdout, "rb", buffering=0),
            os.fdopen(stderr, "rb", buffering=0),
        )

    def close(self) -> None:
        """End the server. Processes that it made run on until their stdin closes."""
        self._socket.close()
        try:
            self._process.wait(_LAST_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


_lock = threading.Lock()
_server: ForkServer | None = None


def start(path: str, environment: Mapping[str, str]) -> ForkedProcess:
    """A site program from this program's one fork server. OSError where that cannot be had.

    The environment is the server's: the first caller's is everybody's.
    """
    global _server
    if not hasattr(os, "pidfd_open"):
        raise OSError("no pidfd on this system")
    with _lock:
        if _server is None or _server.owner != os.getpid():
            _server = ForkServer(environment)
            atexit.register(_end)
        server = _server
    try:
        return server.start(path)
    except OSError:
        _end()
        raise


def _end() -> None:
    global _server
    with _lock:
        server, _server = _server, None
    if server is not None and server.owner == os.getpid():
        server.close()
