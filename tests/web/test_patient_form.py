"""The patient's form over HTTP: pages, dependencies, drafts, windows, double clicks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from rich_text import rich_content
from sqlalchemy import select

from consent import service as consent
from consent.errors import ConsentError
from consent.models import ConsentEvent
from consent.models_people import Draft
from registry.accounts.sessions import start
from registry.app import HubApp
from registry.database import SessionFactory
from registry.worker import tidy
from studies.actor import SYSTEM

from .conftest import NOW, OWN, Clock
from .patients import Patient, Token, events, hidden, receipt_of, receipts


@pytest.fixture
def patient(signed_in: Any, form_token: Token, world: Any) -> Patient:
    return Patient(signed_in("mine"), form_token, world.codes["mine"])


@pytest.fixture
def rich(factory: SessionFactory) -> None:
    """A newer text of the study, with eleven items."""
    with factory() as session:
        consent.publish_text(
            session,
            study=OWN,
            content=rich_content(),
            approved_by=["one", "two"],
            actor=SYSTEM,
            now=NOW,
            change_class="wider",
            changes={"nl": "Er zijn nieuwe vragen.", "en": "There are new questions."},
        )
        session.commit()


@pytest.fixture
def sure(app: HubApp, factory: SessionFactory, form_token: Token, world: Any) -> Patient:
    """The patient, signed in so safely that every subject may have a yes."""
    with factory() as session:
        number = start(
            session, now=NOW, subject_id=world.patients["mine"], level="site-broker-substantial"
        )
        session.commit()
    client = app.test_client()
    client.set_cookie("oncokring", number)
    return Patient(client, form_token, world.codes["mine"])


def test_the_whole_form_with_several_subjects(
    sure: Patient, rich: None, factory: SessionFactory
) -> None:
    patient = sure
    assert "nieuwe-tekst" in patient.get("keuzes").text
    page = patient.get(f"{OWN}/uitleg")
    assert page.text.count('<li class="card stack-s"><h2>') >= 4
    for path in (f"{OWN}/begrip", f"{OWN}/kiezen", f"{OWN}/vraag/1"):
        assert " checked" not in patient.get(path).text
    check = patient.answer_all("yes")
    assert "Er is nog niets vastgelegd" in check.text
    before = receipts(factory)
    done = patient.record(check)
    assert set(events(factory, receipt_of(done)).values()) == {"granted"}
    assert receipts(factory) == before + 1
    page = patient.page(done)
    assert "Uw keuzes zijn vastgelegd" in page.text
    again = patient.record(check)  # double click: one act
    assert again.location == done.location
    assert patient.get(f"{OWN}/controleer").location == done.location  # the back button
    assert receipts(factory) == before + 1


def test_a_no_is_not_asked_further_and_says_so(
    patient: Patient, rich: None, factory: SessionFactory
) -> None:
    patient.post(f"{OWN}/kiezen", way="each")
    response = patient.post(f"{OWN}/vraag/1", **{"use.record": "no"})
    assert response.location.endswith("/vraag/3")
    page = patient.page(response)
    assert "U zei geen ja tegen “Gegevens uit uw dossier”" in page.text
    assert "<li>Meetellen in het netwerk</li>" in page.text
    skipped = patient.get(f"{OWN}/vraag/2")
    assert skipped.status_code == 303
    response = patient.post(
        f"{OWN}/vraag/3", **{"contact.questionnaire": "yes", "contact.newstudy": "later"}
    )
    response = patient.post(f"{OWN}/vraag/7", **{"study.join": "no"})
    check = patient.page(response)
    assert check.text.count("Niet gevraagd, want u zei geen ja") == 7
    said = events(factory, receipt_of(patient.record(check)))
    assert (said["use.record"], said["study.join"]) == ("refused", "refused")
    assert said["contact.questionnaire"] == "granted"
    assert {said[item] for item in ("use.network", "design.twics", "bio.blood")} == {"deferred"}


@pytest.mark.parametrize(
    ("way", "filled", "goes_to"),
    [
        ("basic", {"use.record": "yes", "use.network": "yes", "study.join": "yes"}, "/vraag/2"),
        ("none", None, "/controleer"),
    ],
)
def test_ways_to_choose(
    patient: Patient, rich: None, way: str, filled: dict[str, str] | None, goes_to: str
) -> None:
    response = patient.post(f"{OWN}/kiezen", way=way)
    assert response.location.endswith(goes_to)
    if filled is None:
        said = hidden(patient.page(response))
        assert {value for name, value in said.items() if name.startswith("said-")} == {"no"}
    else:
        # what the study does not need stays open, its own screen too
        page = patient.get(f"{OWN}/vraag/3").text
        assert " checked" not in page
        assert patient.get(f"{OWN}/vraag/7").text.count(" checked") == 1


def test_errors_keep_what_was_chosen(patient: Patient, rich: None) -> None:
    assert patient.post(f"{OWN}/kiezen").status_code == 422
    patient.post(f"{OWN}/kiezen", way="each")
    patient.post(f"{OWN}/vraag/1", **{"use.record": "yes"})
    page = patient.post(f"{OWN}/vraag/2", **{"use.past": "no"})
    assert page.status_code == 422
    assert "<title>Fout:" in page.text
    assert page.text.count(' href="#q') == 2
    assert page.text.count(" checked") == 1
    assert " required" not in page.text


def test_the_language_changes_with_the_answers(
    patient: Patient, rich: None, factory: SessionFactory
) -> None:
    patient.post(f"{OWN}/kiezen", way="each")
    patient.post(f"{OWN}/vraag/1", **{"use.record": "yes"})
    response = patient.post(f"{OWN}/vraag/2", **{"use.past": "no", "language": "en"})
    page = patient.page(response)
    assert 'lang="en"' in page.text
    assert page.text.count(" checked") == 1
    patient.post(f"{OWN}/vraag/2", **{"use.network": "yes", "more": "1"})
    assert patient.get(f"{OWN}/vraag/2").text.count(" checked") == 2
    check = patient.answer_all("later")
    receipt = receipt_of(patient.record(check))
    with factory() as session:
        event = session.scalars(
            select(ConsentEvent).where(ConsentEvent.receipt_id == receipt)
        ).first()
        assert event is not None
        assert (event.language, event.evidence["read"]) == ("en", ["en", "nl"])


def test_a_draft_is_sealed_survives_the_session_and_is_forgotten(
    patient: Patient, signed_in: Any, form_token: Token, factory: SessionFactory, clock: Clock
) -> None:
    patient.post(f"{OWN}/kiezen", way="none")
    with factory() as session:
        [row] = session.scalars(select(Draft))
        assert b"use.record" not in row.sealed
        assert b"no" not in row.sealed or len(row.sealed) > 60
    # the session ends on the check page
    patient.client.set_cookie("oncokring", "")
    ended = patient.post(f"{OWN}/controleer")
    assert ended.status_code == 401
    assert f'href="/mijn?next=/mijn/{OWN}/controleer"' in ended.text
    shown = patient.get(f"{OWN}/controleer").location
    assert shown.startswith(f"/mijn?next=/mijn/{OWN}/controleer")
    again = Patient(signed_in("mine"), form_token, patient.code)
    assert "said-use.record" in again.get(f"{OWN}/controleer").text
    assert "u doet mee" in again.get("keuzes").text  # the draft does not count
    other = Patient(signed_in("theirs"), form_token, "")
    assert other.get(f"{OWN}/controleer").status_code == 404
    clock.now += timedelta(days=7, minutes=1)
    later = Patient(signed_in("mine"), form_token, patient.code)
    assert later.get(f"{OWN}/controleer").location.endswith("/vraag/1")
    later.post(f"{OWN}/kiezen", way="each")
    with factory() as session:
        [row] = session.scalars(select(Draft))
        assert row.updated_at == clock.now
    tidy(factory, clock.now + timedelta(days=7, minutes=1))
    with factory() as session:
        assert session.scalars(select(Draft)).all() == []


def test_two_windows_with_different_answers(patient: Patient, factory: SessionFactory) -> None:
    first = patient.answer_all("no")
    patient.post(f"{OWN}/vraag/3", **{"study.join": "later"})
    # the first window still shows "no"; the draft says "later" by now
    told = patient.record(first)
    assert told.status_code == 409
    assert "In het andere venster: Ik weet het nog niet" in told.text
    before = receipts(factory)
    done = patient.record(told)
    assert events(factory, receipt_of(done))["study.join"] == "refused"
    assert receipts(factory) == before + 1


def test_a_window_that_was_overtaken_sees_both_and_decides(
    patient: Patient, factory: SessionFactory
) -> None:
    slow = patient.answer_all("yes")
    patient.post(f"{OWN}/vraag/3", **{"study.join": "no"})
    fast = patient.record(patient.get(f"{OWN}/controleer"))
    assert events(factory, receipt_of(fast))["study.join"] == "refused"
    told = patient.record(slow)
    assert told.status_code == 409
    assert "intussen veranderd" in told.text
    assert "Nu vastgelegd: nee" in told.text
    done = patient.record(told)
    assert events(factory, receipt_of(done))["study.join"] == "granted"


def test_a_yes_needs_the_letter_and_a_no_does_not(
    patient: Patient, factory: SessionFactory
) -> None:
    check = patient.answer_all("yes")
    before = receipts(factory)
    for typed in ("", "ABC123-0000-0000-0000-0000"):
        refused = patient.record(check, letter=typed)
        assert refused.status_code == 422
        assert 'href="#letter"' in refused.text
    assert receipts(factory) == before
    patient.post(f"{OWN}/kiezen", way="none")
    done = patient.record(patient.get(f"{OWN}/controleer"), letter="")
    assert set(events(factory, receipt_of(done)).values()) == {"refused"}


def test_a_yes_that_needs_a_safer_sign_in_leads_there_and_keeps_the_answers(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConsentError("login_level_too_low")

    check = patient.answer_all("yes")
    monkeypatch.setattr("registry.pages.patient_check.consent.record", refuse)
    sent = patient.record(check)
    assert sent.status_code == 303
    assert sent.location == f"/mijn/zekerder?next=/mijn/{OWN}/controleer"
    assert hidden(patient.get(f"{OWN}/controleer"))["said-study.join"] == "yes"


def test_what_was_sent_is_what_was_shown(patient: Patient, factory: SessionFactory) -> None:
    check = patient.answer_all("no")
    assert patient.record(check, **{"said-study.join": "perhaps"}).location.endswith("/controleer")
    forged = patient.record(check, **{"said-use.network": "yes"})  # under a "no"
    assert forged.status_code == 303
    assert events(factory, receipt_of(forged))["use.network"] == "deferred"


def test_understanding_is_never_a_gate(patient: Patient, factory: SessionFactory) -> None:
    before = receipts(factory)
    page = patient.post(f"{OWN}/begrip", who="record", no="nothing")
    assert page.status_code == 200
    assert ("Het is iets anders." in page.text, "Dat klopt." in page.text) == (True, True)
    assert f"/mijn/{OWN}/kiezen" in page.text
    assert receipts(factory) == before


def test_signing_out_wipes_traces(patient: Patient) -> None:
    left = patient.post("uit")
    assert left.status_code == 303
    assert '"cookies"' in left.headers["Clear-Site-Data"]
    assert patient.get("keuzes").status_code == 303


def test_the_form_on_paper_is_public(browser: FlaskClient, rich: None) -> None:
    page = browser.get(f"/studies/{OWN}/paper")
    assert page.status_code == 200
    assert page.text.count('class="paper-box"') == 33
    assert browser.get("/studies/no-such-study/paper").status_code == 404


def test_who_allows_no_older_data_reads_from_when_data_count(
    patient: Patient, rich: None, factory: SessionFactory
) -> None:
    patient.record(patient.answer_all("yes"))
    page = patient.get("keuzes").text
    assert "u doet mee</span>" in page
    assert "Alleen gegevens vanaf" not in page
    patient.post(f"{OWN}/stoppen", item="use.past")
    page = patient.get("keuzes").text
    assert "u doet mee</span>" in page
    assert "Alleen gegevens vanaf" in page
