"""The card of a hospital: steps with what is missing, papers, and two people at one card."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from coordinated import STUDY, field, make_trial, rows_of, with_file, words_of
from flask.testing import FlaskClient

from registry import audit
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.hospitals import versions
from studies.hospitals import work as site_work
from studies.models import Participation, Study
from studies.reading import get_participation

SignedIn = Callable[..., FlaskClient]
SITE = "catharina"
HERE = f"/c/study/{STUDY}/hospitals/{SITE}"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


class Card:
    """A coordinator at the card of a hospital."""

    def __init__(self, client: FlaskClient, token: str, factory: SessionFactory) -> None:
        self.client, self.token, self.factory = client, token, factory
        self.version = ""

    def open(self) -> str:
        answer = self.client.get(HERE)
        assert answer.status_code == 200
        self.version = field(answer.text, "expected")
        self.opened = field(answer.text, "opened")
        return answer.text

    def send(self, act: str, **form: Any) -> Any:
        given = {"csrf_token": self.token, "expected": self.version, "opened": self.opened, **form}
        return self.client.post(f"{HERE}/{act}", data=given)

    def done(self, act: str, **form: Any) -> str:
        """Carry out an act, follow to the card, and stand on its newest version."""
        answer = self.send(act, **form)
        assert answer.status_code == 303, words_of(answer.text)
        assert answer.headers["Location"] == f"{HERE}?done={act}"
        return self.open()

    @property
    def part(self) -> Participation:
        with self.factory() as session:
            return get_participation(session, STUDY, SITE)


@pytest.fixture
def card(
    factory: SessionFactory,
    signed_in: SignedIn,
    form_token: Callable[[FlaskClient], str],
    clock: Any,
) -> Card:
    make_trial(factory, clock.now)
    client = signed_in("coordinator")
    client.set_cookie("language", "nl")
    made = Card(client, form_token(client), factory)
    made.open()
    return made


def test_the_card_shows_the_road_and_names_what_is_missing(card: Card) -> None:
    assert "Opgeschreven" not in card.client.get(f"{HERE}?done=iets+anders").text
    html = card.open()
    words = words_of(html)
    assert (
        html.count('class="bar-')
        - html.count('class="bar-mark"')
        - html.count('class="bar-words"')
        - html.count('class="bar-name"')
        == 13
    )
    assert html.count('aria-current="step"') == 1
    assert "Lokale toetsing sinds 3 okt 2025 · 150 dagen" in words
    assert "Nu: " in words
    assert "Niet elke afdeling die is gevraagd, vindt het goed." in words
    assert "De raad van bestuur moet het geldige contract tekenen. (raad van bestuur)" in words
    ready = re.findall(r'name="to" value="(\w+)"', html)
    assert ready == ["declined"], "what is not ready has no button"
    assert "trialbureau" in words
    assert "Overgenomen uit eerdere gegevens" in words
    # a step that is not ready is refused also without the page, with the guards named
    refused = card.send("move", to="vgo_signed")
    assert refused.status_code == 409
    assert "Niet elke afdeling" in words_of(refused.text)
    assert card.part.state == "local_review"


def test_days_departments_conditions_and_people_are_written_down(card: Card, clock: Any) -> None:
    today = clock.now.date()
    html = card.done(
        "describe",
        investigator="Dr. V. Voorbeeld",
        contact="trialbureau",
        gcp_until="31-12-2027",
        insurance_until=(today - timedelta(days=3)).isoformat(),
    )
    assert "Dr. V. Voorbeeld" in html
    assert "verlopen" in words_of(html)
    html = card.done("ask-annex", department="pharmacy", requested="2026-02-01", due="1-3-2026")
    assert rows_of(html, "annex-table")[0][0] == "Apotheek"
    assert "te laat" in rows_of(html, "annex-table")[0][2]
    html = card.done("take-annex", of_department="pharmacy", outcome="ok")
    assert "akkoord" in rows_of(html, "annex-table")[0][3]
    html = card.done("add-condition", condition="De apotheek krijgt het middel een week eerder")
    html = card.done("meet-condition", source="contract", number="1", met=today.isoformat())
    assert "voldaan op 2 mrt 2026" in words_of(html)
    html = card.done("plan", step="open", planned="2026-01-10")
    assert "gepland 10 jan 2026 te laat" in words_of(html)
    lines = rows_of(card.client.get("/c/list").text, "list")
    assert next(line for line in lines if line[1].startswith("Catharina"))[4] == "VGO getekend"
    html = card.done("milestone", milestone="questionnaire_answered", happened="2026-02-01")
    assert "1 februari 2026" in words_of(html)
    refused = card.send("milestone", milestone="questionnaire_answered", happened="2026-02-03")
    assert refused.status_code == 409, "another day needs a reason"
    card.done(
        "milestone", milestone="questionnaire_answered", happened="2026-02-03", reason="mistake"
    )
    card.done("confirm")
    assert card.part.confirmed_at == clock.now
    # what cannot be read is said at the field, and what was typed stays
    for act, form, wrong in (
        ("describe", {"gcp_until": "31-31-2027", "investigator": "X"}, "Schrijf de dag als"),
        ("ask-annex", {"department": "moon"}, "Kies een afdeling"),
        ("move", {}, "Kies een stap"),
        ("add-condition", {"condition": "  "}, "Schrijf de voorwaarde op"),
        ("answer", {"interest": "", "expected_per_year": "veel"}, "Kies ja of nee"),
        ("document", {"kind": "protocol"}, "Kies wat het is"),
    ):
        answer = card.send(act, **form)
        assert answer.status_code == 422, act
        assert wrong in answer.text
        assert 'id="error-summary"' in answer.text
    assert 'value="31-31-2027"' in card.send("describe", gcp_until="31-31-2027").text
    assert card.part.investigator == "Dr. V. Voorbeeld"


def test_a_step_back_in_time_needs_a_reason(card: Card, clock: Any) -> None:
    day = (clock.now - timedelta(days=5)).date()
    refused = card.send("move", to="declined", at=day.isoformat())
    assert refused.status_code == 409
    assert f'value="{day}"' in refused.text, "what was typed stays"
    html = card.done("move", to="declined", at=day.isoformat(), reason="no_capacity")
    part = card.part
    assert (part.state, part.since.date(), part.note_code) == ("declined", day, "no_capacity")
    assert "Te weinig mensen om het te doen" in words_of(html)
    assert "opgeschreven 2 mrt 2026" in words_of(html)
    card.done("move", to="invited")
    assert card.send("move", to="declined", at="2026-02-01").status_code == 409, "before the last"
    card.done("answer", interest="yes", expected_per_year="12")
    html = card.done("move", to="feasibility")
    assert (card.part.interest, card.part.expected_per_year) == (True, 12)
    with card.factory() as session:
        lines = [line for line in audit.lines(session) if line.action.startswith("participation.")]
    assert [line.action for line in lines][-4:] == [
        "participation.declined",
        "participation.invited",
        "participation.answered",
        "participation.feasibility",
    ]
    assert {line.actor_name for line in lines[-4:]} == {"Test coordinator"}


def test_a_step_is_put_right_beside_what_was_written(card: Card, clock: Any) -> None:
    card.done("move", to="declined", reason="no_capacity")
    for form, wrong in (
        ({}, "Kies een stap"),
        ({"of_step": "2"}, "Kies een reden"),
        ({"of_step": "2", "reason": "mistake", "real_day": "soon"}, "Schrijf de dag als"),
    ):
        answer = card.send("correct", **form)
        assert answer.status_code == 422
        assert wrong in words_of(answer.text)
    answer = card.send("correct", of_step="1", reason="mistake")
    assert answer.status_code == 409, "the invitation itself is never a mistake"
    html = card.done("correct", of_step="4", reason="mistake")
    assert card.part.state == "local_review"
    assert "Doet niet mee" not in html[html.index('id="history"') :].split("</ol>")[0]
    with card.factory() as session:
        part = get_participation(session, STUDY, SITE)
        assert [(row.state, row.void) for row in part.steps][-1] == ("declined", True)


def test_documents_are_pdf_by_version_and_come_back_as_they_were(card: Card) -> None:
    form = {"kind": "vgo", "name": "VGO apotheek", "doc_version": "1.0"}

    def upload(body: bytes, **changes: Any) -> Any:
        given = {"csrf_token": card.token, "expected": card.version, **form, **changes}
        return card.client.post(f"{HERE}/document", **with_file(body, **given))

    assert "Kies een PDF-bestand" in upload(b"").text
    assert upload(b"<html>").status_code == 409
    assert upload(b"%PDF-1.7" + b"x" * 8_100_000).status_code == 409
    answer = upload(PDF, valid_until="2026-03-01", valid_from="2026-01-01")
    assert answer.status_code == 303
    html = card.open()
    (row,) = rows_of(html, "document-table")
    assert row[0].endswith("VGO apotheek")
    assert "vandaag niet geldig" in row[2]
    assert upload(PDF).status_code == 409, "this version is there"
    upload(PDF + b"\n", doc_version="1.1")
    html = card.open()
    assert [("vervangen" in row[1]) for row in rows_of(html, "document-table")] == [True, False]
    link = re.findall(rf'href="({HERE}/documents/[0-9a-f-]+)"', html)[0]
    got = card.client.get(link)
    assert (got.data, got.mimetype) == (PDF, "application/pdf")
    assert got.headers["Content-Disposition"].startswith("attachment")
    foreign = link.replace(SITE, "elkerliek")
    assert card.client.get(foreign).status_code == 404
    assert card.client.get(link.replace(STUDY, "other-study")).status_code == 404


def test_a_new_version_of_the_protocol_waits_at_the_hospital(card: Card, clock: Any) -> None:
    with unit_of_work(card.factory, SYSTEM) as session:
        versions.publish_version(
            session,
            session.get_one(Study, STUDY),
            kind="protocol",
            version="2.0",
            in_force_from=date(2026, 1, 1),
            adopt_by=date(2026, 2, 1),
            actor=SYSTEM,
            now=clock.now,
        )
    html = card.open()
    (row,) = rows_of(html, "version-table")
    assert row[0] == "Protocol 2.0"
    assert "te laat" in row[2]
    html = card.done("adopt", version_id=field(html, "version_id"), in_use_since="2026-02-20")
    assert rows_of(html, "version-table")[0][3] == "20 feb 2026"


def test_two_people_at_one_card_lose_nothing(card: Card, clock: Any) -> None:
    before = {"investigator": "", "contact": "trialbureau", "gcp_until": "", "answer_due": ""}
    was = {f"was-{name}": value for name, value in before.items()}
    was |= {"was-insurance_until": "", "was-archive_until": ""}
    with unit_of_work(card.factory, SYSTEM) as session:
        site_work.describe_site(
            session,
            get_participation(session, STUDY, SITE),
            contact="ander bureau",
            investigator="Dr. Eerste",
            actor=SYSTEM,
            now=clock.now + timedelta(seconds=5),
        )
    mine = {"investigator": "Dr. Tweede", "contact": "trialbureau", "gcp_until": "1-1-2028"}
    answer = card.send("describe", **was, **mine)
    assert answer.status_code == 409
    words = words_of(answer.text)
    assert "Iemand anders was u voor" in words
    sides = {row[0]: row[1:] for row in rows_of(answer.text, "sides")}
    assert sides["Hoofdonderzoeker allebei veranderd"] == ["(leeg)", "Dr. Eerste", "Dr. Tweede"]
    assert sides["Contact"] == ["trialbureau", "ander bureau", "trialbureau"]
    assert sides["GCP-certificaat geldig tot en met"][-1] == "1 januari 2028"
    assert "Mensen en papieren" in words, "what the other did"
    assert (card.part.investigator, card.part.contact) == ("Dr. Eerste", "ander bureau")

    # going on puts only what this person changed over what stands there now
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
    again = card.client.post(f"{HERE}/describe", data={**hidden, "csrf_token": card.token})
    assert again.status_code == 303
    part = card.part
    assert (part.investigator, part.contact) == ("Dr. Tweede", "ander bureau")
    assert part.gcp_until == date(2028, 1, 1)

    # an act without fields of the whole: the same, with the step that was meant
    conflict = card.send("move", to="declined", reason="no_patients")
    assert conflict.status_code == 409
    assert "Doet niet mee" in words_of(conflict.text)
    assert card.part.state == "local_review"
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', conflict.text))
    assert (hidden["to"], hidden["reason"]) == ("declined", "no_patients")
    assert hidden["expected"] == str(card.part.version)
    given = {"csrf_token": card.token, "expected": card.version, "opened": card.opened}
    form = {"kind": "vgo", "name": "x", "doc_version": "1"}
    upload = card.client.post(f"{HERE}/document", **with_file(PDF, **given, **form))
    assert upload.status_code == 409
    assert "kies het opnieuw" in words_of(upload.text)
