"""The rule is written twice, for Python and for the database: both must say the same."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.orm import Session

from consent.models import ConsentEvent, Receipt, Subject, TextVersion
from consent.reading import choices_of
from consent.rule import ANY, Scope, decide
from consent.rule_sql import permitted
from registry.database import SessionFactory, engine_of
from studies.base import new_id

from .conftest import load

PATIENTS = 3000
START = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = Scope("oncozon", "zuyderland", "use.record", "x", "record")
FIELDS = ("network", "site", "item", "study", "category")
CHOICES = {
    "network": ["oncozon", "oncozon", ANY, "other"],
    "site": ["zuyderland", ANY, "other"],
    "item": ["use.record", "use.record", ANY, "other"],
    "study": ["x", "x", ANY, "y"],
    "category": ["record", ANY, "other"],
}
KINDS = ["granted", "granted", "granted", "refused", "deferred", "withdrawn", "objected"]


def moment(chance: random.Random) -> datetime:
    return START + timedelta(days=chance.randrange(8), milliseconds=chance.randrange(2))


def history(chance: random.Random, texts: list[str | None]) -> list[dict[str, object]]:
    said = []
    for _ in range(chance.randrange(7)):
        values = {name: chance.choice(CHOICES[name]) for name in FIELDS}
        if chance.random() < 0.5:
            # Often enough something that fits, or nobody would ever be permitted.
            values = {name: value if value != "other" else ANY for name, value in values.items()}
        said.append(
            {
                **values,
                "kind": chance.choice(KINDS),
                "effective_at": moment(chance),
                "recorded_at": moment(chance),
                "until": moment(chance) if chance.random() < 0.2 else None,
                "complete": chance.random() < 0.9,
                "text_version": chance.choice(texts),
            }
        )
    return said


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(20_261_122)  # noqa: S311 - repeatable, no secret


@pytest.fixture
def filled(factory: SessionFactory, chance: random.Random) -> Iterator[tuple[Session, list[str]]]:
    with engine_of(factory).connect() as connection, factory(bind=connection) as session:
        good = load(session)
        wrong = TextVersion(
            id="f" * 64,
            study="hormone-therapy",
            number=2,
            content={},
            change_class="urgent",
            approved_by=[],
            valid_from=START,
            created_at=START,
            suspended_at=START,
        )
        session.add(wrong)
        session.flush()
        subjects = _fill(session, chance, [good, good, good, good, good, wrong.id, None])
        session.flush()
        _analyse(session.connection())
        yield session, subjects
        session.rollback()


def _fill(session: Session, chance: random.Random, texts: list[str | None]) -> list[str]:
    subjects = [new_id() for _ in range(PATIENTS)]
    session.execute(
        insert(Subject),
        [
            {
                "id": subject,
                "site": "zuyderland",
                "handle": f"{number:027d}",
                "network": "oncozon",
                "created_at": START,
            }
            for number, subject in enumerate(subjects)
        ],
    )
    session.execute(
        insert(Receipt),
        [
            {
                "id": subject,
                "subject_id": subject,
                "network": "oncozon",
                "act": "record",
                "study": "x",
                "form_key": "k",
                "form_sha256": "0" * 64,
                "language": "nl",
                "recorded_at": START,
                "first_leaf": 0,
                "leaves": 0,
                "tree_size": 0,
                "tree_root": "0" * 64,
            }
            for subject in subjects
        ],
    )
    rows = [
        {
            **said,
            "id": new_id(),
            "subject_id": subject,
            "receipt_id": subject,
            "language": "nl",
            "actor_kind": "patient",
            "actor_id": subject,
            "actor_role": "self",
            "login_level": "letter",
            "channel": "portal",
            "evidence": {},
            "salt": b"\0" * 16,
        }
        for subject in subjects
        for said in history(chance, texts)
    ]
    session.execute(insert(ConsentEvent), [{**row, "leaf": n} for n, row in enumerate(rows)])
    return subjects


def _analyse(connection: Connection) -> None:
    connection.execute(text("ANALYZE"))


def test_python_and_database_agree(filled: tuple[Session, list[str]]) -> None:
    session, subjects = filled
    said = choices_of(session, subjects[: PATIENTS // 2]) | choices_of(
        session, subjects[PATIENTS // 2 :]
    )
    seen = set()
    for day in (0, 2, 4, 6, 8):
        for milliseconds in (0, 1):
            now = START + timedelta(days=day, milliseconds=milliseconds)
            by_database = set(session.scalars(permitted(REQUEST, now)))
            by_python = {
                subject
                for subject in subjects
                if decide(REQUEST, said.get(subject, []), now).permit
            }
            assert by_database == by_python
            seen.add(len(by_python))
    # The histories must reach both answers often, or the agreement would mean nothing.
    assert max(seen) > PATIENTS / 20
    assert len(seen) > 3


def test_a_broad_question_is_refused_by_both() -> None:
    with pytest.raises(ValueError, match="every field"):
        permitted(Scope(), START)
