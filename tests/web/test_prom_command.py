"""``oncokring prom``: a licensed wording is checked, shown on the page, and taken away again."""

from __future__ import annotations

import json
from pathlib import Path

import loaded_hub
import pytest
from flask.testing import FlaskClient
from server_desk import Desk

from consent.reporting import keep_wording
from federation.prom.instruments import INSTRUMENTS
from federation.prom.wording import read_wording
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

from .conftest import Clock, SignedIn, World
from .test_patient_prom import EQ, Hospital, Reader, Token, hospital

__all__ = ["hospital"]


def made_up(instrument: str) -> dict[str, object]:
    """A wording of a test: no word of it is a questionnaire's."""
    found = INSTRUMENTS[instrument]
    return {
        "wording": instrument,
        "version": found.version,
        "language": "nl",
        "licence": "made up for a test",
        "items": {item.code: f"Zin <b>{item.number}</b>" for item in found.items},
        "answers_of": {
            item.code: [f"woord {n}" for n in range(item.low, item.high + 1)]
            for item in found.items
            if not item.scored
        },
    }


def test_a_wording_comes_by_file_and_goes_again(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    loaded_hub.copy(desk.folder / "hub.sqlite")
    file = tmp_path / "eq.yaml"
    file.write_text(json.dumps(made_up("EQ-5D-5L")))
    done = desk.type("prom", "wording", str(file))
    assert done.stdout == "EQ-5D-5L\tnl\tmade up for a test\n", done.stderr
    assert desk.type("prom", "wordings").stdout == done.stdout
    # What is wrong with a file is tests/unit/prom's; here that nothing of such a file is kept.
    file.write_text(json.dumps({**made_up("EQ-5D-5L"), "version": "9"}))
    failed = desk.type("prom", "wording", str(file))
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "version must be 1" in failed.stderr
    assert desk.type("prom", "wording-end", "EQ-5D-5L", "nl").exit_code == 0
    lines = [json.loads(line) for line in desk.type("audit", "export").stdout.splitlines()]
    told = [(line["action"], line["facts"]) for line in lines if line["action"].startswith("prom")]
    assert told == [
        ("prom.worded", {"language": "nl", "licence": "made up for a test"}),
        ("prom.unworded", {"language": "nl", "licence": None}),
    ]


def test_the_page_shows_the_words_of_the_licence(
    hospital: Hospital,
    signed_in: SignedIn,
    form_token: Token,
    world: World,
    factory: SessionFactory,
    clock: Clock,
) -> None:
    hospital.ask()
    with unit_of_work(factory, SYSTEM) as session:
        content = read_wording(made_up("EQ-5D-5L")).to_dict()
        keep_wording(session, "EQ-5D-5L", "nl", content, actor=SYSTEM, now=clock.now)
    client: FlaskClient = signed_in("mine")
    reader = Reader(client, form_token)
    reader.post("/mijn/vragenlijsten/brief", letter=world.codes["mine"])
    assert "papieren lijst" not in reader.get(EQ).text
    page = reader.get(f"{EQ}/1").text
    assert "Zin &lt;b&gt;1&lt;/b&gt;" in page
    assert "woord 5" in page
    assert "Vraag 1<" not in page
    reader.post(f"{EQ}/1", mo="4")
    reader.post(f"{EQ}/2")
    assert "<strong>woord 4</strong>" in reader.get(f"{EQ}/nakijken").text
