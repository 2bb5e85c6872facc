"""A browser with a patient in it, for tests of the patient's pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from consent.models import ConsentEvent, Receipt
from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.events import announce

from .conftest import OWN, SITE

Token = Callable[[FlaskClient], str]


class Patient:
    """A browser with a patient in it, who fills in forms as they stand on the page."""

    def __init__(self, client: FlaskClient, token: Token, code: str) -> None:
        self.client, self.token, self.code = client, token, code

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"/mijn/{path}")

    def post(self, path: str, **sent: str) -> TestResponse:
        data = {"csrf_token": self.token(self.client), **sent}
        return self.client.post(f"/mijn/{path}", data=data)

    def page(self, response: TestResponse) -> TestResponse:
        """The page that a redirect leads to."""
        assert response.status_code == 303, response.text[:500]
        return self.client.get(response.location)

    def answer_all(self, answer: str) -> TestResponse:
        """Answer each page that comes, until the check page."""
        response = self.post(f"{OWN}/kiezen", way="each")
        for _page in range(20):
            if response.location.endswith("/controleer"):
                return self.page(response)
            page = self.page(response)
            names = set(re.findall(r'type="radio" id="[^"]*" name="([^"]*)"', page.text))
            path = response.location.removeprefix("/mijn/")
            response = self.post(path, **dict.fromkeys(names, answer))
        raise AssertionError("the form has no end")

    def record(self, page: TestResponse, **changed: str) -> TestResponse:
        """Press the button of a check page."""
        return self.post(f"{OWN}/controleer", **{**hidden(page), "letter": self.code, **changed})


def hidden(page: TestResponse) -> dict[str, str]:
    found = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    found.pop("csrf_token", None)
    found.pop("next", None)
    return found


def events(factory: SessionFactory, receipt: str) -> dict[str, str]:
    with factory() as session:
        rows = select(ConsentEvent).where(ConsentEvent.receipt_id == receipt)
        return {event.item: event.kind for event in session.scalars(rows)}


def receipts(factory: SessionFactory) -> int:
    with factory() as session:
        return session.scalar(select(func.count()).select_from(Receipt)) or 0


def receipt_of(response: TestResponse) -> str:
    assert response.status_code == 303, response.text[:2000]
    return response.location.rsplit("/", 1)[1]


def stop(patient: Patient, path: str, **sent: str) -> str:
    return receipt_of(patient.post(path, **sent))


def hidden_of(page: str) -> dict[str, str]:
    found = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page))
    return {name: value for name, value in found.items() if name in ("key", "item")}


def consent_announce(session: Any) -> None:
    announce(session, actor=SYSTEM, action="consent.destroy_reported", about=f"institution:{SITE}")
