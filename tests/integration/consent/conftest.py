"""A network with its study and text on each real database, and patients to act in it."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from consent import withdrawing
from consent.models import Receipt, Subject, TextVersion
from consent.proof import letter_prover
from registry.database import SessionFactory, engine_of, open_database
from studies import service as studies
from studies.actor import SYSTEM
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
STUDY = HORMONE_THERAPY.slug
YES = {item: "yes" for item in HORMONE_THERAPY.requires}


@dataclass
class Hub:
    """A session on a loaded network; `text` is the id of the study's text."""

    session: Session
    text: str

    def subject(self, site: str = "zuyderland") -> Subject:
        return consent.add_subject(
            self.session,
            site=site,
            handle=secrets.token_bytes(20),
            network=ONCOZON.slug,
            now=NOW,
        )

    def answer(
        self, subject: Subject, at: datetime = NOW, key: str | None = None, **answers: str
    ) -> Receipt:
        """Answer yes to all but what is named, with _ for the dot in an item."""
        given = YES | {item.replace("_", "."): answer for item, answer in answers.items()}
        return consent.record(
            self.session,
            subject=subject,
            study=STUDY,
            answers=given,
            text_version=self.text,
            language="nl",
            form_key=key or secrets.token_hex(8),
            actor=consent.patient(subject),
            now=at,
            circumstances=consent.Circumstances(prove=letter_prover("TEST01", b"k" * 32)),
        )

    def stop(self, subject: Subject, at: datetime, study: str | None = STUDY) -> Receipt:
        return consent.withdraw(
            self.session,
            subject=subject,
            study=study,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=at,
        )

    def stop_level(
        self,
        subject: Subject,
        level: str,
        at: datetime,
        study: str | None = STUDY,
        key: str | None = None,
    ) -> Receipt:
        """Stop by one of the levels W1 to W4, in a study or (None) in all."""
        return withdrawing.withdraw_level(
            self.session,
            subject=subject,
            study=study,
            level=level,
            language="nl",
            form_key=key or secrets.token_hex(8),
            actor=consent.patient(subject),
            now=at,
            circumstances=consent.Circumstances(),
        )


def load(factory: SessionFactory) -> None:
    """Write the network and the text of its study."""
    with factory() as session:
        studies.load_network(session, ONCOZON, SYSTEM, now=NOW)
        consent.publish_text(
            session,
            study=STUDY,
            content=HORMONE_THERAPY.text,
            approved_by=HORMONE_THERAPY.text_approved_by,
            actor=SYSTEM,
            now=NOW,
        )
        session.commit()
    engine_of(factory).dispose()


@pytest.fixture(scope="session")
def sqlite_template(sqlite_template: Path) -> Path:
    """Here each test begins with the network and the text: they are written once, then copied."""
    path = sqlite_template.with_name("with-text.sqlite")
    shutil.copy(sqlite_template, path)
    load(open_database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any, postgres_template: str) -> str:
    """The same in PostgreSQL."""
    made = postgres_server.create(postgres_template)
    load(open_database(made.render_as_string(hide_password=False)))
    return str(made.database)


def text_in_force(session: Session) -> str:
    """The id of the study's text."""
    return session.scalars(select(TextVersion.id)).one()


@pytest.fixture
def hub(factory: SessionFactory) -> Iterator[Hub]:
    with factory() as session:
        yield Hub(session, text_in_force(session))
