"""The limiter on both databases: tries at the same moment all count, a challenge is used once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from registry.accounts import attempts
from registry.accounts.errors import AccountError
from registry.accounts.models import AccountAttempt
from registry.database import SessionFactory

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
AT_ONCE = 12


def at_once(factory: SessionFactory, act: Callable[[Session], object]) -> list[object]:
    def one(_number: int) -> object:
        with factory() as session:
            answer = act(session)
            session.commit()
            return answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_tries_at_the_same_moment_all_count(factory: SessionFactory) -> None:
    keys = (attempts.digits_key("ABC123"), attempts.address_key("x"), attempts.overall_key())
    at_once(factory, lambda session: attempts.count(session, keys, NOW))
    with factory() as session:
        for key in keys:
            assert session.get_one(AccountAttempt, key).failures == AT_ONCE


def test_of_many_uses_at_once_one_is_the_first(factory: SessionFactory) -> None:
    answers = at_once(factory, lambda session: attempts.use_once(session, "challenge", NOW))
    assert sorted(answers) == [False] * (AT_ONCE - 1) + [True]


LIMITS = [
    (attempts.session_key("s"), 5, timedelta(minutes=15)),
    (attempts.address_key("a"), 30, timedelta(minutes=15)),
    (attempts.overall_key(), 600, timedelta(seconds=10)),
    (attempts.digits_key("ABC123"), 5, timedelta(hours=1)),
]


@pytest.mark.parametrize(("key", "free", "rest"), LIMITS)
def test_each_limit_locks_after_its_number_and_lets_go(
    factory: SessionFactory, key: str, free: int, rest: timedelta
) -> None:
    with factory() as session:
        for _ in range(free - 1):
            attempts.count(session, (key,), NOW)
        attempts.check(session, (key,), NOW)
        attempts.count(session, (key,), NOW)
        with pytest.raises(AccountError) as failure:
            attempts.check(session, (key,), NOW + rest - timedelta(seconds=1))
        assert failure.value.code == "LOCKED"
        assert failure.value.retry_after is not None
        attempts.check(session, (key,), NOW + rest)
        session.rollback()


def test_what_is_swept_and_what_stays(factory: SessionFactory) -> None:
    stays = (attempts.digits_key("ABC123"), attempts.name_key("anna"))
    goes = (attempts.session_key("s"), attempts.address_key("a"), attempts.overall_key())
    with factory() as session:
        attempts.count(session, (*stays, *goes), NOW)
        attempts.use_once(session, "challenge", NOW)
        attempts.sweep(session, NOW + timedelta(hours=24))
        assert session.query(AccountAttempt).count() == 6
        attempts.sweep(session, NOW + timedelta(hours=24, seconds=1))
        session.expire_all()
        left = {row.key for row in session.query(AccountAttempt)}
        assert left == set(stays)
        session.rollback()
