"""A patient says yes, sees that the hospital has it, and stops: in the browser, end to end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]


def answer_all(page: Page, answer: str = "yes") -> None:
    """Choose per subject and give one answer; what rests on a "no" is not asked."""
    page.check("#way")
    page.click("text=Ga verder")
    page.wait_for_url("**/vraag/1")
    while "/controleer" not in page.url:
        expect(page.locator("main")).to_contain_text(re.compile(r"Deel \d van 3"))
        page.check(f'input[value="{answer}"]')
        here = page.url
        page.click("text=Ga verder")
        page.wait_for_url(lambda url, here=here: url != here)


@pytest.mark.parametrize(("javascript", "width"), [(True, 390), (False, 1280)])
def test_gives_and_withdraws_consent(
    patient: Visit, seen: Seen, javascript: bool, width: int
) -> None:
    page = patient("/mijn/keuzes", javascript=javascript, width=width)
    seen(page, "keuzes-start")
    page.click("main .card a.button")
    seen(page, "uitleg")
    page.click("text=Naar de vragen")
    expect(page.locator("input:checked")).to_have_count(0)
    page.click("text=Ga verder")  # nothing chosen
    expect(page).to_have_title(re.compile("^Fout: "))
    expect(page.locator("#error-summary")).to_be_focused()
    page.click("#error-summary a")
    expect(page.locator("#way")).to_be_focused()

    answer_all(page)
    seen(page, "controleer")
    page.click("main .pairs a >> nth=1")  # change the second answer, and back to the check page
    expect(page.locator('input[value="yes"]')).to_be_checked()
    page.click("text=Ga verder")
    page.wait_for_url("**/controleer")
    page.click("text=Mijn keuzes vastleggen")
    page.wait_for_url("**/klaar/*")
    expect(page.locator("h1")).to_have_text("Uw keuzes zijn vastgelegd")
    seen(page, "klaar")
    receipt = page.url

    page.go_back()  # the back button does not repeat the act
    page.goto(receipt.split("/klaar/")[0] + "/controleer")
    assert page.url == receipt

    until = time.monotonic() + 60
    while "heeft uw keuze ontvangen op" not in page.inner_text("main"):
        assert time.monotonic() < until, page.inner_text("main")
        time.sleep(0.5)
        page.reload()
    page.goto(receipt.split("/mijn/")[0] + "/mijn/keuzes")
    expect(page.locator("main .tag").first).to_have_text("u doet mee")

    page.click("main .card a.button >> text=Stoppen")
    page.check("input[value=W3]")
    page.click("text=Ja, ik stop")
    expect(page.locator("h1")).to_have_text("U bent gestopt")
    page.click("text=Naar mijn keuzes")
    expect(page.locator("main .tag").first).to_have_text("u doet niet mee")
    page.click("text=Alles wat ik eerder koos")
    expect(page.locator("main")).to_contain_text("gestopt")
    page.click("text=Uitloggen")
    expect(page.locator("#code")).to_be_visible()


def test_two_windows_lose_nothing(patient: Visit, seen: Seen) -> None:
    page = patient("/mijn/hormone-therapy/kiezen")
    answer_all(page, "no")
    other = page.context.new_page()
    other.goto(page.url)
    page.click("text=Mijn keuzes vastleggen")
    page.wait_for_url("**/klaar/*")
    other.click("text=Mijn keuzes vastleggen")
    other.wait_for_url("**/klaar/*")
    assert other.url == page.url  # one act, one receipt

    page.goto(page.url.split("/klaar/")[0] + "/kiezen")
    answer_all(page, "later")
    expect(page.locator("main")).to_contain_text("Nu vastgelegd: nee")
    page.evaluate("document.querySelector('[name=based_on]').value = '0'")  # an overtaken form
    page.click("text=Mijn keuzes vastleggen")
    expect(page.locator("#error-summary")).to_contain_text("intussen veranderd")
    seen(page, "intussen-veranderd")
    page.click("text=Mijn keuzes vastleggen")
    expect(page.locator("h1")).to_have_text("Uw keuzes zijn vastgelegd")


def test_a_wrong_code_tells_nothing_and_keeps_what_was_typed(visit: Visit, seen: Seen) -> None:
    page = visit("/mijn", width=390)
    page.fill("#code", "abc123 0000-0000-0000-0000")
    page.click("main button.button")
    expect(page.locator("#code-error")).to_contain_text("Deze code werkt niet")
    expect(page.locator("#code")).to_have_value("abc123 0000-0000-0000-0000")
    seen(page, "mijn-fout")


def test_the_language_changes_on_the_spot(patient: Visit) -> None:
    page = patient("/mijn/hormone-therapy/vraag/3")
    page.click("header >> text=English")
    assert page.url.endswith("/mijn/hormone-therapy/vraag/3")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("main")).to_contain_text("Part 3 of 3")
