"""Stopping at each level, taking back what was said, objecting; at linked hospitals too."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from consent.models_people import DestroyOrder, Link
from registry.database import SessionFactory

from .conftest import NOW, OWN, Clock
from .patients import Patient, Token, consent_announce, events, hidden, hidden_of, receipt_of, stop


@pytest.fixture
def patient(signed_in: Any, form_token: Token, world: Any, clock: Clock) -> Patient:
    clock.now += timedelta(minutes=5)  # after the first choice of the test network
    return Patient(signed_in("mine"), form_token, world.codes["mine"])


@pytest.mark.parametrize(
    ("level", "kinds", "takes_part"),
    [
        ("W1", {"contact.questionnaire", "contact.newstudy", "contact.results"}, True),
        (
            "W2",
            {
                *("contact.questionnaire", "contact.newstudy", "contact.results"),
                *("bio.blood", "collect.new"),
            },
            True,
        ),
        ("W3", {"*"}, False),
        ("W4", {"*"}, False),
    ],
)
def test_each_level_of_stopping(
    patient: Patient, factory: SessionFactory, level: str, kinds: set[str], takes_part: bool
) -> None:
    page = patient.get(f"{OWN}/stoppen").text
    assert " checked" not in page
    assert patient.post(f"{OWN}/stoppen").status_code == 422
    receipt = stop(patient, f"{OWN}/stoppen", level=level)
    said = events(factory, receipt)
    assert (set(said), set(said.values())) == (kinds, {"withdrawn"})
    page = patient.get("keuzes").text
    assert ("u doet mee</span>" in page) == takes_part
    assert ("Gegevens van voor die dag tellen nog mee" in page) == (level == "W2")
    assert ("Vernietigen wat kan" in page) == (level == "W4")


def test_stopping_takes_fewer_clicks_than_saying_yes(patient: Patient) -> None:
    """Counted from My choices, as a hand would: links and buttons pressed, answers chosen."""
    giving = 1 + 1 + 2  # read and choose, to the questions, how to choose and go on
    page = patient.page(patient.post(f"{OWN}/kiezen", way="each"))
    while "said-" not in page.text:
        names = set(re.findall(r'type="radio" id="[^"]*" name="([^"]*)"', page.text))
        giving += len(names) + 1
        path = page.request.path.removeprefix("/mijn/")
        page = patient.page(patient.post(path, **dict.fromkeys(names, "yes")))
    giving += 1
    stopping_all, stopping_item = 1 + 1 + 1, 1 + 1
    assert stopping_all < giving
    # one item: change, answer, go on, record
    assert stopping_item < 4
    assert f"/mijn/{OWN}/stoppen?item=use.network" in patient.get("keuzes").text


def test_stopping_one_item_closes_what_rests_on_it(
    patient: Patient, factory: SessionFactory
) -> None:
    page = patient.get(f"{OWN}/stoppen?item=use.record").text
    assert "Gegevens uit uw dossier" in page
    said = events(factory, stop(patient, f"{OWN}/stoppen", **hidden_of(page)))
    assert said == {"use.record": "withdrawn", "use.network": "withdrawn"}
    assert patient.post(f"{OWN}/stoppen", item="no.such").status_code == 404
    assert patient.post("other-study/stoppen", level="W3").status_code == 404


def test_an_order_to_destroy_can_be_taken_back_for_fourteen_days(
    patient: Patient, factory: SessionFactory, signed_in: Any, form_token: Token, clock: Clock
) -> None:
    stop(patient, "stoppen", level="W4", key="the-same-form")
    stop(patient, "stoppen", level="W4", key="the-same-form")
    with factory() as session:
        [order] = session.scalars(select(DestroyOrder))
        assert (order.study, order.what) == ("*", ["data", "samples"])
        assert order.grace_until - order.ordered_at == timedelta(days=14)
    clock.now += timedelta(days=13)
    later = Patient(signed_in("mine"), form_token, "")
    assert (
        Patient(signed_in("theirs"), form_token, "").post("vernietigen", order=order.id).status_code
        == 404
    )
    assert later.post("vernietigen", order=order.id).status_code == 303
    assert "Er wordt niets vernietigd" in later.get("keuzes").text
    stop(later, "stoppen", level="W4")
    clock.now += timedelta(days=14)
    too_late = Patient(signed_in("mine"), form_token, "")
    with factory() as session:
        newest = session.scalars(
            select(DestroyOrder).where(DestroyOrder.cancelled_at.is_(None))
        ).one()
        number = newest.id
    assert too_late.post("vernietigen", order=number).status_code == 303
    with factory() as session:
        newest = session.get_one(DestroyOrder, number)
        assert newest.cancelled_at is None
        newest.outcome, newest.reason, newest.reported_at = "partly", "law", clock.now
        consent_announce(session)
        session.commit()
    page = too_late.get("keuzes").text
    assert "Voor een deel" in page
    assert "Volgens de wet" in page


def test_taking_a_no_back_needs_the_letter_and_a_yes_does_not(
    patient: Patient, factory: SessionFactory, clock: Clock
) -> None:
    receipt = stop(patient, f"{OWN}/stoppen", level="W3")
    assert "u doet niet mee" in patient.get("keuzes").text  # a no is never held up
    clock.now += timedelta(minutes=10)
    page = patient.get(f"{OWN}/klaar/{receipt}")
    assert "Heeft u zich vergist?" in page.text
    # no proof is at hand: the check page comes with the answers of before, and asks for the letter
    check = patient.page(patient.post(f"{OWN}/klaar/{receipt}", **hidden(page)))
    assert 'name="letter"' in check.text
    done = patient.record(check)
    assert set(events(factory, receipt_of(done)).values()) == {"granted"}
    assert "u doet mee" in patient.get("keuzes").text
    # now the proof is there: stopping and taking back is one press
    clock.now += timedelta(minutes=1)
    stopped = stop(patient, f"{OWN}/stoppen", level="W4")
    clock.now += timedelta(minutes=1)
    page = patient.get(f"{OWN}/klaar/{stopped}")
    undone = receipt_of(patient.post(f"{OWN}/klaar/{stopped}", **hidden(page)))
    assert receipt_of(patient.post(f"{OWN}/klaar/{stopped}", **hidden(page))) == undone
    assert set(events(factory, undone).values()) == {"granted"}
    assert "maakt een eerdere keuze ongedaan" in patient.get(f"{OWN}/klaar/{undone}").text
    assert "U maakte dit ongedaan op" in patient.get(f"{OWN}/klaar/{stopped}").text
    assert "Er wordt niets vernietigd" in patient.get("keuzes").text
    # only the last act, and only within a day
    assert patient.post(f"{OWN}/klaar/{stopped}", key="another").status_code == 409


def test_a_yes_is_taken_back_at_once_and_after_a_day_no_more(
    patient: Patient, factory: SessionFactory, clock: Clock, signed_in: Any, form_token: Token
) -> None:
    done = receipt_of(patient.record(patient.answer_all("later")))
    clock.now += timedelta(hours=25)
    late = Patient(signed_in("mine"), form_token, "")
    assert "Heeft u zich vergist" not in late.get(f"{OWN}/klaar/{done}").text
    assert late.post(f"{OWN}/klaar/{done}").status_code in (303, 409)
    first = Patient(signed_in("theirs"), form_token, "")
    assert first.get(f"{OWN}/klaar/{done}").status_code == 404


def test_a_stop_with_all_studies_is_taken_back_in_one_press(
    patient: Patient, factory: SessionFactory, clock: Clock
) -> None:
    assert 'href="/mijn/stoppen"' in patient.get("keuzes").text
    stopped = stop(patient, "stoppen", level="W4")
    clock.now += timedelta(minutes=1)
    here = f"alles/klaar/{stopped}"
    assert f"/mijn/{here}#undo" in patient.get("keuzes").text
    page = patient.get(here)
    assert "Dan geldt weer wat u eerder koos bij" in page.text
    assert patient.post(here, **hidden(page)).status_code == 422  # the letter makes a yes
    assert "Fout:" in patient.post(here, letter="ABC", **hidden(page)).text
    done = patient.page(patient.post(here, letter=patient.code, **hidden(page)))
    assert "U maakte dit ongedaan op" in done.text
    assert "Er wordt niets vernietigd" in done.text
    assert "u doet mee</span>" in patient.get("keuzes").text
    again = patient.page(patient.post(here, letter=patient.code, **hidden(page)))
    assert again.text.count("Bekijk dat bewijs") == 1  # pressed twice, done once
    [undone] = re.findall(rf"/mijn/{OWN}/klaar/([0-9a-f-]+)", again.text)
    assert set(events(factory, undone).values()) == {"granted"}
    assert f"/mijn/{here}" in patient.get(f"{OWN}/klaar/{undone}").text
    # another word since then: no longer in one press
    stop(patient, f"{OWN}/stoppen", level="W1")
    assert "Heeft u zich vergist" not in patient.get(here).text


def test_allowing_new_data_again(patient: Patient, factory: SessionFactory, clock: Clock) -> None:
    stop(patient, f"{OWN}/stoppen", level="W2")
    clock.now += timedelta(minutes=1)
    assert patient.post(f"{OWN}/weer").status_code == 422
    page = patient.get(f"{OWN}/weer")
    receipt = receipt_of(patient.post(f"{OWN}/weer", letter=patient.code, **hidden_of(page.text)))
    assert events(factory, receipt) == {"collect.new": "granted"}
    assert "u doet mee</span>" in patient.get("keuzes").text


@pytest.mark.parametrize(("what", "item"), [("reuse", "object.reuse"), ("everything", "*")])
def test_objecting_and_taking_it_back(
    patient: Patient, factory: SessionFactory, clock: Clock, what: str, item: str
) -> None:
    assert patient.post("bezwaar").status_code == 422
    receipt = stop(patient, "bezwaar", what=what)
    assert events(factory, receipt) == {item: "objected"}
    page = patient.get("keuzes").text
    assert "maakte u bezwaar" in page
    assert ("u doet mee</span>" in page) == (what == "reuse")
    # made by mistake, all use comes back in one press; an objection to reuse is taken back
    done = patient.get(f"alles/klaar/{receipt}").text
    assert ("Heeft u zich vergist?" in done) == (what == "everything")
    assert ("#undo" in patient.get("keuzes").text) == (what == "everything")
    assert "Mijn bezwaar intrekken" in patient.get("bezwaar").text
    assert patient.post("bezwaar/terug").status_code == 422  # it opens, so it needs the letter
    clock.now += timedelta(minutes=1)
    back = receipt_of(patient.post("bezwaar/terug", letter=patient.code))
    assert events(factory, back) == {"object.reuse": "withdrawn"}
    assert "Ingetrokken" in patient.get(f"alles/klaar/{back}").text
    assert "Teruggenomen" in patient.get(f"bewijs/{back}").text
    page = patient.get("keuzes").text
    assert "maakte u bezwaar" not in page
    assert ("u doet mee</span>" in page) == (what == "reuse")  # it opens nothing else
    assert patient.post("bezwaar/terug", letter=patient.code, key="more").status_code == 409


def test_a_linked_hospital_is_told_to_stop_and_to_destroy_too(
    patient: Patient, factory: SessionFactory, world: Any, signed_in: Any, form_token: Token
) -> None:
    with factory() as session:
        for name in ("mine", "theirs"):
            session.add(Link(link="one", subject_id=world.patients[name], linked_at=NOW))
        consent_announce(session)
        session.commit()
    receipt = stop(patient, "stoppen", level="W4")
    page = patient.get(f"alles/klaar/{receipt}").text
    assert "Catharina Ziekenhuis heeft uw keuze nog niet" in page
    assert "Zuyderland heeft uw keuze nog niet" in page
    with factory() as session:
        orders = {order.subject_id: order for order in session.scalars(select(DestroyOrder))}
    assert orders.keys() == {world.patients["mine"], world.patients["theirs"]}
    there = Patient(signed_in("theirs"), form_token, "")
    assert "u doet niet mee" in there.get("keuzes").text
    # taken back from here, at the other hospital only
    patient.post("vernietigen", order=orders[world.patients["theirs"]].id)
    with factory() as session:
        cancelled = {order.subject_id for order in session.scalars(
            select(DestroyOrder).where(DestroyOrder.cancelled_at.is_not(None))
        )}  # fmt: skip
    assert cancelled == {world.patients["theirs"]}
