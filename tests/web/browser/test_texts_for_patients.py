"""The pages of the texts for patients, in a real browser: written, looked at on a phone, judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
HOME = "/c/study/hormone-therapy/consent"


def at_each_width(page: Page, seen: Seen, name: str) -> None:
    """Three widths without sideways scroll; axe on one, because the elements are the same."""
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        seen(page, f"{name}-{width}", with_axe=width == 390)


def test_a_coordinator_writes_a_text_and_looks_at_it(visit: Visit, seen: Seen) -> None:
    page = visit("/texts", who="coordinator")
    at_each_width(page, seen, "texts")
    page.get_by_role("link", name="Hormoontherapie").first.click()
    expect(page.get_by_role("heading", name="Antwoorden per ziekenhuis")).to_be_visible()
    at_each_width(page, seen, "texts-overview")
    page.get_by_role("link", name="Versie 1").click()
    at_each_width(page, seen, "texts-version")
    page.get_by_role("link", name="Er is iets mis").click()
    page.locator("main form button").click()
    expect(page.locator("#error-summary")).to_be_focused()
    at_each_width(page, seen, "texts-suspend")
    page.goto(page.url.replace("/1/suspend", ""))

    page.get_by_role("button", name="Schrijf een nieuwe versie").click()
    at_each_width(page, seen, "texts-editor")
    page.fill("#nl-summary", "")
    page.get_by_role("button", name="Bewaar, en zie wat er veranderde").click()
    expect(page).to_have_title("Fout: Schrijf een tekst – Oncokring")
    expect(page.locator("#error-summary")).to_be_focused()
    at_each_width(page, seen, "texts-editor-error")
    page.get_by_role("link", name="Vul deze tekst in").click()
    expect(page.locator("#nl-summary")).to_be_focused()
    page.keyboard.type("Komt borstkanker vaker terug zonder hormonen?")
    page.get_by_label("Redactioneel").check()
    page.get_by_role("button", name="Bewaar, en zie wat er veranderde").click()

    expect(page.get_by_role("heading", name="Concept van een tekst")).to_be_visible()
    expect(page.get_by_text("dus de wijziging is niet redactioneel")).to_be_visible()
    expect(page.locator("ins").first).to_have_text("vaker")
    at_each_width(page, seen, "texts-review")

    page.get_by_role("link", name="Op een telefoon, in het Nederlands").click()
    expect(page.locator(".phone").first).to_contain_text("Komt borstkanker vaker terug")
    expect(page.locator(".sample input").first).to_be_disabled()
    at_each_width(page, seen, "texts-phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    frame = page.locator(".phone").nth(1)
    assert frame.evaluate("box => box.offsetWidth") == 390
    # Its answers are in the first view of a phone: above the line.
    answer = frame.locator("label").last.bounding_box()
    box = frame.bounding_box()
    assert answer is not None
    assert box is not None
    assert answer["y"] + answer["height"] - box["y"] <= 844


def test_a_committee_member_judges_without_javascript(visit: Visit, seen: Seen) -> None:
    page = visit("/texts", who="coordinator", javascript=False)
    page.goto(page.url.replace("/texts", HOME))
    page.get_by_role("button", name="Schrijf een nieuwe versie").click()
    page.fill("#en-title", "Research into hormones for breast cancer")
    page.get_by_label("Duidelijker").check()
    page.get_by_role("button", name="Bewaar, en zie wat er veranderde").click()
    review = page.url

    judge = visit("/texts", who="committee")
    judge.goto(review)
    at_each_width(judge, seen, "texts-judge")
    judge.get_by_role("button", name="Mijn oordeel vastleggen").click()
    expect(judge.locator("#error-summary")).to_be_focused()
    judge.get_by_label("Duidelijker").check()
    judge.get_by_role("button", name="Mijn oordeel vastleggen").click()
    expect(judge.get_by_text("Uw oordeel is vastgelegd.")).to_be_visible()
    expect(judge.get_by_role("heading", name="1 van 2 goedkeuringen")).to_be_visible()
