"""Names of groups and offices have dates: nothing of a past day changes. Source: ADR 0029."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.network.groups import add_group, add_professional, rename_group
from studies.network.joining import end_office, take_office

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def refused(code: str) -> Any:
    return pytest.raises(StudiesError, match=f"^{code}:")


def test_a_group_is_called_otherwise_and_an_office_ends(small: Session) -> None:
    session = small
    group = add_group(
        session,
        network="small",
        slug="breast",
        name_nl="Borstkanker",
        name_en="Breast",
        tumours=["C50"],
        expected=[],
        since=NOW - 99 * DAY,
        actor=SYSTEM,
    )
    was = (group.name_nl, group.name_en)
    given = {"name_nl": "  Mammacarcinoom ", "name_en": "Breast cancer", "actor": SYSTEM}
    rename_group(session, group, **given, since=NOW - 5 * DAY, now=NOW, expected_version=1)
    assert (group.name("nl"), group.name("en"), group.version) == (
        "Mammacarcinoom",
        "Breast cancer",
        2,
    )
    # Each day has the name of that day, also before anybody wrote names down.
    assert group.name("nl", NOW - 6 * DAY) == was[0]
    assert group.name("en", datetime(1980, 1, 1, tzinfo=UTC)) == was[1]
    assert group.name("nl", NOW - 4 * DAY) == "Mammacarcinoom"
    for changes, code in (
        ({"since": NOW + DAY}, "in_the_future"),
        ({"since": NOW - 6 * DAY}, "bad_period"),
        ({"name_nl": " "}, "empty_text"),
        ({"name_en": "a" * 201}, "empty_text"),
        ({"expected_version": 1}, "changed_meanwhile"),
    ):
        with refused(code):
            rename_group(session, group, **{**given, "since": NOW, "now": NOW, **changes})
    rename_group(session, group, **{**given, "name_nl": "Borst"}, since=NOW - 5 * DAY, now=NOW)
    session.commit()
    assert [each.name_nl for each in group.names] == [was[0], "Mammacarcinoom", "Borst"]
    assert group.name("nl", NOW - 5 * DAY) == "Borst"
    person = add_professional(session, "I. Bestuur", actor=SYSTEM)
    board = take_office(
        session, "board", person, institution="north", since=NOW - 9 * DAY, actor=SYSTEM
    )
    end_office(session, board, at=NOW - DAY, actor=SYSTEM)
    assert board.until == NOW - DAY
    for at in (NOW, NOW - 10 * DAY):
        with refused("bad_period"):
            end_office(session, board, at=at, actor=SYSTEM)
    session.commit()
    # What a group was called is kept by the database too.
    for statement in (
        "UPDATE working_group_name SET name_nl = 'x'",
        "DELETE FROM working_group_name",
    ):
        with pytest.raises(DatabaseError):
            session.execute(text(statement))
        session.rollback()
