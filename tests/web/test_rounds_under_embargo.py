"""Over every address, as everybody: a round that is not released shows none of its numbers.

Real routes, the whole url_map, every role; and every command that reads. The same walk finds the
numbers after the release, so it would have found them before.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import held_round
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from federation.rounds import reading
from federation.runs.embargo import looking_under
from federation.runs.models import Run
from registry.access import PROFESSIONAL, rule_of
from registry.cli import cli
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from registry.worker import drive_rounds
from studies.actor import SYSTEM
from studies.reading import open_sites

SECOND = timedelta(seconds=1)
#: Numbers that stand nowhere but in the answers of the hospitals.
NUMBERS = [str(held_round.CANARY + each) for each in range(4)]
NUMBERS += [str(held_round.CANARY_YES + each) for each in range(4)]


def _matrix() -> Any:
    name = "authorization_matrix_for_rounds"
    path = Path(__file__).parent / "test_authorization_matrix.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


matrix = _matrix()


@pytest.fixture
def held(factory: SessionFactory, clock: Any) -> tuple[str, list[str]]:
    """A round with every answer in and its release an hour ahead, and the ids of its runs."""
    now = clock()
    with unit_of_work(factory, SYSTEM) as session:
        sites = open_sites(session, held_round.STUDY)[:4]
        assert len(sites) >= 3
        held_round.ready_study(session, sites, now)
        made = held_round.wish(sites, now - SECOND, release_at=now + timedelta(hours=1))
        row_id = held_round.approved(session, made, now).id
    for turn in range(held_round.TURNS):
        drive_rounds(factory, now + turn * SECOND)
        with unit_of_work(factory, SYSTEM) as session:
            held_round.answer(session, reading.get(session, row_id), now, refused=sites[0])
    drive_rounds(factory, now + held_round.TURNS * SECOND)
    with factory() as session, looking_under(session):
        row = reading.get(session, row_id)
        assert row.state == "ready"
        return row_id, list(session.scalars(select(Run.id).where(Run.round_id == row_id)))


def addresses(
    app: Flask, world: Any, round_id: str, runs: list[str]
) -> Iterator[tuple[frozenset[str], str]]:
    """Every address that answers GET, of the round, of its runs, and of all else there is; each
    with the roles that may go there (nobody's, where everybody may)."""
    for route, method in matrix.cells(app):
        found = rule_of(app, route.endpoint, "GET")
        if method != "GET" or found is None:
            continue
        for run in runs if route.arguments & {"id", "query_id"} else runs[:1]:
            values = {name: run for name in route.arguments & {"id", "query_id"}}
            if "round" in route.arguments:
                values["round"] = round_id
            for name in ("indicator", "action"):
                if name in route.arguments and "round" in route.arguments:
                    values[name] = "relapse" if name == "indicator" else round_id
            try:
                others = route.arguments - values.keys()
                known = matrix.arguments(_Part(route, others), world, matrix.OWN)
            except AssertionError:
                known = dict.fromkeys(route.arguments - values.keys(), round_id)
            with app.test_request_context():
                adapter = app.url_map.bind("localhost")
                made = adapter.build(route.endpoint, {**known, **values}, method="GET")
            yield found.roles, made


class _Part:
    """A route with fewer arguments, for the table of the authorization matrix."""

    def __init__(self, route: Any, names: set[str]) -> None:
        self.rule, self.arguments = route.rule, names


def told(text: str, runs: list[str]) -> list[str]:
    """What of the round's answers stands in a text."""
    plain = text.replace(".", "").replace(",", "").replace("\u00a0", "").replace("\u202f", "")
    return [each for each in (*NUMBERS, *runs) if each in plain]


#: Who goes where more than one may: the first of these; everybody where rounds and questions are.
FIRST = ("coordinator", "committee", "administrator", "auditor", "researcher", "chair", "board")
CLOSE = ("/rounds", "/r/", "/d/", "/audit", "/api/v1/rounds", "/api/v1/queries")


def goers(roles: frozenset[str], place: str) -> frozenset[str]:
    if not roles or place.startswith(CLOSE):
        return roles or frozenset({"coordinator"})
    return frozenset([next((role for role in FIRST if role in roles), sorted(roles)[0])])


def walk(app: Flask, signed_in: Any, world: Any, held: tuple[str, list[str]]) -> dict[str, Any]:
    """Where something is told, over all addresses and those who may go there."""
    found: dict[str, Any] = {}
    everything = set(addresses(app, world, *held))
    assert len(everything) > 100
    for who in sorted(PROFESSIONAL | {"mine"}):
        client, role = signed_in(who), "patient" if who == "mine" else who
        for address in sorted(place for roles, place in everything if role in goers(roles, place)):
            response = client.get(address)
            assert response.status_code < 500, (who, address)
            if any(run in address for run in held[1]):
                # The question does not exist: also its own number in the address tells nothing.
                assert response.status_code in (302, 303, 401, 403, 404), (who, address)
                continue
            if things := told(response.get_data().decode(errors="replace"), held[1]):
                found[f"{who} {address}"] = things
    return found


def test_no_address_tells_a_number_of_a_round_that_is_not_released(
    app: Flask, signed_in: Any, world: Any, held: tuple[str, list[str]]
) -> None:
    assert walk(app, signed_in, world, held) == {}


def commands(round_id: str) -> list[list[str]]:
    return [
        ["round", "list", "--json"],
        ["round", "show", round_id, "--json"],
        ["round", "show", round_id],
        ["round", "check", round_id],
        ["round", "plan", round_id],
        ["round", "export", round_id],
        ["round", "export", round_id, "--form", "csv"],
        ["round", "action", "list", round_id],
        ["round", "release", round_id],
        ["audit", "verify"],
        ["study", "show", held_round.STUDY],
        ["network", "sites"],
    ]


def test_no_command_tells_one_and_both_find_them_after_the_release(
    app: Flask,
    signed_in: Any,
    settings: Any,
    factory: SessionFactory,
    clock: Any,
    held: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    round_id, runs = held
    monkeypatch.setenv("ONCOKRING_DATABASE", settings.database_url)
    # The commands go by this computer's clock, which is past the test's: hold theirs back.
    for module in ("round", "round_actions"):
        monkeypatch.setattr(f"registry.commands.{module}.now", clock)
    runner = CliRunner()
    for command in commands(round_id):
        done = runner.invoke(cli, command)
        assert not told(done.output, runs), command
        assert "ready" not in done.output, command
    clock.now += timedelta(hours=1)
    released = runner.invoke(cli, ["round", "release", round_id])
    assert released.exit_code == 0, released.output
    shown = json.loads(runner.invoke(cli, ["round", "show", round_id, "--json"]).output)
    assert shown["state"] == "released"
    assert NUMBERS[1] in str(shown["snapshot"])
    exported = runner.invoke(cli, ["round", "export", round_id, "--form", "csv"]).output
    assert NUMBERS[1] in exported
    for who, seen in (("chair", True), ("researcher", True), ("representative", False)):
        result = signed_in(who).get(f"/api/v1/rounds/{round_id}/result")
        assert result.status_code == 200, (who, result.get_data(as_text=True))
        assert (NUMBERS[1] in result.get_data(as_text=True)) is seen, who
    assert signed_in("researcher2").get(f"/api/v1/rounds/{round_id}/result").status_code == 404
