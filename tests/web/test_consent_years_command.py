"""``oncokring consent years``: shown, changed within reason, and written in the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import loaded_hub
import pytest
from server_desk import Desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    loaded_hub.copy(made.folder / "hub.sqlite")
    return made


def years(desk: Desk, *words: str) -> dict[str, str]:
    done = desk.type("consent", "years", "oncozon", *words)
    assert done.exit_code == 0, done.stderr
    return dict(line.split("\t") for line in done.stdout.splitlines())


def test_a_network_settles_its_years(desk: Desk, tmp_path: Path) -> None:
    assert years(desk) == {"remind": "2", "renew": "5", "use": "30"}
    assert years(desk, "--renew", "4", "--remind", "1")["renew"] == "4"
    for wrong in (("--renew", "0"), ("--remind", "5"), ("--use", "3"), ("--use", "101")):
        assert desk.type("consent", "years", "oncozon", *wrong).exit_code == 2
    assert years(desk) == {"remind": "1", "renew": "4", "use": "30"}
    # A text never changes, so it is said which ones tell patients another number.
    assert "hormone-therapy" not in desk.type("consent", "years", "oncozon").stderr
    shorter = desk.type("consent", "years", "oncozon", "--use", "25")
    assert "text for patients of hormone-therapy does not say" in shorter.stderr
    desk.type("consent", "years", "oncozon", "--use", "30")
    for words in ((), ("--renew", "4")):
        assert "no network" in desk.type("consent", "years", "nowhere", *words).stderr
    lines = [json.loads(line) for line in desk.type("audit", "export").stdout.splitlines()]
    told, *_ = [line for line in lines if line["action"] == "network.consent_years"]
    assert told["facts"] == {"remind_years": 1, "renewal_years": 4}
