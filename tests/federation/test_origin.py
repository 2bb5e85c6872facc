"""Each result names the consent behind it in the hospitals' own words; a hub that says otherwise is
found (consent.md, invariant 24)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hospitals import REQUIRES, STUDY, Net, claims_of, patients

from consent.log import Frontier
from federation.client.origin import WHY, check_origin
from federation.client.results import ResultError
from federation.protocol.basis import open_basis, sign_basis
from federation.protocol.keys import SigningKey
from registry.cli import cli

COUNT = {"kind": "count", "by": ["trt"]}
ROOT = Frontier.of([bytes([n]) * 32 for n in range(9)]).root.hex()
LOG = {"size": 9, "root": ROOT}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    rows = {slug: patients(slug, 90, n) for n, slug in enumerate(("h0", "h1", "h2"))}
    made = Net(tmp_path_factory.mktemp("origin"), rows)
    made.seq += 1
    for slug in made.directories:
        told = {"log": {**LOG, "from": 0, "consistency": []}}
        assert made.claims(slug, made.snapshot(slug, **told))["status"] == "applied"
    yield made
    made.close()


@pytest.fixture(scope="module")
def peers(net: Net) -> dict[str, dict[str, str]]:
    return {slug: site.identity.to_dict() for slug, site in net.directories.items()}


@pytest.fixture(scope="module")
def answer(net: Net) -> Json:
    outcome = net.ask(COUNT)
    assert outcome.status == "complete"
    return json.loads(json.dumps(outcome.envelope))


def test_a_result_names_list_log_and_items_of_each_hospital(net: Net, answer: Json) -> None:
    consent = answer["provenance"]["consent"]
    assert set(consent) == {"h0", "h1", "h2"}
    for site, part in consent.items():
        assert (part["log"], part["requires"]) == (LOG, list(REQUIRES))
        word = open_basis(part["said"].encode(), site, net.directories[site].identity.sign)
        assert (word["snapshot"], word["study"]) == (net.seq, STUDY)
        assert word["query_sha256"] == answer["query_sha256"]
        # Nothing that says how many patients there are.
        assert set(word) == {
            *("v", "iss", "aud", "iat", "exp", "jti", "run", "study", "query_sha256", "software"),
            *("roster_sha256", "policy_sha256", "snapshot", "log", "requires"),
        }


def test_an_honest_result_holds(answer: Json, peers: Any) -> None:
    found = check_origin(answer, peers)
    assert [each.site for each in found] == ["h0", "h1", "h2"]
    assert all(each.holds and each.log == LOG for each in found), found


def told(change: Callable[[Json], object]) -> Callable[[Json], object]:
    return lambda answer: change(answer["provenance"]["consent"]["h1"])


LIES: dict[str, tuple[str, Callable[[Json], object]]] = {
    "another root": ("other_log", told(lambda h1: h1["log"].update(root="0" * 64))),
    "another size": ("other_log", told(lambda h1: h1["log"].update(size=8))),
    "no log": ("other_log", told(lambda h1: h1.update(log=None))),
    "fewer items": ("other_items", told(lambda h1: h1["requires"].pop())),
    "another program": ("other_program", told(lambda h1: h1.update(software="x/1"))),
    "no word": ("not_signed", told(lambda h1: h1.pop("said"))),
    "a word of another hospital": (
        "not_signed",
        lambda a: a["provenance"]["consent"]["h1"].update(
            said=a["provenance"]["consent"]["h0"]["said"]
        ),
    ),
    "another list": ("other_list", lambda a: a["provenance"]["snapshots"].update(h1=99)),
    "a hospital left out": ("left_out", lambda a: a["provenance"]["consent"].pop("h1")),
    "a result of before": (
        "too_late",
        lambda a: a["provenance"].update(released_at="2020-01-01T00:00:00Z"),
    ),
    "another question": ("other_question", lambda a: a.update(query_sha256="1" * 64)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_hub_that_says_otherwise_is_found(answer: Json, peers: Any, lie: str) -> None:
    why, change = LIES[lie]
    lied = copy.deepcopy(answer)
    change(lied)
    found = {each.site: each.why for each in check_origin(lied, peers)}
    assert found["h1"] == why
    assert why in WHY


def test_a_hospital_that_is_left_out_everywhere_is_missed(answer: Json, peers: Any) -> None:
    lied = copy.deepcopy(answer)
    for part in ("consent", "snapshots"):
        del lied["provenance"][part]["h1"]
    lied["provenance"]["signatures"] = [
        one for one in lied["provenance"]["signatures"] if one["site"] != "h1"
    ]
    assert {each.why for each in check_origin(lied, peers)} == {"other_hospitals"}


def test_words_of_another_time_and_another_log_are_found(
    net: Net, answer: Json, peers: Any
) -> None:
    """The hub has the hospitals' words of every run; it may not put them together anew. A hospital
    to which it showed another log said so itself."""
    key = net.directories["h1"].sign
    word = open_basis(answer["provenance"]["consent"]["h1"]["said"].encode(), "h1", key.public)
    for change, why in (
        ({"run": "another"}, {"h0": "other_run", "h1": "other_run"}),
        ({"log": {**LOG, "root": "0" * 64}}, {"h0": "two_logs", "h1": "two_logs"}),
    ):
        lied = copy.deepcopy(answer)
        said = {**word, **change}
        part = lied["provenance"]["consent"]["h1"]
        part.update(said=sign_basis(key, "h1", net.now, said).decode(), log=said["log"])
        found = {each.site: each.why for each in check_origin(lied, peers)}
        assert {site: found[site] for site in why} == why


def test_another_key_and_no_answer(answer: Json, peers: Any) -> None:
    other = {**peers, "h1": {**peers["h1"], "sign": SigningKey.generate().public}}
    assert {e.site: e.why for e in check_origin(answer, other)}["h1"] == "not_signed"
    del other["h1"]
    assert {e.site: e.why for e in check_origin(answer, other)}["h1"] == "no_key"
    for wrong in ({}, {"provenance": {}}, {"provenance": {"consent": {}}}):
        with pytest.raises(ResultError):
            check_origin(wrong, peers)


@pytest.mark.parametrize("spoilt", [None, "", "é", "no.word.here"])
def test_a_hospital_that_does_not_say_it_gives_no_result(net: Net, spoilt: Any) -> None:
    """The hub opens every word before it releases: a result without one does not come about."""
    cohort = {"var": "age", "op": ">=", "value": 40}
    driver = net.driver(net.plan(net.query(COUNT, cohort=cohort), again=True))
    assert net.round(driver) == "step"
    for slug, message in driver.messages(net.now).items():
        driver.receive(slug, net.send(slug, message), net.now)
    first = driver._answers["h0"]
    driver._answers["h0"] = replace(first, claims={**first.claims, "basis": spoilt})
    outcome = driver.advance(net.now)
    assert (outcome.status, outcome.code) == ("refused", "PROTOCOL")


def test_the_look_says_nothing_of_it_and_every_answer_does(net: Net) -> None:
    cohort = {"var": "age", "op": "<", "value": 60}
    driver = net.driver(net.plan(net.query(COUNT, cohort=cohort)))
    said = []
    while True:
        bodies = {slug: net.send(slug, m) for slug, m in driver.messages(net.now).items()}
        said.append({"basis" in claims_of(body) for body in bodies.values()})
        for slug, body in bodies.items():
            driver.receive(slug, body, net.now)
        if driver.advance(net.now) != "step":
            break
    assert said == [{False}, {True}]


def test_it_is_checked_from_the_command_line(answer: Json, peers: Any, tmp_path: Path) -> None:
    result, known = tmp_path / "result.json", tmp_path / "peers.json"
    result.write_text(json.dumps(answer))
    known.write_text(json.dumps(peers))
    command = ["result", "verify", str(result), "--peers", str(known)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert f"log of 9 entries, root {ROOT}" in done.output
    assert done.output.count("holds.") == 3
    answer = copy.deepcopy(answer)
    LIES["another root"][1](answer)
    result.write_text(json.dumps(answer))
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 1
    assert "h1: DOES NOT HOLD. the log of choices that it saw is not" in done.output
    result.write_text("{}")
    assert CliRunner().invoke(cli, command).exit_code == 1
