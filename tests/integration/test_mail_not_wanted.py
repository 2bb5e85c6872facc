"""A mail that waits while its reader changes: what is no longer theirs, or wanted, is not sent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mail_server import SmtpServer
from mailing_hub import DAY, NOW, Hub, server_of
from sqlalchemy import delete
from sqlalchemy.orm import Session

from registry.accounts import service as accounts
from registry.accounts.models import Account
from registry.database import engine_of
from registry.mail.models import Mail, MailAddress, MailTold
from registry.transaction import unit_of_work
from studies import notices
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Network
from studies.seeds.oncozon import HORMONE_THERAPY


@pytest.fixture
def hub(sqlite_template: Path, tmp_path: Path) -> Iterator[Hub]:
    made = Hub(Path(shutil.copy(sqlite_template, tmp_path / "hub.sqlite")))
    made.fill()
    yield made
    engine_of(made.factory).dispose()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as made:
        yield made


def test_what_was_turned_off_or_taken_away_is_not_sent(hub: Hub, smtp: SmtpServer) -> None:
    """The mail was made, and waits for a server that was away; then its reader changes."""
    hub.remind("catharina")

    def elsewhere(session: Session) -> None:
        session.get_one(MailAddress, hub.person).address = "karel@elsewhere.example"

    def off(session: Session) -> None:
        session.delete(session.get_one(MailAddress, hub.person))

    def suspended(session: Session) -> None:
        session.get_one(Account, hub.person).state = "suspended"

    def no_role(session: Session) -> None:
        scope = f"study:{HORMONE_THERAPY.slug}"
        account = session.get_one(Account, hub.person)
        accounts.revoke_role(
            session, account, role="coordinator", scope=scope, by=SYSTEM, now=hub.now
        )

    for change in (elsewhere, suspended, no_role, off):
        assert hub.compose() == 1
        with unit_of_work(hub.factory, SYSTEM) as session:
            change(session)
            announce(session, actor=SYSTEM, action="account.changed", about="account:x")
        assert (hub.send(server_of(smtp)), smtp.taken) == (0, []), change.__name__
        assert hub.mails() == [("failed", "NOT_WANTED")]
        assert hub.told() == 0  # nothing of it is lost
        with unit_of_work(hub.factory, SYSTEM) as session:
            session.execute(delete(Mail))
            if change is suspended:
                session.get_one(Account, hub.person).state = "active"
            if change is no_role:
                accounts.grant_role(
                    session,
                    session.get_one(Account, hub.person),
                    role="coordinator",
                    scope=f"study:{HORMONE_THERAPY.slug}",
                    by=SYSTEM,
                    now=hub.now,
                )
            announce(session, actor=SYSTEM, action="account.changed", about="account:x")


def test_turned_off_while_the_server_is_asked_gives_no_text(hub: Hub, smtp: SmtpServer) -> None:
    hub.remind("catharina")
    hub.compose()

    def turn_off(command: str) -> None:
        if command == "RCPT":
            with unit_of_work(hub.factory, SYSTEM) as session:
                session.delete(session.get_one(MailAddress, hub.person))
                announce(session, actor=SYSTEM, action="account.mail_set", about="account:x")

    smtp.at = turn_off
    assert (hub.send(server_of(smtp)), smtp.taken) == (0, [])
    assert hub.send(server_of(smtp)) == 0
    assert hub.mails() == [("failed", "NOT_WANTED")]


def test_the_mail_tells_of_ones_own_networks_and_only_what_stands(
    hub: Hub, smtp: SmtpServer
) -> None:
    with unit_of_work(hub.factory, SYSTEM) as session:
        session.add(Network(slug="west", name="West"))
        announce(session, actor=SYSTEM, action="network.created", about="network:west")
    said = {}
    with unit_of_work(hub.factory, SYSTEM) as session:
        for network in ("west", "oncozon"):
            said[network] = notices.write_notice(
                session,
                network=network,
                title=(f"Nieuws\nvan {network}\n- Nep", f"News of {network}"),
                text=("Vanaf maandag.", "From Monday on."),
                actor=SYSTEM,
                now=NOW,
            ).id
    assert (hub.compose(), hub.send(server_of(smtp))) == (1, 1)
    body = smtp.taken[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "- Nieuws van oncozon - Nep\n" in body  # on its one line
    assert "west" not in body

    hub.now += DAY
    with unit_of_work(hub.factory, SYSTEM) as session:
        session.execute(delete(MailTold))
    assert hub.compose() == 1
    boss = Actor("user", "x", frozenset({"administrator@network"}))
    with unit_of_work(hub.factory, SYSTEM) as session:
        notice = notices.get_notice(session, said["oncozon"])
        with pytest.raises(StudiesError, match="not_the_writer"):
            notices.withdraw_notice(
                session, notice, actor=replace(boss, roles=frozenset()), now=hub.now
            )
        notices.withdraw_notice(session, notice, actor=boss, now=hub.now)
    assert (hub.send(server_of(smtp)), len(smtp.taken)) == (0, 1)
