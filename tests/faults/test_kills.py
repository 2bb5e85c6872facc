"""SIGKILL at every named point of worker and sites: the same result, one charge, nothing torn.

H1 … H6 are points of the hub's worker, N1 … N6 of a site (security.md 4.4). The harness counts
kills: a run in which nobody died proves nothing, and fails.
"""

import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.faults

HUB_POINTS = ("H1:1", "H2:1", "H3:1", "H3:2", "H4:1", "H4:4", "H5:1", "H6:1")
SITE_POINTS = ("N1:1", "N3:1", "N4:1", "N5:1", "N5:2", "N6:1")


def comparable(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An envelope without what must differ between two runs: numbers, dates, signed bytes."""
    origin = {
        key: value
        for key, value in outcome["provenance"].items()
        if key not in ("released_at", "signatures", "snapshots")
    }
    # A hospital's signed word names the run and its roster; what it says of consent is compared.
    origin["consent"] = {
        site: {key: value for key, value in told.items() if key != "said"}
        for site, told in origin["consent"].items()
    }
    rest = {k: v for k, v in outcome.items() if k not in ("id", "as_of", "provenance")}
    return {**rest, "provenance": origin}


def check(ending: Any, expected: Any) -> None:
    assert ending.kills > 0
    assert comparable(ending.outcome) == comparable(expected.outcome)
    assert ending.ledger == expected.ledger
    assert set(ending.ledger.values()) == {1}
    assert ending.replies == expected.replies
    assert ending.audit == {"run.opened": 1, "run.complete": 1}
    assert ending.intact


@pytest.mark.parametrize("point", HUB_POINTS)
def test_worker_killed(
    point: str, asked: Callable[[str], Any], undisturbed: Mapping[str, Any]
) -> None:
    check(asked("QUESTION").finish(hub_crash=point), undisturbed["QUESTION"])


@pytest.mark.parametrize("point", SITE_POINTS)
def test_every_site_killed(
    point: str, asked: Callable[[str], Any], undisturbed: Mapping[str, Any]
) -> None:
    ending = asked("QUESTION").finish(site_crash=point)
    assert ending.kills >= 3
    check(ending, undisturbed["QUESTION"])


def test_worker_and_sites_killed_in_an_iterative_fit(
    asked: Callable[[str], Any], undisturbed: Mapping[str, Any]
) -> None:
    ending = asked("COX").finish(hub_crash="H4:7", site_crash="N5:3")
    check(ending, undisturbed["COX"])


def test_worker_killed_at_any_moment(
    asked: Callable[[str], Any], undisturbed: Mapping[str, Any]
) -> None:
    """Not only at named points: three kills at random moments of one fit."""
    chance = random.Random(7)  # noqa: S311
    disturbed = asked("COX")
    kills = 0
    for _ in range(3):
        process = disturbed.start({})
        time.sleep(chance.uniform(0.8, 2.2))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    ending = disturbed.finish()
    ending.kills += kills
    check(ending, undisturbed["COX"])


@pytest.mark.parametrize(
    ("planted", "point"),
    [
        # Without stored replies a new worker has nothing, wherever the old one died after H3.
        ("forget_replies", "H4:4"),
        # Sites then say "replay": no second charge, but the worker needs one more attempt.
        ("charge_anew", "H4:1"),
    ],
)
def test_the_harness_sees_planted_faults(
    planted: str, point: str, asked: Callable[[str], Any], undisturbed: Mapping[str, Any]
) -> None:
    ending = asked("QUESTION").finish(hub_crash=point, planted=planted)
    assert ending.kills == 1
    with pytest.raises(AssertionError):
        check(ending, undisturbed["QUESTION"])


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in found for child in task.read_text().split()]


def test_sites_end_with_their_hub(asked: Callable[[str], Any]) -> None:
    disturbed = asked("QUESTION")
    process = disturbed.start({})
    until = time.monotonic() + 30
    # the process that forks the sites, and the three that it made
    made: list[int] = []
    while len(made) < 4 and time.monotonic() < until:
        servers = children_of(process.pid)
        made = [*servers, *(site for server in servers for site in children_of(server))]
    assert len(made) == 4
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in made):
        assert time.monotonic() < until, "a site outlived its hub"
        time.sleep(0.05)


def test_the_harness_sees_that_nobody_died(undisturbed: Mapping[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check(undisturbed["QUESTION"], undisturbed["QUESTION"])
