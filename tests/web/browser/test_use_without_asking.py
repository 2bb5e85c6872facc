"""The pages for decisions to use data without asking, in a browser, and what the public reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from consent import no_consent
from registry.database import utc_now
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.models import Network, Study

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
STUDY = "hormone-therapy"
HERE = f"/c/study/{STUDY}/consent/route"


def at_each_width(page: Page, seen: Seen, name: str) -> None:
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        seen(page, f"{name}-{width}", with_axe=width == 390)


def test_proposed_decided_and_read(visit: Visit, seen: Seen, place: Any) -> None:
    page = visit(HERE, who="committee")
    expect(page.get_by_text("Dit netwerk staat zulke besluiten niet toe")).to_be_visible()
    factory = place.running.network.factory
    with unit_of_work(factory, SYSTEM) as session:
        network = session.get_one(Network, session.get_one(Study, STUDY).network)
        no_consent.switch(session, network, on=True, actor=SYSTEM)
    try:
        page.reload()
        page.get_by_role("button", name="Voorstellen").click()
        expect(page.locator("#error-summary")).to_be_focused()
        at_each_width(page, seen, "route-error-nl")
        page.get_by_label("Iedereen vragen kan redelijkerwijs niet. Er zijn").check()
        page.get_by_label("Waarom, en met welke").fill("De meeste patiënten zijn overleden.")
        page.get_by_label("Kenmerk van de goedkeuring").fill("METC-26-001")
        last = utc_now() + timedelta(days=200)
        page.get_by_label("Laatste dag").fill(last.date().isoformat())
        page.get_by_role("button", name="Voorstellen").click()
        expect(page.get_by_role("button", name="Mijn voorstel intrekken")).to_be_visible()
        with unit_of_work(factory, SYSTEM) as session:
            [asked] = no_consent.proposed(session, utc_now())
            other = Actor(kind="account", id="board-of-a-hospital")
            no_consent.decide(session, asked, actor=other, now=utc_now())
        page.reload()
        at_each_width(page, seen, "route-decided-nl")
        public = visit(f"/studies/{STUDY}", language="en")
        expect(public.get_by_text("You are not counted because of this.")).to_be_visible()
        at_each_width(public, seen, "route-public-en")
        page.get_by_role("button", name="Dit besluit beëindigen").click()
        public.reload()
        expect(public.get_by_text("You are not counted because of this.")).to_have_count(0)
    finally:
        with unit_of_work(factory, SYSTEM) as session:
            network = session.get_one(Network, session.get_one(Study, STUDY).network)
            no_consent.switch(session, network, on=False, actor=SYSTEM)
