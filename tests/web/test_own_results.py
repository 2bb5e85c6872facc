"""A hospital's own result in a benchmark is for the participants of its study only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from federation.query.terms import Terms
from federation.runs.models import Run
from registry.accounts import service
from registry.database import SessionFactory
from registry.own_results import IN_A_ROUND, PARTICIPANTS_ONLY, answer_for
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.events import announce

SignedIn = Callable[[str], FlaskClient]
OWN_NUMBER = 4711
STUDY = "hormone-therapy"


def envelope(run_id: str) -> dict[str, Any]:
    cells = [{"by": {"hormone": "no"}, "n": OWN_NUMBER}, {"by": {"hormone": "yes"}, "n": 40}]
    own = {"n": OWN_NUMBER + 40, "missing": None, "cells": cells, "total": OWN_NUMBER + 40}
    return {
        "id": run_id,
        "status": "complete",
        "query_sha256": "0" * 64,
        "analysis": "count",
        "result": {},
        "sites": {"asked": 1, "answered": 1, "refused": [], "silent": []},
        "hidden": [],
        "provenance": {
            "codebook": "gbsg/1",
            "code": "test",
            "released_at": "2026-03-02T09:00:00Z",
            "policy": Terms.strict().to_dict(),
            "snapshots": {"catharina": 1},
            "signatures": [],
        },
        "warnings": [],
        "replayed": False,
        "as_of": "2026-03-02T09:00:00Z",
        "by_site": {"catharina": own},
    }


@pytest.fixture
def answered(factory: SessionFactory, world: Any, clock: Any) -> str:
    """An answered question by_site of a benchmark; its id."""
    run_id: str = world.runs[STUDY]
    with factory() as session:
        run = session.get_one(Run, run_id)
        run.state, run.outcome, run.finished_at = "complete", envelope(run_id), clock()
        run.query = {**run.query, "output": "by_site"}
        run.delivery = "hub"
        announce(session, actor=SYSTEM, action="run.finished", about=f"run:{run_id}", facts={})
        session.commit()
    return run_id


def addresses(run_id: str) -> list[str]:
    return [
        f"/r/query/{run_id}/result",
        f"/r/query/{run_id}/result.json",
        f"/r/query/{run_id}/result.csv",
        f"/api/v1/queries/{run_id}/result",
    ]


@pytest.mark.parametrize("who", ["researcher", "coordinator", "committee"])
def test_participants_see_it(signed_in: SignedIn, answered: str, who: str) -> None:
    client = signed_in(who)
    for address in addresses(answered):
        response = client.get(address)
        assert response.status_code == 200, address
        assert str(OWN_NUMBER) in response.text.replace(".", "").replace(",", ""), address


@pytest.mark.parametrize("role", ["coordinator", "committee"])
def test_who_sees_all_studies_of_the_network_does_not(
    signed_in: SignedIn, factory: SessionFactory, answered: str, role: str, clock: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        account = service.find_account(session, f"{role}2")
        service.grant_role(session, account, role=role, scope="network", by=SYSTEM, now=clock())
    client = signed_in(f"{role}2")
    for address in addresses(answered):
        response = client.get(address)
        assert response.status_code == 200, address
        assert str(OWN_NUMBER) not in response.text.replace(".", "").replace(",", ""), address
    page = client.get(addresses(answered)[0]).text
    assert "participants of this study" in page or "deelnemers aan deze studie" in page


def test_pooled_and_sealed_answers_are_as_they_were() -> None:
    actor = Actor(kind="user", id="x", roles=frozenset({"coordinator@network"}), name="")
    run = Run(study=STUDY, submitted_by="y", outcome=envelope("r"), delivery=None)
    assert answer_for(actor, run) == run.outcome
    run.delivery = "sealed"
    assert answer_for(actor, run) == run.outcome
    run.delivery = "hub"
    held = answer_for(actor, run)
    assert held is not None
    assert held["by_site"]["catharina"]["code"] == PARTICIPANTS_ONLY
    run.round_id = "of a round that did not agree to names"
    for who in (actor, Actor(kind="user", id="y")):  # who asked it neither
        lettered = answer_for(who, run)
        assert lettered is not None
        assert {part["code"] for part in lettered["by_site"].values()} == {IN_A_ROUND}
    run.outcome = {"status": "refused"}
    assert answer_for(actor, run) == {"status": "refused"}
    run.outcome = None
    assert answer_for(actor, run) is None
