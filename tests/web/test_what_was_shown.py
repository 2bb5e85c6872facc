"""With each act stays the hash of what was on the screen: the form's last page, or a stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from consent.models import ConsentEvent
from registry.database import SessionFactory

from .conftest import OWN, Clock
from .patients import Patient


@pytest.fixture
def patient(
    signed_in: Any, form_token: Callable[[FlaskClient], str], world: Any, clock: Clock
) -> Patient:
    clock.now += timedelta(minutes=5)
    return Patient(signed_in("mine"), form_token, world.codes["mine"])


def newest(factory: SessionFactory) -> ConsentEvent:
    with factory() as session:
        last = select(ConsentEvent).order_by(ConsentEvent.leaf.desc()).limit(1)
        return session.scalars(last).one()


def test_the_hash_is_of_what_was_shown(
    patient: Patient, factory: SessionFactory, clock: Clock
) -> None:
    shown = []
    for answer in ("yes", "no", "yes"):
        assert patient.record(patient.answer_all(answer)).status_code == 303
        event = newest(factory)
        assert re.fullmatch(r"[0-9a-f]{64}", event.evidence["page_sha256"])
        assert (event.language, event.text_version is not None) == ("nl", True)
        shown.append(event.evidence["page_sha256"])
        clock.now += timedelta(minutes=1)
    assert shown[0] == shown[2] != shown[1], "other answers stood on the screen"
    stops = []
    for n, level in enumerate(("W1", "W3")):
        assert patient.post(f"{OWN}/stoppen", level=level, key=f"k{n}").status_code == 303
        event = newest(factory)
        assert (event.kind, event.text_version) == ("withdrawn", None)
        stops.append(event.evidence["page_sha256"])
        clock.now += timedelta(minutes=1)
    assert len({*stops, *shown, ""}) == 5
