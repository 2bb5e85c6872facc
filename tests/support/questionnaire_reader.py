"""A browser with a patient in it who fills in questionnaires: for tests."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Token = Callable[[FlaskClient], str]
LIST = "/mijn/vragenlijst/qlq-c30/T0"


class Reader:
    """A browser with the patient in it."""

    def __init__(self, client: FlaskClient, token: Token) -> None:
        self.client, self.token = client, token

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **sent: str) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(self.client), **sent})

    def fill_in(self, **answers: str) -> TestResponse:
        """Every screen of the QLQ-C30; what is not named is skipped."""
        response = self.post(f"{LIST}/1", **answers)
        for _screen in range(20):
            if response.location.endswith("/nakijken"):
                return self.client.get(response.location)
            response = self.post(response.location, **answers)
        raise AssertionError("the questionnaire has no end")
