"""Idea to feasibility in the browser and by program: asked, decided elsewhere, told to a group."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from coordinated import field
from flask.testing import FlaskClient

from federation.runs.models import Run
from registry.accounts import service
from registry.accounts.models import Account
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from registry.worker import tell_groups
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.hospitals import feasibility
from studies.models import Study
from studies.seeds.loading import shipped_codebook
from studies.seeds.oncozon import HORMONE_THERAPY
from studies.taking_part import create_study

from .conftest import FOREIGN, NOW, OWN

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
ALLOWED = f"/c/study/{OWN}/counts/allowed"


@pytest.fixture
def idea(factory: SessionFactory, world: Any) -> str:
    """A study that is an idea; the coordinator proposed it and coordinates it."""
    slug = "arm"
    with unit_of_work(factory, SYSTEM) as session:
        words = {
            f"{word}_{tongue}": f"{word} {tongue}"
            for word in ("title", "question", "purpose")
            for tongue in ("nl", "en")
        }
        by = Actor("user", world.accounts["coordinator"])
        study = create_study(
            session,
            slug=slug,
            network="oncozon",
            group="breast",
            codebook=shipped_codebook(HORMONE_THERAPY.codebook),
            requires=["use.record"],
            kind="wmo",
            asks_data=False,
            actor=by,
            now=NOW,
            **words,
        )
        feasibility.propose(session, study, actor=by, now=NOW)
        account = session.get_one(Account, world.accounts["coordinator"])
        scope = f"study:{slug}"
        service.grant_role(session, account, role="coordinator", scope=scope, by=SYSTEM, now=NOW)
    return slug


def test_a_count_is_asked_on_a_page_and_comes_to_the_group(
    idea: str,
    signed_in: SignedIn,
    form_token: FormToken,
    factory: SessionFactory,
) -> None:
    clients = {who: signed_in(who) for who in ("coordinator", "committee", "group")}
    for client in clients.values():
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    mine, committee = clients["coordinator"], clients["committee"]
    here, form = f"/c/study/{idea}/counts", f"/c/study/{idea}/counts/new"

    def send(client: FlaskClient, path: str, **typed: Any) -> Any:
        return client.post(path, data={**typed, "csrf_token": form_token(client)})

    # Nobody is counted before a committee said that ideas may count in its study.
    assert "No study in this network lets" in mine.get(here).text
    assert mine.get(form).status_code == 303
    assert send(mine, ALLOWED, allowed="yes").status_code == 403
    stale = signed_in("committee", fresh=False)
    assert send(stale, ALLOWED, allowed="yes").status_code in (302, 303, 403)
    assert send(committee, ALLOWED).status_code == 422
    assert send(committee, ALLOWED, allowed="yes").status_code == 303
    assert "are counted for ideas" in committee.get(f"/c/study/{OWN}/counts").text

    page = mine.get(f"{form}?basis={OWN}").text
    assert 'value="title en"' in page
    given = {"basis": OWN, "title": "How many", "purpose": "To plan.", "param-by": "hormone"}
    rows = send(mine, form, **given, act="add", **{"add-var": "age"}).text
    assert 'name="row-1-low"' in rows
    assert 'name="row-1-low"' not in send(mine, form, **given, row="1", act="remove-1").text
    assert send(mine, form, **{**given, "title": ""}).status_code == 422

    def sent(**typed: Any) -> Any:
        read = field(send(mine, form, **typed, act="check").text, "read")
        return send(mine, form, **typed, act="send", read=read)

    assert "Send to the committee" in send(mine, form, **given, act="check").text
    # What was changed after it was read in words is read first.
    read = field(send(mine, form, **given, act="check").text, "read")
    changed = {**given, "param-by": "grade"}
    assert "In words" in send(mine, form, **changed, act="send", read=read).text
    assert send(mine, form, basis=FOREIGN).status_code == 422
    done = sent(**given)
    assert done.status_code == 303
    with factory() as session:
        [asked] = feasibility.list_counts(session, idea)
        run = session.get_one(Run, asked.run_id)
        assert (asked.asked_in, run.kind, run.study) == (OWN, "count", OWN)
    assert "Waiting for approval" in mine.get(here).text
    # Who decides on it reads for which idea.
    judged = committee.get(f"/approvals/{asked.run_id}").text
    assert "still an idea: title en." in judged
    assert "question en" in judged
    address = "/group/oncozon/breast"
    assert "Counted for ideas" not in clients["group"].get(address).text

    # Taken back while nobody answered; another study's question is as absent.
    other = {**given, "title": "Another", "param-by": "grade"}
    assert sent(**other).status_code == 303
    with factory() as session:
        numbers = {each.run_id for each in feasibility.list_counts(session, idea)}
    [second] = numbers - {asked.run_id}
    assert send(mine, f"/c/study/{OWN}/counts/{second}/withdraw").status_code == 404
    assert send(mine, f"{here}/{second}/withdraw").status_code == 303
    assert "was withdrawn before" in mine.get(here).text
    assert send(mine, f"{here}/{second}/withdraw").status_code == 409

    # The hospitals' part is tests/federation/test_feasibility.py; here the answer is written.
    cells = [{"by": {"hormone": True}, "n": None}, {"by": {"hormone": False}, "n": 90}]
    with factory() as session:
        kept = session.get_one(Run, asked.run_id)
        kept.state, kept.finished_at = "complete", NOW
        kept.outcome = {"status": "complete", "result": {"n": 620, "total": 620, "cells": cells}}
        announce(session, actor=SYSTEM, action="run.complete", about=f"run:{kept.id}")
        session.commit()
    assert tell_groups(factory, NOW)
    for client, path in ((mine, here), (clients["group"], address)):
        found = client.get(path).text
        assert re.search(r"<strong>620</strong>", found)
        assert re.search(r'class="n"><span class="hid">hidden</span>', found)
        assert re.search(r'class="n">90<', found)
    assert "Made a joint study: no" in mine.get(f"/c/study/{idea}/file").text

    # The committee stops: nobody asks there any more; no fresh sign-in holds that up.
    assert send(stale, ALLOWED, allowed="no").status_code == 303
    assert send(mine, form, **given, act="send").status_code == 422


def test_the_same_by_program(
    idea: str, signed_in: SignedIn, form_token: FormToken, factory: SessionFactory, world: Any
) -> None:
    def call(who: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        client = signed_in(who, fresh=more.pop("fresh", True))
        headers = {"X-CSRFToken": form_token(client), **more}
        return client.open(f"/api/v1/studies/{path}", method=method, json=body, headers=headers)

    question = {"basis": OWN, "by": ["hormone"], "cohort": {}}
    counts = f"{idea}/counts"
    refused = call("coordinator", "POST", counts, question)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "ideas_not_counted")
    on = {"allowed": True}
    assert call("committee", "PUT", f"{OWN}/counts-ideas", on, fresh=False).status_code == 403
    assert call("committee2", "PUT", f"{OWN}/counts-ideas", on).status_code == 404
    assert call("committee", "PUT", f"{OWN}/counts-ideas", on).get_json() == on
    key = {"Idempotency-Key": "a-count-of-mine"}
    made = call("coordinator", "POST", counts, question, **key)
    assert (made.status_code, made.get_json()["asked_in"]) == (201, OWN)
    assert call("coordinator", "POST", counts, question, **key).headers["Idempotency-Replayed"]
    bad = call("coordinator", "POST", counts, {**question, "by": ["name"]})
    assert bad.status_code == 422
    found = call("coordinator", "GET", counts).get_json()
    assert (found["idea"], found["bases"], len(found["counts"])) == (True, [OWN], 1)
    assert call("coordinator2", "GET", counts).status_code == 404
    joint = call("coordinator", "POST", f"{idea}/joint")
    assert (joint.status_code, joint.get_json()["code"]) == (409, "count_missing")
    told = {"actor": SYSTEM, "now": NOW}
    with factory() as session:
        kept = session.get_one(Study, idea)
        feasibility.release_count(session, kept, made.get_json()["run_id"], {"total": 9}, **told)
        account = session.get_one(Account, world.accounts["coordinator2"])
        scope = f"study:{idea}"
        service.grant_role(session, account, role="coordinator", scope=scope, by=SYSTEM, now=NOW)
        session.commit()
    own = call("coordinator", "POST", f"{idea}/joint")
    assert (own.status_code, own.get_json()["code"]) == (403, "own_proposal")
    # Somebody else does, and a program that asks twice does it once.
    key = {"Idempotency-Key": "a-joint-study"}
    for _again in range(2):
        done = call("coordinator2", "POST", f"{idea}/joint", **key)
        assert (done.status_code, done.get_json()["standing"]) == (200, "joint")
    # A study that began is no idea.
    begun = call("coordinator", "POST", f"{OWN}/counts", {**question, "basis": FOREIGN})
    assert begun.get_json()["code"] == "not_an_idea"
    off = {"allowed": False}
    assert call("committee", "PUT", f"{OWN}/counts-ideas", off, fresh=False).get_json() == off
    with factory() as session:
        assert not session.get_one(Study, OWN).counts_ideas
