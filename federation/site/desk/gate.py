"""Who may use the desk in the browser, and that a form is sent once and from here. No I/O.

The address that is printed holds a code that opens the desk once; the browser that used it gets a
cookie, and without that cookie the rest of the address is worth nothing. What changes something
must come from a page of this desk: same origin, and with the one-use key of the form that was
shown. All of it is in memory and ends with the program.
"""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

COOKIE: Final = "balie"
_BYTES: Final = 16
MOST_FORMS: Final = 500


class Refused(Exception):
    """The request is not from the page of the person who opened this desk."""


class Gate:
    """One opened desk, of one person, in one browser."""

    def __init__(self) -> None:
        self.start_code = secrets.token_urlsafe(_BYTES)
        self._cookie = secrets.token_urlsafe(_BYTES)
        self._opened = False
        self._forms: OrderedDict[str, str | None] = OrderedDict()
        self._lock = threading.Lock()
        self._acting = threading.Lock()

    def open(self, code: str) -> str:
        """The cookie for the browser that brings the code; once. Raises Refused."""
        with self._lock:
            if self._opened or not _same(code, self.start_code):
                raise Refused
            self._opened = True
        return self._cookie

    def check_cookie(self, headers: list[str]) -> None:
        """Raises Refused for a browser that did not open this desk."""
        found = []
        for header in headers:
            try:
                cookies = SimpleCookie(header)
            except CookieError:
                continue
            found += [each.value for name, each in cookies.items() if name == COOKIE]
        if not any(_same(value, self._cookie) for value in found):
            raise Refused

    def new_form(self) -> str:
        """The key of a form that is about to be shown."""
        key = secrets.token_urlsafe(_BYTES)
        with self._lock:
            self._forms[key] = None
            while len(self._forms) > MOST_FORMS:
                self._forms.popitem(last=False)
        return key

    def check_form(self, key: str) -> None:
        """Raises Refused for a form that this desk did not show, or showed too long ago."""
        with self._lock:
            if key not in self._forms:
                raise Refused

    def once(self, key: str, act: Callable[[], str]) -> str:
        """Do what the form says, the first time; the same place afterwards, however often it is
        sent. What `act` raises leaves the form unsent. Raises Refused as `check_form`."""
        # One act at a time: of a double click the second waits, and finds the first one's place.
        with self._acting:
            self.check_form(key)
            with self._lock:
                place = self._forms.get(key)
            if place is None:
                place = act()
                with self._lock:
                    self._forms[key] = place
            return place


def check_sent_from_here(headers: Mapping[str, list[str]], host: str) -> None:
    """Raises Refused unless a form of a page at this very address was sent.

    headers: by lower-case name, all values of each. The browser says where a form stands (Origin),
    and no page can make it say otherwise.
    """
    if headers.get("origin") != [f"http://{host}"]:
        raise Refused
    if headers.get("sec-fetch-site", ["same-origin"]) != ["same-origin"]:
        raise Refused
    if headers.get("content-type") != ["application/x-www-form-urlencoded"]:
        raise Refused
    if "transfer-encoding" in headers:
        raise Refused


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8"), other.encode("utf-8"))
