"""The hazards of vantage6 around tasks: time, other users, several sites; as test_hazards.py."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime

import pytest
import requests
from vantage6_lab import Administrator, Collaboration, add_user, server
from vantage6_stock import Enough, collect, connection, engine, stock, wait_for

from federation.carriage.wire import IMAGE
from federation.engines.interface import SITE_UNREACHABLE
from federation.engines.vantage6_keys import Vantage6Error
from federation.engines.vantage6_tasks import Tasks

pytestmark = [
    pytest.mark.usefixtures("tidied_up"),
    # The stock client leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


# 6 and 8


def test_waits_without_end_by_clocks_of_the_server(
    together: Collaboration,
    root: Administrator,
    pauses: list[float],
    capfd: pytest.CaptureFixture[str],
) -> None:
    with engine(together, wait_seconds=0.4) as ours:
        handle = ours.send("a", b"nobody is there to answer")
        (reply,) = collect(ours, 1)
        assert (reply.handle, reply.failure) == (handle, SITE_UNREACHABLE)

    with engine(together) as ours:
        ours.send("a", b"nor this")
        ours.send("b", b"nor this")
        first, second = wait_for(lambda: len(ours.open_tasks()) == 2 and ours.open_tasks())
        # the moment the server was started, whenever a task was made
        assert (
            len({root.get(f"run/{run}")["assigned_at"] for run in _runs(root, first, second)}) == 1
        )
        waiting = stock(together)
        capfd.readouterr()
        with pytest.raises(Enough):
            waiting.wait_for_results(first)
    assert pauses == [1, 1.5, 2.25, 3.375, 5.0625, 7.59375]
    assert "Waiting for task" in capfd.readouterr().out
    assert logging.getLogger().level == logging.WARNING


def _runs(root: Administrator, *tasks: int) -> list[int]:
    return [row["id"] for task in tasks for row in root.get("run", task_id=task)["data"]]


# 9


def test_others_delete_our_tasks_and_read_what_is_not_encrypted(
    together: Collaboration, plain: Collaboration, root: Administrator
) -> None:
    colleague = stock(together, add_user(root, together.hub.organization))
    neighbour = stock(plain, add_user(root, plain.organizations["b"]))
    with engine(together) as ours:
        handle = ours.send("a", b"will be taken away")
        task = wait_for(lambda: next(iter(ours.open_tasks()), None))
        assert "successfully deleted" in colleague.request(f"task/{task}", method="delete")["msg"]
        (reply,) = collect(ours, 1)
        assert (reply.handle, reply.failure) == (handle, "VANTAGE6_TASK_GONE")

    with pytest.raises(Vantage6Error, match="VANTAGE6_UNENCRYPTED"):
        Tasks(connection(plain), plain.organizations, {}).check()
    for words in ("yes", "true", "Everybody on the server may read"):
        given = connection(plain, allow_unencrypted=words)
        with pytest.raises(Vantage6Error, match="everybody on the server may read"):
            Tasks(given, plain.organizations, {}).check()
    with engine(plain) as ours:
        ours.check()
        ours.send("a", b"clear as day")
        task = wait_for(lambda: next(iter(ours.open_tasks()), None))
        (run,) = neighbour.run.from_task(task)["data"]
        assert "Y2xlYXIgYXMgZGF5" in run["input"]  # another hospital reads it


# The others of the page


def test_one_failure_ends_the_task_at_the_other_sites(
    plain: Collaboration, root: Administrator
) -> None:
    """So there is one task per site."""
    client = stock(plain)
    sites = plain.organizations
    task = client.task.create(list(sites.values()), "both", IMAGE, "", {}, plain.id)["id"]
    _refuse_as(plain, "a", task)
    assert {row["status"] for row in root.get("run", task_id=task)["data"]} == {
        "not allowed",
        "failed",
    }
    with engine(plain) as ours:
        handles = {site: ours.send(site, b"to each its own") for site in sites}
        numbers = wait_for(lambda: len(ours.open_tasks()) == 2 and ours.open_tasks())
        _refuse_as(plain, "a", next(n for n, site in numbers.items() if site == "a"))
        (reply,) = collect(ours, 1)
        assert (reply.handle, reply.failure) == (handles["a"], "VANTAGE6_NOT_ALLOWED")
        other = next(n for n, site in numbers.items() if site == "b")
        assert [row["status"] for row in root.get("run", task_id=other)["data"]] == ["pending"]


def _refuse_as(who: Collaboration, site: str, task: int) -> None:
    """What a node does with a task that its policy forbids."""
    api = f"{who.url}/api"
    key = {"api_key": who.sites[site].api_key}
    token = requests.post(f"{api}/token/node", json=key, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    rows = requests.get(f"{api}/run", params={"task_id": task}, headers=headers, timeout=30).json()
    (run,) = [row for row in rows["data"] if row["organization"]["id"] == who.organizations[site]]
    done = {"status": "not allowed", "finished_at": datetime.now(UTC).isoformat()}
    answer = requests.patch(f"{api}/run/{run['id']}", json=done, headers=headers, timeout=30)
    answer.raise_for_status()


def test_the_same_bytes_are_one_task_while_it_is_open(
    together: Collaboration, root: Administrator
) -> None:
    """The worker repeats itself while a hospital is away; its node must not find a pile."""
    with engine(together, wait_seconds=2.0) as ours:
        message = secrets.token_bytes(16)
        handles = {ours.send("a", message) for _ in range(5)}
        ours.send("b", message)
        wait_for(lambda: len(ours.open_tasks()) == 2)
        assert {reply.handle for reply in collect(ours, 6) if reply.site == "a"} == handles


def test_the_hub_outlives_a_restart_of_the_server(
    together: Collaboration, root: Administrator
) -> None:
    """And a token that the server no longer takes: the hub signs in again by itself."""
    with engine(together, events=True) as ours:
        ours.send("a", b"before")
        wait_for(lambda: ours.open_tasks() and ours._book.line)
        server().restart()
        ours._tasks.client._access_token = "of.another.server"
        ours._tasks.client._since = float("-inf")
        ours.send("b", b"after")
        wait_for(lambda: len(ours.open_tasks()) == 2, 60)
        wait_for(lambda: ours._book.line, 60)
        wait_for(lambda: {ours.status(site).state for site in ("a", "b")} == {"down"}, 60)
        before, after = sorted(ours.open_tasks())
        _refuse_as(together, "b", after)  # the open line tells of it, not the next look
        (reply,) = collect(ours, 1)
        assert (reply.site, reply.failure) == ("b", "VANTAGE6_NOT_ALLOWED")
        assert list(ours.open_tasks()) == [before]
