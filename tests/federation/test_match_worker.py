"""From a round's request to the number that may be shown: the worker over three real sites."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sharing_hospitals import MATCH, person, policy

from federation.runs import embargo, matching
from federation.runs.counted_once import Found, counted_once
from federation.runs.errors import RunError
from studies.actor import Actor
from studies.events import announce

COMMITTEE = Actor("user", "c1", frozenset({"committee"}), "Cees")
SHARED = 24  # from twice the threshold on a number is always shown


@pytest.fixture
def sharing(bench: Any) -> Any:
    """Three hospitals of sixty patients; the first two share twenty-four."""
    bench.real.close()
    for number, path in enumerate(bench.hub.sites.values()):
        first = number * 60 - (SHARED if number else 0)
        _name_patients(path / "data.csv", range(first, first + 60))
        (path / "match.yaml").write_text(MATCH.replace("key: number", "key: patient_id"))
        (path / "policy.yaml").write_text(policy().to_yaml())
    bench.real = bench.carrier.inner = bench.hub.engine()
    return bench


def _name_patients(path: Path, people: range) -> None:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, number in zip(rows, people, strict=True):
        row |= {key: value for key, value in person(number).items() if key != "age"}
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


def asked(bench: Any, now: datetime | None = None, round_id: str | None = None) -> str:
    with bench.hub.factory() as session:
        found = matching.ask(
            session,
            study="hormone-therapy",
            sites=list(bench.hub.sites),
            approved_by="c1",
            actor=COMMITTEE,
            now=now or datetime.now(UTC),
            round_id=round_id,
        )
        session.commit()
        return found


def lines(bench: Any, match_id: str) -> list[str]:
    found = bench.rows(
        f"SELECT action FROM audit_line WHERE about = 'match:{match_id}' ORDER BY seq"
    )
    return [action for (action,) in found]


def found(bench: Any, match_id: str) -> Found:
    with bench.hub.factory() as session:
        return matching.found(session, match_id)


def done(bench: Any, match_id: str) -> Found:
    bench.work(lambda: found(bench, match_id).state != "waiting")
    return found(bench, match_id)


def test_a_match_is_asked_once_carried_by_the_worker_and_kept_as_one_number(sharing: Any) -> None:
    match_id = asked(sharing)
    assert found(sharing, match_id) == Found("waiting")
    # this worker gets half-way and is gone; another one goes on from what is stored
    replies = "SELECT count(*) FROM private_match_reply WHERE step = 1"
    sharing.work(lambda: sharing.rows(replies)[0][0] > 0)
    sharing.worker = sharing.new_worker()
    with sharing.hub.factory() as session:
        session.connection().exec_driver_sql("UPDATE private_match_lease SET until = 0")
        announce(session, actor=COMMITTEE, action="match.test", about="match:lease")
        session.commit()

    today = datetime.now(UTC).date().isoformat()
    assert done(sharing, match_id) == Found("done", SHARED, None, today)
    assert sharing.rows("SELECT count(*) FROM private_match_reply") == [(0,)]
    assert lines(sharing, match_id) == ["match.asked", "match.opened", "match.finished"]
    (facts,) = sharing.rows("SELECT facts FROM audit_line WHERE action = 'match.finished'")
    assert str(SHARED) not in facts[0].replace("hormone-therapy", "")
    # what stands is not asked again
    assert asked(sharing) == match_id
    assert asked(sharing, datetime.now(UTC) + timedelta(days=91)) != match_id


def test_a_hospital_that_does_not_take_part_is_told_at_once(sharing: Any) -> None:
    path = next(iter(sharing.hub.sites.values()))
    (path / "match.yaml").unlink()
    match_id = asked(sharing)
    refused = done(sharing, match_id)
    assert refused == Found("refused", code="NO_MATCH")
    said = counted_once(hospitals=3, roles=["any"], match=refused, linked=None, threshold=10)
    assert (said["state"], said["count"]) == ("unknown", None)
    # Of one that a round asks nothing is told before every round that waits for it is released.
    match_id = asked(sharing, round_id="first")
    assert asked(sharing, round_id="second") == match_id
    assert done(sharing, match_id).code == "NO_MATCH"
    for round_id, told in (("first", []), ("second", ["match.finished"])):
        assert lines(sharing, match_id) == ["match.asked"]
        with sharing.hub.factory() as session:
            embargo.free(session, round_id, datetime.now(UTC))
            matching.tell(session, round_id)
            announce(session, actor=COMMITTEE, action="match.test", about="match:lease")
            session.commit()
        assert lines(sharing, match_id) == ["match.asked", *told]


def test_a_hospital_that_falls_silent_ends_it_and_nothing_stays(sharing: Any) -> None:
    replies = "SELECT count(*) FROM private_match_reply"
    match_id = asked(sharing)
    sharing.work(lambda: sharing.rows(replies)[0][0] > 0)
    sharing.carrier.dropped = {sorted(sharing.hub.sites)[2]}
    sharing.work(
        lambda: found(sharing, match_id).state != "waiting",
        clock=lambda: datetime.now(UTC) + timedelta(days=4),
    )
    assert found(sharing, match_id) == Found("refused", code="SITE_UNREACHABLE")
    assert sharing.rows(replies) == [(0,)]
    assert asked(sharing) != match_id  # it can be asked again


def test_only_a_study_and_its_own_hospitals_are_matched(sharing: Any) -> None:
    for study, sites, code in (
        ("nothing", ["catharina"], "STUDY_NOT_FOUND"),
        ("hormone-therapy", ["elsewhere"], "NO_SITES"),
        ("hormone-therapy", [], "NO_SITES"),
    ):
        with sharing.hub.factory() as session, pytest.raises(RunError, match=code):
            matching.ask(
                session,
                study=study,
                sites=sites,
                approved_by="c1",
                actor=COMMITTEE,
                now=datetime.now(UTC),
            )
    with sharing.hub.factory() as session, pytest.raises(RunError, match="RUN_NOT_FOUND"):
        matching.found(session, "none")
