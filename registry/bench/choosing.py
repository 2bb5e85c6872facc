"""One patient of the load measurement: a browser that fills in forms as they stand on the page."""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from registry.demo.network import STUDY

ANSWERS = ("yes", "yes", "yes", "no", "later")
WAYS = ("each", "each", "basic", "none")
DOUBLE_CLICKS = 0.1
_HIDDEN = re.compile(r'type="hidden" name="([^"]*)" value="([^"]*)"')
_CHOICE = re.compile(r'type="radio" id="[^"]*" name="([^"]*)"')


class WentWrong(Exception):
    """The hub did not answer as it answers a patient: what was asked, and what came."""


@dataclass(frozen=True)
class Page:
    """What came back: status, where to go on, the text, and the seconds it took."""

    status: int
    location: str
    text: str
    seconds: float

    @property
    def hidden(self) -> dict[str, str]:
        return {name: unescape(value) for name, value in _HIDDEN.findall(self.text)}

    @property
    def questions(self) -> list[str]:
        return sorted(set(_CHOICE.findall(self.text)))


@dataclass
class Timed:
    """Seconds per kind of request, of one patient."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, kind: str, seconds: float) -> None:
        self.seconds.setdefault(kind, []).append(seconds)


class Browser:
    """Plain forms and cookies over one kept connection, from an address of its own."""

    def __init__(self, port: int, address: str) -> None:
        self._port, self._address = port, address
        self._cookies: dict[str, str] = {}
        self._line: http.client.HTTPConnection | None = None

    def get(self, path: str) -> Page:
        return self._ask("GET", path, None)

    def post(self, path: str, values: Mapping[str, str]) -> Page:
        return self._ask("POST", path, urlencode(values))

    def twin(self) -> Browser:
        """The same browser once more, for a button that is pressed twice."""
        twin = Browser(self._port, self._address)
        twin._cookies = dict(self._cookies)
        return twin

    def close(self) -> None:
        if self._line is not None:
            self._line.close()

    def _ask(self, method: str, path: str, body: str | None) -> Page:
        headers = {
            "Host": f"127.0.0.1:{self._port}",
            "X-Forwarded-For": self._address,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        try:
            answer = self._answer(method, path, body, headers)
        except http.client.RemoteDisconnected:
            # The server closed a kept connection before it read anything of this request.
            self.close()
            self._line = None
            answer = self._answer(method, path, body, headers)
        text = answer.read().decode("utf-8")
        seconds = time.perf_counter() - began
        for value in answer.headers.get_all("Set-Cookie", []):
            for name, crumb in SimpleCookie(value).items():
                self._cookies[name] = crumb.value
        return Page(answer.status, answer.headers.get("Location", ""), text, seconds)

    def _answer(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        self._line.request(method, path, body, dict(headers))
        return self._line.getresponse()


@dataclass(frozen=True)
class Recorded:
    """What a patient was told is recorded."""

    receipt: str
    said: Mapping[str, str]


class Patient:
    """Fills in the form again and again; remembers what the hub said it wrote down."""

    def __init__(self, number: int, port: int, code: str, pause: float) -> None:
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.browser = Browser(port, address)
        self.code = code
        self.pause = pause
        self.timed = Timed()
        self.recorded: list[Recorded] = []
        self.wrong: list[str] = []
        self._chance = random.Random(number)  # noqa: S311  the same patients each time

    def work(self, until: float) -> None:
        """Sign in and choose until `until`, once at least; a form that was begun is finished."""
        try:
            self._sign_in()
            self._choose()
            while time.monotonic() < until:
                self._choose()
        except (WentWrong, OSError, http.client.HTTPException) as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self.browser.close()

    def _sign_in(self) -> None:
        page = self._get("/mijn")
        self._post("sign in", "/mijn", page, code=self.code)

    def _choose(self) -> None:
        page = self._get(f"/mijn/{STUDY}/kiezen")
        way = self._chance.choice(WAYS)
        there = self._post("answer", f"/mijn/{STUDY}/kiezen", page, way=way)
        while not there.endswith("/controleer"):
            page = self._get(there)
            answers = {name: self._chance.choice(ANSWERS) for name in page.questions}
            there = self._post("answer", there, page, **answers)
        page = self._get(there)
        said = {
            name.removeprefix("said-"): value
            for name, value in page.hidden.items()
            if name.startswith("said-")
        }
        twice = self._chance.random() < DOUBLE_CLICKS
        second: list[str] = []
        other = threading.Thread(target=self._press_again, args=(there, page, second))
        if twice:
            other.start()
        done = self._post("record", there, page)
        receipt = done.rsplit("/", 1)[1]
        self.recorded.append(Recorded(receipt, said))
        if twice:
            other.join()
            if second != [receipt]:
                raise WentWrong(f"pressed twice: {receipt} and {second}")
        self._get(done)

    def _press_again(self, path: str, page: Page, receipts: list[str]) -> None:
        twin = self.browser.twin()
        try:
            answer = twin.post(path, page.hidden)
            receipts.append(
                answer.location.rsplit("/", 1)[-1] if answer.status == 303 else str(answer.status)
            )
        except (OSError, http.client.HTTPException) as error:
            receipts.append(type(error).__name__)
        finally:
            twin.close()

    def _get(self, path: str) -> Page:
        time.sleep(self._chance.uniform(0.5, 1.5) * self.pause)
        page = self.browser.get(path)
        self.timed.note("page", page.seconds)
        if page.status != 200:
            raise WentWrong(f"GET {path}: {page.status} {page.location}")
        return page

    def _post(self, kind: str, path: str, page: Page, **values: str) -> str:
        answer = self.browser.post(path, {**page.hidden, **values})
        self.timed.note(kind, answer.seconds)
        if answer.status != 303:
            raise WentWrong(f"{kind}, POST {path}: {answer.status}")
        return answer.location
