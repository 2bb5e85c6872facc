"""A researcher asks, the committee approves, the hospitals answer: in the browser, end to end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any

PATIENCE = 60_000


def fill_question(page: Page, title: str, *, by: str, low: str = "") -> None:
    """A count by `by`, of everybody or of those with `low` lymph nodes, through the form alone."""
    page.check("#kind")  # the first analysis is the count
    if page.locator("#param-time").count():
        page.click('button[value="kind"]')
    expect(page.locator("#param-by")).to_be_attached()
    page.fill("#title", title)
    page.fill("#purpose", "Om te zien hoeveel mensen er zijn.")
    page.check(f'input[name="param-by"][value="{by}"]')
    if low:
        page.select_option("#add-var", "nodes")
        page.click('button[value="add"]')
        page.select_option('select[name$="-low"]', low)


def test_sign_in_ask_approve_and_see_the_result(visit: Visit, place: Place, seen: Seen) -> None:
    page = visit("/sign-in")
    page.fill("#name", "researcher")
    page.fill("#password", place.account("researcher").password)
    page.fill("#code", place.one_time_code("researcher"))
    page.click("main button.button")
    page.wait_for_url("**/r")
    page.click("text=Nieuwe vraag")
    fill_question(page, "Voor en na de overgang", by="menopause")
    expect(page.locator("#question-json")).to_contain_text('"menopause"')
    seen(page, "new-filled")
    page.click('main .button[value="check"]')
    page.wait_for_url("**/check")
    expect(page.locator("h1")).to_have_text("Controleer uw vraag")
    seen(page, "check")
    page.click("text=Naar de commissie sturen")
    page.wait_for_url(re.compile(r"/r/query/[0-9a-f-]{36}\?sent=1"))
    expect(page.locator("#progress .tag").first).to_have_text("Wacht op goedkeuring")
    seen(page, "waiting")
    run_id = page.url.split("/")[-1].split("?")[0]

    judge = visit("/approvals", who="committee")
    judge.click("text=Voor en na de overgang")
    seen(judge, "judge")
    judge.check("#decision")
    judge.click("text=Mijn beslissing vastleggen")
    expect(judge.locator(".banner")).to_contain_text("Uw beslissing is vastgelegd")
    seen(judge, "judged")

    # The researcher's page finds out by itself.
    expect(page.locator("text=Bekijk het resultaat")).to_be_visible(timeout=PATIENCE)
    seen(page, "answered")
    page.click("text=Bekijk het resultaat")
    page.wait_for_url(f"**/r/query/{run_id}/result")
    expect(page.locator(".finding")).to_contain_text("patiënten passen bij deze vraag")
    seen(page, "result")
    with page.expect_download() as waiting:
        page.click("text=Tabel downloaden (CSV)")
    assert waiting.value.suggested_filename == f"result-{run_id[:8]}.csv"


def test_the_same_without_javascript_on_a_phone(visit: Visit, place: Place, seen: Seen) -> None:
    page = visit(
        "/r/query/new?study=hormone-therapy", who="researcher", width=390, javascript=False
    )
    page.check("#kind")
    page.click('button[value="kind"]')
    fill_question(page, "Zonder JavaScript", by="hormone")
    page.click('button[value="show"]')
    expect(page.locator("#question-json")).to_contain_text('"hormone"')
    page.click('main .button[value="check"]')
    page.click("text=Naar de commissie sturen")
    judge = visit("/approvals", who="committee", width=390, javascript=False)
    judge.click("text=Zonder JavaScript")
    judge.check("#decision")
    judge.click("text=Mijn beslissing vastleggen")
    end = time.monotonic() + 60
    while not page.locator("text=Bekijk het resultaat").count():
        assert time.monotonic() < end, page.inner_text("main")
        page.click("text=Kijk opnieuw")
        time.sleep(0.5)
    page.click("text=Bekijk het resultaat")
    expect(page.locator(".picture svg:visible")).to_have_count(1)
    seen(page, "result-no-js")


def test_errors_keep_what_was_filled_in_and_take_the_focus(visit: Visit, seen: Seen) -> None:
    page = visit("/r/query/new?study=hormone-therapy", who="researcher", width=390)
    page.fill("#purpose", "Een doel dat niet verloren gaat.")
    page.click('main .button[value="check"]')
    expect(page).to_have_title(re.compile("^Fout: "))
    expect(page.locator("#error-summary")).to_be_focused()
    expect(page.locator("#purpose")).to_have_value("Een doel dat niet verloren gaat.")
    page.click('#error-summary a[href="#title"]')
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#title")).to_have_attribute("aria-invalid", "true")
    seen(page, "new-errors")


def test_sending_twice_is_sending_once(visit: Visit, place: Place) -> None:
    page = visit("/r/query/new?study=hormone-therapy&kind=count", who="researcher")
    fill_question(page, "Twee keer gestuurd", by="grade", low="10")
    page.click('main .button[value="check"]')
    page.wait_for_url("**/check")
    check = page.url
    other = page.context.new_page()
    other.goto(check)
    page.click("text=Naar de commissie sturen")
    page.wait_for_url(re.compile(r"sent=1"))
    other.click("text=Naar de commissie sturen")
    other.wait_for_url(re.compile(r"/r/query/[0-9a-f-]{36}"))
    assert other.url.split("?")[0] == page.url.split("?")[0]
    page.goto(check)  # the back button leads to the question, not to a second one
    assert page.url.split("?")[0] == other.url.split("?")[0]
    page.click("text=Trek deze vraag in")
    expect(page.locator("#progress .tag").first).to_have_text("Ingetrokken")


def test_pasted_json_is_checked_with_its_place(visit: Visit, seen: Seen) -> None:
    page = visit("/r/query/new/json?study=hormone-therapy", who="researcher", language="en")
    page.fill("#json", '{"version": 1, "codebook": "gbsg/1", "analysis": {"kind": "cuont"}}')
    page.click("text=Check this question")
    expect(page.locator("#json-error")).to_contain_text("Did you mean 'count'?")
    expect(page.locator("#json")).to_have_value(re.compile("cuont"))
    seen(page, "paste-error")


def test_a_decision_needs_a_fresh_sign_in(visit: Visit, place: Place, seen: Seen) -> None:
    page = visit("/r/query/new?study=hormone-therapy&kind=count", who="researcher")
    fill_question(page, "Vers inloggen", by="grade", low="4")
    page.click('main .button[value="check"]')
    page.click("text=Naar de commissie sturen")
    judge = visit("/approvals", who="committee", minutes_ago=15)
    judge.click("text=Vers inloggen")
    expect(judge.locator("#decision")).to_have_count(0)
    judge.click("main a.button")
    seen(judge, "confirm")
    judge.fill("#password", place.account("committee").password)
    judge.fill("#code", place.one_time_code("committee"))
    judge.click("main button.button")
    judge.check('input[value="refuse"]')
    judge.click("text=Mijn beslissing vastleggen")
    expect(judge.locator("h1 + .tag")).to_have_text("Geweigerd")
