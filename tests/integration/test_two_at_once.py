"""Two coordinators at one page: one of them is told so, nothing is lost, nothing breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from registry import audit
from registry.accounts import service as accounts
from registry.accounts.sessions import start
from registry.app import HubApp, create_app
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.models import Study
from studies.register import results
from studies.register.results import Outcome
from studies.seeds import loading
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import Database

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "k" * 40
STUDY = HORMONE_THERAPY.slug
PAGE = f"/c/study/{STUDY}/results"
COLLEAGUE = Actor("user", "colleague")
THEIRS = Outcome("Van hen", "Theirs", "Wat zij zagen.", "What they saw.", date(2026, 4, 1))
MINE = {
    "title_nl": "Van mij",
    "title_en": "Mine",
    "text_nl": "Wat ik zag.",
    "text_en": "What I saw.",
    "published_on": "02-04-2026",
    "version": "1",
}


@pytest.fixture
def app(database: Database, tmp_path: Path) -> HubApp:
    settings = Settings(secret_key=KEY, data=tmp_path, database_url="given")
    made = create_app(settings, factory=database.factory, clock=lambda: NOW)
    made.testing = False
    return made


@pytest.fixture
def coordinator(app: HubApp, database: Database) -> FlaskClient:
    """The browser of a coordinator of the study."""
    with unit_of_work(database.factory, SYSTEM) as session:
        seed = replace(ONCOZON, studies=(HORMONE_THERAPY,))
        loading.load_network(session, seed, SYSTEM, now=NOW)
        account = accounts.add_account(
            session,
            name="karel",
            display_name="Karel",
            password="een lange zin voor de test",
            by=SYSTEM,
            now=NOW,
            totp_secret="A" * 32,
        )
        accounts.grant_role(
            session, account, role="coordinator", scope=f"study:{STUDY}", by=SYSTEM, now=NOW
        )
        session.flush()
        session_id = start(session, now=NOW, account_id=account.id)
    client = app.test_client()
    client.set_cookie("oncokring", session_id)
    with client.session_transaction() as cookie:
        cookie["csrf_token"] = "0" * 40
    return client


@contextmanager
def while_another_writes(
    database: Database, act: Callable[[Session], object], post: Callable[[], TestResponse]
) -> Iterator[TestResponse]:
    """The answer to `post`, sent while somebody else's `act` is written and not yet kept."""
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(database.factory, COLLEAGUE) as session:
            act(session)
            answer = pool.submit(post)
            if database.kind == "postgresql":
                while not answer.done() and not _waits(database):
                    pass
        yield answer.result(30)


def _waits(database: Database) -> bool:
    with database.factory() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_two_at_one_result(database: Database, coordinator: FlaskClient) -> None:
    token = {"csrf_token": URLSafeTimedSerializer(KEY, salt="wtf-csrf-token").dumps("0" * 40)}

    def publish(session: Session) -> None:
        study = session.get_one(Study, STUDY)
        results.publish_result(session, study, THEIRS, actor=COLLEAGUE, now=NOW)

    def correct(session: Session) -> None:
        better = replace(THEIRS, title_nl="Van hen, beter")
        found = results.get_result(session, STUDY, 1)
        results.correct_result(session, found, better, actor=COLLEAGUE, now=NOW, expected=1)

    def withdraw(session: Session) -> None:
        found = results.get_result(session, STUDY, 1)
        results.withdraw_result(session, found, actor=COLLEAGUE, now=NOW)

    def post(path: str) -> Callable[[], TestResponse]:
        return lambda: coordinator.post(path, data={**token, **MINE})

    # SQLite lets one write after the other, so both get a number of their own.
    with while_another_writes(database, publish, post(PAGE)) as answer:
        assert answer.status_code == (303 if database.kind == "sqlite" else 409)
        page = answer.get_data(True)
        assert "study_result" not in page
        assert "UNIQUE" not in page.upper()
        assert database.kind == "sqlite" or "niets van u opgeslagen" in page
    with while_another_writes(database, correct, post(f"{PAGE}/1")) as answer:
        assert answer.status_code == 422
        assert "niets van u opgeslagen" in answer.get_data(True)
        assert "Wat ik zag." in answer.get_data(True)  # what was typed is not lost
    with while_another_writes(database, withdraw, post(f"{PAGE}/1/withdraw")) as answer:
        assert answer.status_code == 303
    with database.factory() as session:
        first = results.get_result(session, STUDY, 1)
        assert (first.title_nl, first.version, first.by) == ("Van hen, beter", 2, COLLEAGUE.id)
        lines = [line for line in audit.lines(session) if line.action.startswith("study.result_")]
        about_first = [line for line in lines if line.facts["result"] == 1]
        assert [line.action.removeprefix("study.result_") for line in about_first] == [
            "published",
            "corrected",
            "withdrawn",
        ]
        told = [line.facts["texts_sha256"] for line in about_first]
        assert told[1] == told[2] == results.texts_sha256(first)
        assert told[0] != told[1]
