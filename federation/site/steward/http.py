"""What every page on this machine has in common: loopback only, this address only, no echo.

Listens on 127.0.0.1 and nowhere else. Every address begins with a random word that is printed at
the start, because other people may have an account on the same machine. The Host header must be
this address, or a page on the internet could reach it under a name of its own (DNS rebinding).
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from federation.site.errors import SetupError

ADDRESS: Final = "127.0.0.1"
REQUEST_SECONDS: Final = 10.0
WORD_BYTES: Final = 16
HTML: Final = "text/html; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Connection": "close",
    }
)
_CONTENT: Final = MappingProxyType({".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"})


@dataclass(frozen=True)
class Reply:
    """What goes back to the browser; `more` are headers of this reply alone."""

    status: HTTPStatus
    kind: str
    body: bytes
    more: Mapping[str, str] = field(default_factory=dict)


NOT_FOUND: Final = Reply(HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n")


class LocalServer(ThreadingHTTPServer):
    """Listens on this machine until it is closed. `file_names`: what is served beside pages."""

    daemon_threads = True
    request_queue_size = 64
    file_names: tuple[str, ...] = ("page.css", "favicon.svg")

    def __init__(self, port: int, handler: type["LocalHandler"]) -> None:
        """SetupError when the port is taken."""
        self.word = secrets.token_urlsafe(WORD_BYTES)
        self.files = {
            name: (files("federation.site") / name).read_bytes() for name in self.file_names
        }
        try:
            super().__init__((ADDRESS, port), handler)
        except OSError as error:
            raise SetupError("this port cannot be used; choose another with --port.") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no event; nothing is ever printed."""


class LocalHandler(BaseHTTPRequestHandler):
    """One request. `answer` makes the reply, `allowed` names the methods."""

    server: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_SECONDS
    headers_of_all: Mapping[str, str] = HEADERS
    allowed = "GET, HEAD"

    def do_GET(self) -> None:
        self.send(self.reply())

    do_HEAD = do_GET

    def reply(self) -> Reply:
        """The reply to this request; only for this address and behind the word."""
        if not self.is_for_us():
            return Reply(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", b"Not this address.\n")
        path, _, query = self.path.partition("?")
        word, _, place = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(word.encode(), self.server.word.encode()):
            return NOT_FOUND
        if place in self.server.files:
            kind = _CONTENT[place[place.rindex(".") :]]
            return Reply(HTTPStatus.OK, kind, self.server.files[place])
        return self.answer(place, query)

    def answer(self, place: str, query: str) -> Reply:
        """The reply for a place behind the word."""
        raise NotImplementedError

    def is_for_us(self) -> bool:
        """Whether the browser was told this address, and no other name for this machine."""
        port = self.server.server_port
        return self.headers.get_all("Host") in ([f"{ADDRESS}:{port}"], [f"localhost:{port}"])

    def send(self, reply: Reply) -> None:
        """Send it, with the headers that every reply has."""
        self.send_response(reply.status)
        for name, value in {**self.headers_of_all, **reply.more}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def version_string(self) -> str:
        """Do not tell which Python this is."""
        return "oncokring"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the server itself refuses: no page, and no echo of the request."""
        other = code == HTTPStatus.NOT_IMPLEMENTED
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED if other else code)
        for name, value in self.headers_of_all.items():
            self.send_header(name, value)
        if other:
            self.send_header("Allow", self.allowed)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged: they hold the word of the address."""
