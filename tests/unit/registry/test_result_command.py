"""`oncokring result`: a key of the study's own, and sealed answers opened on this computer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from federation.client.results import ResultError, is_sealed, open_results
from federation.protocol.keys import BoxKey, SigningKey
from federation.protocol.messages import TYP_RESULT, sign
from federation.protocol.sealing import seal
from registry.cli import cli

QUERY = "c" * 64
SITES = {slug: SigningKey.generate() for slug in ("h0", "h1")}
KEY = BoxKey.generate()


def run(*arguments: str | Path) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, [str(argument) for argument in arguments])


def sealed(site: str, key: BoxKey = KEY, by: SigningKey | None = None, **more: Any) -> str:
    inside = {
        "query_sha256": QUERY,
        "released": {"result": {"n": 60}, "hidden": [], "warnings": ["A note."]},
        **more,
    }
    message = sign(
        TYP_RESULT,
        inside,
        by or SITES[site],
        issuer=site,
        audience="onco",
        now=datetime(2026, 11, 22, tzinfo=UTC),
        lifetime=timedelta(days=1),
    )
    return seal(message, key.public)


def answer(**own: Any) -> dict[str, Any]:
    parts = own or {site: {"sealed": sealed(site)} for site in SITES}
    return {
        "id": "r1",
        "status": "complete",
        "query_sha256": QUERY,
        "analysis": "count",
        "result": {},
        "sites": {"asked": 2, "answered": 2, "refused": [], "silent": []},
        "hidden": [],
        "provenance": {"policy": {"protection": "none"}},
        "warnings": [],
        "by_site": parts,
        "sealed_for": {"study": "onco", "keys": ["x"]},
    }


PEERS = {site: key.public for site, key in SITES.items()}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    KEY.save(tmp_path / "study.key")
    (tmp_path / "result.json").write_text(json.dumps(answer()))
    peers = {site: {"sign": key, "box": key} for site, key in PEERS.items()}
    (tmp_path / "peers.json").write_text(json.dumps(peers))
    return tmp_path


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "study.key"
    done = run("result", "key", "new", file)
    assert done.exit_code == 0
    assert len(done.stdout.strip()) == 43
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("result", "key", "show", file).stdout == done.stdout
    again = run("result", "key", "new", file)
    assert (again.exit_code, "there already" in again.stderr) == (2, True)
    assert BoxKey.load(file).public == done.stdout.strip()
    assert run("result", "key", "new", tmp_path / "no" / "such").exit_code == 2


def test_every_hospitals_result_is_opened(files: Path) -> None:
    done = run(
        *("result", "open", files / "result.json", "--key", files / "study.key"),
        *("--peers", files / "peers.json", "--json"),
    )
    assert (done.exit_code, done.stderr) == (0, "")
    opened = json.loads(done.stdout)
    assert opened["by_site"] == {site: {"n": 60, "warnings": ["A note."]} for site in ("h0", "h1")}
    assert "sealed_for" not in opened


def test_as_a_table_and_without_the_list_of_keys(files: Path) -> None:
    done = run("result", "open", files / "result.json", "--key", files / "study.key")
    assert done.exit_code == 0
    assert "60" in done.stdout
    assert "not checked" in done.stderr


def test_hospitals_without_an_answer_keep_their_reason() -> None:
    refused = {"status": "refused", "code": "SMALL_GROUP", "message": "…"}
    opened = open_results(answer(h0={"sealed": sealed("h0")}, h1=refused), KEY, PEERS)
    assert opened["by_site"]["h1"] == refused


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"h0": {"sealed": sealed("h0", BoxKey.generate())}}, "another key"),
        ({"h0": {"sealed": sealed("h0", by=SITES["h1"])}}, "another key"),
        ({"h0": {"sealed": sealed("h1")}}, "another key"),
        ({"h0": {"sealed": sealed("h0", query_sha256="d" * 64)}}, "another question"),
        ({"h0": {"sealed": sealed("h0", released="x")}}, "holds no answer"),
        ({"h0": {"sealed": "a.b.c.d.e"}}, "not a sealed result"),
        ({"h9": {"sealed": sealed("h0")}}, "has no key of 'h9'"),
        ({"h0": {"n": 60}}, "holds no sealed results"),
    ],
)
def test_what_is_not_that_hospitals_answer_is_not_shown(own: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultError, match=said):
        open_results(answer(**own), KEY, PEERS)


def test_an_answer_that_is_none() -> None:
    assert not is_sealed({"by_site": []})
    for missing in ("sealed_for", "query_sha256"):
        broken = {key: value for key, value in answer().items() if key != missing}
        with pytest.raises(ResultError, match="not an answer of the hub"):
            open_results(broken, KEY, PEERS)
    odd = open_results(answer(h0={"sealed": sealed("h0")}, h1="text"), KEY, PEERS)
    assert odd["by_site"]["h1"] == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("result.json", "{", "not valid JSON"),
        ("result.json", "[1]", "one JSON object"),
        ("result.json", '{"n": 1}', "holds no sealed results"),
        ("study.key", "short", "does not hold a key"),
        ("peers.json", '{"h0": {}}', "network peers"),
        ("peers.json", '{"h0": {"sign": 3}}', "network peers"),
    ],
)
def test_a_wrong_file_ends_in_a_sentence(files: Path, name: str, text: str, said: str) -> None:
    (files / name).write_text(text)
    done = run(
        *("result", "open", files / "result.json", "--key", files / "study.key"),
        *("--peers", files / "peers.json"),
    )
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    assert said in done.stderr


def test_a_key_that_others_may_read_is_not_used(files: Path) -> None:
    (files / "study.key").chmod(0o644)
    done = run("result", "open", files / "result.json", "--key", files / "study.key")
    assert "chmod 600" in done.stderr
