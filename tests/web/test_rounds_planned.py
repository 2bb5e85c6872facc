"""Planning and approving a round by program and from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import held_round
import pytest
import yaml
from click.testing import CliRunner
from flask.testing import FlaskClient

from federation.rounds import reading, wishes
from registry.accounts import secrets
from registry.cli import cli
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.reading import open_sites

from .conftest import NOW, PASSWORD

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]


@pytest.fixture
def sites(factory: SessionFactory) -> list[str]:
    """The hospitals of the study, with programs and the signatures of their boards."""
    with unit_of_work(factory, SYSTEM) as session:
        found = open_sites(session, held_round.STUDY)[:4]
        held_round.ready_study(session, found, NOW)
        return found


def plan(sites: list[str], **changes: Any) -> dict[str, Any]:
    """A round over 2024, released long after any clock of a test."""
    given = {
        "group": held_round.GROUP,
        "study": held_round.STUDY,
        "title": {"en": "Year 2024", "nl": "Jaar 2024"},
        "indicators": [dict(held_round.SHARE)],
        "period": {"first": "2024-01", "last": "2024-12"},
        "sites": sites,
        "freeze_at": "2026-03-01T00:00:00Z",
        "release_at": "2029-03-10T08:00:00Z",
    }
    return {**given, **changes}


def test_a_round_is_planned_changed_and_approved_by_who_did_not_plan_it(
    signed_in: SignedIn, form_token: FormToken, sites: list[str]
) -> None:
    def act(
        who: str,
        path: str,
        body: Any = None,
        method: str = "post",
        fresh: bool = True,
        **headers: str,
    ) -> Any:
        client = signed_in(who, fresh=fresh)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(
            f"/api/v1/rounds{path}",
            method=method.upper(),
            json=body,
            headers={"X-CSRFToken": form_token(client), **headers},
        )

    made = act("chair", "", plan(sites), Idempotency_Key="key-of-my-round")
    assert made.status_code == 201, made.get_json()
    again = act("chair", "", plan(sites), Idempotency_Key="key-of-my-round")
    assert again.get_json() == made.get_json()
    here = f"/{made.get_json()['id']}"
    assert made.get_json()["state"] == "draft"
    assert len(act("chair", "", method="get").get_json()) == 1

    # Somebody else's group is not there; nor is a draft for a hospital's board.
    assert act("chair2", "", plan(sites)).status_code == 404
    assert act("chair2", here, method="get").status_code == 404
    assert act("board", here, method="get").status_code == 404
    wrong = act("chair", "", plan([*sites, "nowhere"]))
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "UNKNOWN_HOSPITAL")
    wrong = act("chair", "", plan(sites, indicators=[{**held_round.SHARE, "norms": [3]}]))
    assert (wrong.status_code, wrong.get_json()["where"]) == (422, "indicators[0].norms")

    named = plan(sites, names=True)
    assert act("chair", f"{here}/plan", named, "put").status_code == 428
    assert act("chair", f"{here}/plan", named, "put", If_Match='"v7"').status_code == 412
    changed = act("chair", f"{here}/plan", named, "put", If_Match='"v1"')
    assert (changed.status_code, changed.get_json()["names"]) == (200, True)
    covered = act("committee", f"{here}/coverage", method="get").get_json()
    assert {each["site"] for each in covered} == set(sites)
    assert {each["can"] for each in covered} == {None}

    assert act("committee", f"{here}/approve", If_Match='"v2"').status_code == 409
    offered = act("chair", f"{here}/offer", If_Match='"v2"')
    assert offered.get_json()["plan_sha256"]
    assert act("chair", f"{here}/approve", If_Match='"v3"').status_code == 403
    stale = act("committee", f"{here}/approve", fresh=False, If_Match='"v3"')
    assert (stale.status_code, stale.get_json()["code"]) == (403, "FRESH_SIGN_IN_NEEDED")
    done = act("committee", f"{here}/approve", If_Match='"v3"')
    assert (done.status_code, done.get_json()["state"]) == (200, "approved")
    early = act("board", f"{here}/result", method="get")
    assert (early.status_code, early.get_json()["code"]) == (409, "NOT_RELEASED")
    stopped = act("chair", f"{here}/cancel", If_Match='"v4"')
    assert stopped.get_json()["state"] == "cancelled"


def test_the_command_line_plans_and_a_committee_member_approves(
    settings: Any,
    factory: SessionFactory,
    world: Any,
    sites: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONCOKRING_DATABASE", settings.database_url)
    runner = CliRunner()
    file = tmp_path / "round.yaml"

    def run(*arguments: str, **more: Any) -> Any:
        return runner.invoke(cli, ["round", *arguments], **more)

    broken = yaml.safe_dump(plan(sites, period={"first": "2024-01"}))
    file.write_text(broken)
    refused = run("new", str(file))
    assert refused.exit_code == 1
    assert "period needs first and last" in str(refused.exception)
    assert file.read_text() == broken
    file.write_text(yaml.safe_dump(plan(sites)))
    assert run("check", str(file)).exit_code == 0
    made = json.loads(run("new", str(file), "--offer", "--json").output)
    assert made["state"] == "offered"
    printed = yaml.safe_load(run("plan", made["id"]).output)
    assert wishes.read(printed).sites == sorted(sites)

    def approve(name: str, *more: str, later: int = 0) -> Any:
        moment = datetime.now(UTC) + timedelta(seconds=later)
        code = secrets.totp_code(world.totp[name], moment)
        return run("approve", made["id"], name, *more, input=f"{PASSWORD}\n{code}\n")

    assert approve("committee2").exit_code == 1
    assert approve("committee", "--plan", "0" * 64).exit_code == 1
    # A one-time code is used once: the next one.
    done = approve("committee", "--plan", made["plan_sha256"], later=30)
    assert done.exit_code == 0, done.output
    with factory() as session:
        assert reading.get(session, made["id"]).decided_by == world.accounts["committee"]
    early = run("release", made["id"])
    assert early.exit_code == 1
    assert "not released" in str(early.exception)
    started = run("start", made["id"])
    assert started.exit_code == 1  # the release began it: its freeze date is past
    assert "running" in started.output
    assert run("cancel", made["id"]).exit_code == 0
    assert json.loads(run("list", "--json").output)[0]["state"] == "cancelled"
