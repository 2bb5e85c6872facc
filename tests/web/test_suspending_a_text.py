"""A text that turned out wrong: one person asks, another suspends it, and patients read why."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from consent import service as consent
from consent.models import TextVersion
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.seeds.oncozon import HORMONE_THERAPY

from .conftest import OWN, Clock

HOME = f"/c/study/{OWN}/consent"
HERE = f"{HOME}/1/suspend"
WHY = {"why-nl": "Er stond een fout in de tekst.", "why-en": "There was a mistake in the text."}
SignedIn = Callable[..., FlaskClient]
Token = Callable[[FlaskClient], str]


@pytest.fixture
def send(signed_in: SignedIn, form_token: Token) -> Callable[..., Any]:
    """`send("board", "/page", act="suspend")`: that person sends a form."""

    def post(who: str, path: str, *, fresh: bool = True, **fields: str) -> Any:
        client = signed_in(who, fresh=fresh)
        return client.post(path, data={"csrf_token": form_token(client), **fields})

    return post


def page(signed_in: SignedIn, who: str, path: str) -> str:
    answer = signed_in(who, fresh=True).get(path)
    assert answer.status_code == 200, path
    return unescape(answer.text)


def request_in(shown: str) -> str:
    [found] = set(re.findall(rf'action="({HERE}/[0-9a-f-]+)"', shown))
    return str(found)


def test_two_people_suspend_a_text_and_the_patient_reads_why(
    send: Callable[..., Any], signed_in: SignedIn, factory: SessionFactory, clock: Clock
) -> None:
    assert "Versie 1 stilzetten" in page(signed_in, "coordinator", HERE)
    old = send("coordinator", HERE, fresh=False, **WHY)
    assert old.status_code != 303 or "confirm" in old.location
    empty = send("coordinator", HERE, **{"why-nl": "", "why-en": "Wrong."})
    assert empty.status_code == 422
    assert "#why-nl" in empty.text
    assert "#why-en" not in empty.text
    assert send("coordinator", HERE, **WHY).status_code == 303
    assert send("committee", HERE, **WHY).status_code == 409  # asked already

    waits = page(signed_in, "committee", "/texts")
    assert HERE in waits
    asked = request_in(page(signed_in, "committee", HERE))
    own = page(signed_in, "coordinator", HERE)
    assert 'value="suspend"' not in own
    assert 'value="leave"' in own
    assert send("coordinator", asked, act="suspend").status_code == 409  # not alone
    assert send("board", asked, act="").status_code == 422
    assert "u doet mee</span>" in page(signed_in, "mine", "/mijn/keuzes")

    assert send("board", asked, act="suspend").status_code == 303
    assert send("committee", asked, act="leave").status_code == 409
    assert "Deze tekst staat stil" in page(signed_in, "coordinator", HERE)
    assert "stilgezet" in page(signed_in, "coordinator", HOME)
    assert HERE not in page(signed_in, "committee", "/texts")
    with factory() as session:
        [text] = session.scalars(select(TextVersion).where(TextVersion.study == OWN))
        assert text.suspended_at is not None

    mine = page(signed_in, "mine", "/mijn/keuzes")
    assert "Er stond een fout in de tekst." in mine
    assert "Uw ja telt nu niet mee." in mine
    assert "ja, maar dat telt nu niet" in mine
    assert "u doet mee</span>" not in mine
    assert "Er komt een nieuwe tekst" in mine  # nothing to read, so nothing to press
    assert f"/mijn/{OWN}/uitleg" not in mine
    assert f"/mijn/{OWN}/verander" not in mine
    assert f"/mijn/{OWN}/stoppen" in mine  # stopping always can
    gone = signed_in("mine").get(f"/mijn/{OWN}/uitleg")
    assert gone.status_code == 404
    assert "/mijn/keuzes" in gone.text

    clock.now = clock.now.replace(microsecond=0)
    with unit_of_work(factory, SYSTEM) as session:
        consent.publish_text(
            session,
            study=OWN,
            content={**HORMONE_THERAPY.text, "nl": {**HORMONE_THERAPY.text["nl"], "title": "Nu"}},
            approved_by=("one", "two"),
            actor=SYSTEM,
            now=clock.now,
            change_class="urgent",
        )
    mine = page(signed_in, "mine", "/mijn/keuzes")
    assert f"/mijn/{OWN}/nieuwe-tekst" in mine
    assert "Er stond een fout in de tekst." in mine


def test_a_request_is_taken_back_or_refused(send: Callable[..., Any], signed_in: SignedIn) -> None:
    for who in ("coordinator", "board"):
        assert send("coordinator", HERE, **WHY).status_code == 303
        asked = request_in(page(signed_in, who, HERE))
        assert send(who, asked, act="leave").status_code == 303
    shown = page(signed_in, "committee", HERE)
    assert shown.count("Niet stilgezet") == 2
    assert "u doet mee</span>" in page(signed_in, "mine", "/mijn/keuzes")
    assert signed_in("coordinator").get(f"{HOME}/9/suspend").status_code == 404
    assert send("coordinator", "/c/study/other-study/consent/1/suspend", **WHY).status_code == 404
