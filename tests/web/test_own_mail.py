"""Where a person's own mail goes: nothing but a code goes to an address before it is confirmed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from mail_server import SmtpServer
from mailing_hub import server_of
from sqlalchemy import select

from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.mail.models import Mail, MailAddress
from registry.mail.outbox import compose, send
from registry.settings import Settings
from registry.transaction import unit_of_work
from studies import notices
from studies.actor import SYSTEM

from .conftest import Clock, World

SignIn = Callable[..., FlaskClient]
Token = Callable[[FlaskClient], str]
HUB = "https://hub.example"


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as made:
        yield made


@pytest.fixture
def mailing(settings: Settings, smtp: SmtpServer) -> Settings:
    return replace(settings, mail=server_of(smtp))


def announce_something(factory: SessionFactory, clock: Clock, title: str) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        notices.write_notice(
            session,
            network="oncozon",
            title=(title, title),
            text=("Vanaf maandag.", "From Monday on."),
            actor=SYSTEM,
            now=clock.now,
        )


class TestWithMail:
    @pytest.fixture
    def settings(self, settings: Settings, smtp: SmtpServer) -> Settings:
        return replace(settings, mail=server_of(smtp))

    def test_an_address_counts_once_its_code_is_typed(
        self,
        signed_in: SignIn,
        form_token: Token,
        factory: SessionFactory,
        smtp: SmtpServer,
        clock: Clock,
    ) -> None:
        client = signed_in("chair")
        token = {"csrf_token": form_token(client)}
        server = server_of(smtp)

        def post(where: str = "", **data: str) -> int:
            return client.post(f"/mail{where}", data={**token, **data}).status_code

        def newest() -> tuple[str, str]:
            """(to, code) of the mail that went last, by the real server."""
            send(factory, server, clock)
            mail = smtp.taken[-1]
            body = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
            return mail["To"], re.findall(r"^ {4}(\d{6})$", body, re.MULTILINE)[0]

        assert post("/code") == 303  # without an address nothing is sent
        assert post(address="karle@example.org") == 303
        to, first = newest()
        assert to == "karle@example.org"
        announce_something(factory, clock, "Nieuwe vragenlijst")
        assert compose(factory, clock.now, HUB) == 0  # not before it is confirmed

        # A typing error put right: the code of the other address counts no more.
        assert post(address="karel@example.org") == 303
        assert newest()[0] == "karel@example.org"
        refused = client.post("/mail/confirm", data={**token, "code": first})
        assert refused.status_code == 422
        assert 'id="error-summary"' in refused.get_data(True)
        # Five wrong tries, and the right one comes too late.
        right = newest_code(factory)
        for wrong in ("", "abc", "x" * 5000, f"{(int(right) + 1) % 10**6:06}"):
            assert post("/confirm", code=wrong) == 422
        assert post("/confirm", code=right) == 422
        assert "Laat een nieuwe sturen" in client.post(
            "/mail/confirm", data={**token, "code": right}
        ).get_data(True)

        # A new one holds for a day.
        assert post("/code") == 303
        right = newest()[1]
        clock.now += timedelta(days=1)
        client = signed_in("chair")  # the sign-in of yesterday has ended
        token = {"csrf_token": form_token(client)}
        assert post("/confirm", code=right) == 422
        assert post("/code") == 303
        right = newest()[1]
        assert post("/confirm", code=f" {right[:3]} {right[3:]} ") == 303
        assert post("/confirm", code=right) == 422  # once
        assert "karel@example.org" in client.get("/mail").get_data(True)
        assert compose(factory, clock.now, HUB) == 1
        send(factory, server, clock)
        body = smtp.taken[-1].get_payload(decode=True).decode()  # type: ignore[union-attr]
        assert "Nieuwe vragenlijst" in body
        assert f"{HUB}/announcements" in body  # a chair has no inbox
        # The same address again stays confirmed; another one does not.
        assert post(address="karel@example.org") == 303
        with factory() as session:
            assert session.scalars(select(MailAddress.confirmed_at)).one() is not None
        assert post(address="other@example.org") == 303
        with factory() as session:
            assert session.scalars(select(MailAddress.confirmed_at)).one() is None
            said = session.scalars(select(AuditLine.action)).all()
        assert said.count("account.mail_confirmed") == 1
        assert said.count("account.mail_code_refused") >= 8

    def test_five_codes_a_day_and_none_for_an_address_that_was_left(
        self,
        signed_in: SignIn,
        form_token: Token,
        factory: SessionFactory,
        smtp: SmtpServer,
        clock: Clock,
    ) -> None:
        client = signed_in("board")
        token = {"csrf_token": form_token(client)}
        for each in range(6):
            done = client.post("/mail", data={**token, "address": f"a{each}@example.org"})
            assert done.headers["Location"].endswith("enough" if each == 5 else "sent")
        # Only the last code is worth sending, and its address is left too.
        assert send(factory, server_of(smtp), clock) == 0
        with factory() as session:
            whys = session.scalars(select(Mail.why)).all()
        assert whys == ["NOT_WANTED"] * 5


def newest_code(factory: SessionFactory) -> str:
    with factory() as session:
        code = session.scalars(select(MailAddress.code)).one()
    assert code is not None
    return code


def test_without_a_mail_server_it_waits_and_is_asked_for_once_there_is_one(
    signed_in: SignIn, form_token: Token, factory: SessionFactory, world: World, clock: Clock
) -> None:
    client = signed_in("coordinator")
    token = {"csrf_token": form_token(client)}
    assert "verstuurt nog geen mail" in client.get("/mail").get_data(True)
    for wrong in ("karel", "a@b.nl, c@d.nl", "a b@c.nl", "a@b.nl\nBcc: c@d.nl", "@b.nl"):
        done = client.post("/mail", data={**token, "address": wrong})
        assert done.status_code == 422, wrong
        assert done.get_data(True).count('id="error-summary"') == 1
    for address in ("karel@example.org", "", "karel@example.org"):
        assert client.post("/mail", data={**token, "address": address}).status_code == 303
        with factory() as session:
            rows = session.scalars(select(MailAddress)).all()
            assert [row.address for row in rows] == ([address] if address else [])
    assert client.post("/mail/confirm", data={**token, "code": "000000"}).status_code == 422
    assert "niet bevestigd" in client.get("/inbox").get_data(True)
    with factory() as session:
        assert session.scalars(select(Mail)).all() == []
    # So do addresses of before there were codes: one code, once, and never another by itself.
    assert compose(factory, clock.now, HUB) == 1
    clock.now += timedelta(days=2)
    assert compose(factory, clock.now, HUB) == 0
    with factory() as session:
        mail = session.scalars(select(Mail)).one()
        assert (mail.kind, mail.address) == ("code-1", "karel@example.org")
        mail.state, mail.why = "failed", "550"
        session.commit()
