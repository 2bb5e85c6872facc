"""The ORM base, announcements and the state tables."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from studies.actor import SYSTEM, Actor
from studies.base import Json, OrderedJson, UtcTime, canonical_json, from_ms, new_id, to_ms
from studies.errors import CODES, StudiesError
from studies.events import announce, announced
from studies.states import STUDY_STATES, STUDY_STEPS

DIALECT = sqlite.dialect()


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_a_moment_survives_to_the_millisecond(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    back = from_ms(to_ms(moment))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)
    assert to_ms(back) == to_ms(moment)


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    amsterdam = timezone(timedelta(hours=2))
    assert to_ms(datetime(2038, 1, 19, 5, 14, 8, tzinfo=amsterdam)) == 2_147_483_648_000


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 1), DIALECT)  # noqa: DTZ001


@pytest.mark.parametrize("kind", [UtcTime(), Json(), OrderedJson()])
def test_nothing_stays_nothing(kind: Any) -> None:
    assert kind.process_bind_param(None, DIALECT) is None
    assert kind.process_result_value(None, DIALECT) is None


def test_json_is_the_same_text_whatever_the_order() -> None:
    assert (
        canonical_json({"b": 1, "a": "é"})
        == canonical_json({"a": "é", "b": 1})
        == ('{"a":"é","b":1}')
    )
    assert Json().process_result_value('{"a":[1]}', DIALECT) == {"a": [1]}
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_ordered_json_keeps_the_order_of_keys() -> None:
    stored = OrderedJson().process_bind_param({"b": 1, "a": 2}, DIALECT)
    assert list(OrderedJson().process_result_value(stored, DIALECT)) == ["b", "a"]


def test_ids_are_uuids() -> None:
    assert len(new_id()) == 36
    assert new_id() != new_id()


def test_announcing_appends_in_order() -> None:
    session = Session()
    announce(session, actor=SYSTEM, action="a", about="x:1")
    announce(session, actor=Actor("user", "u"), action="b", about="x:2", facts={"n": 1, "m": None})
    assert [each.action for each in announced(session)] == ["a", "b"]
    assert dict(announced(session)[1].facts) == {"n": 1, "m": None}


@pytest.mark.parametrize("fact", [[1], {"a": 1}, 1.5, True, b"x"])
def test_only_small_plain_facts_are_announced(fact: Any) -> None:
    with pytest.raises(TypeError):
        announce(Session(), actor=SYSTEM, action="a", about="x", facts={"fact": fact})


def test_every_state_has_its_steps_and_every_step_leads_to_a_state() -> None:
    assert set(STUDY_STEPS) == set(STUDY_STATES)
    assert set().union(*STUDY_STEPS.values()) <= set(STUDY_STATES)
    assert not STUDY_STEPS["closed"]


def test_an_error_says_what_to_do() -> None:
    assert StudiesError("not_found").message == CODES["not_found"]
