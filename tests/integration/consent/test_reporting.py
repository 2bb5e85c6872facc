"""Questionnaires on both databases: asked, sent once, carried with a list that says nothing new,
and forgotten when the hospital has them."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from consent import publishing, reporting
from consent.encoding import b64
from consent.errors import ConsentError
from consent.models import SnapshotRecord, Subject
from consent.models_reports import PromAsk, PromOwn, PromSealed
from consent.snapshot import parse_claims
from consent.subjects import handle_text
from federation.site.store import transaction
from studies.actor import SYSTEM
from studies.events import announced

from .conftest import NOW, STUDY, Hub
from .telling import OTHER, Place, both, count

TODAY = NOW.date()
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
OPEN = [str(TODAY - DAY), str(TODAY + DAY)]


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    yield from both(hub, tmp_path)


def tell(hospital: Any, kind: str, **content: Any) -> dict[str, int]:
    with transaction(hospital.database):
        hospital.outbox.add(kind, content, NOW)
    found: dict[str, int] = hospital.tell()
    return found


def handle(hospital: Any, number: str) -> str:
    return handle_text(hospital.handles.handle(number))


def asked(place: Place, subject: Subject, today: date = TODAY) -> list[Any]:
    found = reporting.asked(place.hub.session, subject, today)
    return [(each.ask.instrument, each.ask.timepoint, each.state) for each in found]


def send(place: Place, subject: Subject, which: int = 0, **more: Any) -> PromSealed:
    found = reporting.asked(place.hub.session, subject, TODAY)
    given: dict[str, Any] = {
        "number": str(uuid4()),
        "sealed": "sealed",
        "actor": SYSTEM,
        "now": NOW,
    }
    row = reporting.send(place.hub.session, subject, found[which], **given | more)
    place.hub.session.commit()
    return row


def what_is_asked_follows_the_newest_message(place: Place) -> None:
    here, mine = place.here, handle(place.here, "1")
    later = [str(TODAY + 9 * DAY), str(TODAY + 19 * DAY)]
    asks = [["QLQ-C30", "T0", *OPEN], ["EQ-5D-5L", "T0", *OPEN], ["QLQ-C30", "3m", *later]]
    assert tell(here, "prom_ask", handle=mine, asks=asks) == {"taken": 1}
    subject = here.subject("1")
    assert asked(place, subject) == [
        ("QLQ-C30", "T0", "open"),
        ("EQ-5D-5L", "T0", "open"),
        ("QLQ-C30", "3m", "later"),
    ]
    assert {state for *_, state in asked(place, subject, TODAY + 30 * DAY)} == {"closed"}
    tell(here, "prom_ask", handle=mine, asks=[["QLQ-C30", "T0", *later]])
    assert asked(place, subject) == [("QLQ-C30", "T0", "later")]
    assert count(place.hub, PromAsk) == 3
    # The same handle told by another hospital is another patient.
    tell(place.there, "prom_ask", handle=mine, asks=asks)
    assert asked(place, subject) == [("QLQ-C30", "T0", "later")]
    good = ["QLQ-C30", "T0", *OPEN]
    for wrong in (
        "x",
        ["x"],
        [good] * 41,
        [good[:3]],
        [["QLQ C30", *good[1:]]],
        [["QLQ-C30", "T1", *OPEN]],
        [["QLQ-C30", "T0", *reversed(OPEN)]],
        [["QLQ-C30", "T0", "2026-1-1", OPEN[1]]],
        [["QLQ-C30", "T0", 1, 2]],
    ):
        assert tell(here, "prom_ask", handle=mine, asks=wrong) == {"refused": 1}, wrong
    assert tell(here, "closed", handle=mine) == {"taken": 1}
    assert tell(here, "prom_ask", handle=mine, asks=[good]) == {"refused": 1}
    assert not reporting.may_remind(place.hub.session, subject)
    tell(here, "reopened", handle=mine)
    assert reporting.may_remind(place.hub.session, subject)


def it_is_sent_once_and_only_its_own_hospital_takes_it(place: Place) -> None:
    here, session = place.here, place.hub.session
    tell(here, "prom_ask", handle=handle(here, "11"), asks=[["QLQ-C30", "T0", *OPEN]])
    subject = here.subject("11")
    row = send(place, subject)
    assert send(place, subject, number=row.id).id == row.id  # the same form again
    for again in ({}, {"sealed": "x" * 20_001}):
        with pytest.raises(ConsentError) as refused:
            send(place, subject, **again)
        assert refused.value.code == "questionnaire_not_open"
    tell(place.there, "prom_ask", handle=handle(place.there, "11"), asks=[["QLQ-C30", "T0", *OPEN]])
    with pytest.raises(ConsentError):
        send(place, place.there.subject("11"), number=row.id)  # somebody else's number
    session.rollback()
    assert [number for number, _ in reporting.waiting(session, here.slug)] == [row.id]
    assert reporting.waiting(session, OTHER) == []
    tell(place.there, "prom_taken", taken=[[row.id, None]])
    session.refresh(row)
    assert row.sealed == "sealed"
    for wrong in ("x", [[row.id]], [[row.id, "Not A Code"]], [[1, None]], [[row.id, None]] * 101):
        assert tell(here, "prom_taken", taken=wrong) == {"refused": 1}, wrong
    tell(here, "prom_taken", taken=[[row.id, None], [str(uuid4()), None]])
    session.refresh(row)
    assert (row.sealed, row.code, row.taken_at) == (None, None, NOW)
    assert asked(place, subject) == [("QLQ-C30", "T0", "arrived")]
    tell(here, "prom_taken", taken=[[row.id, "unreadable"]])  # too late to change its mind
    session.refresh(row)
    assert row.code is None


def own_scores_belong_to_a_letter_of_the_patient(place: Place) -> None:
    here, session = place.here, place.hub.session
    with transaction(here.database):
        letter = here.letters.make(here.handles.handle("21"), [STUDY], NOW)
    here.tell()
    mine, blob = handle(here, "21"), b64(b"sealed for the patient")
    assert tell(here, "prom_own", handle=mine, letter=letter.code_id, sealed=blob) == {"taken": 1}
    assert tell(here, "prom_own", handle=mine, letter=letter.code_id, sealed=blob) == {"taken": 1}
    row = session.scalars(select(PromOwn)).one()
    assert (row.letter, row.sealed) == (letter.code_id, b"sealed for the patient")
    other = handle(here, "212")
    for wrong in (
        {"handle": other, "letter": letter.code_id, "sealed": blob},
        {"handle": mine, "letter": "ZZZZZZ", "sealed": blob},
        {"handle": mine, "letter": letter.code_id, "sealed": "*"},
    ):
        assert tell(here, "prom_own", **wrong) == {"refused": 1}, wrong
    assert reporting.own(session, here.subject("21")) is row


def a_draft_lasts_seven_days(place: Place) -> None:
    here, session = place.here, place.hub.session
    tell(here, "prom_ask", handle=handle(here, "31"), asks=[["QLQ-C30", "T0", *OPEN]])
    subject = here.subject("31")
    ask = reporting.asked(session, subject, TODAY)[0].ask
    assert reporting.draft(session, subject, ask, NOW) is None
    reporting.keep_draft(session, subject, ask, b"one", NOW)
    reporting.keep_draft(session, subject, ask, b"two", NOW + DAY)
    assert reporting.draft(session, subject, ask, NOW + 8 * DAY) == b"two"
    assert reporting.draft(session, subject, ask, NOW + 8 * DAY + MINUTE) is None
    reporting.forget_old(session, NOW + 9 * DAY)
    assert reporting.draft(session, subject, ask, NOW + DAY) is None
    content = {"licence": "one", "items": {}}
    reporting.keep_wording(session, "QLQ-C30", "nl", content, actor=SYSTEM, now=NOW)
    assert [row.content for row in reporting.wordings(session)] == [content]
    reporting.keep_wording(session, "QLQ-C30", "nl", None, actor=SYSTEM, now=NOW)
    assert reporting.wordings(session) == []
    said = [each.action for each in announced(session) if each.action.startswith("prom.")]
    assert said == ["prom.worded", "prom.unworded"]


def sealed_bytes_travel_with_a_list_that_says_nothing_new(place: Place) -> None:
    here, session = place.here, place.hub.session
    sent: list[dict[str, Any]] = []

    def publish(at: Any) -> list[SnapshotRecord]:
        def sign(site: str, claims: dict[str, Any]) -> bytes:
            sent.append({**claims, "aud": site})
            return f"list {claims['seq']} {claims.get('prom')}".encode()

        return publishing.publish_snapshots(session, sign, [here.slug], now=at)

    def bodies() -> list[str]:
        rows = session.scalars(select(SnapshotRecord.body).order_by(SnapshotRecord.seq)).all()
        return ["" if each is None else each.decode() for each in rows]

    tell(here, "prom_ask", handle=handle(here, "41"), asks=[["QLQ-C30", "T0", *OPEN]])
    subject = here.subject("41")
    row = send(place, subject)
    publish(NOW)  # the first list says something: it carries nothing
    assert "prom" not in sent[-1]
    [record] = publish(NOW + MINUTE)  # at once, not after the usual five minutes
    assert sent[-1]["prom"] == [[row.id, "sealed"]]
    assert record.carries == 1
    assert parse_claims(sent[-1], audience=here.slug).further["prom"] == sent[-1]["prom"]
    assert bodies() == ["list 1 None", f"list 2 {[[row.id, 'sealed']]}"]
    # Not again and again while the hospital says nothing.
    assert publish(NOW + 2 * MINUTE) == []
    publish(NOW + 7 * MINUTE)
    assert bodies()[:2] == ["list 1 None", ""]
    assert "sealed" in bodies()[2]
    publishing.store_ack(
        session,
        site=here.slug,
        seq=3,
        status="applied",
        code=None,
        applied_at=NOW,
        now=NOW + 7 * MINUTE,
    )
    session.commit()
    assert bodies() == ["list 1 None", "", ""]
    # A list that says something new leaves them for the next one, and forgets none of its own.
    here_subject = place.hub.subject(here.slug)
    place.hub.answer(here_subject, NOW + 8 * MINUTE)
    publish(NOW + 8 * MINUTE)
    assert "prom" not in sent[-1]
    assert bodies() == ["list 1 None", "", "", "list 4 None"]
    publish(NOW + 9 * MINUTE)
    assert "prom" in sent[-1]
    tell(here, "prom_taken", taken=[[row.id, None]])
    publish(NOW + 10 * MINUTE)
    assert "prom" not in sent[-1]
    assert not any("sealed" in body for body in bodies())


def test_questionnaires(place: Place) -> None:
    """One network for all of it: making and dropping a database takes longer than what it holds."""
    what_is_asked_follows_the_newest_message(place)
    it_is_sent_once_and_only_its_own_hospital_takes_it(place)
    own_scores_belong_to_a_letter_of_the_patient(place)
    a_draft_lasts_seven_days(place)
    sealed_bytes_travel_with_a_list_that_says_nothing_new(place)
