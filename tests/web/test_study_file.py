"""The file of a study: decisions, versions, documents, numbers, and how the study began."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from coordinated import with_file
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.runs.models import Run
from registry.access import may_see_group
from registry.accounts.models import AccountSession
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.hospitals.feasibility import MOST_IDEAS, list_counts
from studies.hospitals.models import CommitteeDecision, StudyDocument, StudyVersion
from studies.models import Study, WorkingGroup
from studies.study_state import write_event

PAGE = "/c/study/hormone-therapy/file"
PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"
Desk = Callable[..., Any]


@pytest.fixture
def desk(
    signed_in: Callable[..., FlaskClient], form_token: Callable[[FlaskClient], str]
) -> Callable[..., Desk]:
    """``desk(role)(act, field=...)``: somebody posts one of the forms."""

    def sit(role: str, *, fresh: bool = True) -> Desk:
        client = signed_in(role, fresh=fresh)
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"

        def post(act: str, **form: Any) -> Any:
            data = {**form, "act": act, "csrf_token": form_token(client)}
            return client.post(PAGE, data=data)

        post.get = lambda path="": client.get(f"{PAGE}{path}")  # type: ignore[attr-defined]
        return post

    return sit


def test_what_a_coordinator_writes_down(desk: Callable[..., Desk], factory: SessionFactory) -> None:
    send = desk("coordinator")
    paper = {"kind": "decision", "doc_version": "1", "name": "Letter", "valid_from": "2026-02-01"}
    for changes, field, words in (
        ({}, "file", "Choose a PDF file"),
        ({"file": (BytesIO(b"PK"), "x.docx")}, "file", "Only whole PDF files are kept"),
        ({"file": (BytesIO(PDF), "x.pdf"), "doc_version": "?"}, "name", "needs a name"),
        ({"file": (BytesIO(PDF), "x.pdf"), "kind": "vgo"}, "kind", "not in the list"),
    ):
        answer = send("document", **{**paper, **changes})
        assert answer.status_code == 422
        assert f'href="#{field}"' in answer.text
        assert words in answer.text
        assert 'value="Letter"' in answer.text
    assert send("document", file=(BytesIO(PDF), "x.pdf"), **paper).status_code == 303
    with factory() as session:
        letter = session.scalars(select(StudyDocument)).one()
    got = send.get(f"/{letter.id}")  # type: ignore[attr-defined]
    assert (got.data, got.mimetype) == (PDF, "application/pdf")
    assert got.headers["Content-Disposition"].startswith("attachment")

    decision = {"body": "nwmo", "outcome": "positive", "reference": "W22.123", "letter": letter.id}
    for changes, field in (
        ({"decided_on": ""}, "decided_on"),
        ({"decided_on": "2027-01-01"}, "decided_on"),
        ({"decided_on": "2026-03-01", "reference": ""}, "reference"),
        ({"decided_on": "2026-03-01", "body": "metc"}, "body"),
        ({"decided_on": "2026-03-01", "body": "data_access"}, "body"),
        ({"decided_on": "2026-03-01", "letter": ""}, "letter"),
    ):
        answer = send("decide", **{**decision, **changes})
        assert answer.status_code == 422, changes
        assert f'href="#{field}"' in answer.text
    answer = send(
        "decide",
        **{**decision, "outcome": "conditions", "decided_on": "1-3-2026"},
        conditions="A second reader\n\n<b>Nothing bold</b>",
    )
    assert answer.status_code == 303

    version = {"of": "protocol", "version": "2.0", "text": letter.id}
    answer = send("publish", **version, in_force_from="2026-03-01", adopt_by="2026-02-01")
    assert 'href="#in_force_from"' in answer.text
    answer = send("publish", **version, in_force_from="2026-03-01", adopt_by="2026-04-01")
    assert answer.status_code == 303

    answer = send("describe", phase="", design="cohort", **{"nr-nct": "12", "nr-abr": "NL1"})
    assert 'href="#nr-nct"' in answer.text
    assert 'href="#nr-abr"' in answer.text
    numbers = {"nr-nct": "nct01234567", "nr-abr": "NL81234.058.22"}
    assert send("describe", phase="", design="cohort", **numbers).status_code == 303
    for act in ("", "erase"):
        assert send(act).status_code == 422

    page = send.get().text  # type: ignore[attr-defined]
    for words in ("W22.123", "A second reader", "Protocol 2.0", "in force", "NL81234.058.22"):
        assert words in page, words
    assert "https://clinicaltrials.gov/study/NCT01234567" in page
    assert "&lt;b&gt;Nothing bold" in page
    assert "<b>Nothing" not in page
    with factory() as session:
        study = session.get_one(Study, "hormone-therapy")
        assert (study.design, study.state) == ("cohort", "open")
        assert session.scalars(select(StudyVersion.version)).one() == "2.0"
        assert session.scalars(select(CommitteeDecision.outcome)).one() == "conditions"


def test_the_committee_decides_here_and_does_nothing_else(
    desk: Callable[..., Desk], factory: SessionFactory
) -> None:
    send = desk("committee")
    assert 'value="publish"' not in send.get().text  # type: ignore[attr-defined]
    assert send("describe", design="cohort").status_code == 422
    given = {"body": "data_access", "reference": "DT-1", "decided_on": "2026-03-02"}
    # Deciding here asks for password and code again; writing down what others decided does not.
    late = desk("committee", fresh=False)
    answer = late("decide", outcome="withdrawn", **given)
    assert "/confirm" in answer.headers["Location"]
    assert late("decide", outcome="negative", **{**given, "body": "nwmo"}).status_code == 303
    with factory() as session:
        assert session.get_one(Study, "hormone-therapy").state == "closed"
    coordinator = desk("coordinator")
    paper = {"kind": "decision", "doc_version": "1", "name": "Letter", "valid_from": "2026-02-01"}
    assert coordinator("document", file=(BytesIO(PDF), "x.pdf"), **paper).status_code == 303
    with factory() as session:
        letter = session.scalars(select(StudyDocument.id)).one()
    reviewer = {**given, "body": "nwmo", "outcome": "positive", "letter": letter}
    assert coordinator("decide", **reviewer).status_code == 303
    with factory() as session:
        assert session.get_one(Study, "hormone-therapy").state == "open"
    assert send("decide", outcome="withdrawn", **given).status_code == 303
    # A letter of another body does not overrule data access.
    assert coordinator("decide", **reviewer).status_code == 303
    with factory() as session:
        assert session.get_one(Study, "hormone-therapy").state == "closed"
    assert send("decide", outcome="positive", **given).status_code == 303
    with factory() as session:
        assert session.get_one(Study, "hormone-therapy").state == "open"


def test_a_count_is_shown_to_the_group_only_when_it_was_answered(
    desk: Callable[..., Desk], factory: SessionFactory, world: Any
) -> None:
    send = desk("coordinator")
    mine, theirs = world.runs["hormone-therapy"], world.runs["other-study"]
    for run in (mine, theirs, "nothing", ""):
        answer = send("count", run=run)
        assert answer.status_code == 422
        assert "an answered question" in answer.text
    outcome = {"status": "complete", "result": {"n": 620, "total": 620}}
    with factory() as session:
        session.execute(
            update(Run)
            .where(Run.id.in_((mine, theirs)))
            .values(state="complete", finished_at=Run.submitted_at, outcome=outcome)
        )
        announce(session, actor=SYSTEM, action="run.complete", about="run:x")
        session.commit()
    assert send("count", run=theirs).status_code == 422
    assert send("count", run=mine, words_en="Enough.").status_code == 303
    assert 'href="#run"' in send("count", run=mine).text
    with factory() as session:
        [count] = list_counts(session, "hormone-therapy")
        assert count.numbers == {"total": 620}
    page = send.get().text  # type: ignore[attr-defined]
    assert re.search(r">620</a>", page)
    assert "Enough." in page
    # The demo's study was opened without a proposal, so it is not proposed any more.
    assert send("propose").status_code == 422
    assert send("joint").status_code == 422


def test_a_study_is_proposed_by_a_group_and_joined_by_somebody_else(
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    factory: SessionFactory,
) -> None:
    chair, coordinator = signed_in("chair"), signed_in("coordinator")
    for client in (chair, coordinator):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"

    def send(client: FlaskClient, **form: str) -> Any:
        return client.post("/c/new", data={**form, "csrf_token": form_token(client)})

    page = chair.get("/c/new").text
    assert 'value="oncozon.breast"' in page
    assert 'value="oncozon.lung"' not in page
    words = {
        f"{word}_{tongue}": f"{word} {tongue}"
        for word in ("title", "question", "purpose")
        for tongue in ("nl", "en")
    }
    whole = {
        **words,
        "group": "oncozon.breast",
        "slug": "arm",
        "kind": "wmo",
        "asks": "no",
        "phase": "3",
        "design": "randomised",
        "lead": "catharina",
    }
    for changes, field in (
        ({"group": "oncozon.lung"}, "group"),
        ({"slug": ""}, "slug"),
        ({"slug": "Two Words"}, "slug"),
        ({"slug": "hormone-therapy"}, "slug"),
        ({"kind": ""}, "kind"),
        ({"asks": ""}, "asks"),
        ({"title_en": " "}, "title_en"),
        ({"title_nl": "x" * 201}, "title_nl"),
        ({"lead": "nowhere"}, "lead"),
        ({"purpose_nl": "Voor mevrouw 12345678"}, "purpose_nl"),
        ({"question_en": "Born on 3-4-1951?"}, "question_en"),
        ({"lead_name": "Bo \x1b[2J"}, "lead_name"),
    ):
        answer = send(chair, **{**whole, **changes})
        assert answer.status_code == 422, changes
        assert f'href="#{field}"' in answer.text, changes
        assert answer.text.count('id="error-summary"') == 1
    answer = send(chair, **whole)
    assert answer.headers["Location"] == "/c/study/arm/file?done=propose"
    # Who proposed goes on with it, and does not decide about it alone.
    assert "Proposed by the group: yes" in chair.get("/c/study/arm/file").text
    assert coordinator.get("/c/study/arm/file").status_code == 404
    # Until it runs its words can be put right; a wrong one is said at its field.
    file = {"act": "word", "csrf_token": form_token(chair)}
    wrong = chair.post("/c/study/arm/file", data={**file, **words, "purpose_en": "Born 3-4-1951"})
    assert (wrong.status_code, 'href="#purpose_en"' in wrong.text) == (422, True)
    better = {**words, "title_en": "Exercise after surgery"}
    assert chair.post("/c/study/arm/file", data={**file, **better}).status_code == 303
    assert "Exercise after surgery" in chair.get("/c/study/arm/file").text
    assert 'value="word"' not in coordinator.get("/c/study/hormone-therapy/file").text
    running = {**file, **words, "csrf_token": form_token(coordinator)}
    assert coordinator.post("/c/study/hormone-therapy/file", data=running).status_code == 422
    form = {"act": "joint", "csrf_token": form_token(chair)}
    assert chair.post("/c/study/arm/file", data=form).status_code == 422
    # Nor does whoever proposed it write down the letter that opens it, or bring hospitals in.
    paper = {"act": "document", "kind": "decision", "doc_version": "1", "name": "L"}
    sent = {**paper, "file": (BytesIO(PDF), "x.pdf"), "csrf_token": form_token(chair)}
    assert chair.post("/c/study/arm/file", data=sent).status_code == 303
    with factory() as session:
        letter = session.scalars(select(StudyDocument.id)).one()
    form |= {"act": "decide", "body": "metc", "outcome": "positive", "reference": "NL1"}
    form |= {"decided_on": "2026-03-02", "letter": letter}
    answer = chair.post("/c/study/arm/file", data=form)
    assert (answer.status_code, 'href="#body"' in answer.text) == (422, True)
    file = b"studie;ziekenhuis;stand;datum\narm;catharina;open;%s\n"
    for day in (b"2026-03-02", b"2026-03-01"):
        sent_file = with_file(file % day, csrf_token=form_token(chair))
        assert 'name="kept"' not in chair.post("/c/import", **sent_file).text
    with factory() as session:
        study = session.get_one(Study, "arm")
        assert (study.state, study.kind, study.phase) == ("draft", "wmo", "3")
        assert study.title_en == "Exercise after surgery"
        assert study.participations == []
    assert browser_sees_nothing(coordinator)
    # One's own drafts are bounded; it asks who it is again.
    late = signed_in("chair", fresh=False)
    assert "/confirm" in late.get("/c/new").headers["Location"]
    assert "/confirm" in send(late, **{**whole, "slug": "typed-slowly"}).headers["Location"]
    with factory() as session:
        assert session.get(Study, "typed-slowly") is None
        sessions = session.scalars(select(AccountSession)).all()
        [waiting] = [row for row in sessions if row.draft]
        waiting.proved_at = waiting.last_seen_at
        session.commit()
    # What was typed waits there, and is gone once it was sent.
    assert 'value="typed-slowly"' in late.get("/c/new").text
    assert send(late, **{**whole, "slug": "typed-slowly"}).status_code == 303
    assert 'value="typed-slowly"' not in late.get("/c/new").text
    for number in range(2, MOST_IDEAS):
        assert send(chair, **{**whole, "slug": f"arm-{number}"}).status_code == 303
    answer = send(chair, **{**whole, "slug": "one-more"})
    assert answer.status_code == 422
    assert "too many ideas" in answer.text
    # A coordinator proposes where they coordinate a study already, and nowhere else; nor does the
    # chair, who coordinates one now.
    for client in (chair, coordinator):
        page = client.get("/c/new").text
        assert 'value="oncozon.breast"' in page
        assert 'value="oncozon.lung"' not in page


def test_ones_own_idea_opens_no_group(factory: SessionFactory) -> None:
    held = frozenset({"coordinator", "coordinator@study:other-study"})
    asker, colleague = (Actor("user", name, held) for name in ("asker", "colleague"))
    with unit_of_work(factory, asker) as session:
        idea = session.get_one(Study, "other-study")
        group = session.scalars(select(WorkingGroup).where(WorkingGroup.slug == "lung")).one()
        idea.group_id, idea.state = group.id, "draft"
        announce(session, actor=asker, action="study.changed", about="study:other-study")
        write_event(session, idea, "proposed", actor=asker, now=session.info["clock"]())
        seen = {
            (who.id, state): _sees(session, who, idea, state)
            for who in (asker, colleague)
            for state in ("draft", "open")
        }
    assert [key for key, sees in seen.items() if not sees] == [("asker", "draft")]


def _sees(session: Session, who: Actor, idea: Study, state: str) -> bool:
    idea.state = state
    session.flush()
    return may_see_group(session, who, "oncozon.lung", {"coordinator", "group"})


def browser_sees_nothing(client: FlaskClient) -> bool:
    return "title en" not in client.get("/studies").text
