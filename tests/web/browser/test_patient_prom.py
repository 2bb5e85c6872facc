"""A questionnaire on a phone, without scripts, from the hospital's question to the patient's own
scores: the hub, its worker and the hospital's own program are the real ones."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from federation.prom.schedule import SHIPPED, windows
from federation.runs.site_messages import take_messages
from federation.site.desk.doing import opened
from federation.site.prom.asking import Asking
from registry.demo.network import STUDY
from registry.demo.patients import local_number
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import SiteNode

pytestmark = pytest.mark.browser

SITE = "sjg-weert"
LIST = "/mijn/vragenlijst/qlq-c30/T0"
TWOS = (
    "document.querySelectorAll('input[value=\"2\"]:not([name=q12])').forEach(e => e.checked = true)"
)


def asked_by_letter(place: Any) -> str:
    """A patient of the demo gets a letter and is asked the standard pathway; the letter's code."""
    network, now = place.running.network, datetime.now(UTC)
    site = network.sites[SITE]
    number = local_number(SITE, network.patients[SITE][0])
    with opened(site.path, "Nel", now) as desk:
        handle = desk.handle(number)
        with desk.act():
            letter = desk.letters.make(handle, [STUDY], now, second=False)
            asking = Asking(desk.database, desk.outbox, "Nel")
            asking.ask(handle, number, windows(SHIPPED["standard"], now.date()), now)
        told = desk.outbox.waiting()
    with unit_of_work(network.factory, SYSTEM) as session:
        take_messages(session, session.get_one(SiteNode, SITE), told, now)
    return str(letter.printed)


def test_a_questionnaire_on_a_phone(visit: Callable[..., Any], place: Any, seen: Any) -> None:
    code = asked_by_letter(place)
    page = visit("/mijn", width=390)
    page.fill("#code", code)
    page.click("main button.button")
    page.wait_for_url("**/mijn/keuzes")
    expect(page.locator(".banner").first).to_contain_text("vraagt u 2 vragenlijsten")
    seen(page, "prom-keuzes-390", with_axe=False)
    page.click("text=Bekijk mijn vragenlijsten")
    seen(page, "prom-overzicht-390")
    page.click("main a.button >> nth=0")
    seen(page, "prom-begin-390", with_axe=False)
    page.click("main a.button")
    for screen in range(1, 8):
        page.wait_for_url(f"**{LIST}/{screen}")
        expect(page.locator("input:checked")).to_have_count(0)
        page.evaluate(TWOS)  # question 12 is skipped
        if screen == 7:
            page.check('input[name="q30"][value="7"]')
            seen(page, "prom-vragen-390")
        page.click("main >> text=Ga verder")
    page.wait_for_url("**/nakijken")
    expect(page.locator("main")).to_contain_text("U sloeg 1 vraag over")
    seen(page, "prom-nakijken-390", with_axe=False)
    page.click("text=Stuur naar mijn ziekenhuis")
    page.wait_for_url("**/verstuurd")
    seen(page, "prom-verstuurd-390", with_axe=False)
    until = time.monotonic() + 60
    # The worker carries it with the next consent list; the hospital's program says that it came.
    while "heeft uw antwoorden sinds" not in page.locator("main").inner_text():
        assert time.monotonic() < until, page.locator("main").inner_text()
        page.wait_for_timeout(300)
        page.reload()
    page.click("text=Mijn eigen scores door de tijd")
    expect(page.locator("main")).to_contain_text(re.compile("Uw laatste score is 67 van 100"))
    expect(page.locator("svg.draw-phone")).to_have_count(5)
    page.click("summary")
    seen(page, "prom-scores-390")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.click("header >> text=English")
    expect(page.locator("main")).to_contain_text("Talk about this with your nurse")
    seen(page, "prom-scores-1280-en", with_axe=False)

    # In a browser without scripts the EQ-5D is filled in, with a number that is wrong at first.
    page = visit("/mijn", width=390, javascript=False)
    page.fill("#code", code)
    page.click("main button.button")
    page.goto(place.address + "/mijn/vragenlijst/eq-5d-5l/T0/2")
    page.fill("#q-vas", "700")
    page.click("main >> text=Ga verder")
    expect(page.locator("#error-summary")).to_contain_text("van 0 tot en met 100")
    page.fill("#q-vas", "70")
    page.click("main >> text=Ga verder")
    page.wait_for_url("**/eq-5d-5l/T0/1")
    page.check('input[name="mo"][value="2"]')
    page.click("main >> text=Ga verder")
    page.wait_for_url("**/nakijken")
    seen(page, "prom-eq-nakijken-390", with_axe=False)
