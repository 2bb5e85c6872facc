"""T29: hospitals linked by the patient's own code; a no at both, a yes with the letter of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from patients_door import STUDY, Inviting, database_bytes
from sqlalchemy import select

from consent import service as consent
from consent.letters import Letter
from consent.models import ConsentEvent, Invitation, Subject
from consent.models_people import LinkCode
from consent.proof import Statement, act_of, letter_prover, proof_key
from registry import audit
from registry.app import HubApp
from registry.database import SessionFactory
from registry.transaction import unit_of_work

HERE, THERE = "catharina", "zuyderland"
FormToken = Callable[[FlaskClient], str]


pytestmark = pytest.mark.usefixtures("argon2")


@pytest.fixture
def browsers(
    app: HubApp, invite: Inviting, form_token: FormToken
) -> Callable[..., tuple[FlaskClient, Letter]]:
    """A browser signed in with a fresh letter of a hospital."""

    def make(site: str, name: str = "one", **more: Any) -> tuple[FlaskClient, Letter]:
        made = invite(name.encode().ljust(20, b"-"), digits=None, site=site, **more)
        client = app.test_client()
        form = {"code": made.printed, "csrf_token": form_token(client)}
        assert client.post("/mijn", data=form).location == "/mijn/keuzes"
        return client, made

    return make


def code_shown(post: Callable[..., Any], client: FlaskClient) -> str:
    page = post("/mijn/koppelen/code", client).get_data(as_text=True)
    found = re.search(r'class="code">([0-9A-Z]{5}-[0-9A-Z]{5})<', page)
    assert found is not None
    return found[1]


def subject_of(factory: SessionFactory, letter: Letter) -> Subject:
    with factory() as session:
        invitation = session.get_one(Invitation, letter.code_id)
        return session.get_one(Subject, invitation.subject_id)


def answer(factory: SessionFactory, letter: Letter, said: str, clock: Any) -> None:
    """Give the same answer to every question of the study, as the form would."""
    subject = subject_of(factory, letter)
    with unit_of_work(factory, consent.patient(subject)) as session:
        text = consent.text_for(session, STUDY, clock.now)
        consent.record(
            session,
            subject=session.get_one(Subject, subject.id),
            study=STUDY,
            answers=dict.fromkeys(text.content["items"], said),
            text_version=text.id,
            language="nl",
            form_key=f"form-{letter.code_id}-{said}",
            actor=consent.patient(subject),
            now=clock.now,
            circumstances=consent.Circumstances(
                prove=letter_prover(letter.code_id, proof_key(letter.code_id, letter.secret))
            ),
        )


def events(factory: SessionFactory, letter: Letter) -> list[ConsentEvent]:
    subject = subject_of(factory, letter)
    with factory() as session:
        query = select(ConsentEvent).where(ConsentEvent.subject_id == subject.id)
        return list(session.scalars(query.order_by(ConsentEvent.leaf)))


def test_a_yes_is_taken_along_with_the_letter_of_the_other_hospital(
    browsers: Any, post: Any, factory: SessionFactory, clock: Any, tmp_path: Path
) -> None:
    (here, mine), (there, theirs) = browsers(HERE), browsers(THERE)
    answer(factory, mine, "yes", clock)
    assert here.get(f"/mijn/koppelen/{THERE}/{STUDY}").status_code == 404  # not linked yet
    assert post("/mijn/koppelen", here, link_code=code_shown(post, there)).status_code == 303
    path = f"/mijn/koppelen/{THERE}/{STUDY}"
    page = here.get(path).get_data(as_text=True)
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    seen = re.findall(r'name="seen" value="([0-9a-f]{64})"', page)[0]
    assert post(path, here, key=key, letter="").status_code == 401
    assert post(path, here, key=key, letter=mine.printed).status_code == 401
    assert events(factory, theirs) == []
    clock.now += timedelta(minutes=1)
    for other_page in ("", "0" * 64):
        refused = post(path, here, key=key, letter=theirs.printed, seen=other_page)
        assert refused.status_code == 409
        assert seen in refused.get_data(as_text=True)
    assert events(factory, theirs) == []
    assert post(path, here, key=key, letter=theirs.printed, seen=seen).status_code == 303
    said = events(factory, theirs)
    assert {event.evidence["page_sha256"] for event in said} == {seen}
    assert {event.kind for event in said} == {"granted"}
    assert {event.channel for event in said} == {"link"}
    other = subject_of(factory, theirs)
    statement = Statement(
        network=other.network,
        site=THERE,
        handle=other.handle,
        party="self",
        study=STUDY,
        text_version=str(said[0].text_version),
        yes=tuple(sorted(event.item for event in said)),
        at=said[0].effective_at,
        act=act_of(key),
    )
    proof = said[0].proof
    assert proof is not None
    assert proof["by"] == theirs.code_id  # the hospital's own letter, not the first one's
    mac = bytes.fromhex(proof["mac"])
    assert statement.proved_by(mac, proof_key(theirs.code_id, theirs.secret))
    assert not statement.proved_by(mac, proof_key(mine.code_id, mine.secret))
    assert here.get(path).status_code == 404  # nothing is left to take along
    stored = database_bytes(tmp_path)
    for letter in (mine, theirs):
        key = proof_key(letter.code_id, letter.secret)
        for secret in (key, key.hex().encode(), letter.secret.encode()):
            assert secret not in stored
    assert mac.hex().encode() in stored  # what was made with it is


def test_a_no_needs_no_letter_of_the_other_hospital(
    browsers: Any, post: Any, factory: SessionFactory, clock: Any
) -> None:
    (here, mine), (there, theirs) = browsers(HERE), browsers(THERE)
    answer(factory, theirs, "yes", clock)
    answer(factory, mine, "no", clock)
    post("/mijn/koppelen", here, link_code=code_shown(post, there))
    clock.now += timedelta(minutes=1)
    path = f"/mijn/koppelen/{THERE}/{STUDY}"
    seen = re.findall(r'name="seen" value="([^"]+)"', here.get(path).get_data(as_text=True))[0]
    assert post(path, here, key="k1", seen=seen).status_code == 303
    assert {event.kind for event in events(factory, theirs)[-3:]} == {"refused"}


def test_stopping_at_one_hospital_stops_at_both(
    browsers: Any, post: Any, factory: SessionFactory, clock: Any
) -> None:
    (here, mine), (there, theirs) = browsers(HERE), browsers(THERE)
    for letter in (mine, theirs):
        answer(factory, letter, "yes", clock)
    post("/mijn/koppelen", here, link_code=code_shown(post, there))
    clock.now += timedelta(minutes=1)
    with factory() as session:
        subject = subject_of(factory, theirs)
        assert any(each.counts for each in consent.choices(session, subject, clock.now))
    stopped = post(f"/mijn/{STUDY}/stoppen", here, key="stop-1", level="W3")
    assert stopped.status_code == 303
    with factory() as session:
        subject = subject_of(factory, theirs)
        assert not any(each.counts for each in consent.choices(session, subject, clock.now))
    shown = {each.evidence["page_sha256"] for each in events(factory, theirs)[-1:]}
    assert shown == {events(factory, mine)[-1].evidence["page_sha256"]} != {""}


def test_reuse_and_guessing_by_another_patient_are_refused_alike(
    browsers: Any, post: Any, factory: SessionFactory, clock: Any
) -> None:
    (here, _mine), (there, _theirs) = browsers(HERE), browsers(THERE)
    (thief, _other) = browsers(HERE, "thief")
    shown = code_shown(post, there)
    with factory() as session:
        kept = session.scalars(select(LinkCode)).one()
    assert shown.replace("-", "") not in f"{kept.lookup}{kept.subject_id}"
    guesses = [post("/mijn/koppelen", thief, link_code=f"0000{n}-00000") for n in range(7)]
    assert [each.status_code for each in guesses] == [401] * 5 + [429] * 2
    # The thief is locked out; the patient is not.
    assert post("/mijn/koppelen", here, link_code=shown).status_code == 303
    late = browsers(HERE, "late")[0]
    reused = post("/mijn/koppelen", late, link_code=shown)
    wrong = post("/mijn/koppelen", late, link_code="ZZZZZ-ZZZZZ")
    assert reused.status_code == wrong.status_code == 401
    strip = re.compile(r'name="csrf_token" value="[^"]*"')
    assert strip.sub("", reused.text) == strip.sub("", wrong.text)
    old = code_shown(post, there)
    clock.now += timedelta(minutes=15)
    assert post("/mijn/koppelen", late, link_code=old).status_code == 401


def test_unlinking_ends_what_the_other_session_may_see(
    browsers: Any, post: Any, factory: SessionFactory, clock: Any
) -> None:
    (here, mine), (there, theirs) = browsers(HERE), browsers(THERE)
    answer(factory, mine, "no", clock)
    post("/mijn/koppelen", here, link_code=code_shown(post, there))
    assert here.get(f"/mijn/koppelen/{THERE}/{STUDY}").status_code == 200
    with factory() as session:  # the look at the other hospital's choices is a line of its own
        read = [line.about for line in audit.lines(session) if line.action == "consent.read"]
    assert f"subject:{subject_of(factory, theirs).id}" in read
    assert post("/mijn/koppelen/los", there).status_code == 303
    assert here.get(f"/mijn/koppelen/{THERE}/{STUDY}").status_code == 404
    assert post(f"/mijn/koppelen/{THERE}/{STUDY}", here, key="k").status_code == 404


def test_a_representative_links_nothing(browsers: Any, post: Any) -> None:
    parent = browsers(HERE, party="p-moeder", role="parent")[0]
    for path in ("/mijn/koppelen/code", "/mijn/koppelen", "/mijn/koppelen/los"):
        assert post(path, parent, link_code="ZZZZZ-ZZZZZ").status_code == 403
