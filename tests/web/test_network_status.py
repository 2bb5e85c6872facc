"""Who can be reached: what the worker keeps, and what pages say of it in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from federation.engines.interface import Reply, SiteStatus, State
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_ACK, TYP_REPLY, sign
from federation.runs.models import Run, RunProgress, RunSite
from registry.database import SessionFactory
from registry.site_links import BELIEVED, ListeningEngine, SiteLink, look
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.nodes import enrol_node

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STUDY = "hormone-therapy"
UP, DOWN, POLLS, SILENT = "catharina", "viecuri", "laurentius", "maxima-mc"
SignedIn = Callable[..., FlaskClient]


@dataclass
class Carrier:
    """An engine of which the test says what it knows, and what has come."""

    states: dict[str, tuple[State, datetime]]
    coming: list[Reply] = field(default_factory=list)

    def send(self, site: str, message: bytes) -> str:
        return "handle"

    def replies(self, timeout: float) -> list[Reply]:
        coming, self.coming = self.coming, []
        return coming

    def cancel(self, handle: str) -> None:
        return

    def status(self, site: str) -> SiteStatus:
        state, since = self.states.get(site, ("unknown", NOW))
        return SiteStatus(site, state, since)

    def close(self) -> None:
        return


def said(site: str, key: SigningKey, typ: str = TYP_ACK, issuer: str = "", **claims: Any) -> Reply:
    body = sign(
        typ,
        claims,
        key,
        issuer=issuer or site,
        audience="hub",
        now=NOW,
        lifetime=timedelta(minutes=5),
    )
    return Reply("handle", site, body, None)


@pytest.fixture
def keys(factory: SessionFactory) -> dict[str, SigningKey]:
    """Four hospitals whose programs are accepted; the other six have none yet."""
    made = {slug: SigningKey.generate() for slug in (UP, DOWN, POLLS, SILENT)}
    with unit_of_work(factory, SYSTEM) as session:
        for slug, key in made.items():
            enrol_node(
                session,
                institution=slug,
                sign_pub=key.public,
                box_pub="A" * 43,
                engine="vantage6",
                actor=SYSTEM,
                now=NOW,
            )
    return made


@pytest.fixture
def looked(factory: SessionFactory, keys: dict[str, SigningKey]) -> ListeningEngine:
    """The worker looked just now."""
    hour_ago = NOW - timedelta(hours=1)
    carrier = Carrier(
        {UP: ("up", hour_ago), DOWN: ("down", hour_ago), POLLS: ("down", hour_ago)},
        [
            said(UP, keys[UP], TYP_REPLY, software="oncokring/0.1.0"),
            said(POLLS, keys[POLLS]),
            said(DOWN, SigningKey.generate()),  # not the hospital's own key
            said(SILENT, keys[UP], issuer=UP),  # another hospital's word
        ],
    )
    engine = ListeningEngine(carrier)
    assert len(engine.replies(0.0)) == 4
    look(factory, engine, "vantage6", NOW)
    return engine


def page(client: FlaskClient, address: str, language: str = "en") -> str:
    client.set_cookie("language", language)
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.get_data(as_text=True).split())


@pytest.mark.usefixtures("looked")
def test_only_a_message_with_the_hospitals_own_signature_counts(factory: SessionFactory) -> None:
    with factory() as session:
        links = {link.institution: link for link in session.query(SiteLink)}
    assert {slug: link.heard_at for slug, link in links.items()} == {
        UP: NOW,
        POLLS: NOW,
        DOWN: None,
        SILENT: None,
    }
    assert (links[UP].version, links[POLLS].version) == ("oncokring/0.1.0", "")
    assert {link.state for link in links.values()} == {"up", "down", "unknown"}


def test_a_later_look_without_news_keeps_what_was_heard(
    factory: SessionFactory, looked: ListeningEngine
) -> None:
    look(factory, looked, "vantage6", NOW + timedelta(seconds=15))
    with factory() as session:
        link = session.get_one(SiteLink, UP)
    assert (link.heard_at, link.version) == (NOW, "oncokring/0.1.0")
    assert link.looked_at == NOW + timedelta(seconds=15)


@pytest.mark.usefixtures("looked")
def test_everybody_sees_who_can_be_reached_and_colleagues_see_how(
    browser: FlaskClient, signed_in: SignedIn
) -> None:
    everybody = page(browser, "/status")
    # A node that only polls is never online for the server: its fresh message counts.
    assert "2 of 10 hospitals can be reached now." in everybody
    assert everybody.count('<span class="dot dot-up"') == 2
    assert everybody.count("</span> reachable") == 2
    assert everybody.count("</span> not reachable") == 1
    assert everybody.count("</span> not connected yet") == 7
    assert "through vantage6" not in everybody
    assert "oncokring/0.1.0" not in everybody
    colleague = page(signed_in("steward"), "/status")
    assert "through vantage6" in colleague
    assert "oncokring/0.1.0" in colleague
    assert "2 March 2026, 09:00" in colleague  # online since, in the Netherlands' time
    assert "2 van de 10 ziekenhuizen zijn nu bereikbaar." in page(browser, "/status", "nl")


@pytest.mark.usefixtures("looked")
def test_a_worker_that_stands_still_is_not_believed(browser: FlaskClient, clock: Any) -> None:
    clock.now = NOW + BELIEVED + timedelta(seconds=1)
    later = page(browser, "/status")
    assert "has not looked for a while" in later
    # What it heard less than an hour ago still counts.
    assert "2 of 10 hospitals can be reached now." in later
    clock.now = NOW + timedelta(minutes=61)
    assert "0 of 10 hospitals can be reached now." in page(browser, "/status")


@pytest.mark.usefixtures("looked")
def test_a_researcher_sees_it_before_sending(
    signed_in: SignedIn, form_token: Callable[[FlaskClient], str]
) -> None:
    client = signed_in("researcher")
    form = page(client, f"/r/query/new?study={STUDY}&kind=count")
    assert "2 of 10 hospitals can be reached now." in form
    assert "it waits for the others, three days at most" in form
    fields = {
        "study": STUDY,
        "title": "How many",
        "purpose": "To see how many people there are.",
        "kind": "count",
        "asked": "some",
        "site": [UP, DOWN, POLLS],
        "act": "check",
        "csrf_token": form_token(client),
    }
    made = client.post("/r/query/new", data=fields)
    assert made.status_code == 303, made.get_data(as_text=True)
    check = page(client, made.headers["Location"])
    assert "2 of 3 hospitals can be reached now." in check
    assert check.count('<span class="dot dot-down"') == 1
    assert check.count("</span> not reachable") == 1


@pytest.mark.usefixtures("looked")
def test_a_question_under_way_shows_its_step_and_who_is_waited_for(
    signed_in: SignedIn, factory: SessionFactory, world: Any
) -> None:
    run_id = world.runs[STUDY]
    with unit_of_work(factory, SYSTEM) as session:
        run = session.get_one(Run, run_id)
        run.state, run.context, run.roster = "open", run_id, {}
        run.opened_at, run.deadline = NOW, NOW + timedelta(hours=72)
        session.merge(RunProgress(run_id=run_id, step=2))
        for slug, state in ((UP, "answered"), (DOWN, "asked"), (POLLS, "asked")):
            session.add(RunSite(run_id=run_id, site=slug, state=state, step=2))
        announce(session, actor=SYSTEM, action="run.opened", about=f"run:{run_id}")
    client = signed_in("researcher")
    shown = page(client, f"/r/query/{run_id}")
    assert "Its signed sums for step 3 are in." in shown
    assert "Step 3 was sent; the hospital has not answered yet." in shown
    assert "The hub keeps trying until 5 March 2026, 10:00." in shown
    status = json.loads(client.get(f"/r/query/{run_id}/status.json").get_data(as_text=True))
    parts = {site["site"]: (site["label"], site["tag"]) for site in status["sites"]}
    assert parts[DOWN] == ("not reachable", "warn")
    assert parts[POLLS][1] == "busy"
    # Who said no, and at which step, would say something about a hospital's patients.
    with unit_of_work(factory, SYSTEM) as session:
        session.get_one(RunSite, (run_id, UP)).state = "refused"
        session.get_one(RunSite, (run_id, UP)).step = 1
    again = json.loads(client.get(f"/r/query/{run_id}/status.json").get_data(as_text=True))
    assert again == status
