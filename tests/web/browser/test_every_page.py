"""Every page at both widths and in both languages: axe, no sideways scroll, large letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any

STUDY = "hormone-therapy"
PUBLIC = (
    "/",
    "/studies",
    f"/studies/{STUDY}",
    f"/studies/{STUDY}/codebook",
    "/sign-in",
    "/privacy",
    "/accessibility",
    "/help",
    "/status",
    "/results",
    "/mijn",
)
SIGNED_IN = (
    ("researcher", "/r"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=count"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=describe"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=survival"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=cox"),
    ("researcher", f"/r/query/new/json?study={STUDY}"),
    ("researcher", "/r/query/{count}"),
    ("researcher", "/r/query/{count}/result"),
    ("researcher", "/r/query/{describe}/result"),
    ("researcher", "/r/query/{survival}/result"),
    ("researcher", "/r/query/{cox}/result"),
    ("committee", "/approvals"),
    ("committee", "/approvals/{count}"),
    ("committee", "/sign-in/confirm"),
    ("coordinator", "/c"),
    ("coordinator", f"/c/study/{STUDY}/hospitals"),
    ("coordinator", f"/c/study/{STUDY}/participants"),
    ("coordinator", "/inbox"),
    ("coordinator", "/mail"),
    ("coordinator", "/status"),
    ("coordinator", f"/c/study/{STUDY}/results"),
    ("coordinator", "/indicators/access_time?group=oncozon.breast"),
    ("board", "/report/oncozon/{year}"),
    ("board", "/rounds"),
    ("auditor", "/audit"),
    ("auditor", "/audit?verify=1"),
)
PATIENT = (
    "/mijn/keuzes",
    f"/mijn/{STUDY}/uitleg",
    f"/mijn/{STUDY}/kiezen",
    f"/mijn/{STUDY}/vraag/1",
    f"/mijn/{STUDY}/stoppen",
    "/mijn/stoppen",
    "/mijn/geschiedenis",
)


def look(page: Page, seen: Seen, language: str, name: str) -> None:
    """Both widths with axe (once: the second language has the same elements), then narrower."""
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("h1")).to_have_count(1)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"{name}-{language}-{width}", with_axe=language == "nl")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url


def with_large_letters(page: Page) -> None:
    """Letters twice as large as usual, set in the browser itself (WCAG 1.4.4)."""
    page.set_viewport_size({"width": 1280, "height": 900})
    browser = page.context.new_cdp_session(page)
    browser.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    page.wait_for_function("getComputedStyle(document.documentElement).fontSize === '36px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280, page.url


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("path", PUBLIC)
def test_public_page(visit: Visit, seen: Seen, path: str, language: str) -> None:
    page = visit(path, language=language)
    look(page, seen, language, "public" + path.replace("/", "-"))
    with_large_letters(page)


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize(("who", "path"), SIGNED_IN)
def test_page_of_a_role(
    visit: Visit, place: Place, seen: Seen, who: str, path: str, language: str
) -> None:
    page = visit(path.format(**place.runs, year=datetime.now(UTC).year), who=who, language=language)
    name = path.replace("{", "").replace("}", "").split("?study=")[-1].split("/")[-2:]
    look(page, seen, language, f"{who}-{'-'.join(name)}".replace("?", "-").replace("&", "-"))
    with_large_letters(page)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_pages_of_a_patient(patient: Visit, place: Place, seen: Seen, language: str) -> None:
    page = patient("/mijn/keuzes", language=language, answer="yes")
    for path in PATIENT:
        page.goto(place.address + path)
        look(page, seen, language, "patient" + path.replace("/", "-"))


def test_the_keyboard_alone_reaches_the_content(visit: Visit) -> None:
    page = visit("/studies")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main select").first).to_be_focused()


def test_a_page_that_does_not_exist_says_so_in_the_readers_language(
    visit: Visit, place: Place
) -> None:
    page = visit("/")
    answer = page.context.new_page().goto(place.address + "/nergens")
    assert answer is not None
    assert answer.status == 404
    assert "Deze pagina bestaat niet" in answer.text()


def test_a_picture_fits_the_screen_it_is_on(visit: Visit, place: Place) -> None:
    page = visit(f"/r/query/{place.runs['survival']}/result", who="researcher")
    for width, drawn in ((1280, "draw-wide"), (390, "draw-phone")):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator(".picture svg:visible")).to_have_class(drawn)
    box = page.locator(".picture svg:visible").bounding_box()
    assert box is not None
    assert box["width"] / 340 * 13.5 >= 12, "letters smaller than 12 px"


def test_in_the_dark(visit: Visit, place: Place, seen: Seen) -> None:
    page = visit("/", who="researcher")
    page.emulate_media(color_scheme="dark")
    for path in ("/", f"/studies/{STUDY}", "/r", f"/r/query/new?study={STUDY}", "/help"):
        page.goto(place.address + path)
        seen(page, "dark" + path.split("?")[0].replace("/", "-"))
    page.goto(f"{place.address}/r/query/{place.runs['survival']}/result")
    seen(page, "dark-result")
