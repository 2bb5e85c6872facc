"""A worker that is killed in the middle of a round: nothing twice, nothing lost, nothing early."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import held_round
from sqlalchemy import select

from federation.rounds import reading
from federation.runs.embargo import looking_under
from federation.runs.models import Run, RunProgress
from registry.database import SessionFactory, engine_of, open_database
from registry.transaction import unit_of_work
from registry.worker import drive_rounds
from studies import service as studies
from studies.actor import SYSTEM
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MOMENT = NOW + timedelta(hours=2)
SITES = sorted(each.slug for each in ONCOZON.institutions)[:3]
PROGRAM = """
import sys
from datetime import datetime
from registry.database import open_database
from registry.worker import drive_rounds
drive_rounds(open_database(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
"""


def killed_at(point: str, url: str, now: datetime) -> None:
    """Let another process do what the worker does, and die there by SIGKILL."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, now.isoformat()],
        env={**os.environ, "ONCOKRING_HUB_CRASH": f"{point}:1"},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL


def runs_of(factory: SessionFactory) -> dict[str | None, str]:
    with factory() as session, looking_under(session):
        return {run.planned: run.state for run in session.scalars(select(Run))}


def test_a_round_goes_on_where_a_killed_worker_left_it(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'hub.sqlite')}"
    factory = open_database(url)
    study = replace(HORMONE_THERAPY, sites=dict.fromkeys(SITES, "open"))
    with unit_of_work(factory, SYSTEM) as session:
        session.info["clock"] = lambda: NOW
        studies.load_network(session, replace(ONCOZON, studies=(study,)), SYSTEM, now=NOW)
        held_round.ready_study(session, SITES, NOW)
        row_id = held_round.approved(session, held_round.wish(SITES, NOW), NOW).id

    # Between submitting and the end of the transaction: none of it happened.
    killed_at("R1", url, NOW)
    assert runs_of(factory) == {}
    drive_rounds(factory, NOW)
    put = runs_of(factory)
    assert list(put.values()) == ["approved"]  # the others have their turn when it is answered
    with factory() as session, looking_under(session):
        assert len(session.scalars(select(RunProgress.run_id)).all()) == 1

    for turn in range(held_round.TURNS):
        with unit_of_work(factory, SYSTEM) as session:
            held_round.answer(session, reading.get(session, row_id), NOW)
        drive_rounds(factory, NOW + timedelta(seconds=turn + 1))
    put = runs_of(factory)
    assert len(put) == 2
    # In the middle of the release: nobody sees a part of it.
    killed_at("R2", url, MOMENT)
    with factory() as session:
        assert reading.get(session, row_id).state == "ready"
        assert session.scalars(select(Run)).all() == []
    # A clock that goes back does not bring it forward, and one later look releases it, once.
    assert not drive_rounds(factory, MOMENT - timedelta(minutes=1))
    assert drive_rounds(factory, MOMENT)
    assert not drive_rounds(factory, MOMENT)
    with factory() as session:
        row = reading.get(session, row_id)
        kinds = [event.kind for event in reading.events(session, row)]
        assert kinds.count("released") == kinds.count("started") == 1
        assert reading.snapshot(session, row).indicators[0].status == "shown"
    assert runs_of(factory).keys() == put.keys()
    engine_of(factory).dispose()
