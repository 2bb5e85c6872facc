"""What hospitals say about their data, as the hub keeps it, on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from federation.query.codebook import Codebook
from federation.runs.coverage import coverage_of, keep_coverage
from registry.audit import AuditLine
from registry.database import SessionFactory
from studies.models import SiteCoverage, Study
from studies.seeds.oncozon import HORMONE_THERAPY

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 12, 22, 9, 30, tzinfo=UTC)
SITE, OTHER = "catharina", "zuyderland"
STUDY = HORMONE_THERAPY.slug


@pytest.fixture
def hub(factory: SessionFactory) -> SessionFactory:
    with factory() as session:
        session.commit()
    return factory


def book(session: Any) -> Codebook:
    return Codebook.from_dict(session.get_one(Study, STUDY).codebook)


def claim(session: Any, **more: Any) -> dict[str, Any]:
    codebook = book(session)
    return {
        "codebook_sha256": codebook.sha256,
        "as_of": "2026-11-22",
        "variables": {**dict.fromkeys(codebook.variables, "over_90"), "age": "absent"},
        "rules": {"some_rule": 20, "other_rule": None},
        **more,
    }


def said(factory: SessionFactory, value: Any, site: str = SITE, now: datetime = NOW) -> None:
    """What the site says arrives and is committed, as the worker does it."""
    with factory() as session:
        keep_coverage(session, site, value, now)
        session.commit()


def shown(factory: SessionFactory, **more: Any) -> dict[str, Any]:
    with factory() as session:
        found = coverage_of(session, session.get_one(Study, STUDY), **more)
        return {one.site: one.coverage for one in found}


def lines(factory: SessionFactory) -> int:
    with factory() as session:
        found = select(func.count()).where(AuditLine.action == "site.coverage")
        return session.scalar(found) or 0


def test_what_a_hospital_says_is_kept_and_shown_beside_those_that_said_nothing(
    hub: SessionFactory,
) -> None:
    with hub() as session:
        value = claim(session)
    assert set(shown(hub).values()) == {None}
    said(hub, {STUDY: value})
    found = shown(hub)
    assert found[SITE] is not None
    assert found[SITE].variables["age"] == "absent"
    assert found[SITE].rules == {"some_rule": 20, "other_rule": None}
    assert found[SITE].as_of == date(2026, 11, 22)
    assert len(found) > 2
    assert [site for site, coverage in found.items() if coverage is not None] == [SITE]
    assert list(shown(hub, only=[SITE])) == [SITE]


def test_saying_the_same_again_changes_nothing_and_something_new_replaces_it(
    hub: SessionFactory,
) -> None:
    with hub() as session:
        value, newer = claim(session), claim(session, as_of="2026-12-22", rules={})
    said(hub, {STUDY: value})
    said(hub, {STUDY: value}, now=LATER)
    with hub() as session:
        assert session.scalars(select(SiteCoverage.received_at)).all() == [NOW]
    assert lines(hub) == 1
    said(hub, {STUDY: newer}, now=LATER)
    assert shown(hub)[SITE].rules == {}
    assert lines(hub) == 2


def test_what_a_hospital_no_longer_says_is_gone(hub: SessionFactory) -> None:
    """Too few patients are left, or the study is no longer agreed there."""
    with hub() as session:
        value = claim(session)
    said(hub, {STUDY: value})
    said(hub, None)  # its data could not be read: it says nothing about anything
    assert shown(hub)[SITE] is not None
    said(hub, {})
    assert shown(hub)[SITE] is None
    assert lines(hub) == 2


def test_only_what_fits_is_kept(hub: SessionFactory) -> None:
    with hub() as session:
        value = claim(session)
        few = {**value, "variables": {"age": "none"}}
        for wrong in (
            {STUDY: {**value, "codebook_sha256": "0" * 64}},
            {STUDY: few},
            {STUDY: {**value, "rules": {"some_rule": 7}}},
            {STUDY: {**value, "more": 1}},
            {"no-such-study": value},
            "text",
            [value],
        ):
            keep_coverage(session, SITE, wrong, NOW)
        keep_coverage(session, "no-such-hospital", {STUDY: value}, NOW)
        assert session.scalar(select(func.count()).select_from(SiteCoverage)) == 0


def test_coverage_of_an_older_codebook_is_not_shown(hub: SessionFactory) -> None:
    with hub() as session:
        value = claim(session)
    said(hub, {STUDY: value})
    with hub() as session:
        study = session.get_one(Study, STUDY)
        variables = {k: v for k, v in study.codebook["variables"].items() if k != "age"}
        study.codebook = {**study.codebook, "variables": variables}
        found = {one.site: one.coverage for one in coverage_of(session, study)}
        session.rollback()
    assert found[SITE] is None


def test_one_hospital_cannot_speak_for_another(hub: SessionFactory) -> None:
    with hub() as session:
        value = claim(session)
    said(hub, {STUDY: value})
    said(hub, {}, site=OTHER)
    assert shown(hub)[SITE] is not None
    assert shown(hub)[OTHER] is None
