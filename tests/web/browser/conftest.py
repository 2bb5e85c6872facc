"""Chromium against the real hub: the demo's network, its ten site processes and its worker.

Everything is started once per session. A test opens pages with `visit`; at its end it fails on
anything the browser complained about, which includes whatever the security policy refused.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from registry.accounts.service import find_account
from registry.accounts.sessions import start
from registry.app import create_app
from registry.demo import questions
from registry.demo.network import Account, LetterCode
from registry.demo.report import run_demo
from registry.demo.running import RunningDemo
from registry.settings import Settings

DESK = 1280
AXE = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
ASKED = (questions.COUNT, questions.DESCRIBE, questions.SURVIVAL, questions.COX)
NO_CHROMIUM = (
    "No Chromium found, so no page was looked at. Install it (apt-get install chromium), or set "
    "CHROMIUM to its path."
)

expect.set_options(timeout=20_000)  # a busy machine is no fault of the page


def find_chromium() -> str | None:
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name) if name else None
        if path:
            return path
    return None


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Keep the test output for failures."""


def _whole(app: Any) -> Any:
    """Read each answer before it is sent: werkzeug leaves a file open when a browser hangs up."""

    def serve(environment: Any, start_response: Any) -> list[bytes]:
        answer = app(environment, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return serve


@dataclass
class Place:
    """The running hub: where it listens, who can sign in, what was asked before."""

    address: str
    running: RunningDemo
    runs: dict[str, str]  # kind -> id of an answered question

    def account(self, name: str) -> Account:
        return next(each for each in self.running.network.accounts if each.name == name)

    def one_time_code(self, name: str) -> str:
        return pyotp.TOTP(self.account(name).totp_secret).now()

    def letter(self, answer: str) -> LetterCode:
        """The letter of somebody who gave this answer."""
        return next(each for each in self.running.network.letters if each.answer == answer)

    def signed_in(self, who: str, *, minutes_ago: int = 0) -> str:
        """A session id of an account, as signing in would give it."""
        now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        with self.running.network.factory() as session:
            session_id = start(session, now=now, account_id=find_account(session, who).id)
            session.commit()
        return session_id


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("hub")
    with run_demo(folder, lambda _sentence: None) as running:
        runs = {}
        for question in ASKED:
            envelope, _seconds = running.ask(question)
            assert envelope["status"] == "complete", envelope
            runs[envelope["analysis"]] = envelope["id"]
        settings = Settings(
            secret_key="browser-tests-need-a-secret-of-32-characters",
            data=folder,
            database_url=f"sqlite:///{folder / 'hub.sqlite'}",
            sites=folder / "sites",
        )
        app = create_app(settings, factory=running.network.factory)
        server = make_server("127.0.0.1", 0, _whole(app), threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever, name="web", daemon=True)
        thread.start()
        yield Place(f"http://127.0.0.1:{server.server_port}", running, runs)
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        if os.environ.get("ONCOKRING_NO_SKIPS") == "1":
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True)
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, place: Place) -> Iterator[Visit]:
    """`visit("/r", who="researcher", width=390)`: a page, in a browser of its own."""
    contexts = []
    complaints: list[str] = []

    def open_page(
        path: str,
        *,
        who: str | None = None,
        width: int = DESK,
        language: str = "nl",
        javascript: bool = True,
        minutes_ago: int = 0,
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, locale="nl-NL", java_script_enabled=javascript
        )
        contexts.append(context)
        cookies = [{"name": "language", "value": language, "url": place.address}]
        if who is not None:
            session_id = place.signed_in(who, minutes_ago=minutes_ago)
            cookies.append({"name": "oncokring", "value": session_id, "url": place.address})
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if bad(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        answer = page.goto(place.address + path)
        assert answer is not None
        assert answer.status == 200, f"{path} answered {answer.status}"
        return page

    def bad(said: Any) -> bool:
        # A form that is sent back with errors has status 422, which Chromium logs as a failure.
        return said.type in ("error", "warning") and not re.search(
            r"status of (401|409|422)", said.text
        )

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def patient(visit: Visit, place: Place) -> Visit:
    """`patient("/mijn/keuzes", answer="no answer")`: signed in with a real letter's code."""

    def open_page(path: str, *, answer: str = "no answer", **more: Any) -> Page:
        page = visit("/mijn", **more)
        page.fill("#code", place.letter(answer).code)
        page.click("main button.button")
        page.wait_for_url("**/mijn/keuzes")
        if path != "/mijn/keuzes":
            page.goto(place.address + path)
        return page

    return open_page


@pytest.fixture
def seen() -> Callable[..., None]:
    """`seen(page, "result")`: axe finds nothing, nothing scrolls sideways; and a picture is kept
    when somebody wants to look (ONCOKRING_SCREENS names the folder)."""

    def check(page: Page, name: str, *, with_axe: bool = True) -> None:
        page.wait_for_load_state()  # half a page has other faults than the whole one
        folder = os.environ.get("ONCOKRING_SCREENS")
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
        # axe is a script, so it looks only where scripts run
        if with_axe and not page.evaluate("matchMedia('(scripting: none)').matches"):
            found = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(AXE)}})
            assert found.violations_count == 0, found.generate_report()
        size = page.viewport_size
        assert size is not None
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= size["width"], f"{page.url} is {needed} wide on {size['width']}"

    return check
