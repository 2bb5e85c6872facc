"""Rounds with real hospitals: under embargo until the moment, one below ten, one that leaves."""

import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from federation.rounds import reading
from federation.rounds.tick import tick
from federation.rounds.turns import Batch
from federation.runs import service
from federation.runs.models import RunReply
from registry.transaction import reading as reading_of
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.hospitals.moving import move
from studies.reading import get_participation


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


hub = _load("hub_with_rounds")
RELEASE = timedelta(hours=2)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("rounds")
    hub.build(folder, rows=(120, 120, 120, 120, 8))
    return folder


@pytest.fixture
def made(built: Path, tmp_path: Path, bench: Any) -> Iterator[Any]:
    shutil.copytree(built, tmp_path / "rounds")
    found = type(bench)(tmp_path / "rounds")
    yield found
    found.close()


def drive(made: Any, now: datetime) -> bool:
    """One look of the worker at the rounds, with one question at a time."""
    look = partial(reading_of, made.hub.factory)
    unit = partial(unit_of_work, made.hub.factory, SYSTEM)
    return tick(look, unit, now, Batch(per_round=1))


def work(made: Any, until: Callable[[], bool], seconds: float = 90) -> None:
    """Let the worker and the rounds go on until it is as asked."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "the round did not get there in time"
        made.worker.step(datetime.now(UTC), wait=0.05)
        drive(made, datetime.now(UTC))


def test_four_hospitals_one_leaves_and_one_has_fewer_than_ten(made: Any) -> None:
    """All with real programs: asked, one leaves half-way, asked on of the others, released at the
    moment. The second indicator is about other patients; about the same the hospitals would refuse,
    because a roster one smaller beside an earlier answer tells the one that left."""
    now = datetime.now(UTC)
    sites = sorted(made.hub.sites)
    small, leaves = sites[4], sites[3]
    older = {
        **hub.SHARE,
        "id": "relapse_older",
        "cohort": {"var": "menopause", "op": "=", "value": "post"},
    }
    with made.hub.factory() as session:
        # Not whole quarters: a trend would cost the hospitals much of what they may answer.
        made_of = [hub.MIX, older, hub.SHARE]
        hub.approved(session, hub.wish(now, sites, indicators=made_of, last="2025-10"), now)
        session.commit()
    work(made, lambda: made.rows("SELECT 1 FROM run WHERE outcome IS NOT NULL") != [])
    with made.hub.factory() as session:
        assert service.list_runs(session) == []
        part = get_participation(session, hub.STUDY, leaves)
        move(session, part, "on_hold", actor=SYSTEM, now=datetime.now(UTC), reason="no_capacity")
        session.commit()
    work(made, lambda: made.rows("SELECT state FROM evaluation_round") == [("ready",)])
    assert not drive(made, now + RELEASE - timedelta(seconds=1))
    assert drive(made, now + RELEASE)

    with made.hub.factory() as session:
        found = reading.snapshot(session, hub.round_of(session))
        states = {each.site: each.state for each in found.hospitals}
        assert states == {**dict.fromkeys(sites, "in"), leaves: "left"}
        why = {each.site: each.why for each in found.hospitals}
        assert why == {**dict.fromkeys(sites), leaves: "left_after_answer"}
        mix, of_older, of_all = found.indicators
        assert of_all.status == "refused"
        assert of_all.code in ("ROSTER", "SMALL_GROUP")
        for indicator in (mix, of_older):
            assert indicator.status == "shown", (indicator.id, indicator.code)
            rows = {each.site: each for each in indicator.rows}
            assert (rows[leaves].hidden, rows[leaves].n) == ("left", None)
            assert (rows[small].hidden, rows[small].n) == ("small", None)
            shown = [rows[site].n for site in sites[:3]]
            assert (indicator.network.n, indicator.network.hospitals_in) == (sum(shown), 3)
            for asked in indicator.runs:
                kept = service.get_run(session, asked.id).outcome
                assert set(kept["by_site"].get(leaves, {})) <= {"status", "code", "message"}
        assert [row.n for row in mix.rows if row.n is not None] == [110, 110, 110]
        assert [each["n"] for each in mix.network.levels] == [
            sum(row.levels[level]["n"] for row in mix.rows if row.levels) for level in (0, 1)
        ]
        assert all(row.expected is not None for row in of_older.rows if row.n is not None)
        gone = select(RunReply.id).where(RunReply.site == leaves)
        assert session.scalars(gone).all() == []
