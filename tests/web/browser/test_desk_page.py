"""The desk of a hospital in Chromium: a whole form by two people, letters, axe, keyboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hospitals import Net, patients
from playwright.sync_api import Browser, Page, expect

from federation.site.desk.doing import opened
from federation.site.desk.server import DeskServer
from federation.site.desk.words import texts_here
from federation.site.store import open_read_only

pytestmark = pytest.mark.browser

NUMBERS = {"h0": patients("h0", 30, seed=1), "h1": patients("h1", 30, seed=2)}


class Opened:
    """A desk that one person opened."""

    def __init__(self, path: Path, by: str) -> None:
        self.server = DeskServer(path, by)
        self.thread = threading.Thread(target=self.server.serve, name=by, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.over = True
        self.thread.join(10)
        self.server.end()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    net = Net(tmp_path_factory.mktemp("desk"), NUMBERS)
    (net.folder / "h0" / "letter.toml").write_text(
        'address = "https://choose.example/mijn"\nphone = "085 123 45 67"\n'
    )
    yield net
    net.close()


@pytest.fixture
def desk(hospital: Net) -> Iterator[Callable[[str], str]]:
    """`desk("Anna")`: a desk of that person; its address, which works once."""
    made: list[Opened] = []

    def open_desk(by: str) -> str:
        made.append(Opened(hospital.folder / "h0", by))
        return made[-1].server.address

    yield open_desk
    for each in made:
        each.close()


@pytest.fixture
def look(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts, complaints = [], []

    def open_page(address: str, **more: object) -> Page:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def check(page: Page, seen: Callable[..., None], name: str) -> None:
    expect(page.locator("h1")).to_have_count(1)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"desk-{name}-{width}", with_axe=width == 390)
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_form_by_two_people(
    hospital: Net,
    desk: Callable[[str], str],
    look: Callable[..., Page],
    seen: Callable[..., None],
) -> None:
    number = hospital.rows["h0"][4]["HDR_PATIENT_NO"]
    path = hospital.folder / "h0"
    database = open_read_only(path / "site.sqlite")
    known = list(texts_here(database).values())
    database.close()
    text = known[0].number if known else "5f" * 32
    page = look(desk("Anna de Vries"))
    expect(page.locator("h1")).to_have_text("Wat wilt u doen?")
    check(page, seen, "start-nl")
    page.locator("main").get_by_role("link", name="Een formulier invoeren").click()
    page.get_by_role("button", name="Verder").click()
    expect(page).to_have_title("Fout: Formulier invoeren – Oncokring")
    expect(page.locator("#error-summary")).to_be_focused()
    check(page, seen, "paper-error-nl")

    page.get_by_label("Patiëntnummer").fill(number)
    page.locator("fieldset", has_text="Onderzoek").locator("label").first.click()
    page.get_by_label("Datum van de handtekening").fill("02-03-2026")
    page.get_by_label("Nummer van de tekst").fill(text)
    page.get_by_label("Nederlands", exact=True).check()
    page.get_by_role("button", name="Verder").click()
    expect(page.locator("h1")).to_have_text("Antwoorden op het formulier")
    check(page, seen, "answers-nl")
    assert page.locator("input:checked").count() == 0
    questions = page.locator("fieldset")
    questions.nth(0).get_by_label("Ja", exact=True).check()
    questions.nth(1).get_by_label("Nee", exact=True).check()

    # The other language keeps what was chosen.
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("input:checked")).to_have_count(2)
    check(page, seen, "answers-en")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Change").click()
    expect(page.locator("input:checked")).to_have_count(2)
    page.get_by_role("button", name="Nederlands").click()
    page.get_by_role("button", name="Verder").click()
    check(page, seen, "review-nl")
    page.get_by_role("button", name="Zo invoeren").click()
    expect(page.locator("[role=status]")).to_contain_text("De nee werkt vanaf nu")
    check(page, seen, "done-nl")
    page.get_by_role("link", name="Controleren", exact=True).click()
    page.locator(".rows a").first.click()
    expect(page.get_by_text("U voerde dit in.")).to_be_visible()

    bram = look(desk("Bram Smit"))
    bram.get_by_role("link", name="Controleren", exact=True).click()
    expect(bram.locator("h1")).to_have_text("Formulieren die wachten")
    bram.locator(".rows a").first.click()
    bram.get_by_label("Patiëntnummer op het papier").fill("X")
    bram.get_by_role("button", name="Het klopt").click()
    expect(bram.locator(".error-box li")).to_have_count(1)
    bram.get_by_label("Ik heb het papier gezien").check()
    bram.get_by_role("button", name="Het klopt").click()
    expect(bram.locator(".error-box")).to_contain_text("Dit is niet het nummer")
    check(bram, seen, "confirm-nl")
    bram.get_by_label("Patiëntnummer op het papier").fill(number)
    bram.get_by_role("button", name="Het klopt").click()
    expect(bram.locator(".pairs")).to_contain_text("gecontroleerd")


def test_the_second_look_letters_and_stopping(
    hospital: Net, desk: Callable[[str], str], look: Callable[..., Page], seen: Callable[..., None]
) -> None:
    number = hospital.rows["h0"][5]["HDR_PATIENT_NO"]
    path, now = hospital.folder / "h0", datetime.now(UTC)
    with opened(path, "Chris", now) as books, books.act():
        handle = books.handle(number)
        books.people.add_representative(handle, "mentor", now - timedelta(days=9), None, now)
    page = look(desk("Anna de Vries"))
    page.get_by_role("link", name="Stoppen", exact=True).click()
    page.get_by_label("Patiëntnummer").fill(number)
    page.get_by_label("Alles, in alle onderzoeken").check()
    page.get_by_label("Met de telefoon").check()
    page.get_by_label("Datum waarop het is gezegd").fill("02-03-2026")
    page.get_by_role("button", name="Verder").click()
    expect(page.locator(".error-box")).to_contain_text("Kies wie het is")
    check(page, seen, "stop-who-nl")
    page.get_by_label("De patiënt").check()
    page.get_by_role("button", name="Verder").click()
    page.get_by_role("button", name="Nu stoppen").click()
    expect(page.locator("[role=status]")).to_contain_text("Het is vastgelegd.")
    with opened(path, "Chris", now) as books:
        assert books.database.execute(
            "SELECT 1 FROM own_denial WHERE handle = ? AND study = '*'", (handle,)
        ).fetchone()

    page.get_by_role("link", name="Brief maken", exact=True).click()
    check(page, seen, "letter-nl")
    page.get_by_label("Patiëntnummer").fill(hospital.rows["h0"][6]["HDR_PATIENT_NO"])
    page.locator("fieldset", has_text="Onderzoeken").locator("input").first.check()
    page.get_by_label("Nederlands", exact=True).check()
    page.get_by_label("Ja, met de telefoon").check()
    page.get_by_label("90 dagen").check()
    page.get_by_role("button", name="Verder").click()
    page.get_by_role("button", name="Brief maken").click()
    assert len(page.locator(".digits").inner_text()) == 6
    check(page, seen, "letter-made-nl")
    with page.expect_download() as coming:
        page.get_by_role("link", name="Brief openen").click()
    assert coming.value.suggested_filename.startswith("brief-")
    with opened(path, "Chris", now) as books:
        told = json.loads(
            books.database.execute("SELECT claims FROM outbox ORDER BY seq DESC").fetchone()[0]
        )
    assert told["second_verifier"]


def test_by_keyboard_without_scripts_until_it_closes(
    desk: Callable[[str], str], look: Callable[..., Page], seen: Callable[..., None]
) -> None:
    page = look(desk("Anna de Vries"), java_script_enabled=False)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Balie sluiten":
            break
    page.get_by_role("button", name="Balie sluiten").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("De balie is gesloten")
    seen(page, "desk-closed-nl-1280")
