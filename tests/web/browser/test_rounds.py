"""An evaluation round in Chromium: the page that a hospital's board, a chair and a representative
of patients see; at both widths, in both languages, with axe, and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect
from shown_round import stored, whole

from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.network.groups import find_group

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
RELEASED = f"/rounds/{whole().round.id}"
RUNNING = "/rounds/00000000-0000-4000-8000-000000000002"


@pytest.fixture(scope="module")
def rounds(place: Any) -> None:
    """One released round and one under way, of the breast group of the demo."""
    now = datetime.now(UTC)
    with unit_of_work(place.running.network.factory, SYSTEM) as session:
        group = find_group(session, "oncozon.breast")
        assert group is not None
        session.add_all(stored(whole(), group_id=group.id, now=now, number=901))
        under_way = stored(
            whole(), group_id=group.id, now=now, number=902, state="running",
            identity=RUNNING.removeprefix("/rounds/"),
        )  # fmt: skip
        session.add_all(under_way)
        announce(session, actor=SYSTEM, action="round.planned", about="round:test")


def test_a_board_member_sees_the_own_hospital_stand_out(
    visit: Visit, seen: Seen, rounds: None
) -> None:
    page = visit(RELEASED, who="board", language="en")
    expect(page.locator("h1")).to_have_text("Breast cancer 2025")
    expect(page.locator("article").first).to_contain_text("Hospital H: median 29 days")
    expect(page.locator("article").first).to_contain_text("Your hospital Catharina Ziekenhuis")
    expect(page.get_by_text("VieCuri")).to_have_count(0)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"round-board-en-{width}")
        drawn = page.locator("article .picture svg:visible").first
        expect(drawn).to_have_class("draw-wide" if width == 1280 else "draw-phone")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.goto(page.url.split("#")[0] + "/access_time")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"round-indicator-en-{width}", with_axe=width == 390)
    expect(page.get_by_role("heading", name="Course by quarter")).to_be_visible()


def test_before_the_release_there_is_nothing_to_see(visit: Visit, seen: Seen, rounds: None) -> None:
    page = visit(RUNNING, who="board")
    expect(page.locator(".intro")).to_contain_text("De uitkomsten zijn er nog niet")
    expect(page.locator("main svg, main table")).to_have_count(0)
    seen(page, "round-waiting-nl-1280")
    page.set_viewport_size({"width": 390, "height": 900})
    seen(page, "round-waiting-nl-390")


def test_a_chair_agrees_on_an_action_without_a_script(
    visit: Visit, seen: Seen, rounds: None
) -> None:
    page = visit(f"{RELEASED}/access_time", who="chair", width=390, javascript=False)
    page.get_by_role("link", name="Spreek een actie af").click()
    page.fill("#text", "Twee spreekuren per week erbij")
    page.get_by_role("button", name="Bewaar").click()
    expect(page.locator("#error-summary")).to_contain_text("Zeg wie ervoor zorgt")
    expect(page.locator("#text")).to_have_value("Twee spreekuren per week erbij")
    page.fill("#owner", "Manager oncologie")
    page.fill("#due", "01-09-2027")
    page.select_option("#hospital", label="Ziekenhuis H")
    page.get_by_role("button", name="Bewaar").click()
    expect(page.locator(".banner")).to_contain_text("vastgelegd")
    expect(page.get_by_role("heading", name="Twee spreekuren per week erbij")).to_be_visible()
    page.locator("summary", has_text="Schrijf op wat er is gezegd").click()
    page.get_by_role("textbox", name="Wat er is gezegd").fill("De arts was drie maanden ziek.")
    page.get_by_role("button", name="Schrijf het op").click()
    expect(page.get_by_text("De arts was drie maanden ziek.")).to_be_visible()
    with_scripts = visit(f"{RELEASED}/access_time", who="chair")
    seen(with_scripts, "round-chair-nl-1280")
    with_scripts.goto(with_scripts.url.replace("/access_time", "/action/new"))
    seen(with_scripts, "round-action-nl-1280")


def test_a_representative_reads_plain_words_and_no_hospital(
    visit: Visit, seen: Seen, rounds: None
) -> None:
    page = visit(RELEASED, who="patients")
    expect(page.get_by_text("Zoveel dagen wachten mensen op hun eerste afspraak.")).to_be_visible()
    expect(page.locator("main svg, main table")).to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("Ziekenhuis H")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        seen(page, f"round-lay-nl-{width}", with_axe=width == 1280)
    page.goto(page.url.split("/rounds/")[0] + "/rounds")
    seen(page, "round-list-nl-390")
