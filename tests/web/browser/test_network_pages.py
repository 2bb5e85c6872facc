"""The pages of network, hospital, group and board in Chromium: both widths, axe, no script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
PAGES = (
    ("coordinator", "/network/oncozon"),
    ("coordinator", "/network/oncozon/expertise"),
    ("coordinator", "/hospital/maastricht-umc"),
    ("chair", "/group/oncozon/breast"),
    ("patients", "/group/oncozon/breast"),
    ("observer", "/network/oncozon/published"),
    ("board", "/board/catharina"),
)


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_a_page_of_the_network(visit: Visit, seen: Seen, who: str, path: str) -> None:
    page = visit(path, who=who)
    expect(page.locator("h1")).to_have_count(1)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"{who}{path.replace('/', '-')}-{width}")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_day_and_a_hospital_are_chosen_without_a_script(visit: Visit) -> None:
    page = visit("/network/oncozon", who="coordinator", javascript=False, language="en")
    expect(page.locator(".picture svg:visible")).to_have_class("draw-wide")
    page.fill("#on", "2016-01-01")
    page.click("main form button")
    expect(page.locator(".banner")).to_contain_text("1 January 2016")
    expect(page.locator("dd.num").first).to_have_text("0")  # founded in July of that year
    page.get_by_role("link", name="Show today").click()
    expect(page.locator("dd.num").first).to_have_text("10")
    page.get_by_role("link", name="Catharina Ziekenhuis").click()
    expect(page.locator("h1")).to_have_text("Catharina Ziekenhuis")


def test_the_chair_writes_a_decision(visit: Visit) -> None:
    page = visit("/group/oncozon/breast", who="chair", width=390)
    page.get_by_text("Schrijf een besluit op").click()
    page.get_by_role("button", name="Zet op de lijst").click()
    expect(page.locator("#error-summary")).to_contain_text("Hier staat niets")
    page.fill("#text", "De groep doet mee.")
    page.get_by_role("button", name="Zet op de lijst").click()
    expect(page.locator(".banner")).to_contain_text("vastgelegd")
    expect(page.locator("#log")).to_have_count(1)
    expect(page.get_by_text("De groep doet mee.")).to_be_visible()
