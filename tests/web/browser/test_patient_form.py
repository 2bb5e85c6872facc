"""A form with eleven items in several groups: one pass at each width, as different people use it.

At 390 px by touch with scripts, at 320 px without scripts, at 1280 px by keyboard alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from rich_text import rich_content

from consent import letters
from consent import service as consent
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import Study
from studies.seeds import loading
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any

STUDY, SITE = "several-subjects", "catharina"
AT = f"/mijn/{STUDY}"


@pytest.fixture(scope="module")
def invited(place: Place) -> Callable[[], str]:
    """A study that is not public yet, with the long text; each call gives a new letter's code."""
    factory = place.running.network.factory
    now = datetime.now(UTC)
    study = replace(HORMONE_THERAPY, slug=STUDY, sites={SITE: "open"})
    with unit_of_work(factory, SYSTEM) as session:
        loading.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=now)
        # Not public, so that no other test of this session meets it.
        session.get_one(Study, STUDY).state = "draft"
        session.flush()
        consent.publish_text(
            session,
            study=STUDY,
            content=rich_content(),
            approved_by=("one", "two"),
            actor=SYSTEM,
            now=now - timedelta(days=1),
        )

    def make() -> str:
        letter = letters.new_letter()
        with unit_of_work(factory, SYSTEM) as session:
            consent.invite(
                session,
                site=SITE,
                handle=secrets.token_bytes(20),
                code_id=letter.code_id,
                verifier=letters.verifier(letter.code_id, letter.secret),
                studies=[STUDY],
                language="nl",
                actor=SYSTEM,
                now=datetime.now(UTC),
            )
        return letter.printed

    return make


def publish_a_wider_text(place: Place) -> None:
    """A second version that means more in one question."""
    content = rich_content()
    for language, words in (("nl", "Ook scans van vroeger."), ("en", "Older scans too.")):
        content[language]["questions"]["use.images"]["explain"] += " " + words
    with unit_of_work(place.running.network.factory, SYSTEM) as session:
        consent.publish_text(
            session,
            study=STUDY,
            content=content,
            approved_by=("one", "two"),
            actor=SYSTEM,
            now=datetime.now(UTC),
            change_class="wider",
            widened=["use.images"],
            changes={"nl": "Wij vragen nu ook oudere scans.", "en": "We now ask older scans too."},
        )


def enter(visit: Visit, code: str, **how: Any) -> Page:
    page: Page = visit("/mijn", **how)
    page.fill("#code", code)
    page.click("main button.button")
    page.wait_for_url("**/mijn/keuzes")
    return page


def answers_in_first_view(page: Page) -> None:
    """On a phone the first question's three answers are seen without scrolling."""
    size = page.viewport_size
    assert size is not None
    for box in page.locator(".answers").first.locator("label").all():
        place = box.bounding_box()
        assert place is not None
        assert place["y"] + place["height"] <= size["height"], page.url


def large_letters(page: Page) -> None:
    width = page.viewport_size["width"] if page.viewport_size else 0
    browser = page.context.new_cdp_session(page)
    browser.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    page.wait_for_function("getComputedStyle(document.documentElement).fontSize !== '18px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    browser.send("Page.setFontSizes", {"fontSizes": {"standard": 16}})


def test_on_a_phone(visit: Visit, place: Place, invited: Callable[[], str], seen: Seen) -> None:
    code = invited()
    page = enter(visit, code, width=390)
    page.set_viewport_size({"width": 390, "height": 844})
    seen(page, "form-keuzes-390")
    page.click("text=Lezen en kiezen")
    seen(page, "form-uitleg-390")
    page.click("text=Kijk eerst of ik het begrijp")
    page.check("#who")
    page.click("text=Kijk mijn antwoorden na")
    expect(page.locator("main")).to_contain_text("Het is iets anders.")
    seen(page, "form-begrip-390")
    page.click("text=Naar de vragen")
    answers_in_first_view(page)
    seen(page, "form-kiezen-390")
    page.click("text=Ga verder")
    expect(page.locator("#error-summary")).to_be_focused()
    page.check("#way")
    page.click("text=Ga verder")

    answers_in_first_view(page)
    seen(page, "form-een-vraag-390")
    page.check("input[value=yes]")
    page.click("text=Ga verder")
    page.wait_for_url("**/vraag/2")
    answers_in_first_view(page)
    expect(page.locator("input:checked")).to_have_count(0)
    seen(page, "form-drie-vragen-390")
    large_letters(page)

    page.check('input[name="use.past"][value=no]')
    page.click("header >> text=English")  # keeps place and answers
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator('input[name="use.past"][value=no]')).to_be_checked()
    page.click("header >> text=Nederlands")
    page.click("aside button[name=more]")
    expect(page.locator('input[name="use.past"][value=no]')).to_be_checked()
    page.click("text=Ga verder")
    expect(page.locator("#error-summary")).to_be_focused()
    expect(page.locator("#error-summary a")).to_have_count(2)
    seen(page, "form-fouten-390")
    page.click("#error-summary a >> nth=1")
    expect(page.locator('input[name="use.images"]').first).to_be_focused()
    page.check('input[name="use.network"][value=yes]')
    page.check('input[name="use.images"][value=yes]')
    page.click("text=Ga verder")
    page.check('input[name="contact.questionnaire"][value=yes]')
    page.check('input[name="contact.newstudy"][value=no]')
    page.click("text=Ga verder")
    page.wait_for_url("**/vraag/5")  # the own screen of drawing lots rests on the no
    expect(page.locator("main .note")).to_contain_text("Vergelijken door loting")
    seen(page, "form-gesloten-390")
    for item in ("bio.leftover", "bio.store"):
        page.check(f'input[name="{item}"][value=later]')
    page.click("text=Ga verder")
    page.check("input[value=yes]")
    page.click("text=Ga verder")
    page.wait_for_url("**/controleer")
    seen(page, "form-controleer-390")
    large_letters(page)

    page.context.clear_cookies(name="oncokring")  # the session ends on the check page
    page.click("text=Mijn keuzes vastleggen")
    page.click("main >> text=Inloggen")
    page.fill("#code", code)
    page.click("main button.button")
    page.wait_for_url("**/controleer")
    expect(page.locator("main")).to_contain_text("Niet gevraagd")
    page.click("text=Mijn keuzes vastleggen")
    page.wait_for_url("**/klaar/*")
    seen(page, "form-klaar-390")
    page.go_back()
    page.goto(place.address + f"{AT}/controleer")
    assert "/klaar/" in page.url
    page.emulate_media(media="print")
    seen(page, "form-klaar-print", with_axe=False)
    expect(page.locator("main button").first).not_to_be_visible()
    page.emulate_media(media="screen")

    publish_a_wider_text(place)
    page.click("text=Naar mijn keuzes")
    seen(page, "form-mijn-keuzes-390")
    large_letters(page)
    page.click("text=Bekijk wat er is veranderd")
    seen(page, "form-nieuwe-tekst-390")
    page.set_viewport_size({"width": 1280, "height": 844})
    seen(page, "form-nieuwe-tekst-1280")
    page.goto(place.address + "/studies/hormone-therapy/paper")
    seen(page, "form-papier-1280")
    page.set_viewport_size({"width": 390, "height": 844})
    seen(page, "form-papier-390", with_axe=False)
    for path in (f"{AT}/stoppen?item=use.record", f"{AT}/stoppen", "/mijn/bezwaar", "/mijn/gebruik",
                 "/mijn/geschiedenis", f"{AT}/tekst/1", "/mijn/stoppen"):  # fmt: skip
        page.goto(place.address + path)
        seen(page, "form-" + path.rsplit("/", 1)[1].split("?")[0] + "-390")
    page.goto(place.address + "/mijn/bezwaar")
    page.check("#what")
    page.click("text=Mijn bezwaar vastleggen")
    page.click("text=Naar mijn bezwaar")
    seen(page, "form-bezwaar-terug-390")
    page.click("button >> text=Mijn bezwaar intrekken")
    expect(page.locator("h1")).to_have_text("U trok uw bezwaar in")
    page.goto(place.address + "/mijn/stoppen")
    page.check("input[value=W4]")
    page.click("text=Ja, ik stop")
    expect(page.locator("h1")).to_have_text("U bent gestopt")
    seen(page, "form-gestopt-390")
    page.click("button >> text=Ongedaan maken: niet vernietigen")
    page.wait_for_url("**/keuzes")
    expect(page.locator("main")).to_contain_text("Er wordt niets vernietigd")
    page.click("text=Uitloggen en sporen wissen")
    expect(page.locator("#code")).to_be_visible()


def test_without_scripts_at_320(
    visit: Visit, place: Place, invited: Callable[[], str], seen: Seen
) -> None:
    page = enter(visit, invited(), width=320, javascript=False)
    page.goto(place.address + f"{AT}/kiezen")
    page.check("input[value=basic]")
    page.click("text=Ga verder")
    while "/controleer" not in page.url:
        seen(page, "form-320-" + page.url.rsplit("/", 1)[1])
        for box in page.locator("fieldset").all():
            box.locator("input[value=no]").check()
        page.click("text=Ga verder")
    seen(page, "form-320-controleer")
    page.click("text=Mijn keuzes vastleggen")
    page.wait_for_url("**/klaar/*")
    expect(page.locator("h1")).to_have_text("Uw keuzes zijn vastgelegd")
    page.click("main button >> text=Ongedaan maken")
    expect(page.locator("h1")).to_have_text("U maakte uw keuze ongedaan")
    seen(page, "form-320-ongedaan")


def test_by_keyboard_alone_at_1280(
    visit: Visit, place: Place, invited: Callable[[], str], seen: Seen
) -> None:
    page = enter(visit, invited(), width=1280)
    page.goto(place.address + f"{AT}/kiezen")
    go_to(page, "#way")
    page.keyboard.press("Space")
    seen(page, "form-1280-kiezen")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/kiezen"))
    for _page in range(9):
        page.wait_for_load_state()
        if "/controleer" in page.url:
            break
        seen(page, "form-1280-" + page.url.rsplit("/", 1)[1])
        for number in range(1, page.locator("fieldset").count() + 1):
            go_to(page, f"#q{number}")
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")  # from yes to no
        here = page.url
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url, here=here: url != here)
    seen(page, "form-1280-controleer")
    go_to(page, "main form button.button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/klaar/*")
    seen(page, "form-1280-klaar")


def go_to(page: Page, selector: str) -> None:
    """Press Tab until this has the focus."""
    for _step in range(60):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by Tab on {page.url}")
