"""The rule is written twice, for Python and for the database: both must say the same."""

import os
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.orm import Session

from consent.models import ConsentEvent, ConsentMark, Receipt, Subject, TextEnd, TextVersion
from consent.models_people import Fact, FactCorrection, Party
from consent.rule import ANY, COLLECT_NEW, OLDER_DATA, Scope, decide, window
from consent.rule_sql import permitted
from consent.standing import Standing, asking_older, of_subjects
from consent.window_sql import windows
from registry.database import SessionFactory, engine_of
from studies.base import new_id

from .conftest import text_in_force

PATIENTS = int(os.environ.get("ONCOKRING_HISTORIES", "2500"))
"""Times ten moments, each a history with a cut of its own; ONCOKRING_HISTORIES=10000 gives the
100,000 of the design on each database (half a minute)."""
START = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = Scope("oncozon", "zuyderland", "use.record", "x", "record")
FIELDS = ("network", "site", "item", "study", "category")
RENEWAL = timedelta(days=4)
"""After so long a yes is asked again here, so that it happens within the eight days."""
CHOICES = {
    "network": ["oncozon", "oncozon", ANY, "other"],
    "site": ["zuyderland", ANY, "other"],
    "item": ["use.record", "use.record", "use.record", ANY, "other", OLDER_DATA, COLLECT_NEW],
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
                "party": chance.choice(["self", "self", "p-1", "p-2"]),
                "channel": chance.choice(["portal", "portal", "portal", "paper"]),
                "proof": {"kind": "letter"} if chance.random() < 0.97 else None,
            }
        )
    return said


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(20_261_122)  # noqa: S311 - repeatable, no secret


@pytest.fixture
def filled(factory: SessionFactory, chance: random.Random) -> Iterator[tuple[Session, list[str]]]:
    with engine_of(factory).connect() as connection, factory(bind=connection) as session:
        good = text_in_force(session)
        wrong = TextVersion(
            id="f" * 64,
            study="hormone-therapy",
            number=2,
            content={},
            change_class="urgent",
            approved_by=[],
            valid_from=START,
            created_at=START,
            suspended_at=START + timedelta(days=4),
        )
        session.add(wrong)
        session.flush()
        ended = TextVersion(
            id="e" * 64,
            study="hormone-therapy",
            number=3,
            content={},
            change_class="wider",
            approved_by=[],
            valid_from=START,
            created_at=START,
        )
        session.add(ended)
        session.flush()
        for item, day in (("use.record", 3), ("other", 1)):
            at = START + timedelta(days=day)
            session.add(TextEnd(text_version=ended.id, item=item, at=at, why="wider"))
        asking = TextVersion(
            id="d" * 64,
            study="hormone-therapy",
            number=4,
            content={"items": ["use.record", OLDER_DATA]},
            change_class="wider",
            approved_by=[],
            valid_from=START,
            created_at=START,
        )
        session.add(asking)
        session.flush()
        texts = [good, good, good, asking.id, asking.id, ended.id, wrong.id, None]
        subjects = _fill(session, chance, texts)
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
            "evidence": {},
            "salt": b"\0" * 16,
        }
        for subject in subjects
        for said in history(chance, texts)
    ]
    session.execute(insert(ConsentEvent), [{**row, "leaf": n} for n, row in enumerate(rows)])
    _mark(session, chance, rows)
    _people(session, chance, subjects)
    return subjects


def _mark(session: Session, chance: random.Random, rows: list[dict[str, object]]) -> None:
    """Confirmed papers, doubts that came and went, and what should never have counted."""
    kinds = ["confirmed", "confirmed", "confirmed", "suspended", "resumed", "invalidated"]
    marks: list[dict[str, object]] = []
    for row in rows:
        for _ in range(chance.choice([0, 0, 1, 2, 3]) if row["kind"] == "granted" else 0):
            marks.append(
                {
                    "id": new_id(),
                    "event_id": row["id"],
                    "network": "oncozon",
                    "kind": chance.choice(kinds),
                    "reason": "test",
                    "actor_kind": "site",
                    "actor_id": "zuyderland",
                    "recorded_at": moment(chance),
                    "salt": b"\0" * 16,
                    "leaf": len(rows) + len(marks),
                }
            )
    session.execute(insert(ConsentMark), marks)


def _people(session: Session, chance: random.Random, subjects: list[str]) -> None:
    """A third of them with others who must agree as well, for some of the time; some closed."""
    parties = [
        {
            "id": new_id(),
            "subject_id": subject,
            "party": party,
            "role": "parent",
            "valid_from": moment(chance),
            "valid_until": moment(chance) if chance.random() < 0.5 else None,
            "recorded_at": moment(chance),
        }
        for subject in subjects[::3]
        for party in chance.choices(["self", "p-1", "p-2"], k=chance.randrange(1, 4))
    ]
    session.execute(insert(Party), parties)
    facts = [
        {
            "id": new_id(),
            "subject_id": subject,
            "kind": chance.choice(["closed", "closed", "contact_stop"]),
            "value": {},
            "effective_at": moment(chance),
            "recorded_at": moment(chance),
            "number": 1,
        }
        for subject in [*subjects[::10], *subjects[::40]]
    ]
    session.execute(insert(Fact), facts)
    mistakes = [
        {"fact_id": fact["id"], "recorded_at": moment(chance), "number": 2} for fact in facts[::2]
    ]
    session.execute(insert(FactCorrection), mistakes)


def _analyse(connection: Connection) -> None:
    connection.execute(text("ANALYZE"))


def test_python_and_database_agree(filled: tuple[Session, list[str]]) -> None:
    session, subjects = filled
    seen = set()
    kinds = set()
    asking = asking_older(session)
    assert asking == {"d" * 64}
    for day in (0, 2, 4, 6, 8):
        for known_day in (None, day - 1):
            now = START + timedelta(days=day, milliseconds=day % 3)
            known = None if known_day is None else START + timedelta(days=known_day)
            by_database = set(session.scalars(permitted(REQUEST, now, known)))
            by_python = set()
            with_windows = day in (4, 8)  # the dearer half; often enough to meet every kind
            renewal = None if (day, known_day) == (4, None) else RENEWAL
            windows_here = {}
            for start in range(0, PATIENTS, 5000):
                part = subjects[start : start + 5000]
                said = of_subjects(session, part, now, known)
                by_python |= {
                    subject
                    for subject in part
                    if _permits(said.get(subject, Standing()), now, known)
                }
                if with_windows:
                    windows_here |= _windows(said, now, known, renewal)
            assert by_database == by_python
            if with_windows:
                found = session.execute(windows(REQUEST, now, known, asking, renewal))
                assert {who: (since, until) for who, since, until in found} == windows_here
            kinds |= {(since is None, until is None) for since, until in windows_here.values()}
            if with_windows and renewal is not None:
                unlimited = _windows(said, now, known, None)
                unrenewed = sum(unlimited[who] != ends for who, ends in windows_here.items())
            seen.add(len(by_python))
    # The histories must reach both answers often, or the agreement would mean nothing.
    assert max(seen) > PATIENTS / 50
    assert len(seen) > 6
    assert len(kinds) == 4
    assert 0 < unrenewed < len(windows_here)


def _permits(said: Standing, now: datetime, known: datetime | None) -> bool:
    return decide(REQUEST, said.choices, now, known_at=known, needs=said.needs).permit


def _windows(
    said: Mapping[str, Standing],
    now: datetime,
    known: datetime | None,
    renewal: timedelta | None,
) -> dict[str, tuple[datetime | None, datetime | None]]:
    found = {
        subject: window(REQUEST, own.choices, now, known_at=known, needs=own.needs, renewal=renewal)
        for subject, own in said.items()
    }
    return {subject: (each.since, each.until) for subject, each in found.items() if each}


def test_a_broad_question_is_refused_by_both() -> None:
    with pytest.raises(ValueError, match="every field"):
        permitted(Scope(), START)
    with pytest.raises(ValueError, match="every field"):
        windows(Scope(), START)
