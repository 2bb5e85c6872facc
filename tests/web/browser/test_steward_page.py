"""The steward's page of a hospital in Chromium: axe, narrow screens, dark, keyboard, no scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hospitals import Net, patients
from playwright.sync_api import Browser, Page, expect

from federation.disclosure.policy import Policy
from federation.site.steward.deciding import pause_site, refuse_query
from federation.site.steward.overview import Overview
from federation.site.steward.page import PageServer

pytestmark = pytest.mark.browser

COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
LONG = "Een heel lange titel over oestrogeenreceptornegatieve borstkanker bij vrouwen " * 3
SMALL = {f"h{n}": patients(f"h{n}", 60 + n, seed=n) for n in range(3)}


class Shown:
    """A hospital's page and the network behind it."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.path = net.folder / "h0"
        self.server = PageServer(Overview(self.path))
        self.base = self.server.address.removesuffix("/sent")
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.01,), name="page", daemon=True
        )
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()
        self.net.close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A hospital that was asked all sorts of things."""
    net = Net(tmp_path_factory.mktemp("asked"), SMALL)
    net.ask(COUNT, title="Stadium bij diagnose", purpose="Om te zien wie er laat komt.")
    net.ask(COUNT, title="Nog eens hetzelfde")
    net.ask(COX, title=LONG, purpose=LONG)
    net.ask(COUNT, cohort={"var": "hist", "op": "=", "value": "8502"})
    net.ask(COUNT, sites=["h0", "h1"])
    net.send("h0", b"garbage")
    made = Shown(net)
    yield made
    made.close()


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A hospital that approves each query, refused one, and is paused."""
    net = Net(tmp_path_factory.mktemp("deciding"), SMALL, study={"approve": "here"})
    now = datetime.now(UTC)
    for title in ("Eerste vraag", "Tweede vraag"):
        net.ask({"kind": "count", "by": ["sex"]}, title=title, purpose="Een doel.")
    first = Overview(net.folder / "h0").waiting()[0].query_sha256
    refuse_query(net.folder / "h0", first, "Anna de Vries", "Past niet bij het doel.", now)
    pause_site(net.folder / "h0", "Anna de Vries", "Nieuwe gegevens.", now)
    made = Shown(net)
    yield made
    made.close()


@pytest.fixture(scope="module")
def open_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A hospital with invented data, whose readable numbers left."""
    net = Net(tmp_path_factory.mktemp("open"), SMALL, policy=Policy.open_data())
    net.ask({"kind": "count", "by": ["sex", "stage"]}, output="by_site", title="Open")
    made = Shown(net)
    yield made
    made.close()


Open = Callable[..., Page]


@pytest.fixture
def look(chromium: Browser) -> Iterator[Open]:
    """`look(address)`: a page in a browser of its own; nothing may be complained about."""
    contexts, complaints = [], []

    def open_page(address: str, *, width: int = 1280, **more: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def check(page: Page, seen: Callable[..., None], name: str) -> None:
    """Three widths; axe on the wide one and the narrow one."""
    expect(page.locator("h1")).to_have_count(1)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"steward-{name}-{width}")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url


@pytest.mark.parametrize("lang", ["nl", "en"])
@pytest.mark.parametrize("place", ["sent", "waiting", "policy", "status"])
def test_each_page(
    asked: Shown, look: Open, seen: Callable[..., None], place: str, lang: str
) -> None:
    page = look(f"{asked.base}/{place}" + ("?lang=en" if lang == "en" else ""))
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.locator(".nav a[aria-current]")).to_have_count(1)
    check(page, seen, f"{place}-{lang}")


def test_every_run_can_be_opened(asked: Shown, look: Open, seen: Callable[..., None]) -> None:
    page = look(f"{asked.base}/sent")
    addresses = page.locator(".rows a").evaluate_all("links => links.map(link => link.href)")
    assert len(addresses) == 7, "five questions, nonsense, and the overview of the data"
    for at, address in enumerate(addresses):
        page.goto(address)
        for summary in page.locator("summary").all():
            summary.click()
        check(page, seen, f"run-{at}")


def test_what_waits_and_what_was_decided(
    deciding: Shown, look: Open, seen: Callable[..., None]
) -> None:
    page = look(f"{deciding.base}/waiting")
    expect(page.locator("h2").first).to_have_text("Tweede vraag")
    expect(page.locator(".command").nth(1)).to_contain_text("oncokring site approve")
    expect(page.locator(".banner")).to_contain_text("Nieuwe gegevens.")
    expect(page.locator("table")).to_contain_text("Past niet bij het doel.")
    check(page, seen, "waiting-paused")


def test_readable_numbers(open_data: Shown, look: Open, seen: Callable[..., None]) -> None:
    page = look(f"{open_data.base}/sent")
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.locator("tbody tr").first).to_be_visible()
    check(page, seen, "readable")
    page.goto(f"{open_data.base}/policy")
    check(page, seen, "open-data")


def test_the_command_that_is_shown_works(deciding: Shown, look: Open) -> None:
    """Copied from the page, with a name filled in."""
    import shlex

    from click.testing import CliRunner

    from federation.site.cli import site as commands

    page = look(f"{deciding.base}/waiting")
    shown = page.locator(".card .command").first.inner_text()
    typed = shlex.split(shown.replace('"naam"', '"Anna de Vries"'))
    assert typed[:2] == ["oncokring", "site"]
    done = CliRunner().invoke(commands, typed[2:])

    assert done.exit_code == 0, done.output
    page.reload()
    expect(page.locator(".intro")).to_have_text("Er wacht geen vraag op goedkeuring.")


def test_the_language_can_be_changed_on_every_page(asked: Shown, look: Open) -> None:
    page = look(f"{asked.base}/sent")
    page.locator(".rows a").nth(3).click()
    title = page.locator("h1").inner_text()
    page.get_by_text("English", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_have_text(title)
    page.get_by_text("Policy", exact=True).click()
    expect(page.locator("h1")).to_have_text("Our policy")
    page.get_by_text("Nederlands", exact=True).click()
    expect(page.locator("h1")).to_have_text("Ons beleid")


def test_the_keyboard_alone(asked: Shown, look: Open) -> None:
    page = look(f"{asked.base}/sent")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main a").first).to_be_focused()


def test_without_scripts_and_in_the_dark(
    asked: Shown, look: Open, seen: Callable[..., None]
) -> None:
    page = look(f"{asked.base}/sent", java_script_enabled=False)
    expect(page.locator(".rows li")).to_have_count(7)
    dark = look(f"{asked.base}/policy", color_scheme="dark")
    check(dark, seen, "dark")


def test_another_place_on_the_internet_reaches_nothing(
    asked: Shown, chromium: Browser, tmp_path: Path
) -> None:
    """A page elsewhere can neither frame this one, nor read it, nor take its picture."""
    file = tmp_path / "evil.html"
    file.write_text(f'<iframe src="{asked.base}/sent"></iframe>')
    context = chromium.new_context()
    page = context.new_page()
    page.goto(file.as_uri())
    assert "ziekenhuis" not in page.frames[1].content()
    said = page.evaluate(
        "address => fetch(address).then(r => r.text()).catch(e => 'blocked')",
        f"{asked.base}/sent",
    )
    assert said == "blocked"
    context.close()
