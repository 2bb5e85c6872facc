"""An evaluation round and its private match over a real vantage6 server, against the files.

Three hospitals as nodes, each a process of its own. Two share patients, whom the match of the round
counts. What is shown is compared with what stands in the hospitals' files.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sharing_hospitals import MATCH, person, policy
from vantage6_lab import server

from federation.rounds import reading
from federation.rounds.tick import tick
from federation.runs.in_hand import Timing
from federation.runs.match_models import PrivateMatch
from federation.runs.worker import Worker
from registry.transaction import reading as reading_of
from registry.transaction import unit_of_work
from registry.trial.vantage6_network import Vantage6Network
from studies.actor import SYSTEM

#: Two minutes, most of it waiting for the server's polls.
pytestmark = pytest.mark.slow

ROWS, SHARED = 90, 24  # from twice the threshold on a number is always shown
RELEASE = timedelta(hours=2)
FIRST, LAST = "2024-01", "2024-10"


def _load(name: str) -> Any:
    path = Path(__file__).parents[1] / "federation" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def _name_patients(path: Path, first: int) -> None:
    """Give the patients of a hospital a birth date and a name, that of persons from `first` on."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, first):
        row |= {key: value for key, value in person(number).items() if key != "age"}
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


@pytest.fixture(scope="module")
def released() -> Iterator[tuple[Any, Any]]:
    """The hub after its round, and the snapshot."""
    server()  # a skip, with its reason, before anything is built
    _load("hub_with_sites")
    rounds = _load("hub_with_rounds")
    with tempfile.TemporaryDirectory(prefix="oncokring-round-") as name:
        folder = Path(name)
        rounds.build(folder, rows=(ROWS,) * 3)
        hub = rounds.HubWithSites(folder)
        signed = policy(institution_disclosure="RvB-2026-17", site_level_output=True).to_yaml()
        for number, path in enumerate(hub.sites.values()):
            _name_patients(path / "data.csv", number * ROWS - (SHARED if number else 0))
            (path / "match.yaml").write_text(MATCH.replace("key: number", "key: patient_id"))
            (path / "policy.yaml").write_text(signed)
        with Vantage6Network(folder / "vantage6", hub.sites, hub.factory, server=server()) as nodes:
            engine = nodes.engine()
            try:
                yield hub, _hold(rounds, hub, engine)
            finally:
                engine.close()
        hub.close()


def _hold(rounds: Any, hub: Any, engine: Any) -> Any:
    worker = Worker(hub.factory, engine, hub.key, timing=Timing(resend=timedelta(seconds=30)))
    look, unit = partial(reading_of, hub.factory), partial(unit_of_work, hub.factory, SYSTEM)
    now = datetime.now(UTC)
    with hub.factory() as session:
        wish = rounds.wish(now, sorted(hub.sites), indicators=[rounds.SHARE], last=LAST)
        rounds.approved(session, wish, now)
        session.commit()
    end = time.monotonic() + 120
    while True:
        assert time.monotonic() < end, "the round did not get there in time"
        worker.step(datetime.now(UTC), wait=0.05)
        tick(look, unit, datetime.now(UTC))
        with hub.factory() as session:
            matched = session.query(PrivateMatch.state).scalar() in ("done", "refused")
            if matched and rounds.round_of(session).state == "ready":
                break
    tick(look, unit, now + RELEASE)
    with hub.factory() as session:
        return reading.snapshot(session, rounds.round_of(session))


def _in_period(path: Path) -> Counter[bool]:
    """How many patients of a file are in the period, by whether the outcome happened."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if FIRST <= row["diagnosed"][:7] <= LAST]
    return Counter(row["relapse"] == "true" for row in rows)


def test_the_round_shows_what_is_in_the_files(released: tuple[Any, Any]) -> None:
    hub, found = released
    assert {each.state for each in found.hospitals} == {"in"}
    (indicator,) = found.indicators
    assert indicator.status == "shown"
    rows = {each.site: each for each in indicator.rows}
    for site, path in hub.sites.items():
        counted = _in_period(path / "data.csv")
        assert (rows[site].n, rows[site].observed) == (counted.total(), counted[True])


def test_the_match_of_the_round_counts_who_is_at_two_hospitals(released: tuple[Any, Any]) -> None:
    _, found = released
    assert (found.duplicates["state"], found.duplicates["count"]) == ("matched", SHARED)
