"""Which hospital has what, as a person sees it: both widths, both languages, without script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
STUDY = "hormone-therapy"
FORM = f"/r/query/new?study={STUDY}&kind=count"


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_form_tells_which_hospital_has_what(
    visit: Visit, seen: Seen, language: str, width: int
) -> None:
    page = visit(FORM, who="researcher", width=width, language=language)
    page.locator("#filled summary").click()
    table = page.locator("#filled table").first
    expect(table).to_be_visible()
    words = {"nl": "boven 90%", "en": "over 90%"}[language]
    expect(table.locator("td", has_text=words).first).to_be_visible()
    assert table.locator("thead th").count() == 11
    seen(page, f"coverage-form-{width}-{language}")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_codebook_tells_it_too(visit: Visit, seen: Seen, width: int) -> None:
    page = visit(f"/studies/{STUDY}/codebook", who="researcher", width=width)
    expect(page.get_by_role("heading", name="Wat de ziekenhuizen hebben ingevuld")).to_be_visible()
    seen(page, f"coverage-codebook-{width}")


def test_it_opens_without_script(visit: Visit, seen: Seen) -> None:
    page = visit(FORM, who="researcher", javascript=False)
    page.locator("#filled summary").click()
    expect(page.locator("#filled table").first).to_be_visible()
    seen(page, "coverage-without-script")


def test_the_meaning_is_in_words_and_not_in_colour(visit: Visit) -> None:
    page = visit(FORM, who="researcher", language="en")
    page.locator("#filled summary").click()
    cells = page.locator("#filled table").first.locator("td").all_inner_texts()
    assert cells
    known = {"over 90%", "50 to 90%", "under 50%", "empty", "not here", "not told"}
    assert {cell.strip() for cell in cells} <= known


def test_the_check_of_a_question_shows_it_for_what_the_question_needs(
    visit: Visit, seen: Seen
) -> None:
    page = visit(f"{FORM}&by=grade", who="researcher", language="en", width=390)
    page.fill("#title", "Count")
    page.fill("#purpose", "To see how many there are.")
    page.get_by_label("Grade").first.check()
    page.get_by_role("button", name="Check this question").last.click()
    expect(page.get_by_role("heading", name="Can the hospitals answer it?")).to_be_visible()
    assert page.locator("table.table-fills tbody tr").count() == 1
    seen(page, "coverage-check-390")
