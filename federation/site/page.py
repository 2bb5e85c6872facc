"""`oncokring site page`: a read-only page for the steward, on this machine only.

Listens on 127.0.0.1 and nowhere else. Every address begins with a random word that is printed at
the start, because other people may have an account on the same machine. The Host header must be
this address, or a page on the internet could reach it under a name of its own (DNS rebinding).
There are no cookies, no scripts, no forms, and nothing but GET and HEAD.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs

from federation.site.errors import SetupError
from federation.site.overview import Overview
from federation.site.page_html import Html
from federation.site.page_views import Views

ADDRESS: Final = "127.0.0.1"
REQUEST_SECONDS: Final = 10.0
_WORD_BYTES = 16
_PAGE = re.compile(r"[1-9][0-9]{0,5}")
_RUN = re.compile(r"run/([A-Za-z0-9][A-Za-z0-9_.:-]{0,62})")

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
_FILES: Final = MappingProxyType(
    {"page.css": "text/css; charset=utf-8", "favicon.svg": "image/svg+xml"}
)
_HTML = "text/html; charset=utf-8"


class PageServer(ThreadingHTTPServer):
    """Serves the overview of one site at `address` until it is closed."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, overview: Overview, port: int = 0) -> None:
        """SetupError when the port is taken."""
        self.overview = overview
        self.word = secrets.token_urlsafe(_WORD_BYTES)
        self.files = {name: (files(__package__) / name).read_bytes() for name in _FILES}
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise SetupError("this port cannot be used; choose another with --port.") from error

    @property
    def address(self) -> str:
        """Where the page is; new at every start."""
        return f"http://{ADDRESS}:{self.server_port}/{self.word}/sent"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no event; nothing is ever printed."""


def _asked(query: str) -> dict[str, list[str]]:
    """What stands behind the question mark; nothing when it is more than any link here has."""
    try:
        return parse_qs(query, max_num_fields=5)
    except ValueError:
        return {}


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        status, kind, body = self._answer()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _answer(self) -> tuple[HTTPStatus, str, bytes]:
        if not self._is_for_us():
            return HTTPStatus.MISDIRECTED_REQUEST, "text/plain", b"Not this address.\n"
        path, _, query = self.path.partition("?")
        word, _, place = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(word.encode(), self.server.word.encode()):
            return HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n"
        if place in _FILES:
            return HTTPStatus.OK, _FILES[place], self.server.files[place]
        asked = _asked(query)
        lang = "en" if asked.get("lang") == ["en"] else "nl"
        views = Views(self.server.overview, f"/{word}", lang)
        try:
            page = self._page(views, place, asked)
            status = HTTPStatus.OK if page is not None else HTTPStatus.NOT_FOUND
            made = page or views.error(404)
        except SetupError as error:
            status, made = HTTPStatus.SERVICE_UNAVAILABLE, views.error(503, error.sentence)
        except Exception as error:
            # Only the name of the class: the text of an exception may hold data.
            logging.getLogger("oncokring.page").error("%s", type(error).__name__)
            status, made = HTTPStatus.INTERNAL_SERVER_ERROR, views.error(500)
        return status, _HTML, made.encode("utf-8")

    def _is_for_us(self) -> bool:
        port = self.server.server_port
        return self.headers.get_all("Host") in (
            [f"{ADDRESS}:{port}"],
            [f"localhost:{port}"],
        )

    def _page(self, views: Views, place: str, asked: Mapping[str, list[str]]) -> Html | None:
        now = datetime.now(UTC)
        if found := _RUN.fullmatch(place):
            return views.run(found[1])
        match place:
            case "" | "sent":
                page = asked.get("page", ["1"])[-1]
                return views.sent(int(page)) if _PAGE.fullmatch(page) else None
            case "waiting":
                return views.waiting()
            case "policy":
                return views.policy(now)
            case "status":
                return views.status(now)
        return None

    def version_string(self) -> str:
        """Do not tell which Python this is."""
        return "oncokring"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the server itself refuses: no page, and no echo of the request."""
        other = code == HTTPStatus.NOT_IMPLEMENTED
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED if other else code)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if other:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged: they hold the word of the address."""
