"""Accounts, roles that end, tokens: no default account, and the last administrator stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from registry.accounts import service, sessions
from registry.accounts.errors import AccountError
from registry.accounts.models import ApiToken
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PASSWORD = "drie groene fietsen"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def act(factory: SessionFactory, what: str, **values: object) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        account = service.find_account(session, "anna")
        getattr(service, what)(session, account, by=SYSTEM, **values)


@pytest.mark.parametrize("password", ["short", "Wachtwoord1", "x" * 257])
def test_a_weak_password_is_refused(factory: SessionFactory, password: str) -> None:
    with pytest.raises(AccountError, match="shorter than 8"):
        act(factory, "change_secrets", password=password)


def test_long_passwords_and_spaces_are_fine(factory: SessionFactory) -> None:
    act(factory, "change_secrets", password="één zin met spaties, die lang is. " * 7)


@pytest.mark.parametrize("name", ["a", "with space", "x" * 65, "né"])
def test_a_bad_name_is_refused(factory: SessionFactory, name: str) -> None:
    assert _add(factory, name) == "BAD_NAME"


def test_a_name_is_taken_in_any_case(factory: SessionFactory) -> None:
    assert _add(factory, "ANNA") == "NAME_TAKEN"
    assert _add(factory, "bert") == ""


def _add(factory: SessionFactory, name: str) -> str:
    try:
        with unit_of_work(factory, SYSTEM) as session:
            service.add_account(
                session, name=name, display_name="", password=PASSWORD, by=SYSTEM, now=NOW
            )
    except AccountError as error:
        return error.code
    return ""


def test_a_role_counts_from_since_until_its_end(factory: SessionFactory) -> None:
    end = NOW + timedelta(days=1)
    act(factory, "grant_role", role="steward", scope="site:catharina", now=NOW, until=end)
    with factory() as session:
        account = service.find_account(session, "anna")
        assert "steward@site:catharina" in service.roles_of(account, NOW)
        assert "steward" in service.roles_of(account, NOW)
        assert "steward" not in service.roles_of(account, end)
        assert "steward" not in service.roles_of(account, NOW - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("patient", "network"),
        ("emperor", "network"),
        ("steward", "site:nowhere"),
        ("committee", "study:nothing"),
        ("auditor", "network:x"),
        ("auditor", ""),
    ],
)
def test_an_unknown_role_or_scope_is_refused(
    factory: SessionFactory, role: str, scope: str
) -> None:
    with pytest.raises(AccountError) as caught:
        act(factory, "grant_role", role=role, scope=scope, now=NOW)
    assert caught.value.code == "UNKNOWN_ROLE"


def test_the_last_administrator_stays(factory: SessionFactory) -> None:
    for what, values in (
        ("suspend", {"now": NOW}),
        ("revoke_role", {"role": "administrator", "scope": "network", "now": NOW}),
    ):
        with pytest.raises(AccountError) as caught:
            act(factory, what, **values)
        assert caught.value.code == "LAST_ADMINISTRATOR"


def test_a_revoked_role_is_gone_at_once(factory: SessionFactory) -> None:
    act(factory, "grant_role", role="auditor", scope="network", now=NOW)
    act(factory, "revoke_role", role="auditor", scope="network", now=NOW)
    with factory() as session:
        account = service.find_account(session, "anna")
        assert service.roles_of(account, NOW) == {"administrator", "administrator@network"}


def test_a_token_opens_until_its_end_or_revocation_and_is_never_fresh(
    factory: SessionFactory,
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        account = service.find_account(session, "anna")
        row, text = service.issue_token(
            session,
            account,
            label="notebook",
            scopes={"read"},
            expires_at=NOW + timedelta(days=1),
            by=SYSTEM,
            now=NOW,
        )
        assert text.startswith("onk_")
        assert text not in row.sha256
        visit = sessions.visit_of_token(session, text, NOW)
        assert visit is not None
        assert not visit.fresh
        assert visit.scopes == {"read"}
        assert sessions.visit_of_token(session, text, NOW + timedelta(days=1)) is None
        assert sessions.visit_of_token(session, "onk_other", NOW) is None
        service.revoke_token(session, account, row.id, by=SYSTEM, now=NOW)
        assert sessions.visit_of_token(session, text, NOW) is None
    with factory() as session:
        assert session.scalars(select(ApiToken)).one().revoked_at == NOW


@pytest.mark.parametrize(
    ("scopes", "days", "code"),
    [
        ({"admin"}, 1, "UNKNOWN_SCOPE"),
        (set(), 1, "UNKNOWN_SCOPE"),
        ({"read"}, 367, "TOKEN_TOO_LONG"),
        ({"read"}, 0, "TOKEN_TOO_LONG"),
    ],
)
def test_a_token_has_known_scopes_and_an_end(
    factory: SessionFactory, scopes: set[str], days: int, code: str
) -> None:
    with pytest.raises(AccountError) as caught:
        act(
            factory,
            "issue_token",
            label="x",
            scopes=scopes,
            expires_at=NOW + timedelta(days=days),
            now=NOW,
        )
    assert caught.value.code == code


def test_somebody_elses_token_cannot_be_revoked(factory: SessionFactory) -> None:
    _add(factory, "bert")
    with unit_of_work(factory, SYSTEM) as session:
        bert = service.find_account(session, "bert")
        row, _ = service.issue_token(
            session,
            bert,
            label="x",
            scopes={"read"},
            expires_at=NOW + timedelta(days=1),
            by=SYSTEM,
            now=NOW,
        )
    with pytest.raises(AccountError) as caught:
        act(factory, "revoke_token", token_id=row.id, now=NOW)
    assert caught.value.code == "UNKNOWN_TOKEN"
