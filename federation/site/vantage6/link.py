"""`oncokring site link`: one site over TCP, for the algorithm image on a stock node's network.

Frames as on a pipe, one connection and one message at a time. Whoever reaches the port can send a
message; only one that the hub signed gets more than a signed refusal, exactly as when the message
comes through a server that nobody trusts. So the port needs no password. Publish it on the node's
internal Docker network only, all the same: whoever holds the line keeps others waiting.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TextIO

from federation.site.directory import SiteDirectory
from federation.site.frames import FrameError
from federation.site.program import SiteProgram
from federation.site.serving import serve

PORT = 7700
#: Seconds a connection may keep silent.
SILENT_SECONDS = 30.0


class Link:
    """Listens from the start; `serve` answers until `end`."""

    def __init__(self, directory: SiteDirectory, host: str, port: int) -> None:
        self._directory = directory
        self._program = SiteProgram(directory)
        try:
            self._listener = socket.create_server((host, port))
        except OSError:
            self._program.close()
            raise
        self._listener.settimeout(0.5)
        self._ended = False

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def end(self, number: int = 0, frame: FrameType | None = None) -> None:
        """End after the connection at hand; a signal may call it."""
        self._ended = True

    def serve(self, log: TextIO) -> None:
        """Answer; `log` gets codes only."""
        try:
            while not self._ended:
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    self._answer(connection, log)
        finally:
            self._listener.close()
            self._program.close()

    def _answer(self, connection: socket.socket, log: TextIO) -> None:
        connection.settimeout(SILENT_SECONDS)
        try:
            with connection.makefile("rb") as incoming, connection.makefile("wb") as outgoing:
                serve(
                    self._program,
                    incoming,
                    outgoing,
                    log,
                    bucket_seconds=self._directory.policy.timing_bucket_s,
                )
        except (OSError, FrameError):
            log.write("PIPE\n")
            log.flush()


def run(path: Path, host: str, port: int, log: TextIO, on_end: Callable[[Link], None]) -> int:
    """Serve the site directory `path` until ended. SetupError when it is wrong."""
    link = Link(SiteDirectory.load(path), host, port)
    on_end(link)
    log.write("LISTENING\n")
    log.flush()
    link.serve(log)
    return 0
