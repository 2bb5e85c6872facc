"""What tests of the patients' door share: letters with digits, Argon2id that counts, a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask import g
from flask.testing import FlaskClient

from consent import letters
from consent import service as consent
from consent.letters import Letter
from registry.accounts import visitor
from registry.accounts.proving import COOKIE
from registry.app import HubApp
from registry.database import SessionFactory
from registry.transaction import request_unit, unit_of_work
from studies.actor import SYSTEM

STUDY, SITE, DIGITS = "hormone-therapy", "catharina", "604117"
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class CountedArgon2:
    """Argon2id, quick; `runs` has a line per check: work is counted, seconds are not."""

    runs: list[str] = field(default_factory=list)

    def hash(self, text: str) -> str:
        return _QUICK.hash(text)

    def verify(self, stored: str, text: str) -> bool:
        self.runs.append(stored)
        return _QUICK.verify(stored, text)


@dataclass
class Inviting:
    """`invite(handle, digits=…, site=…)`: a letter that a hospital made for a patient."""

    factory: SessionFactory
    clock: Any

    def __call__(
        self,
        handle: bytes = b"patient-of-the-tests",
        *,
        digits: str | None = DIGITS,
        site: str = SITE,
        **more: Any,
    ) -> Letter:
        made = letters.new_letter()
        who = (made.code_id, made.secret)
        second = None if digits is None else letters.second_verifier(*who, digits)
        with unit_of_work(self.factory, SYSTEM) as session:
            consent.invite(
                session,
                site=site,
                handle=handle,
                code_id=made.code_id,
                verifier=letters.verifier(*who),
                second_verifier=second,
                studies=[STUDY],
                language="nl",
                actor=SYSTEM,
                now=self.clock.now,
                **more,
            )
        return made


def cookie(client: FlaskClient, name: str) -> str | None:
    """The value of a cookie that this browser has."""
    found = client.get_cookie(name)
    return None if found is None else found.value


def error_of(response: Any) -> str:
    """The sentence at the field that was wrong."""
    found = re.search(r'-error">(.*?)</p>', response.get_data(as_text=True), re.DOTALL)
    return found[1] if found else ""


def database_bytes(folder: Path) -> bytes:
    """Everything in the hub's database file and its log of writes."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("hub.sqlite*")))


@contextmanager
def in_request_of(app: HubApp, client: FlaskClient, factory: SessionFactory) -> Iterator[None]:
    """Inside a request of this browser, with a session as a view has it."""
    sent = "; ".join(
        f"{name}={value}"
        for name in ("oncokring", COOKIE)
        if (value := cookie(client, name)) is not None
    )
    here = app.test_request_context(
        "/mijn/x", base_url="http://localhost", headers={"Cookie": sent}
    )
    with here:
        app.preprocess_request()
        visitor.load(app.extensions["oncokring"].settings)
        assert g.factory is factory
        with request_unit(factory):
            yield
