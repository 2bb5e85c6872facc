"""`oncokring site desk`: letters and forms on paper in a browser on this machine (ADR 0033).

Loopback only and behind a random word, as the steward's page (page_http.py); because it writes,
also for one browser alone, and only from its own pages (desk_gate.py). No scripts.
"""

import getpass
import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

from federation.site.desk.acts import Acts, MadeLetter
from federation.site.desk.gate import COOKIE, Gate, Refused, check_sent_from_here
from federation.site.desk.layout import DeskFrame
from federation.site.desk.places import Asked, Place
from federation.site.desk.routes import Routes
from federation.site.errors import SetupError
from federation.site.steward.http import ADDRESS, HEADERS, HTML, LocalHandler, LocalServer, Reply

IDLE_SECONDS: Final = 30 * 60.0
LETTER_SECONDS: Final = 15 * 60.0
LAST_SECONDS: Final = 2.0
"""After the desk was closed: so that the last page gets its style."""
MAX_BODY: Final = 32_000
MAX_FIELDS: Final = 200
# A browser that is told to send no referrer sends no origin with a form either.
DESK_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **HEADERS,
        "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace(
            "form-action 'none'", "form-action 'self'"
        ),
        "Referrer-Policy": "same-origin",
    }
)


Found = Reply | Place | str | None


class DeskServer(LocalServer):
    """The desk of one person, until it is closed or was not used for half an hour."""

    file_names = ("page.css", "desk.css", "favicon.svg")
    # The last page must reach the browser before the program ends.
    daemon_threads = False
    timeout = 0.5

    def __init__(self, path: Path, by: str, port: int = 0) -> None:
        """SetupError when the port is taken, the directory is not as it must be, or `by` is no
        name."""
        self.acts = Acts(path, by)
        self.gate = Gate()
        self.over = False
        self._used = time.monotonic()
        self._closed: float | None = None
        self._letters: dict[str, tuple[float, MadeLetter]] = {}
        self._lock = threading.Lock()
        self._account = _account()
        super().__init__(port, _Handler)
        try:
            self.acts.note("DESK_OPENED", self._account, datetime.now(UTC))
        except BaseException:
            self.server_close()
            raise

    @property
    def address(self) -> str:
        """Opens the desk, once, in one browser."""
        return f"http://{ADDRESS}:{self.server_port}/{self.word}/open/{self.gate.start_code}"

    def serve(self) -> None:
        """Until the desk is closed, or nobody used it for half an hour."""
        while not self.over and time.monotonic() - self._used < IDLE_SECONDS:
            if self._closed is not None and time.monotonic() - self._closed > LAST_SECONDS:
                return
            self.handle_request()

    def close(self) -> None:
        """Show no page any more; the program ends."""
        self._closed = time.monotonic()

    @property
    def closed(self) -> bool:
        """Whether the person closed the desk."""
        return self._closed is not None

    def end(self) -> None:
        """End it. A letter that was not printed is gone."""
        self.server_close()
        self.acts.note("DESK_CLOSED", self._account, datetime.now(UTC))

    def used(self) -> None:
        """The person is still there."""
        self._used = time.monotonic()

    def keep_letter(self, name: str, letter: MadeLetter) -> None:
        """Have a letter at hand for a quarter of an hour, in memory only."""
        with self._lock:
            self._letters[name] = (time.monotonic(), letter)

    def kept_letter(self, name: str) -> MadeLetter | None:
        """A letter that was made here of late."""
        now = time.monotonic()
        with self._lock:
            old = [key for key, (at, _) in self._letters.items() if now - at > LETTER_SECONDS]
            for key in old:
                del self._letters[key]
            found = self._letters.get(name)
        return None if found is None else found[1]


class _Handler(LocalHandler):
    server: DeskServer
    headers_of_all = DESK_HEADERS
    allowed = "GET, HEAD, POST"

    def do_POST(self) -> None:
        self.send(self.reply())

    def answer(self, place: str, query: str) -> Reply:
        lang = "en" if query == "lang=en" else "nl"
        server, gate = self.server, self.server.gate
        base = f"/{server.word}"
        frame = DeskFrame(server.acts.settings.name, server.acts.by, base, lang)
        try:
            if self.command == "GET" and (code := place.removeprefix("open/")) != place:
                return _to(f"{base}/start", {"Set-Cookie": self._cookie(gate.open(code))})
            if server.closed:
                raise Refused
            gate.check_cookie(self.headers.get_all("Cookie") or [])
            server.used()
            return self._inside(place, lang, base)
        except Refused:
            return _page(HTTPStatus.FORBIDDEN, frame.told(403))
        except SetupError as error:
            return _page(HTTPStatus.SERVICE_UNAVAILABLE, frame.told(500, error.sentence))
        except Exception as error:
            # Only the name of the class: the text of an exception may hold data.
            logging.getLogger("oncokring.desk").error("%s", type(error).__name__)
            return _page(HTTPStatus.INTERNAL_SERVER_ERROR, frame.told(500))

    def _inside(self, place: str, lang: str, base: str) -> Reply:
        server = self.server
        routes = Routes(server.acts, server.gate, base, lang)
        frame = DeskFrame(server.acts.settings.name, server.acts.by, base, lang)
        if self.command == "POST":
            check_sent_from_here(self._headers(), self.headers["Host"])
            typed = self._typed()
            key = typed.get("key", [""])[-1]
            try:
                server.gate.check_form(key)
            except Refused:
                return _page(HTTPStatus.CONFLICT, frame.told(409))
            if place == "close":
                server.close()
                gone = f"{COOKIE}=; Path={base}/; Max-Age=0"
                return _page(HTTPStatus.OK, frame.closed(), {"Set-Cookie": gone})
            found: Found = routes.post(place, Asked(typed, datetime.now(UTC)), key)
        else:
            found = self._letter(place, routes) or routes.get(place)
        if found is None:
            return _page(HTTPStatus.NOT_FOUND, frame.told(404))
        if isinstance(found, Reply):
            return found
        if isinstance(found, Place):
            if found.letter is not None:
                server.keep_letter(found.name, found.letter)
            return _to(f"{base}/{found.where}" + ("?lang=en" if lang == "en" else ""))
        return _page(HTTPStatus.OK, found)

    def _letter(self, place: str, routes: Routes) -> Reply | str | None:
        parts = place.split("/")
        if parts[0] != "letter" or len(parts) not in (2, 3):
            return None
        letter = self.server.kept_letter(parts[1])
        if len(parts) == 2:
            return routes.letter_made(parts[1], letter)
        if letter is None or parts[2] != letter.name:
            return None
        kind = "application/pdf" if letter.is_pdf else HTML
        attached = {"Content-Disposition": f'attachment; filename="{letter.name}"'}
        return Reply(HTTPStatus.OK, kind, letter.file, attached)

    def _headers(self) -> dict[str, list[str]]:
        return {name.lower(): self.headers.get_all(name) or [] for name in self.headers}

    def _typed(self) -> dict[str, list[str]]:
        """The fields of the form. Raises Refused for what no form here sends."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            raise Refused
        body = self.rfile.read(int(length))
        try:
            return parse_qs(
                body.decode("ascii"),
                keep_blank_values=True,
                max_num_fields=MAX_FIELDS,
                errors="strict",
            )
        except ValueError:
            raise Refused from None

    def _cookie(self, value: str) -> str:
        return f"{COOKIE}={value}; Path=/{self.server.word}/; HttpOnly; SameSite=Strict"


def _page(status: HTTPStatus, made: str, more: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, HTML, made.encode("utf-8"), more or {})


def _to(address: str, more: Mapping[str, str] | None = None) -> Reply:
    return Reply(HTTPStatus.SEE_OTHER, HTML, b"", {"Location": address, **(more or {})})


def _account() -> str:
    """The account of this machine, as the log takes it; "" when the machine does not say."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in name)[:80]
