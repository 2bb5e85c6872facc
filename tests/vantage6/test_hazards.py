"""The hazards of the stock vantage6 client: each one shown on it, and its absence on ours.

They are the ones of docs/adr/0023. The server is real and has no nodes here: what the stock client
does wrong, it does before any node comes into it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hostile_server import Exchange, HostileServer
from vantage6.client import UserClient
from vantage6.common.client import client_base
from vantage6_lab import Administrator, Collaboration, add_user, make_key, server
from vantage6_stock import Enough, connection, engine, stock, wait_for

from federation.carriage.keys import shown_fingerprint
from federation.carriage.wire import IMAGE, task_name
from federation.engines import vantage6_client
from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection, Vantage6Error
from federation.engines.vantage6_tasks import Tasks

pytestmark = [
    pytest.mark.usefixtures("tidied_up"),
    # The stock client leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def ours(together: Collaboration) -> Iterator[Vantage6Client]:
    client = Vantage6Client(connection(together))
    yield client
    client.close()


# 1


def test_one_key_for_the_whole_process(
    together: Collaboration, root: Administrator, tmp_path: Path
) -> None:
    member = together.sites["b"]
    manager = add_user(root, member.organization, "Organization Admin")
    first, second = stock(together), stock(together, manager)
    first.setup_encryption(str(together.hub.key_file))
    second.setup_encryption(str(member.key_file))
    try:
        assert second.cryptor is first.cryptor  # it silently has the first one's key
        # and it has put the wrong key on the server, so nobody can reach b any more
        shown = root.get(f"organization/{member.organization}")["public_key"]
        assert shown_fingerprint(shown) == together.hub.key.fingerprint
    finally:
        second.request(
            f"organization/{member.organization}",
            method="patch",
            json={"public_key": member.key.on_the_server},
        )

    given = Connection(together.url, manager.username, manager.password, key=member.key_file)
    mine, theirs = Vantage6Client(connection(together)), Vantage6Client(given)
    theirs.setup_encryption(member.key_file)
    for client, key in ((mine, together.hub.key), (theirs, member.key)):
        sealed = client.cryptor.encrypt_bytes_to_str(b'{"x": 1}', key.on_the_server)
        assert client.cryptor.decrypt(sealed) == b'{"x": 1}'
    # Another key in our hands is never put on the server: it is an error with a name.
    other = tmp_path / "other.pem"
    other.write_bytes(make_key().private)
    tasks = Tasks(connection(together, key=other), together.organizations, together.fingerprints)
    with pytest.raises(Vantage6Error, match="VANTAGE6_OWN_KEY"):
        tasks.check()
    shown = root.get(f"organization/{together.hub.organization}")["public_key"]
    assert shown_fingerprint(shown) == together.hub.key.fingerprint
    for each in (mine, theirs, tasks):
        each.close()


# 2


def test_ten_rows_for_the_whole(together: Collaboration, ours: Vantage6Client) -> None:
    made = set()
    for _ in range(12):
        handle = secrets.token_hex(16)
        sealed = ours.cryptor.encrypt_bytes_to_str(b"{}", together.sites["a"].key.on_the_server)
        made.add(
            ours.post(
                "task",
                {
                    "name": task_name(handle),
                    "image": IMAGE,
                    "collaboration_id": together.id,
                    "organizations": [
                        {"id": together.organizations["a"], "input": sealed},
                    ],
                },
            )["id"]
        )
    whole = stock(together)
    with contextlib.redirect_stdout(io.StringIO()):
        assert len(whole.run.list()["data"]) == 10  # and says nothing of the others
    assert made <= {row["task"]["id"] for row in ours.list("result")}
    for page in (1, 5):  # pages of our own size, followed to the end
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vantage6_client, "PAGE", page)
            assert made <= {row["id"] for row in ours.list("task")}


# 3


def test_the_root_logger_and_a_banner(
    together: Collaboration, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.NullHandler()
    logger = logging.getLogger()
    logger.addHandler(handler)
    level = logger.level
    client = Vantage6Client(connection(together))
    client.authenticate()
    client.organization.list()  # the stock parts too
    client.close()
    assert capfd.readouterr() == ("", "")
    assert handler in logger.handlers
    assert logger.level == level

    UserClient("http://127.0.0.1", 1, "/api", log_level="info")
    assert "Join us on Discord" in capfd.readouterr().out
    assert handler not in logger.handlers
    assert logger.level == logging.INFO


# 4


def test_repeats_for_ever_without_a_connection(
    together: Collaboration, pauses: list[float], ours: Vantage6Client
) -> None:
    nobody = stock(together)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody._ClientBase__port = port
    with pytest.raises(Enough):
        nobody.request("node")
    assert pauses == [1] * 6  # until we stopped it

    pauses.clear()
    alone = Vantage6Client(connection(together, f"http://127.0.0.1:{port}"))
    for made in (lambda: alone.get("node"), lambda: alone.post("task", {})):
        with pytest.raises(Vantage6Error, match="VANTAGE6_UNREACHABLE") as caught:
            made()
        assert not caught.value.unsure  # nobody was there, so nothing was done
    assert 0 < len(pauses) <= 4
    alone.close()


def test_waits_for_ever_for_an_answer(
    together: Collaboration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vantage6_client, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        waiting = stock(together)
        waiting._ClientBase__port = silent.getsockname()[1]
        thread = threading.Thread(target=_ask, args=(waiting,), daemon=True)
        thread.start()

        client = Vantage6Client(connection(together, url))
        client._access_token, client._renew_at = "x", float("inf")  # past signing in
        with pytest.raises(Vantage6Error, match="VANTAGE6_UNREACHABLE") as caught:
            client.post("task", {})
        assert caught.value.unsure  # it may have been carried out, so it was made once
        client.close()
        thread.join(0.6)
        assert thread.is_alive()

        def stop(seconds: float) -> None:
            raise Enough

        monkeypatch.setattr(client_base, "time", SimpleNamespace(sleep=stop))
    thread.join(20)  # its connection is gone now, and it would begin again and again
    assert not thread.is_alive()


def _ask(client: UserClient) -> None:
    with contextlib.suppress(Exception):
        client.util.get_server_health()


def test_a_failed_post_is_sent_twice(together: Collaboration) -> None:
    with HostileServer(server().port) as proxy:
        client = stock(together, url=proxy.url)
        client.request("task", method="post", json={"wrong": 1})
        assert proxy.count("POST", "task") == 2

        proxy.seen.clear()
        mine = Vantage6Client(connection(together, proxy.url))
        with pytest.raises(Vantage6Error, match="VANTAGE6_REFUSED"):
            mine.post("task", {"wrong": 1})
        assert proxy.count("POST", "task") == 1
        mine.close()


def test_a_lost_answer_makes_a_second_task(together: Collaboration, root: Administrator) -> None:
    """The server makes the task; the way back breaks, as a restarting proxy does it."""

    def lose_first(exchange: Exchange, lost: list[str]) -> None:
        made = exchange.method == "POST" and exchange.path == "task" and exchange.status == 201
        if made and exchange.body["name"] not in lost:
            lost.append(exchange.body["name"])
            exchange.lost = True

    lost: list[str] = []
    with (
        HostileServer(server().port) as proxy,
        proxy.cheating(lambda exchange: lose_first(exchange, lost)),
    ):
        client = stock(together, url=proxy.url)
        client.cryptor = Vantage6Client(connection(together)).cryptor
        name = f"stock {secrets.token_hex(4)}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_base, "time", SimpleNamespace(sleep=lambda seconds: None))
            client.task.create([together.organizations["a"]], name, IMAGE, "", {}, together.id)
        assert len(root.get("task", name=name)["data"]) == 2

        with engine(together, proxy.url) as ours:
            handles = {ours.send(site, secrets.token_bytes(8)) for site in ("a", "b")}
            wait_for(lambda: lost[2:] and set(ours.open_tasks()) == _numbers(root, lost[1:]))
            for name in lost[1:]:
                assert len(root.get("task", name=name)["data"]) == 1
            for handle in handles:
                ours.cancel(handle)
            # what nobody waits for any more is taken from the server
            wait_for(lambda: not any(root.get("task", name=name)["data"] for name in lost[1:]))


def _numbers(root: Administrator, names: list[str]) -> set[int]:
    return {row["id"] for name in names for row in root.get("task", name=name)["data"]}


# 5


def test_failures_come_back_as_data(together: Collaboration, ours: Vantage6Client) -> None:
    found = stock(together).request("task/999999")
    assert "not found" in found["msg"]
    with pytest.raises(Vantage6Error, match="not found") as caught:
        ours.get("task/999999")
    assert (caught.value.code, caught.value.status) == ("VANTAGE6_REFUSED", 404)
    with pytest.raises(Vantage6Error, match="VANTAGE6_REFUSED"):
        ours.organization.create("x", "-", "-", "-", "0000", "NL", "x.example.org")  # stock part


# 7


def test_pages_of_tracebacks_over_what_is_not_ours(
    together: Collaboration, ours: Vantage6Client, caplog: pytest.LogCaptureFixture
) -> None:
    client = stock(together)
    client.setup_encryption(str(together.hub.key_file))
    client.log.setLevel(logging.ERROR)
    said = io.StringIO()
    client.log.addHandler(logging.StreamHandler(said))
    client.run.list(per_page=3)
    assert said.getvalue().count("Traceback") >= 3
    caplog.clear()
    assert ours.list("run")
    assert not caplog.records
