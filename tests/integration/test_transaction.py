"""One commit, one audit line per act; without an announcement or without audit nothing is kept."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from migrations.tables import METADATA
from registry import audit
from registry.audit import AuditFailure, AuditLine
from registry.database import SessionFactory
from registry.transaction import (
    AUDITED,
    UNAUDITED,
    UnannouncedChange,
    reading,
    unit_of_work,
)
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.models import Network

ANNA = Actor(kind="user", id="anna", roles=frozenset({"coordinator"}), name="Anna de Wit")
VALUES = {"name": "A", "region_nl": "", "region_en": "", "source": ""}


def _networks(factory: SessionFactory) -> int:
    with factory() as session:
        return session.scalar(select(func.count()).select_from(Network)) or 0


def _lines(factory: SessionFactory) -> list[AuditLine]:
    with factory() as session:
        return list(audit.lines(session))


def _add(session: Session, slug: str = "oncozon") -> None:
    session.add(Network(slug=slug, name="Oncozon"))
    announce(session, actor=ANNA, action="network.created", about=f"network:{slug}")


def test_an_announced_change_is_kept_with_one_line(factory: SessionFactory) -> None:
    with unit_of_work(factory, ANNA) as session:
        _add(session)
    (line,) = _lines(factory)
    assert _networks(factory) == 1
    assert (line.seq, line.actor_id, line.actor_name, line.roles) == (
        1,
        "anna",
        "Anna de Wit",
        "coordinator",
    )
    assert (line.action, line.about, line.event_code, line.outcome) == (
        "network.created",
        "network:oncozon",
        "C",
        "ok",
    )


def _by_orm(session: Session) -> None:
    session.add(Network(slug="a", name="A"))


def _by_core(session: Session) -> None:
    session.execute(insert(Network).values(**VALUES, slug="a"))


def _by_text(session: Session) -> None:
    session.execute(
        text(
            "INSERT INTO network (slug, name, region_nl, region_en, source) "
            "VALUES ('a', 'A', '', '', '')"
        )
    )


def _by_update(session: Session) -> None:
    session.execute(update(Network).values(name="B"))


def _by_delete(session: Session) -> None:
    session.execute(delete(Network))


@pytest.mark.parametrize("change", [_by_orm, _by_core, _by_text, _by_update, _by_delete])
def test_a_silent_change_is_refused_however_it_is_made(
    factory: SessionFactory, change: object
) -> None:
    assert callable(change)
    with pytest.raises(UnannouncedChange, match="network"), unit_of_work(factory, ANNA) as session:
        change(session)
    assert _networks(factory) == 0


def test_a_commit_without_unit_of_work_is_held_to_the_same(factory: SessionFactory) -> None:
    with pytest.raises(UnannouncedChange), factory.begin() as session:
        _by_orm(session)
    with factory.begin() as session:
        _add(session)
    assert len(_lines(factory)) == 1


def _add_and_fail(session: Session) -> None:
    _add(session)
    session.flush()
    raise RuntimeError


def test_an_exception_writes_nothing(factory: SessionFactory) -> None:
    with pytest.raises(RuntimeError), unit_of_work(factory, ANNA) as session:
        _add_and_fail(session)
    assert _networks(factory) == 0
    assert _lines(factory) == []


def test_when_the_audit_fails_nothing_is_written(
    factory: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "line_hash", lambda line: None)  # hash is NOT NULL
    with pytest.raises(AuditFailure), unit_of_work(factory, ANNA) as session:
        _add(session)
    monkeypatch.undo()
    assert _networks(factory) == 0
    assert _lines(factory) == []


def _announce_and_clash(session: Session) -> None:
    announce(session, actor=ANNA, action="network.created", about="network:twice")
    session.execute(insert(Network).values(**VALUES, slug="oncozon"))


def test_what_a_rolled_back_savepoint_announced_is_not_audited(factory: SessionFactory) -> None:
    with unit_of_work(factory, ANNA) as session:
        _add(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            _announce_and_clash(session)
    assert [line.about for line in _lines(factory)] == ["network:oncozon"]


def test_a_savepoint_is_judged_with_the_rest_of_its_transaction(factory: SessionFactory) -> None:
    with unit_of_work(factory, ANNA) as session:
        with session.begin_nested():
            _by_orm(session)
        announce(session, actor=ANNA, action="network.created", about="network:oncozon")
    assert len(_lines(factory)) == 1
    with pytest.raises(UnannouncedChange), unit_of_work(factory, ANNA) as session:
        _update_in_a_savepoint(session)


def _update_in_a_savepoint(session: Session) -> None:
    with session.begin_nested():
        _by_update(session)


def test_two_units_with_one_session_do_not_share_announcements(factory: SessionFactory) -> None:
    with factory() as session:
        _add(session, "a")
        session.commit()
        _by_update(session)
        with pytest.raises(UnannouncedChange):
            session.commit()


def test_a_reading_cannot_write(factory: SessionFactory) -> None:
    with pytest.raises(DatabaseError), reading(factory) as session:
        _by_core(session)
    with unit_of_work(factory, ANNA) as session:
        _add(session)  # the same connection writes again afterwards
    assert _networks(factory) == 1


def test_an_announced_reading_is_audited(factory: SessionFactory) -> None:
    with reading(factory) as session:
        announce(session, actor=SYSTEM, action="consent.read", about="subject:1")
    (line,) = _lines(factory)
    assert line.event_code == "R"


def _change_and_say_something_else(session: Session) -> None:
    _by_orm(session)
    announce(session, actor=ANNA, action="study.created", about="study:x")


def test_an_announcement_of_something_else_does_not_cover_a_change(
    factory: SessionFactory,
) -> None:
    with pytest.raises(UnannouncedChange, match="network"), unit_of_work(factory, ANNA) as session:
        _change_and_say_something_else(session)
    assert _networks(factory) == 0


def test_each_table_is_audited_or_says_why_not() -> None:
    assert AUDITED.keys() & UNAUDITED.keys() == set()
    assert AUDITED.keys() | UNAUDITED.keys() == METADATA.tables.keys() | {"alembic_version"}
    assert all(len(reason) > 10 for reason in UNAUDITED.values())
