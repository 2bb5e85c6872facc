"""How many private matches there may be, and when a secret goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from federation.protocol.match_steps import BLIND, COUNT, DOUBLE, LOOKING
from federation.query.refusals import Refused
from federation.site.match_runs import ATTEMPTS, MatchRun, MatchRuns
from federation.site.store import open_store

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_store(tmp_path / "site.sqlite")
    yield opened
    opened.close()


def begun(runs: MatchRuns, name: str, now: datetime, *, last: int, study: str = "onco") -> None:
    run = MatchRun(name, study, "0" * 64, LOOKING, b"s" * 32, b"d")
    for step in range(last + 1):
        runs.keep(run.at(step, b"d"), now)


def refused_until(runs: MatchRuns, now: datetime, study: str = "onco") -> str | None:
    try:
        runs.check_budget("this run", study, now)
    except Refused as refused:
        return f"{refused.code} {refused.again_from}"
    return None


def test_one_finished_match_of_a_study_stands_for_its_days(database: sqlite3.Connection) -> None:
    runs = MatchRuns(database, 90)
    begun(runs, "first", NOW, last=COUNT)
    assert refused_until(runs, NOW) == "BUDGET 2027-02-22"
    assert refused_until(runs, NOW + timedelta(days=89)) == "BUDGET 2027-02-22"
    assert refused_until(runs, NOW + timedelta(days=91)) is None
    assert refused_until(runs, NOW, "another") is None
    assert refused_until(MatchRuns(database, 0), NOW) is None
    runs.check_budget("first", "onco", NOW)  # it may be asked its own steps


def test_each_attempt_that_a_third_hospital_may_have_seen_counts(
    database: sqlite3.Connection,
) -> None:
    runs = MatchRuns(database, 90)
    for number in range(ATTEMPTS):
        assert refused_until(runs, NOW) is None
        begun(runs, f"run {number}", NOW + timedelta(days=number), last=DOUBLE)
        begun(runs, f"early {number}", NOW + timedelta(days=number), last=BLIND)
    assert refused_until(runs, NOW + timedelta(days=ATTEMPTS)) == "BUDGET 2027-02-22"
    assert refused_until(runs, NOW + timedelta(days=91)) is None


def test_a_secret_goes_when_it_is_not_needed_and_when_nobody_went_on(
    database: sqlite3.Connection,
) -> None:
    runs = MatchRuns(database, 90)
    begun(runs, "on", NOW, last=DOUBLE)
    begun(runs, "left", NOW, last=BLIND)

    def kept(run: str) -> bytes | None:
        found = runs.of(run)
        return None if found is None else found.secret

    assert (kept("on"), kept("left")) == (None, b"s" * 32)
    begun(runs, "later", NOW + timedelta(days=8), last=LOOKING)
    assert runs.of("left") is None
    assert runs.of("on") is not None
    # not even by a mistake of this program
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("UPDATE match_run SET secret = x'00' WHERE run = 'on'")
