"""Who may speak for a patient at the hub's door: only as long as the hospital says so, and only
about what is theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from patients_door import Inviting
from sqlalchemy import func, select

from consent.models import ConsentEvent, Invitation
from consent.models_people import DestroyOrder, Party
from registry.accounts.sessions import start
from registry.app import HubApp
from registry.database import SessionFactory
from studies.actor import SYSTEM
from studies.events import announce

from .conftest import NOW, OWN, Clock
from .patients import Patient, Token

pytestmark = pytest.mark.usefixtures("argon2")
SOON = timedelta(minutes=10)


def told(factory: SessionFactory, subject: str, party: str, **span: Any) -> None:
    """The hospital said from when until when this person speaks for the patient."""
    with factory() as session:
        session.add(Party(subject_id=subject, party=party, role="parent", **span))
        announce(session, actor=SYSTEM, action="consent.told", about="test")
        session.commit()


def visitor(
    app: HubApp, factory: SessionFactory, token: Token, subject: str, party: str
) -> Patient:
    with factory() as session:
        number = start(session, now=NOW, subject_id=subject, party=party)
        session.commit()
    client = app.test_client()
    client.set_cookie("oncokring", number)
    return Patient(client, token, "")


def said(factory: SessionFactory) -> int:
    with factory() as session:
        return session.scalar(select(func.count()).select_from(ConsentEvent)) or 0


def test_who_may_no_longer_speak_sees_nothing_and_stops_nothing(
    app: HubApp,
    post: Any,
    invite: Inviting,
    factory: SessionFactory,
    form_token: Token,
    clock: Clock,
) -> None:
    """The patient turned 16, or a mentor's appointment ended: also for who is signed in already."""
    parent = invite(digits=None, party="p-moeder", role="parent")
    assert post("/mijn", code=parent.printed).status_code == 303
    with factory() as session:
        mine = session.get_one(Invitation, parent.code_id).subject_id
    told(factory, mine, "p-moeder", valid_from=NOW, valid_until=NOW + SOON, recorded_at=NOW)
    there = visitor(app, factory, form_token, mine, "p-moeder")
    assert there.get("keuzes").status_code == 200
    before = said(factory)
    clock.now = NOW + SOON
    assert there.get("keuzes").status_code != 200
    assert there.client.get("/api/v1/me/choices").status_code == 401
    there.post("stoppen", level="W4")
    assert said(factory) == before
    with factory() as session:
        assert session.scalars(select(DestroyOrder)).all() == []
    again = app.test_client()
    assert post("/mijn", again, code=parent.printed).status_code == 401
    # The hospital says that it goes on after all: then the same letter opens.
    told(factory, mine, "p-moeder", valid_from=NOW, recorded_at=clock.now)
    assert post("/mijn", again, code=parent.printed).status_code == 303


def test_of_two_parents_neither_sees_nor_undoes_what_the_other_ordered(
    app: HubApp, factory: SessionFactory, form_token: Token, world: Any, clock: Clock
) -> None:
    mine = world.patients["mine"]
    for party in ("p-one", "p-two"):
        told(factory, mine, party, valid_from=NOW, recorded_at=NOW)
    one = visitor(app, factory, form_token, mine, "p-one")
    two = visitor(app, factory, form_token, mine, "p-two")
    clock.now += timedelta(minutes=1)
    assert one.post(f"{OWN}/stoppen", level="W4").status_code == 303
    assert one.post("bezwaar", what="reuse").status_code == 303
    with factory() as session:
        order = session.scalars(select(DestroyOrder)).one().id
    assert order in one.get("keuzes").text
    assert order not in two.get("keuzes").text
    assert "bezwaar gemaakt" not in two.get("keuzes").text.lower()
    assert two.post("vernietigen", order=order).status_code == 404
    with factory() as session:
        assert session.get_one(DestroyOrder, order).cancelled_at is None
    assert one.post("vernietigen", order=order).status_code == 303
    with factory() as session:
        assert session.get_one(DestroyOrder, order).cancelled_at is not None
