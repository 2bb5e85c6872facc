"""Signing in on both databases: one answer to every wrong part, codes used once, locks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from registry import audit
from registry.accounts import attempts, secrets, service, sessions
from registry.accounts.errors import AccountError
from registry.accounts.models import Account, AccountSession
from registry.accounts.sign_in import confirm, sign_in, sign_out, sweep
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PASSWORD = "drie groene fietsen"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(moment: datetime) -> str:
    return pyotp.TOTP(SEED).at(int(moment.timestamp()))


def try_in(
    factory: SessionFactory,
    *,
    name: str = "anna",
    password: str = PASSWORD,
    code: str | None = None,
    now: datetime = NOW,
    address: str = "10.0.0.1",
) -> str:
    """Sign in; the session id, or the error's code."""
    try:
        return sign_in(
            factory,
            name=name,
            password=password,
            code=code_at(now) if code is None else code,
            address=address,
            now=now,
        ).session_id
    except AccountError as error:
        return error.code


def act(factory: SessionFactory, what: str, **values: object) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        account = service.find_account(session, "anna")
        getattr(service, what)(session, account, by=SYSTEM, **values)


def test_a_fresh_database_has_no_account_but_the_one_made_here(factory: SessionFactory) -> None:
    with factory() as session:
        assert [account.name for account in service.list_accounts(session)] == ["anna"]


def test_right_name_password_and_code_give_a_session_with_roles(factory: SessionFactory) -> None:
    session_id = try_in(factory, name="ANNA ")
    with factory() as session:
        visit = sessions.visit_of_cookie(session, session_id, NOW)
        stored = session.scalars(select(AccountSession.id_sha256)).one()
    assert visit is not None
    assert visit.actor.roles == {"administrator", "administrator@network"}
    assert visit.actor.name == "Anna de Wit"
    assert visit.fresh
    assert session_id not in stored


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "nobody"},
        {"password": "wrong"},
        {"password": ""},
        {"code": "000000"},
        {"code": ""},
        {"code": "١٢٣٤٥٦"},
        {"code": "12345"},
    ],
)
def test_every_wrong_part_gives_the_same_answer(
    factory: SessionFactory, wrong: dict[str, str]
) -> None:
    assert try_in(factory, **wrong) == "WRONG_SIGN_IN"


def test_a_code_is_used_once(factory: SessionFactory) -> None:
    code = code_at(NOW)
    assert len(try_in(factory, code=code)) > 40
    assert try_in(factory, code=code) == "WRONG_SIGN_IN"
    assert try_in(factory, code=code, now=NOW + timedelta(seconds=20)) == "WRONG_SIGN_IN"
    assert len(try_in(factory, now=NOW + timedelta(seconds=30))) > 40


def test_an_old_code_does_not_fit(factory: SessionFactory) -> None:
    assert try_in(factory, code=code_at(NOW - timedelta(minutes=2))) == "WRONG_SIGN_IN"


@pytest.mark.parametrize("change", ["suspend", "no second factor", "expired"])
def test_an_account_that_may_not_act_cannot_sign_in(factory: SessionFactory, change: str) -> None:
    session_id = try_in(factory)
    with unit_of_work(factory, SYSTEM) as session:
        account = service.find_account(session, "anna")
        if change == "suspend":
            account.state = "suspended"
        elif change == "expired":
            account.expires_at = NOW
        else:
            account.totp_secret = None
        service.grant_role(session, account, role="auditor", scope="network", by=SYSTEM, now=NOW)
    later = NOW + timedelta(minutes=1)
    assert try_in(factory, now=later) == "WRONG_SIGN_IN"
    with factory() as session:
        assert sessions.visit_of_cookie(session, session_id, later) is None


def test_five_wrong_attempts_lock_for_a_minute_and_then_longer(factory: SessionFactory) -> None:
    for _ in range(5):
        assert try_in(factory, password="wrong") == "WRONG_SIGN_IN"
    assert try_in(factory) == "LOCKED"
    later = NOW + timedelta(seconds=61)
    assert try_in(factory, password="wrong", now=later) == "WRONG_SIGN_IN"
    assert try_in(factory, now=later + timedelta(seconds=61)) == "LOCKED"
    assert len(try_in(factory, now=later + timedelta(seconds=121))) > 40


def test_a_name_that_does_not_exist_locks_alike(factory: SessionFactory) -> None:
    answers = [try_in(factory, name="nobody") for _ in range(6)]
    assert answers == ["WRONG_SIGN_IN"] * 5 + ["LOCKED"]


def test_a_lock_of_one_name_leaves_others_alone_until_the_address_is_slowed(
    factory: SessionFactory,
) -> None:
    for number in range(30):
        assert try_in(factory, name=f"name{number}", address="10.9.9.9") == "WRONG_SIGN_IN"
    assert try_in(factory, address="10.9.9.9") == "LOCKED"
    assert len(try_in(factory, address="10.0.0.2")) > 40


def test_a_hundred_wrong_attempts_need_an_administrator(factory: SessionFactory) -> None:
    now = NOW
    for _ in range(attempts.MAX_PER_NAME):
        with unit_of_work(factory, SYSTEM) as session:
            attempts.count_failure(session, name="anna", address=f"10.1.0.{_}", now=now)
        now += timedelta(hours=2)
    much_later = now + timedelta(days=300)
    assert try_in(factory, now=much_later) == "LOCKED"
    act(factory, "resume")
    assert len(try_in(factory, now=much_later)) > 40


def test_confirming_gives_a_new_fresh_session_and_ends_the_old(factory: SessionFactory) -> None:
    old = try_in(factory)
    later = NOW + timedelta(minutes=20)
    with factory() as session:
        visit = sessions.visit_of_cookie(session, old, later)
    assert visit is not None
    assert not visit.fresh
    done = confirm(
        factory,
        actor=visit.actor,
        password=PASSWORD,
        code=code_at(later),
        address="10.0.0.1",
        now=later,
        previous=old,
    )
    with factory() as session:
        assert sessions.visit_of_cookie(session, old, later) is None
        new = sessions.visit_of_cookie(session, done.session_id, later)
    assert new is not None
    assert new.fresh


def test_signing_out_ends_the_session_in_the_database(factory: SessionFactory) -> None:
    session_id = try_in(factory)
    with factory() as session:
        visit = sessions.visit_of_cookie(session, session_id, NOW)
    assert visit is not None
    sign_out(factory, actor=visit.actor, session_id=session_id)
    with factory() as session:
        assert sessions.visit_of_cookie(session, session_id, NOW) is None


def test_new_secrets_end_all_sessions(factory: SessionFactory) -> None:
    session_id = try_in(factory)
    act(factory, "change_secrets", password="heel andere woorden")
    with factory() as session:
        assert sessions.visit_of_cookie(session, session_id, NOW) is None
    later = NOW + timedelta(minutes=1)
    assert try_in(factory, now=later) == "WRONG_SIGN_IN"
    assert len(try_in(factory, password="heel andere woorden", now=later)) > 40


def test_sweeping_forgets_what_is_over(factory: SessionFactory) -> None:
    try_in(factory)
    with factory() as session:
        sweep(session, NOW + timedelta(hours=13))
        session.commit()
        assert session.scalars(select(AccountSession)).all() == []


def test_each_act_left_one_line_without_any_secret(factory: SessionFactory) -> None:
    try_in(factory)
    try_in(factory, password="wrong-password-typed")
    with factory() as session:
        lines = [audit.as_json(line) for line in audit.lines(session)]
        hashed = session.scalars(select(Account.password_hash)).one()
    assert [line["action"] for line in lines] == [
        "institution.added",
        "account.added",
        "account.role-granted",
        "account.signed-in",
        "account.sign-in-refused",
    ]
    assert lines[-1]["outcome"] == "refused"
    for secret in (PASSWORD, SEED, hashed, code_at(NOW), "wrong-password-typed"):
        assert secret not in str(lines)


def test_the_real_cost_of_a_hash_is_what_owasp_asks() -> None:
    # argon2id, 19 MiB and two passes or more (OWASP password storage cheat sheet).
    real = PasswordHasher()
    assert real.hash("x").startswith("$argon2id$")
    assert real.memory_cost >= 19 * 1024
    assert real.time_cost >= 2


def test_the_address_for_the_app_names_the_account() -> None:
    address = secrets.totp_address(SEED, "anna")
    assert address.startswith("otpauth://totp/Oncokring:anna?")
    assert pyotp.parse_uri(address).secret == SEED
