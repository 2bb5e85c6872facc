"""My choices: change, old and new texts, history and uses, two parents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from changed_texts import changed
from rich_text import rich_content
from sqlalchemy import select

from consent import service as consent
from consent.models import Invitation, SnapshotRecord, Subject, TextVersion
from consent.models_people import Party, TextSeen, Use
from federation.runs.models import Run
from registry.accounts.sessions import start
from registry.app import HubApp
from registry.database import SessionFactory
from studies.actor import SYSTEM

from .conftest import NOW, OWN, SITE, Clock
from .patients import Patient, Token, consent_announce, events, receipt_of, stop


@pytest.fixture
def patient(signed_in: Any, form_token: Token, world: Any, clock: Clock) -> Patient:
    clock.now += timedelta(minutes=5)  # after the first choice of the test network
    return Patient(signed_in("mine"), form_token, world.codes["mine"])


def test_changing_one_item_begins_with_ones_own_answers(
    patient: Patient, factory: SessionFactory
) -> None:
    response = patient.post(f"{OWN}/verander", item="study.join")
    assert response.location.endswith("/vraag/3?back=check")
    response = patient.post(f"{OWN}/vraag/3", **{"study.join": "no"})
    said = events(factory, receipt_of(patient.record(patient.page(response))))
    assert said == {"use.record": "granted", "use.network": "granted", "study.join": "refused"}
    assert patient.post(f"{OWN}/verander", item="no.such").status_code == 404


def test_a_clearer_text_is_told_and_a_wider_one_asks_only_what_is_new(
    patient: Patient, factory: SessionFactory, clock: Clock
) -> None:
    clearer = "Uw keuzes blijven zoals ze zijn"
    assert clearer not in patient.get("keuzes").text
    with factory() as session:
        consent.publish_text(
            session,
            study=OWN,
            content=changed(nl__title="Duidelijker", en__title="Clearer"),
            approved_by=["one", "two"],
            actor=SYSTEM,
            now=clock.now,
            change_class="clarifying",
        )
        session.commit()
    assert clearer in patient.get("keuzes").text
    page = patient.get(f"{OWN}/nieuwe-tekst").text
    assert "U hoeft niets te doen" in page
    assert "Ik heb dit gelezen" in page
    for _twice in range(2):  # it is told until it was read, and that is written down once
        assert patient.post(f"{OWN}/nieuwe-tekst").status_code == 303
    assert clearer not in patient.get("keuzes").text
    assert "Ik heb dit gelezen" not in patient.get(f"{OWN}/nieuwe-tekst").text
    with factory() as session:
        assert [each.party for each in session.scalars(select(TextSeen))] == ["self"]
    with factory() as session:
        consent.publish_text(
            session,
            study=OWN,
            content=rich_content(),
            approved_by=["one", "two"],
            actor=SYSTEM,
            now=clock.now,
            change_class="wider",
            widened=["use.network"],
            changes={"nl": "Er zijn nieuwe vragen.", "en": "There are new questions."},
        )
        session.commit()
    page = patient.get(f"{OWN}/nieuwe-tekst").text
    assert "Er zijn nieuwe vragen." in page
    assert "Wij vragen u 9 vragen opnieuw" in page
    assert "<ins>" in page
    response = patient.post(f"{OWN}/verander")
    assert response.location.endswith("/vraag/2")
    page = patient.page(response).text
    assert " checked" not in page
    assert "Meetellen in het netwerk" in page or "totalen van alle ziekenhuizen" in page
    old = patient.get(f"{OWN}/tekst/1")
    assert "Dit is tekstversie 1" in old.text
    assert patient.get(f"{OWN}/tekst/4").status_code == 404
    assert clearer not in patient.get("keuzes").text
    assert patient.get("other-study/tekst/1").status_code == 404


def test_history_uses_and_the_reminder(
    patient: Patient, factory: SessionFactory, world: Any, clock: Clock, signed_in: Any
) -> None:
    stop(patient, f"{OWN}/stoppen", item="study.join")
    page = patient.get("geschiedenis").text
    assert page.count('<section class="card') == 2
    assert "<li>Meedoen aan deze studie: <strong>gestopt</strong></li>" in page
    assert f"/mijn/{OWN}/tekst/1" in page
    assert "nog niet gebruikt" in patient.get("gebruik").text
    with factory() as session:
        run = session.get_one(Run, world.runs[OWN])
        for seq, minutes in ((1, 1), (2, 10)):  # before and after the patient stopped
            session.add(snapshot(seq, minutes))
            session.add(
                Use(
                    site=SITE,
                    query_id=run.query_sha256 if seq == 1 else "0" * 64,
                    study=OWN,
                    seq=seq,
                    band="10-19",
                    at=NOW + timedelta(minutes=minutes),
                )
            )
        consent_announce(session)
        session.commit()
    page = patient.get("gebruik").text
    assert page.count('<li class="stack-s">') == 1
    assert run.title in page
    # A text that is suspended later takes nothing from what was: the data did count.
    with factory() as session:
        text = session.scalars(select(TextVersion).where(TextVersion.study == OWN)).one()
        consent.suspend_text(session, text, actor=SYSTEM, now=clock.now)
        session.commit()
    assert run.title in patient.get("gebruik").text


def snapshot(seq: int, minutes: int) -> SnapshotRecord:
    at = NOW + timedelta(minutes=minutes)
    return SnapshotRecord(
        site=SITE,
        seq=seq,
        network="oncozon",
        issued=at,
        valid_until=at,
        log_size=0,
        log_root="0" * 64,
        columns_sha256="0" * 64,
        content_sha256="0" * 64,
    )


def test_a_second_parent_sees_that_the_first_answered_not_what(
    app: HubApp, factory: SessionFactory, form_token: Token, world: Any, clock: Clock
) -> None:
    mine = world.patients["mine"]
    with factory() as session:
        for party, role in (("p-one", "parent"), ("p-two", "parent")):
            session.add(
                Party(subject_id=mine, party=party, role=role, valid_from=NOW, recorded_at=NOW)
            )
            session.add(letter_of(mine, party, role))
        consent_announce(session)
        session.commit()
    parents = {}
    for party in ("p-one", "p-two"):
        with factory() as session:
            number = start(session, now=clock.now, subject_id=mine, party=party)
            session.commit()
        client = app.test_client()
        client.set_cookie("oncokring", number)
        parents[party] = Patient(client, form_token, "")
    one, two = parents["p-one"], parents["p-two"]
    assert f"/mijn/{OWN}/wie" in one.get("keuzes").text
    for path in (f"{OWN}/wie", f"{OWN}/uitleg"):
        assert "U antwoordt voor de patiënt, als een ouder" in one.get(path).text
    done = receipt_of(one.record(one.answer_all("no")))
    assert "Gegeven door: een ouder" in one.get(f"{OWN}/klaar/{done}").text
    page = two.get("keuzes").text
    assert "Een ouder: heeft geantwoord op" in page
    assert "nog niet beantwoord" in page
    assert "<strong>nee</strong>" not in page
    history = two.get("geschiedenis").text
    assert history.count("Iemand anders heeft geantwoord") == 2  # the patient, the other parent
    assert ": nee" not in history
    assert two.get(f"{OWN}/klaar/{done}").status_code == 404
    with factory() as session:
        subject = session.get_one(Subject, mine)
        [found] = consent.choices(session, subject, clock.now)
        assert not found.counts  # one said no, one nothing


def test_who_answers_for_oneself_is_not_asked_for_whom(patient: Patient) -> None:
    assert patient.get(f"{OWN}/wie").location.endswith(f"{OWN}/uitleg")
    assert f"/mijn/{OWN}/wie" not in patient.get("keuzes").text


def letter_of(subject: str, party: str, role: str) -> Invitation:
    return Invitation(
        code_id=f"{party[-3:].upper()}000",
        subject_id=subject,
        party=party,
        role=role,
        verifier="$argon2id$v=19$",
        studies=[OWN],
        language="nl",
        created_at=NOW,
        expires_at=NOW + timedelta(days=90),
    )
