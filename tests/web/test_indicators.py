"""Indicators on pages, over the API and from the command line: read by all, set by the chair."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from federation.indicators.catalogue import shipped
from federation.query.builtin import builtin_codebook
from registry.cli import cli
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import SiteCoverage, Study

SignedIn = Callable[..., FlaskClient]
GROUP = "oncozon.breast"
ADDRESS = "/indicators/access_time"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FORM = {
    "kind": "at_least",
    "level": "92,5",
    "within": "28",
    "since": "2026-01-01",
    "source": "meeting of the group",
    "why": "four weeks",
    "confirmed": "yes",
}


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.get_data(as_text=True)


def test_the_chair_sets_a_level_and_everybody_reads_it(
    signed_in: SignedIn, form_token: Callable[[FlaskClient], str]
) -> None:
    chair, member = signed_in("chair"), signed_in("group")
    listed = page(chair, f"/indicators?group={GROUP}")
    assert all(f"/indicators/{name}?group={GROUP}" in listed for name in shipped())
    for name in (
        "textbook_outcome_colon",
        "overall_survival",
        "prom_change_summary",
        "volume_colon",
    ):
        assert shipped()[name].text.nl in page(chair, f"/indicators/{name}?group={GROUP}")
    assert 'id="level"' in page(chair, f"{ADDRESS}?group={GROUP}")
    assert 'id="level"' not in page(member, f"{ADDRESS}?group={GROUP}")
    assert 'id="level"' not in page(chair, "/indicators/treatment_mix_diagnosis?group=" + GROUP)
    page(chair, "/indicators/nothing", 404)
    page(chair, "/indicators?group=oncozon.nothing", 404)

    target = f"{ADDRESS}/target/oncozon/breast"
    token = {"csrf_token": form_token(chair)}
    for wrong, field in (
        ({"level": "a lot"}, "level"),
        ({"level": "120"}, "level"),
        ({"within": "20"}, "within"),
        ({"since": "yesterday"}, "since"),
        ({"source": ""}, "source"),
        ({"source": "patient 12345678"}, "source"),
    ):
        answer = chair.post(target, data={**token, **FORM, **wrong})
        text = answer.get_data(as_text=True)
        assert answer.status_code == 422, wrong
        assert f'href="#{field}"' in text
        assert "four weeks" in text  # nothing that was typed is lost
    assert chair.post(target, data={**token, **FORM}).status_code == 303
    for client in (chair, member):
        shown = page(client, f"{ADDRESS}?group={GROUP}")
        assert "92,5% binnen 28 dagen" in shown
        assert "four weeks" in shown
    assert "92,5%" not in page(member, ADDRESS)

    denied = {**FORM, "csrf_token": form_token(member)}
    assert member.post(target, data=denied).status_code == 403
    foreign = f"{ADDRESS}/target/oncozon/lung"
    assert chair.post(foreign, data={**token, **FORM}).status_code == 404
    nothing = "/indicators/nothing/target/oncozon/breast"
    assert chair.post(nothing, data={**token, **FORM}).status_code == 404

    answer = member.get(f"/api/v1/indicators?group={GROUP}&limit=100")
    assert answer.status_code == 200, answer.get_json()
    assert [row["id"] for row in answer.get_json()] == list(shipped())
    whole = member.get(f"/api/v1{ADDRESS}?group={GROUP}").get_json()
    assert whole["target"] == {
        "at_least": 0.925,
        "within": 28,
        "since": "2026-01-01",
        "set_by": GROUP,
        "confirmed": True,
        "source": "meeting of the group",
    }
    assert [row["why"] for row in whole["targets"]] == ["four weeks"]
    assert member.get(f"/api/v1{ADDRESS}").get_json()["target"]["at_least"] == 0.8
    for path in ("/api/v1/indicators/nothing", f"/api/v1/indicators/nothing?group={GROUP}"):
        assert member.get(path).status_code == 404
    assert member.get("/api/v1/indicators?group=oncozon.nothing").status_code == 404


def test_who_can_answer_is_shown_to_who_works_on_it(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    book = builtin_codebook("oncomin/1")
    assert book is not None
    filled = dict.fromkeys(book.variables, "over_90")
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, "hormone-therapy")
        study.codebook = book.to_dict()
        for site, words in (
            ("catharina", filled),
            ("elkerliek", {**filled, "emergency_surgery": "absent"}),
        ):
            session.add(
                SiteCoverage(
                    institution=site,
                    study=study.slug,
                    codebook_sha256=book.sha256,
                    as_of="2026-03-01",
                    variables=words,
                    rules={},
                    received_at=NOW,
                )
            )
        announce(session, actor=SYSTEM, action="study.test", about="study:hormone-therapy")
        announce(session, actor=SYSTEM, action="site.test", about="site:catharina")
    for who in ("researcher", "coordinator"):
        shown = page(signed_in(who), ADDRESS)
        rows = dict(re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', shown, re.S))
        cells = {name: re.findall(r"<td>([^<]*)</td>", rest) for name, rest in rows.items()}
        assert cells["Catharina Ziekenhuis"][1:] == ["ja", "–"]
        assert cells["Elkerliek Ziekenhuis"][1:] == ["nee", "Eerste operatie was met spoed"]
        assert cells["Zuyderland"][1:] == ["niet gemeld", "–"]
    assert "Catharina" not in page(signed_in("observer"), ADDRESS)


def test_from_the_command_line(
    factory: SessionFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONCOKRING_DATABASE", str(factory.kw["bind"].url))

    def said(*words: str, code: int = 0) -> str:
        answer: Any = CliRunner(mix_stderr=False).invoke(cli, ["indicator", *words])
        assert answer.exit_code == code, (answer.output, answer.stderr)
        return str(answer.stdout if code == 0 else answer.stderr)

    assert len(said("list").splitlines()) == len(shipped())
    definition = json.loads(said("show", "access_time"))
    assert definition == shipped()["access_time"].to_dict()
    assert "Did you mean 'access_time'" in said("show", "acces_time", code=2)

    file = tmp_path / "mine.json"
    file.write_text(json.dumps({**definition, "version": 2, "targets": []}))
    assert said("check", str(file)).startswith("access_time/2\t")
    added = json.loads(said("add", str(file), "--group", GROUP, "--json"))
    assert added["indicator"] == "access_time/2"
    assert "is 3" in said("add", str(file), "--group", GROUP, code=1)
    words = ["target", "access_time", "--group", GROUP, "--source", "us", "--at-least", "0.9"]
    assert json.loads(said(*words, "--within", "21", "--json"))["at_least"] == 0.9
    assert "within" in said(*words, code=2)
    assert "no working group" in said("list", "--group", "oncozon.nothing", code=2)
    used = json.loads(said("list", "--group", GROUP, "--json"))
    mine = next(each for each in used if each["id"] == "access_time")
    assert (mine["version"], mine["targets"][0]["at_least"]) == (2, 0.9)

    long = {**definition, "id": "long", "version": 1, "exclusions": []}
    leaf = {"op": "=", "value": True}
    names = ("dead", "in_trial", "prehabilitation", "had_surgery")
    long["cohort"] = {"all": [{"var": name, **leaf} for name in names]}
    file.write_text(json.dumps(long))
    assert "has 7 comparisons" in said("check", str(file), code=1)
    file.write_text(json.dumps({**definition, "norms": [20]}))
    assert "norms[0]" in said("check", str(file), code=1)
