"""A group's own definitions and targets: added to, never changed, on both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from federation.indicators import owning
from federation.indicators.catalogue import shipped
from federation.indicators.models import IndicatorTarget, IndicatorVersion
from federation.indicators.wording import check_words
from federation.query.errors import QueryError
from registry.database import SessionFactory
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.events import announced
from studies.models import Network, WorkingGroup
from studies.network.groups import add_group

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CHAIR = Actor("user", "carla", frozenset({"chair@group:north.colon"}), "Carla Chair")
LEVEL = {"at_least": 0.9, "within": 21, "since": "2026-01-01", "source": "meeting of November"}


def group_of(session: Session) -> WorkingGroup:
    session.add(Network(slug="north", name="North"))
    session.flush()
    return add_group(
        session,
        network="north",
        slug="colon",
        name_nl="Darm",
        name_en="Bowel",
        tumours=["C18"],
        expected=[],
        since=NOW,
        actor=SYSTEM,
    )


def test_a_group_owns_what_it_agreed_and_nothing_of_it_is_lost(factory: SessionFactory) -> None:
    with factory() as session:
        group = group_of(session)
        assert owning.of_group(session, group, "access_time") == shipped()["access_time"]
        assert owning.of_group(session, group, "nothing") is None

        def agree(**changes: object) -> IndicatorTarget:
            target = {**LEVEL, "confirmed": True, **changes}
            return owning.set_target(
                session, group, "access_time", target, why="agreed", actor=CHAIR, now=NOW
            )

        assert [agree().number, agree(at_least=0.85).number] == [1, 2]
        agree(since="2027-01-01", at_least=0.95)
        used = owning.of_group(session, group, "access_time")
        assert used is not None
        levels = {day: used.target(day) for day in ("2025-12-31", "2026-06-01", "2027-06-01")}
        assert [each and each.at_least for each in levels.values()] == [0.8, 0.85, 0.95]
        own = levels["2026-06-01"]
        assert own is not None
        assert (own.set_by, own.confirmed) == ("north.colon", True)
        for wrong, where in (
            ({"since": "first of May"}, "since"),
            ({"at_least": 90}, "at_least"),
            ({"within": 20}, "within"),
        ):
            with pytest.raises(QueryError) as caught:
                agree(**wrong)
            assert caught.value.where == where
        with pytest.raises(StudiesError, match="points_at_somebody"):
            agree(source="patient 12345678")
        with pytest.raises(StudiesError, match="not_found"):
            owning.set_target(session, group, "nothing", LEVEL, actor=CHAIR, now=NOW)

        for indicator in shipped().values():
            check_words(indicator, NOW)
        somebody = "Mrs Jansen, 111222333"
        label = {"en": "Her", "nl": somebody}
        target = {**LEVEL, "within": 28, "set_by": "us", "confirmed": True}
        for told in (
            {"text": label},
            {"lay": {"en": "born 01-02-1950", "nl": "Zij"}},
            {"source": somebody},
            {"exclusions": [{"text": label, "when": {"var": "dead", "op": "=", "value": True}}]},
            {"targets": [{**target, "source": somebody}]},
            {"targets": [{**target, "set_by": somebody}]},
            {"id": "jansen_111222333"},
        ):
            given = {**shipped()["access_time"].to_dict(), "version": 4, **told}
            with pytest.raises(StudiesError, match="points_at_somebody"):
                owning.add_version(session, group, given, why="", actor=CHAIR, now=NOW)

        mine = {**shipped()["access_time"].to_dict(), "version": 2, "norms": [28], "targets": []}
        made = owning.add_version(session, group, mine, why="four weeks only", actor=CHAIR, now=NOW)
        assert (made.name, made.owner) == ("access_time/2", "north.colon")
        for version in (2, 4):
            with pytest.raises(QueryError, match="is 3"):
                owning.add_version(
                    session, group, {**mine, "version": version}, why="", actor=CHAIR, now=NOW
                )
        new = {**mine, "id": "our_wait", "version": 1}
        owning.add_version(session, group, new, why="", actor=CHAIR, now=NOW)
        used = owning.of_group(session, group, "access_time")
        assert used is not None
        assert used.version == 2
        assert used.targets == ()  # the norm of 21 days is not in this version
        every = owning.all_of_group(session, group)
        assert set(every) == {*shipped(), "our_wait"}
        assert [row.number for row in owning.target_rows(session, group, "access_time")] == [
            3,
            2,
            1,
        ]

        told = [each for each in announced(session) if each.action.startswith("indicator.")]
        assert [each.action for each in told] == ["indicator.target_set"] * 3 + [
            "indicator.defined"
        ] * 2
        assert {each.about for each in told} == {"group:north.colon"}
        assert told[3].facts["sha256"] == made.sha256
        session.commit()

    for table in (IndicatorTarget, IndicatorVersion):
        for change in (sa.update(table).values(by="x"), sa.delete(table)):
            with factory() as session, pytest.raises(DBAPIError, match="append-only"):
                session.execute(change)
