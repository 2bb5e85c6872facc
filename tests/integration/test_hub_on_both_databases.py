"""The whole application on SQLite and on PostgreSQL: the same requests, the same answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from consent import letters
from consent import service as consent
from registry import audit
from registry.accounts.sessions import start
from registry.app import create_app
from registry.database import SessionFactory
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.seeds import loading
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "k" * 40
LETTER = letters.new_letter()
STUDY = HORMONE_THERAPY.slug


@pytest.fixture
def patient(factory: SessionFactory, tmp_path: Path) -> FlaskClient:
    """The browser of a patient who was invited to the study."""
    with unit_of_work(factory, SYSTEM) as session:
        loading.load_network(session, ONCOZON, SYSTEM, now=NOW)
        session.flush()
        consent.publish_text(
            session,
            study=STUDY,
            content=HORMONE_THERAPY.text,
            approved_by=HORMONE_THERAPY.text_approved_by,
            actor=SYSTEM,
            now=NOW,
        )
        invitation = consent.invite(
            session,
            site="catharina",
            handle=b"p" * 20,
            code_id=LETTER.code_id,
            verifier=letters.verifier(LETTER.code_id, LETTER.secret),
            studies=[STUDY],
            language="nl",
            actor=SYSTEM,
            now=NOW,
        )
        session_id = start(session, now=NOW, subject_id=invitation.subject_id)
    settings = Settings(secret_key=KEY, data=tmp_path, database_url="given")
    app = create_app(settings, factory=factory, clock=lambda: NOW)
    client = app.test_client()
    client.set_cookie("oncokring", session_id)
    with client.session_transaction() as cookie:
        cookie["csrf_token"] = "0" * 40
    return client


def send(client: FlaskClient, path: str, body: object, key: str) -> object:
    token = URLSafeTimedSerializer(KEY, salt="wtf-csrf-token").dumps("0" * 40)
    headers = {"X-CSRFToken": token, "Idempotency-Key": key}
    response = client.post(path, json=body, headers=headers)
    assert response.status_code == 200, response.get_json()
    return response.get_json()


def test_reading_giving_and_stopping(patient: FlaskClient, factory: SessionFactory) -> None:
    assert patient.get("/health/ready").get_json() == {"status": "ok"}
    assert [study["slug"] for study in patient.get("/api/v1/studies").get_json()] == [STUDY]
    with factory() as session:
        text = consent.text_for(session, STUDY, NOW)
    answers = dict.fromkeys(text.content["items"], "yes")
    form = {
        "text_version": text.id,
        "answers": answers,
        "language": "nl",
        "letter_code": LETTER.printed,
    }
    path = f"/api/v1/me/studies/{STUDY}/choices"
    first = send(patient, path, form, "form-0001")
    assert send(patient, path, form, "form-0001") == first
    (choices,) = patient.get("/api/v1/me/choices").get_json()
    assert choices["counts"]
    send(patient, "/api/v1/me/withdrawals", {"study": STUDY, "language": "nl"}, "form-0002")
    (choices,) = patient.get("/api/v1/me/choices").get_json()
    assert not choices["counts"]
    with factory() as session:
        assert isinstance(audit.verify(session), audit.Head)


def test_a_get_cannot_write_on_either(patient: FlaskClient, factory: SessionFactory) -> None:
    from registry.access import rule
    from registry.transaction import current_session
    from studies.models import Network

    @patient.application.get("/sly")
    @rule("public")
    def sly() -> str:
        session = current_session()
        session.add(Network(slug="sly", name="Sly"))
        session.flush()
        return "done"

    assert patient.get("/sly").status_code == 500
    with factory() as session:
        assert session.get(Network, "sly") is None
