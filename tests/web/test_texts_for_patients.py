"""The pages on which texts for patients are written, approved, published and looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent import service as consent
from consent.items import ITEMS
from consent.models import TextVersion
from consent.periods import Periods
from consent.proof import letter_prover
from consent.rounding import rounded
from registry.database import SessionFactory
from registry.forms import text_form
from registry.pages.consent_coverage import coverage, figure
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import Study
from studies.seeds.oncozon import HORMONE_THERAPY

STUDY = HORMONE_THERAPY.slug
HOME = f"/c/study/{STUDY}/consent"
SignedIn = Callable[..., FlaskClient]
Token = Callable[[FlaskClient], str]


class Person:
    """A browser of somebody, and the forms on the pages it opens."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.token = client, token

    def get(self, path: str, language: str = "en") -> str:
        self.client.set_cookie("language", language)
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return unescape(answer.text)

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **fields})


@pytest.fixture
def person(signed_in: SignedIn, form_token: Token) -> Callable[[str], Person]:
    def make(name: str, *, fresh: bool = True) -> Person:
        client = signed_in(name, fresh=fresh)
        client.set_cookie("language", "en")
        return Person(client, form_token(client))

    return make


def new_draft(writer: Person) -> str:
    answer = writer.post(f"{HOME}/draft")
    assert answer.status_code == 303
    return answer.headers["Location"]


def fields_of(page: str) -> dict[str, Any]:
    """What a browser would send back from the editor."""
    values: dict[str, Any] = {}
    for name, value in re.findall(r'<input[^>]* name="([^"]+)"[^>]*? value="([^"]*)"', page):
        tag = re.search(
            rf'<input[^>]*name="{re.escape(name)}" value="{re.escape(value)}"[^>]*>', page
        )
        if tag and re.search(r'type="(checkbox|radio)"', tag[0]):
            if " checked" in tag[0]:
                values.setdefault(name, []).append(value)
        else:
            values[name] = value
    for name, value in re.findall(
        r'<textarea[^>]* name="([^"]+)"[^>]*>\n?(.*?)</textarea>', page, re.S
    ):
        values[name] = value
    values.pop("csrf_token")
    values.pop("next", None)
    return values


def seen_of(page: str) -> str:
    found = re.search(r'name="seen" value="(\w{64})"', page)
    assert found is not None
    return found[1]


def save(writer: Person, edit: str, **changes: Any) -> TestResponse:
    return writer.post(edit, **{**fields_of(writer.get(edit)), **changes})


def test_from_a_draft_to_the_text_in_force(
    person: Callable[..., Person], factory: SessionFactory, clock: Any
) -> None:
    writer, anna, bas = person("coordinator"), person("committee"), person("board")
    edit = new_draft(writer)
    answer = save(
        writer,
        edit,
        change_class="clarifying",
        **{"nl-title": "Hormonen en borstkanker", "en-title": "Hormones and breast cancer"},
        **{"new-nl": "De titel is korter.", "new-en": "The title is shorter."},
    )
    review = answer.headers["Location"]
    assert (answer.status_code, review) == (303, f"{edit}/review")
    page = writer.get(review)
    assert "The title is shorter." in page
    assert "<ins>Hormones and</ins>" in page
    assert "0 of 2 approvals" in page
    assert "Publish this text" not in page  # not before two others approved it
    assert "approve it first" in page
    assert "Record my judgement" not in page

    early = writer.post(f"{edit}/publish")
    assert (early.status_code, "must approve it first" in early.text) == (409, True)
    for judge in (anna, bas):
        page = judge.get(review)
        assert "Publish this text" not in page
        nothing = judge.post(f"{edit}/approve", seen=seen_of(page))
        assert nothing.status_code == 422
        assert "Choose the class that fits" in nothing.text
        done = judge.post(f"{edit}/approve", seen=seen_of(page), judged="clarifying")
        assert done.status_code == 303, done.text
    assert "2 of 2 approvals" in bas.get(f"{review}?done=judged")
    assert "Your judgement is recorded." in bas.get(f"{review}?done=judged")
    assert "Publish this text" in writer.get(review)
    wrong = writer.post(f"{edit}/publish", begins="tomorrow")
    assert (wrong.status_code, "Write the day as" in wrong.text) == (422, True)
    past = writer.post(f"{edit}/publish", begins="2020-01-31")
    assert (past.status_code, "A text begins now or later" in past.text) == (409, True)
    published = writer.post(f"{edit}/publish")
    assert published.headers["Location"] == f"{HOME}/2"
    with factory() as session:
        text = consent.text_for(session, STUDY, clock.now)
        assert (text.number, text.content["en"]["title"]) == (2, "Hormones and breast cancer")
    assert "This draft is published." in writer.get(review)
    assert save(writer, edit, change_class="clarifying").status_code in (409, 422)

    page = writer.get(HOME)
    assert "Test committee, Test board" in page
    assert "Compare versions" in page
    assert "in force" in page
    page = writer.get(f"{HOME}/2")
    assert "What changed since version 1" in page
    assert text.id in page
    assert "<del>Research into hormone therapy for</del>" in writer.get(f"{HOME}/difference")
    assert "<ins>" not in writer.get(f"{HOME}/difference?old=2&new=2")
    assert writer.client.get(f"{HOME}/3").status_code == 404
    assert writer.client.get(f"{HOME}/3/phone").status_code == 404


def test_another_class_stops_a_draft(person: Callable[..., Person]) -> None:
    writer, anna = person("coordinator"), person("committee")
    edit = new_draft(writer)
    save(writer, edit, change_class="clarifying", **{"en-title": "Something else"})
    page = anna.get(f"{edit}/review")
    stale = anna.post(f"{edit}/approve", seen="0" * 64, judged="clarifying")
    assert (stale.status_code, "read it again" in stale.text) == (409, True)
    anna.post(f"{edit}/approve", seen=seen_of(page), judged="wider")
    assert "Test committee thinks it is “Wider”, which stops it" in writer.get(f"{edit}/review")
    assert "the class is wrong" in writer.post(f"{edit}/publish").text


def test_the_machine_says_when_a_class_cannot_be_right(person: Callable[..., Person]) -> None:
    writer, anna = person("coordinator"), person("committee")
    edit = new_draft(writer)
    answer = save(
        writer, edit, change_class="editorial", items=[*HORMONE_THERAPY.requires, "bio.blood"]
    )
    page = writer.get(answer.headers["Location"])
    assert "A subject was added, so the text is wider or urgent." in page
    # What the new subject rests on came along, with the words of the catalogue.
    editor = fields_of(writer.get(edit))
    assert editor["items"] == ["use.record", "use.network", "bio.blood", "bio.store", "study.join"]
    assert editor["nl-legend-bio.store"] == f"{ITEMS['bio.store'].label_nl}?"
    judged = anna.post(
        f"{edit}/approve", seen=seen_of(anna.get(f"{edit}/review")), judged="editorial"
    )
    assert (judged.status_code, "something else than its class" in judged.text) == (409, True)
    assert "A subject was added" not in writer.get(
        save(writer, edit, change_class="wider").headers["Location"]
    )


def test_what_the_editor_refuses(person: Callable[..., Person]) -> None:
    writer = person("coordinator")
    edit = new_draft(writer)
    page = save(writer, edit, items=["use.record"], **{"nl-title": " "}).text
    assert "This study needs an answer on: Count in the network, Join this study" in page
    assert 'href="#nl-title"' in page
    assert page.count("Title (Dutch): Fill in this text") == 2, "in the summary and at the field"
    page = save(writer, edit, **{"en-explain-use.record": "", "nl-answer-later": ""}).text
    assert "Data from your record, explanation (English): Fill in this text" in page
    assert "The answer “I do not know yet” (Dutch): Fill in this text" in page
    for changes, said in (
        ({"nl-story": "Only a heading"}, "put at least one sentence below it"),
        ({"nl-stop": "One.\nTwo.\nThree."}, "as many blocks and lines"),
        ({"items": []}, "Choose at least one subject"),
        ({"en-title": "a" * 20_001}, "at most 20,000 letters"),
        ({"change_class": "small"}, "Choose what kind of change this is"),
        ({"seen": "0" * 64}, "Somebody changed this draft"),
    ):
        answer = save(writer, edit, **changes)
        assert (answer.status_code, said in answer.text) == (422, True), said
    empty = writer.post(edit)
    assert (empty.status_code, "nothing was changed" in empty.text) == (422, True)


def test_whoever_writes_does_not_approve(
    person: Callable[..., Person], factory: SessionFactory, world: Any
) -> None:
    from registry.accounts import service
    from registry.accounts.models import Account

    with unit_of_work(factory, SYSTEM) as session:
        account = session.get_one(Account, world.accounts["committee"])
        service.grant_role(
            session,
            account,
            role="coordinator",
            scope=f"study:{STUDY}",
            by=SYSTEM,
            now=account.created_at,
        )
    both = person("committee")
    edit = new_draft(both)
    page = both.get(f"{edit}/review")
    assert "You wrote in this draft yourself." in page
    refused = both.post(f"{edit}/approve", seen=seen_of_hash(page), judged="clarifying")
    assert (refused.status_code, "two others do" in refused.text) == (409, True)
    assert page.count('href="/texts"') >= 1


def seen_of_hash(page: str) -> str:
    found = re.search(r'class="hash">(\w{64})<', page)
    assert found is not None
    return found[1]


def test_an_old_sign_in_is_asked_again(person: Callable[..., Person]) -> None:
    writer = person("coordinator")
    edit = new_draft(writer)
    later = person("committee", fresh=False)
    assert "Confirm that it is you" in later.get(f"{edit}/review")


def test_a_draft_of_another_study_is_not_here(person: Callable[..., Person], world: Any) -> None:
    foreign = world.drafts["other-study"]
    for end in ("", "/review", "/phone"):
        assert person("coordinator").client.get(f"{HOME}/draft/{foreign}{end}").status_code == 404


@pytest.mark.parametrize(
    ("language", "title"), [("nl", "Mogen onderzoekers"), ("en", "May researchers")]
)
def test_the_phone_shows_the_words_in_the_asked_language(
    person: Callable[..., Person], language: str, title: str
) -> None:
    page = person("coordinator").get(f"{HOME}/1/phone?language={language}")
    assert title in page
    assert f'<html lang="{language}">' in page
    assert "disabled" in page
    assert not re.search(r'type="radio"[^>]* checked', page), "nothing is chosen beforehand"


def test_every_reader_finds_the_texts(person: Callable[..., Person]) -> None:
    for name in ("coordinator", "committee", "board"):
        page = person(name).get("/texts")
        assert "0 of 2 approvals" in page
        assert HORMONE_THERAPY.title_en in page
        assert page.count(f'/c/study/{STUDY}/consent"') == 1
    assert "other-study" not in person("board").get("/texts")


def test_a_form_reads_back_what_it_shows() -> None:
    content = dict(HORMONE_THERAPY.text)
    values = text_form.fields(content)
    entered = text_form.read(
        lambda name: values.get(name, "").replace("\n", "\r\n"),
        content["items"],
        before=content["items"],
        requires=HORMONE_THERAPY.requires,
    )
    assert entered.content == content
    assert not entered.mistakes


def say(session: Any, number: int, answer: str, at: datetime) -> None:
    """A patient of the test's hospital answers every question alike."""
    subject = consent.add_subject(
        session, site="catharina", handle=number.to_bytes(20, "big"), network="oncozon", now=at
    )
    text = consent.text_for(session, STUDY, at)
    consent.record(
        session,
        subject=subject,
        study=STUDY,
        answers=dict.fromkeys(text.content["items"], answer),
        text_version=text.id,
        language="nl",
        form_key=f"answer-{number}",
        actor=consent.patient(subject),
        now=at,
        circumstances=consent.Circumstances(prove=letter_prover("ABC123", b"k" * 32)),
    )


def test_answers_are_rounded_and_small_numbers_are_hidden(
    app: Flask, factory: SessionFactory, clock: Any
) -> None:
    assert [rounded(n) for n in (0, 9, 10, 14, 15, 24, 25, 1234)] == [
        *(None, None, 10, 10, 20, 20, 30, 1230)
    ]
    given = ["yes"] * 14 + ["no"] * 16 + ["later"] * 9
    with unit_of_work(factory, SYSTEM) as session:
        for number, answer in enumerate(given, start=1):
            say(session, number, answer, clock.now)
    with app.test_request_context(), factory() as session:
        study = session.get_one(Study, STUDY)
        # The network is young, so the answers are those of now.
        found = coverage(session, study, clock.now + timedelta(hours=1))
        assert len(found.rows) == 10
        here = next(row for row in found.rows if row.hospital.startswith("Catharina"))
        assert (here.yes, here.no, here.silent) in ((20, 20, None), (10, 20, None))
        others = {(row.yes, row.no, row.silent) for row in found.rows if row is not here}
        assert others == {(None, None, None)}
        drawn = figure(found)
        assert drawn is not None
        assert "&lt;10" in drawn.drawings
        # Weeks later it is Monday's state, whatever was said since.
        later = clock.now + timedelta(days=30)
        monday = coverage(session, study, later)
        assert (monday.at.isoformat(), monday.rows) == ("2026-03-29T22:00:00+00:00", found.rows)
    with unit_of_work(factory, SYSTEM) as session:
        for number in range(100, 120):
            say(session, number, "yes", later)
    with app.test_request_context(), factory() as session:
        study = session.get_one(Study, STUDY)
        app.extensions["oncokring_answers"].clear()
        assert coverage(session, study, later + timedelta(hours=1)) == monday
        next_week = coverage(session, study, later + timedelta(days=7))
        here = next(row for row in next_week.rows if row.hospital.startswith("Catharina"))
        assert here.yes in (30, 40)
        assert {row.again for row in next_week.rows} == {None}
        # Five years on: of those who said yes before, all have to be asked again.
        app.extensions["oncokring_answers"].clear()
        years_later = coverage(session, study, later + Periods().renewal)
        here = next(row for row in years_later.rows if row.hospital.startswith("Catharina"))
        assert here.again in (10, 20)
        assert here.yes in (30, 40)


def test_a_study_without_a_text(person: Callable[..., Person], factory: SessionFactory) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        from sqlalchemy import delete

        from consent.models_trust import TextDraft
        from studies.events import announce

        session.execute(delete(TextDraft))
        session.query(TextVersion).filter(TextVersion.study == STUDY).update(
            {"study": "other-study", "number": 7}
        )
        announce(session, actor=SYSTEM, action="consent.text_published", about="study:test")
    writer = person("coordinator")
    assert "This study has no text yet." in writer.get(HOME)
    assert writer.post(f"{HOME}/draft").status_code == 404
    assert "Compare versions" in writer.get(f"{HOME}/difference")
