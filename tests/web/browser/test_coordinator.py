"""The coordinator's day in a browser: every page at three widths, the counts by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any

HERE = "/c/study/hormone-therapy"
PAGES = (
    "/c",
    "/c/list",
    "/c/picture?state=open",
    "/c/import",
    f"{HERE}/hospitals",
    f"{HERE}/hospitals/catharina",
    f"{HERE}/accrual",
    f"{HERE}/screening",
    f"{HERE}/consort",
    f"{HERE}/start-up",
    f"{HERE}/counts",
    f"{HERE}/download",
    f"{HERE}/invite",
)


def test_every_page_is_clean_from_a_small_phone_to_a_desk(
    visit: Visit, seen: Seen, place: Place
) -> None:
    page: Page = visit("/c", who="coordinator", language="en")
    for number, path in enumerate(PAGES):
        name = re.sub(r"\W+", "-", path.partition("?")[0]).strip("-")
        page.goto(place.address + path)
        for width in (1280, 390, 320):
            page.set_viewport_size({"width": width, "height": 900})
            # none scrolls sideways; axe looks at a desk's width and a small phone's in turn
            looked_at = width == (1280 if number % 2 else 320)
            seen(page, f"co-{number}-{name}-{width}", with_axe=looked_at)


def test_the_counts_of_a_month_are_entered_by_keyboard_alone(
    visit: Visit, place: Place, seen: Seen
) -> None:
    page: Page = visit(f"{HERE}/screening", who="coordinator", language="en", javascript=False)
    month = page.locator("select#month option").nth(0).get_attribute("value")
    page.goto(f"{place.address}{HERE}/screening?hospital=catharina&month={month}")
    page.locator("#screened").focus()
    page.keyboard.type("12")
    page.keyboard.press("Tab")  # age
    page.keyboard.type("2")
    for _ in range(9):  # the other reasons, and on to the next number
        page.keyboard.press("Tab")
    expect(page.locator("#eligible")).to_be_focused()
    page.keyboard.type("9")  # wrong: 9 and 2 are not 12
    page.keyboard.press("Enter")
    expect(page.locator("#error-summary")).to_contain_text("(11 ≠ 12)")
    expect(page).to_have_title(re.compile(r"^Error: "))
    page.locator('#error-summary a[href="#screened"]').press("Enter")
    expect(page.locator("#screened")).to_have_value("12")
    for name, value in {"eligible": "10", "approached": "10", "consented": "10"}.items():
        page.fill(f"#{name}", value)
    page.locator("#registered").focus()
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("are in")
    page.goto(f"{place.address}{HERE}/consort")
    expect(page.locator("table").first).to_contain_text("12")
    seen(page, "co-consort-filled")


def test_a_conflict_shows_both_and_a_file_is_judged_first(
    visit: Visit, place: Place, seen: Seen, tmp_path: Path
) -> None:
    path = f"{HERE}/hospitals/elkerliek"
    first: Page = visit(path, who="coordinator", language="nl")
    second: Page = visit(path, who="coordinator", language="nl", javascript=False)
    for page, name in ((first, "Dr. Eerste (verzonnen)"), (second, "Dr. Tweede (verzonnen)")):
        page.locator("details:has(#investigator) > summary").click()
        page.fill("#investigator", name)
        page.locator("form:has(#investigator) button").click()
    expect(first.locator(".banner")).to_contain_text("mensen en papieren")
    expect(second.locator("h1")).to_have_text("Iemand anders was u voor")
    expect(second.locator("table")).to_contain_text("Dr. Eerste (verzonnen)")
    expect(second.locator("table")).to_contain_text("Dr. Tweede (verzonnen)")
    seen(second, "co-conflict")
    second.locator("form.cluster button").click()
    expect(second.locator("main")).to_contain_text("Dr. Tweede (verzonnen)")

    file = tmp_path / "studies.csv"
    file.write_text(
        "studie;ziekenhuis;stand;datum\n"
        "hormone-therapy;Máxima Medisch Centrum;Uitgenodigd;01-13-2025\n"
        "iets;Zuyderland;Open;x\n",
        encoding="cp1252",
    )
    first.goto(f"{place.address}/c/import")
    first.set_input_files("#file", file)
    first.click("main form button")
    expect(first.locator("h1")).to_have_text("Wat dit bestand zou doen")
    expect(first.locator("main")).to_contain_text("“01-13-2025” is geen datum")
    for width in (1280, 320):
        first.set_viewport_size({"width": width, "height": 900})
        seen(first, f"co-preview-{width}")
