"""The coordinator's pages of participants: in by letter or form, on, over, and out with a stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from consent.models import ConsentEvent, Invitation, Subject
from consent.proof import letter_prover
from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.participants.models import Participant
from studies.participants.numbers import set_arms
from studies.reading import get_study

from .conftest import NOW, OWN

PAGE = "/c/study/hormone-therapy/participants"
FORM = {"hospital": "zuyderland", "how": "form", "signed_on": "2026-03-02", "text": "1"}


@pytest.fixture
def desk(
    signed_in: Callable[..., FlaskClient], form_token: Callable[[FlaskClient], str]
) -> Callable[..., Any]:
    """``desk(path, field=...)``: the coordinator posts a form of ours."""
    client = signed_in("coordinator")
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"

    def post(path: str, **form: str) -> Any:
        return client.post(f"{PAGE}{path}", data={**form, "csrf_token": form_token(client)})

    post.get = lambda path="": client.get(f"{PAGE}{path}").get_data(as_text=True)  # type: ignore[attr-defined]
    return post


def version(page: str) -> str:
    found = re.search(r'name="expected" value="(\d+)"', page)
    assert found
    return found[1]


def test_from_the_letter_to_the_stop(
    desk: Any, factory: SessionFactory, world: Any, signed_in: Callable[..., FlaskClient]
) -> None:
    assert "Settle the numbers first" in desk.get()
    assert desk("/numbering", letters="h").status_code == 422
    assert desk("/numbering", letters="ht").status_code == 303
    assert "Nobody is in this study yet" in desk.get()

    # What is missing is said at its field, and what was typed stays.
    answer = desk("", hospital="zuyderland", pseudonym="HT-0001", how="letter", letter="")
    assert answer.status_code == 422
    assert "Fill in the number of the letter" in answer.text
    assert 'value="HT-0001"' in answer.text
    answer = desk("", **FORM | {"text": "7"}, pseudonym="HT-0001", state="on-study")
    assert answer.status_code == 409
    assert 'href="#text"' in answer.text
    # Nothing of a person is repeated by the machine in words of its own.
    answer = desk("", **FORM, pseudonym="Jansen", state="on-study")
    assert answer.status_code == 409
    assert "This is not a study number" in answer.text

    with factory() as session:
        set_arms(
            session, get_study(session, "hormone-therapy"), [("a", "Kort", "Short")], actor=SYSTEM
        )
        session.commit()
        letter = session.scalars(
            select(Invitation.code_id).where(Invitation.subject_id == world.patients["mine"])
        ).one()
    given = {"hospital": "catharina", "how": "letter", "letter": letter, "state": "on-study"}
    answer = desk("", **given, pseudonym="HT-0001")
    assert answer.status_code == 303, answer.text
    assert answer.location.endswith("/HT-0001?done=enter")
    assert desk("", **FORM, pseudonym="HT-0002", state="eligible").status_code == 303
    shown = desk.get()
    assert "2 participants, by study number" in shown
    assert letter not in shown + desk.get("/HT-0001")

    one = desk.get("/HT-0001")
    assert "(by letter)" in one
    assert "(signed form, text 1)" in desk.get("/HT-0002")
    assert "The stop goes to" not in desk.get("/HT-0001?done=leave&reached=catharina")
    assert "It is written down" not in desk.get("/HT-0001?done=leave")
    old = version(one)
    assert desk("/HT-0001/arm", expected=old, arm="a").status_code == 303
    # Somebody else was first: nothing is written, and what was typed stands there still.
    late = desk("/HT-0001/move", expected=old, to="follow-up", at="2026-03-02", reason="completed")
    assert late.status_code == 409
    assert "Somebody else changed this participant" in late.text
    assert 'value="completed" selected' in late.text
    now = version(late.text)
    bad = desk("/HT-0001/move", expected=now, to="follow-up", at="soon")
    assert bad.status_code == 422
    assert 'href="#move-at"' in bad.text
    assert desk("/HT-0001/move", expected=now, to="follow-up").status_code == 303
    assert desk("/HT-0001/offer", expected=_version(desk), hospital="zuyderland").status_code == 303
    assert "Offered to Zuyderland" in desk.get("/HT-0001")
    assert desk("/HT-0001/take-over", expected=_version(desk)).status_code == 303
    assert "counts for Catharina" in desk.get("/HT-0001")
    assert desk("", **FORM | {"hospital": "viecuri"}, pseudonym="HT-0003", state="eligible")
    only = desk.get("?hospital=viecuri")
    assert "HT-0003" in only
    assert "HT-0001" not in only
    assert "HT-0001" in desk.get("?hospital=elsewhere")
    assert "HT-0001" not in desk.get("?number=ht-0003")
    assert "Nothing fits what you chose." in desk.get("?number=_%25")
    for odd in ("page=0", "page=99999999999999999999", "page=%C2%B2", "state=x", "number=%00"):
        assert desk.get(f"?{odd}").startswith("<!doctype html>"), odd

    # A stop of the use of data names the hospital that gets it, and stands in the patient's log.
    answer = desk("/HT-0001/leave", expected=_version(desk), way="data_all")
    assert answer.status_code == 303
    left = desk.get(answer.location.removeprefix(PAGE))
    assert "The stop goes to: Catharina" in left
    # Which hospitals it reached is worked out, never taken from the address.
    told = re.search(r"The stop goes to: ([^.]*)", desk.get("/HT-0001?done=leave&reached=viecuri"))
    assert told
    assert "VieCuri" not in told[1]
    with factory() as session:
        last = session.scalars(
            select(ConsentEvent)
            .where(ConsentEvent.subject_id == world.patients["mine"])
            .order_by(ConsentEvent.leaf.desc())
        ).first()
        assert last is not None
        assert (last.kind, last.actor_role) == ("withdrawn", "staff")

    # Who says yes again on their own page can be stopped again, and is.
    assert 'value="data_all"' not in desk.get("/HT-0001")
    _say_yes(factory, world.patients["mine"])
    again = desk.get("/HT-0001")
    assert "This patient said yes again after the stop" in again
    assert 'value="data_all"' in again
    assert desk("/HT-0001/leave", expected=_version(desk), way="data_all").status_code == 303
    assert "said yes again" not in desk.get("/HT-0001")
    with factory() as session:
        events = select(ConsentEvent.kind).where(ConsentEvent.subject_id == world.patients["mine"])
        kinds = session.scalars(events.order_by(ConsentEvent.leaf)).all()
        assert (kinds[-1], kinds[-2]) == ("withdrawn", "granted")

    # Without a letter the hub says that it reaches nobody, on the list too.
    assert desk("/HT-0002/leave", expected="2", way="data_all").status_code == 303
    assert "has not reached a hospital" in desk.get("/HT-0002")
    assert "no letter is linked" in desk.get()
    assert desk("/HT-0002/letter", expected="3", letter="").status_code == 422
    assert desk("/HT-0002/letter", expected="3", letter="ZZZZZZ", stop="yes").status_code == 409
    assert desk("/HT-0002/mistake", expected="3").status_code == 422
    assert desk("/HT-0002/mistake", expected="3", sure="yes").status_code == 303
    assert "Entered by mistake" in desk.get("/HT-0002")
    assert "HT-0002" not in desk.get()


def test_lines_can_be_put_right_and_milestones_written(desk: Any, factory: SessionFactory) -> None:
    assert desk("/numbering", letters="HT").status_code == 303
    assert desk("", **FORM, pseudonym="HT-0005", state="on-study").status_code == 303
    assert desk("/HT-0005/milestone", expected="2", milestone="last_visit").status_code == 303
    assert desk("/HT-0005/milestone", expected="3", milestone="last_visit").status_code == 409
    assert desk("/HT-0005/redate", expected="3", line="3", at="2026-03-01").status_code == 422
    right = {"expected": "3", "line": "3", "at": "2026-03-02", "reason": "mistake"}
    assert desk("/HT-0005/redate", **right).status_code == 303
    assert "Date of line 3 put right" in desk.get("/HT-0005")
    assert desk("/HT-0005/do-not-take", expected="4").status_code == 409
    assert desk("/HT-0005/move", expected="4", to="elsewhere").status_code == 422
    assert desk("/HT-0005/leave", expected="4").status_code == 422
    with factory() as session:
        (one,) = session.scalars(select(Participant))
        assert (one.version, one.state) == (4, "on-study")
    assert desk("/HT-0099/move", expected="1", to="off-study").status_code == 404
    assert desk("/HT-0005/nothing").status_code == 404


def test_a_letter_is_linked_unlinked_and_not_guessed(
    desk: Any, factory: SessionFactory, world: Any
) -> None:
    assert desk("/numbering", letters="HT").status_code == 303
    form = FORM | {"hospital": "catharina"}
    assert desk("", **form, pseudonym="HT-0001", state="on-study").status_code == 303
    letter = world.codes["mine"][:6]
    # A right letter with a number that cannot be is a try too: the answer tells that it is right.
    right = {"hospital": "catharina", "how": "letter", "letter": letter, "state": "on-study"}
    assert "This is not a study number" in desk("", **right, pseudonym="X").text
    with factory() as session:
        assert [line.facts["code"] for line in _refused(session)] == ["bad_pseudonym"]
    assert desk("/HT-0001/leave", expected="2", way="data_all").status_code == 303
    # A stop of then would be carried out: somebody says that this is meant.
    answer = desk("/HT-0001/letter", expected="3", letter=letter)
    assert answer.status_code == 422
    assert "Tick that this patient stopped" in answer.text
    assert 'href="#stop"' in answer.text
    linked = {"expected": "3", "letter": letter, "stop": "yes"}
    assert desk("/HT-0001/letter", **linked).status_code == 303
    shown = desk.get("/HT-0001")
    assert "Letter of Catharina" in shown
    assert letter not in shown
    assert desk("/HT-0001/letter", **linked).status_code == 409
    assert desk("/HT-0001/unlink", expected="4", of="viecuri").status_code == 422
    assert desk("/HT-0001/unlink", expected="4", of="catharina").status_code == 303
    assert "Until then they go no further" in desk.get("/HT-0001")
    assert desk("/HT-0001/letter", **linked | {"expected": "5"}).status_code == 303

    # Who tries numbers is counted, though every refusal writes nothing else; and held up.
    way = {"pseudonym": "HT-0002", "how": "letter", "hospital": "zuyderland", "state": "on-study"}
    for number in range(19):
        answer = desk("", **way, letter=f"ZZZZ{number:02}")
        assert answer.status_code == 409
        assert "No letter of this hospital" in answer.text
    answer = desk("", **way, letter="ZZZZZZ")
    assert answer.status_code == 429
    assert desk("/HT-0001/letter", expected="6", letter=letter, stop="yes").status_code == 429
    assert desk("", **FORM, pseudonym="HT-0002", state="on-study").status_code == 303
    with factory() as session:
        lines = _refused(session)
        assert len(lines) == 20
        locked = select(AuditLine).where(AuditLine.action == "participant.letters_locked")
        assert len(session.scalars(locked).all()) == 1


def _say_yes(factory: SessionFactory, subject_id: str) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        subject = session.get_one(Subject, subject_id)
        text = consent.text_for(session, OWN, NOW)
        consent.record(
            session,
            subject=subject,
            study=OWN,
            answers=dict.fromkeys(text.content["items"], "yes"),
            text_version=text.id,
            language="nl",
            form_key="again",
            actor=consent.patient(subject),
            now=NOW,
            circumstances=consent.Circumstances(prove=letter_prover("TEST01", b"k" * 32)),
        )


def _refused(session: Session) -> list[AuditLine]:
    action = AuditLine.action == "participant.letter_refused"
    return list(session.scalars(select(AuditLine).where(action)))


def test_many_participants_come_by_the_page(desk: Any, factory: SessionFactory) -> None:
    """Fifty a page; a choice of state or hospital stays while one turns pages."""
    with unit_of_work(factory, SYSTEM) as session:
        for number in range(1, 122):
            place = "zuyderland" if number % 2 else "catharina"
            state = "on-study" if number <= 110 else "screening"
            session.add(
                Participant(
                    study="hormone-therapy",
                    pseudonym=f"HT-{number:04}",
                    site=place,
                    state=state,
                    since=NOW,
                    entered_wrongly=number == 121,
                )
            )
        announce(session, actor=SYSTEM, action="participant.entered", about="study:hormone-therapy")

    def numbers(query: str) -> list[str]:
        return re.findall(r'participants/(HT-\d+)">', desk.get(query))

    assert numbers("") == [f"HT-{number:04}" for number in range(1, 51)]
    assert numbers("?page=3") == [f"HT-{number:04}" for number in range(101, 121)]
    assert numbers("?page=9") == numbers("?page=3")
    page = desk.get("?state=on-study&hospital=zuyderland")
    assert "55 participants, by study number" in page
    forward = re.search(r'rel="next" href="([^"]+)"', page)
    assert forward
    assert {"state=on-study", "hospital=zuyderland", "page=2"} <= set(
        forward[1].partition("?")[2].split("&amp;")
    )
    assert numbers("?state=on-study&hospital=zuyderland&page=2") == [
        f"HT-{number:04}" for number in range(101, 110, 2)
    ]
    assert numbers("?state=mistakes") == ["HT-0121"]
    assert numbers("?number=t-012") == ["HT-0120"]


def _version(desk: Any) -> str:
    return version(desk.get("/HT-0001"))
