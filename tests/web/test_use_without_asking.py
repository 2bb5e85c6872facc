"""Decisions to use data without asking, on pages: off at first, two people, and nobody counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from consent import no_consent
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import Network, Study

from .conftest import FOREIGN, OWN, Clock

HERE = f"/c/study/{OWN}/consent/route"
PUBLIC = f"/studies/{OWN}"
SignedIn = Callable[..., FlaskClient]


@pytest.fixture
def send(signed_in: SignedIn, form_token: Callable[[FlaskClient], str]) -> Callable[..., Any]:
    def post(who: str, path: str = HERE, *, fresh: bool = True, **fields: str) -> Any:
        client = signed_in(who, fresh=fresh)
        return client.post(path, data={"csrf_token": form_token(client), **fields})

    return post


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return unescape(answer.text)


def test_two_people_and_the_public_page(
    send: Callable[..., Any],
    signed_in: SignedIn,
    browser: FlaskClient,
    factory: SessionFactory,
    clock: Clock,
) -> None:
    last = (clock() + timedelta(days=300)).date().isoformat()
    why = {
        "ground": "a",
        "reason": "Vragen kan niet.",
        "reference": "METC-26-001",
        "until": last,
    }
    assert "Dit netwerk staat zulke besluiten niet toe" in page(signed_in("committee"), HERE)
    assert send("committee", **why).status_code == 409, "off in every network at first"

    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, OWN)
        no_consent.switch(session, session.get_one(Network, study.network), on=True, actor=SYSTEM)
    for who in ("researcher", "steward", "mine"):
        assert signed_in(who).get(HERE).status_code in (302, 303, 403, 404), who
    assert "Voorstellen" not in page(signed_in("coordinator"), HERE)
    assert send("coordinator", **why).status_code in (403, 404), "who writes does not decide"
    assert send("committee", fresh=False, **why).location.startswith("/sign-in/confirm")
    wrong = send("committee", until="2999-01-01", ground="", reason="", reference="x")
    assert wrong.status_code == 422
    assert {"#ground", "#reason", "#until"} == set(re.findall(r'href="(#\w+)"', wrong.text)) - {
        "#content"
    }
    assert send("committee", **why).status_code == 303
    assert f'"{HERE}"' in page(signed_in("board"), "/texts")
    assert "METC-26-001" not in page(browser, PUBLIC), "a proposal is no decision"

    [place] = set(re.findall(rf'action="({HERE}/[0-9a-f-]+)"', page(signed_in("committee"), HERE)))
    assert 'value="decide"' not in page(signed_in("committee"), HERE)
    assert send("committee", place, act="decide").status_code == 409, "not alone"
    assert send("board", place, act="").status_code == 422
    assert send("board", place.replace(OWN, FOREIGN), act="decide").status_code in (403, 404)
    assert send("board", place, act="decide").status_code == 303
    assert send("board", place, act="decide").status_code == 409
    shown = page(browser, PUBLIC)
    assert "METC-26-001" in shown
    assert "U telt hierdoor niet mee." in shown
    assert "Vragen kan niet." not in shown, "the reason is for those who decide"
    assert "METC-26-001" in page(signed_in("coordinator"), HERE)
    assert f'"{HERE}"' not in page(signed_in("board"), "/texts")

    clock.now += timedelta(days=301)
    assert "METC-26-001" not in page(browser, PUBLIC)
    clock.now -= timedelta(days=301)
    assert send("committee", place, act="end").status_code == 303
    assert "METC-26-001" not in page(browser, PUBLIC)
    assert "afgelopen" in page(signed_in("committee"), HERE).lower()
