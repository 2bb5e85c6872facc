"""A hub with one coordinator who gets mail, for tests of the daily mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mail_server import SmtpServer
from sqlalchemy import select, update

from registry.accounts import service as accounts
from registry.database import SessionFactory, open_database
from registry.mail.models import Mail, MailAddress, MailTold
from registry.mail.outbox import compose, send
from registry.mail.server import MailServer, read_server
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Participation
from studies.seeds import loading
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HUB = "https://hub.example"
DAY = timedelta(days=1)


class Hub:
    """A hub with one coordinator who gets mail, and a clock."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self.factory: SessionFactory = open_database(self.url)
        self.now = NOW
        self.person = ""

    def fill(self) -> None:
        """Once; the tests get a copy each."""
        with unit_of_work(self.factory, SYSTEM) as session:
            loading.load_network(
                session, replace(ONCOZON, studies=(HORMONE_THERAPY,)), SYSTEM, now=NOW - 10 * DAY
            )
            made = accounts.add_account(
                session,
                name="karel",
                display_name="Karel",
                password="een lange zin voor de test",
                by=SYSTEM,
                now=NOW,
                totp_secret="A" * 32,
            )
            accounts.grant_role(
                session,
                made,
                role="coordinator",
                scope=f"study:{HORMONE_THERAPY.slug}",
                by=SYSTEM,
                now=NOW,
            )
            session.flush()
            self.person = made.id
            session.add(
                MailAddress(
                    account_id=self.person,
                    address="karel@example.org",
                    language="nl",
                    set_at=NOW,
                    confirmed_at=NOW,
                )
            )
            announce(
                session, actor=SYSTEM, action="account.mail_set", about=f"account:{self.person}"
            )

    def clock(self) -> datetime:
        return self.now

    def mails(self) -> list[tuple[str, str | None]]:
        with self.factory() as session:
            rows = session.scalars(select(Mail).order_by(Mail.made_at))
            return [(row.state, row.why) for row in rows]

    def told(self) -> int:
        with self.factory() as session:
            return len(session.scalars(select(MailTold)).all())

    def compose(self) -> int:
        return compose(self.factory, self.now, HUB)

    def send(self, server: MailServer) -> int:
        return send(self.factory, server, self.clock)

    def remind(self, institution: str) -> None:
        """A hospital that did not answer in time."""
        with unit_of_work(self.factory, SYSTEM) as session:
            session.execute(
                update(Participation)
                .where(Participation.institution == institution)
                .values(state="invited", since=self.now - 20 * DAY, interest=None)
            )
            announce(session, actor=SYSTEM, action="participation.invited", about="study:x")


def server_of(smtp: SmtpServer) -> MailServer:
    """That server as the settings name it."""
    found = read_server(smtp.url, "oncokring@hub.example")
    assert found is not None
    return found
