"""Reminded after two years, asked again after five, the end after thirty; growing up; and somebody
who may not decide yet. By the pages, as a patient meets them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from patients_door import Inviting
from sqlalchemy import select

from consent.models import Invitation, Subject
from consent.models_people import ChoiceSeen, Party
from consent.periods import Periods
from consent.renewing import settle
from consent.speakers import SOON
from consent.subjects import handle_bytes
from registry.accounts.sessions import start
from registry.app import HubApp
from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.models import Network

from .conftest import NOW, OWN, Clock
from .patients import Patient, Token, consent_announce, events, receipt_of, stop

pytestmark = pytest.mark.usefixtures("argon2")
PERIODS = Periods()
DAY = timedelta(days=1)
REMIND, STILL = "Klopt dit nog?", "Dit klopt nog"
LAPSED, AGAIN = "Uw keuze geldt niet meer voor nieuwe gegevens", "opnieuw ja zeggen"


@pytest.fixture
def arrive(
    app: HubApp, factory: SessionFactory, form_token: Token, world: Any, clock: Clock
) -> Any:
    """A patient, or who speaks for one, who comes in now."""

    def come(party: str = "self", code: str = "", name: str = "mine") -> Patient:
        with factory() as session:
            number = start(session, now=clock.now, subject_id=world.patients[name], party=party)
            session.commit()
        client = app.test_client()
        client.set_cookie("oncokring", number)
        return Patient(client, form_token, code)

    return come


def words(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))


def seen(factory: SessionFactory) -> list[tuple[str, str]]:
    with factory() as session:
        return [(each.party, each.study) for each in session.scalars(select(ChoiceSeen))]


def test_after_two_years_the_choice_is_shown_once_and_confirming_changes_nothing(
    arrive: Any, factory: SessionFactory, clock: Clock
) -> None:
    clock.now = NOW + PERIODS.remind - DAY
    early = arrive()
    assert REMIND not in early.get("keuzes").text
    assert early.post(f"{OWN}/klopt-nog").status_code == 303  # nothing to confirm: nothing written
    assert seen(factory) == []
    clock.now += 2 * DAY
    patient = arrive()
    page = patient.get("keuzes").text
    assert REMIND in page
    assert all(word in page for word in (STILL, f"{OWN}/verander", f"{OWN}/stoppen"))
    before = words(patient.get("geschiedenis"))
    done = patient.post(f"{OWN}/klopt-nog")
    assert "Opgeschreven: uw keuze klopt nog" in patient.page(done).text
    assert patient.post(f"{OWN}/klopt-nog").status_code == 303
    assert seen(factory) == [("self", OWN)]
    page = patient.get("keuzes").text
    assert REMIND not in page
    assert "u doet mee" in page.lower()
    assert words(patient.get("geschiedenis")) == before
    assert patient.post("no-such-study/klopt-nog").status_code == 404
    clock.now += PERIODS.remind
    assert REMIND in arrive().get("keuzes").text  # and two years later once more


def test_after_five_years_new_data_are_asked_for_again(
    arrive: Any, invite: Inviting, factory: SessionFactory, world: Any, clock: Clock
) -> None:
    clock.now = NOW + timedelta(minutes=5)
    page = words(arrive().get("keuzes"))
    assert re.search(r"Uw ja geldt tot \d+ \w+ 2056\.", page)
    assert "vragen we u opnieuw of nieuwe gegevens mogen meetellen" in page
    clock.now = NOW + PERIODS.renewal + DAY
    with factory() as session:
        handle = handle_bytes(session.get_one(Subject, world.patients["mine"]).handle)
    letter = invite(handle, digits=None)
    patient = arrive(code=letter.printed)
    page = patient.get("keuzes").text
    assert LAPSED in page
    assert REMIND not in page  # one thing at a time
    assert AGAIN in page
    assert "u doet mee" in page.lower()  # what is held already goes on
    # Saying that it is right is no yes: it renews nothing.
    patient.post(f"{OWN}/klopt-nog")
    assert LAPSED in patient.get("keuzes").text
    check = patient.post(f"{OWN}/verander")
    assert check.location.endswith("/controleer")
    shown = patient.page(check).text
    assert "Dan tellen nieuwe gegevens weer mee" in shown
    # In the words of the text itself, and said once.
    assert shown.count("Uw ja geldt 30 jaar.") == shown.count("Na 5 jaar vragen") == 1
    # Stopping and taking that back would be a yes of today: it is not offered, and not taken.
    stopped = stop(patient, f"{OWN}/stoppen", level="W3")
    assert "U kunt dit 24 uur ongedaan maken" not in patient.get(f"{OWN}/klaar/{stopped}").text
    assert "Ongedaan maken" not in patient.get("keuzes").text
    assert "/klaar/" not in patient.post(f"{OWN}/klaar/{stopped}", key="k").location
    assert "u doet niet mee" in patient.get("keuzes").text.lower()
    patient.post(f"{OWN}/verander")
    patient.answer_all("yes")
    check = patient.post(f"{OWN}/kiezen", way="basic")
    said = events(factory, receipt_of(patient.record(patient.page(check))))
    assert set(said.values()) == {"granted"}
    page = patient.get("keuzes").text
    assert LAPSED not in page
    assert REMIND not in page


def test_the_years_of_the_network_count_and_the_end_stays_as_it_was_said(
    arrive: Any, factory: SessionFactory, clock: Clock
) -> None:
    clock.now = NOW + timedelta(days=400)
    assert LAPSED not in arrive().get("keuzes").text
    ends = re.search(r"Uw ja geldt tot ([^.]+)\.", words(arrive().get("keuzes")))
    with factory() as session:
        for network in session.scalars(select(Network)):
            settle(session, network, actor=SYSTEM, remind_years=1, renewal_years=1, use_years=2)
        session.commit()
    page = arrive().get("keuzes")
    assert LAPSED in page.text
    assert ends is not None
    assert f"Uw ja geldt tot {ends[1]}." in words(page)
    clock.now = NOW + PERIODS.use + DAY
    page = arrive().get("keuzes").text
    assert "u doet niet mee" in page.lower()
    assert "geëindigd" in page or "afgelopen" in page or "gestopt" in page
    assert LAPSED not in page


def test_who_turns_sixteen_soon_is_told_and_so_are_the_parents(
    arrive: Any, factory: SessionFactory, world: Any, clock: Clock
) -> None:
    clock.now = NOW + timedelta(minutes=5)
    birthday = clock.now + SOON
    with factory() as session:
        for party, role, begin, end in (
            ("p-one", "parent", NOW - DAY, birthday),
            ("self", "self", NOW - DAY, None),
        ):
            session.add(
                Party(
                    subject_id=world.patients["mine"],
                    party=party,
                    role=role,
                    valid_from=begin,
                    valid_until=end,
                    recorded_at=NOW,
                )
            )
        consent_announce(session)
        session.commit()
    own, parents = "beslist u alleen", "beslist uw kind alleen"
    clock.now -= timedelta(minutes=1)
    assert own not in arrive().get("keuzes").text
    clock.now += timedelta(minutes=1)
    assert own in arrive().get("keuzes").text
    parent = arrive("p-one")
    assert parents not in parent.get("keuzes").text  # who said nothing has nothing that ends
    clock.now = birthday
    assert own not in arrive().get("keuzes").text


def test_a_representative_who_comes_too_early_is_told_so_and_gets_nothing(
    app: HubApp, post: Any, invite: Inviting, factory: SessionFactory, clock: Clock
) -> None:
    begins = NOW + DAY
    letters = {
        digits: invite(digits=digits, party=party, role="mentor")
        for digits, party in ((None, "p-mentor"), ("604117", "p-curator"))
    }
    with factory() as session:
        mine = session.get_one(Invitation, letters[None].code_id).subject_id
        for party in ("p-mentor", "p-curator"):
            session.add(
                Party(
                    subject_id=mine,
                    party=party,
                    role="mentor",
                    valid_from=begins,
                    recorded_at=NOW,
                )
            )
        consent_announce(session)
        session.commit()
    told = "u mag nog niet beslissen voor deze patiënt"
    at_door = app.test_client()
    for _again in range(7):  # not a wrong try: nobody is locked out for coming early
        answer = post("/mijn", at_door, code=letters[None].printed)
        assert (answer.status_code, told in answer.text) == (403, True)
    assert at_door.get("/mijn/keuzes").status_code != 200
    half = app.test_client()
    assert post("/mijn", half, code=letters["604117"].printed).status_code == 303
    assert told not in post("/mijn/cijfers", half, digits="000000").text
    answer = post("/mijn/cijfers", half, digits="604117")
    assert (answer.status_code, told in answer.text) == (403, True)
    wrong = letters[None].printed[:-1] + ("A" if letters[None].printed[-1] != "A" else "B")
    assert told not in post("/mijn", at_door, code=wrong).text
    clock.now = begins
    assert post("/mijn", at_door, code=letters[None].printed).status_code == 303
    assert at_door.get("/mijn/keuzes").status_code == 200
    clock.now = begins - timedelta(minutes=1)  # the hospital's word counts, also for who is inside
    assert at_door.get("/mijn/keuzes").status_code != 200
