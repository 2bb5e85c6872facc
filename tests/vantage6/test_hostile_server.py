"""A vantage6 server that edits, replays, exchanges, makes up, drops and swaps keys gets nothing.

A real hub, its worker, three hospitals as processes, and between them and the real server a proxy
that does what whoever runs a server can do. The answer is the right one or there is none, and the
hub's books and log say by code and site what happened.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile_server import Exchange, HostileServer
from sqlalchemy import text
from vantage6_lab import Collaboration, collaboration, make_key, nodes, server
from vantage6_stock import collect, connection, engine

from federation.carriage.cryptor import make_cryptor
from federation.carriage.wire import WireError, decode_result, encode_result
from federation.engines.vantage6_keys import Vantage6Error
from federation.engines.vantage6_tasks import Tasks
from federation.runs.in_hand import Timing
from federation.runs.worker import Worker

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
PATIENTS = 180
TIMING = Timing(back_off=timedelta(milliseconds=50), resend=timedelta(seconds=20))
LOG = "oncokring.engine"


def _hub_with_sites() -> Any:
    """The hub and hospitals of tests/federation."""
    place = Path(__file__).parents[1] / "federation" / "hub_with_sites.py"
    spec = importlib.util.spec_from_file_location("hub_with_sites", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("hub_with_sites", module)
    spec.loader.exec_module(module)
    return module


@dataclass
class Network:
    """The hub at work over a server that may cheat, and what such a server keeps in mind."""

    hub: Any
    together: Collaboration
    proxy: HostileServer
    worker: Worker
    sites: dict[int, str] = field(default_factory=dict)  # by organisation
    of_task: dict[int, str] = field(default_factory=dict)
    results: dict[str, list[str]] = field(default_factory=dict)
    inputs: dict[str, list[str]] = field(default_factory=dict)
    log_from: int = 0

    def remember(self, exchange: Exchange) -> None:
        """A rule that changes nothing."""
        if exchange.method == "POST" and exchange.path == "task" and exchange.status == 201:
            (sent,) = exchange.body["organizations"]
            site = self.sites[sent["id"]]
            self.of_task[exchange.answer["id"]] = site
            self.inputs.setdefault(site, []).append(sent["input"])
        for site, row in self.results_in(exchange):
            self.results.setdefault(site, []).append(row["result"])

    def results_in(self, exchange: Exchange) -> list[tuple[str, dict[str, Any]]]:
        """(site, row) of each result that this answer gives the hub."""
        if exchange.status != 200 or not exchange.path.startswith("result"):
            return []
        return [
            (self.of_task[row["task"]["id"]], row) for row in exchange.rows if row.get("result")
        ]

    def cheat(self, *by_site: tuple[str, Callable[[str, str], str]]) -> Callable[[Exchange], None]:
        """A rule: the next results of these sites are replaced, in this order, each once."""
        left = list(by_site)

        def rule(exchange: Exchange) -> None:
            for site, row in self.results_in(exchange):
                for place, (wanted, change) in enumerate(left):
                    if wanted == site:
                        row["result"] = change(site, row["result"])
                        del left[place]
                        break

        return rule

    def ask(self, question: Any = None, seconds: float = 90.0) -> Any:
        """One approved question to its end."""
        with self.hub.factory() as session:
            self.log_from = session.scalar(text("SELECT count(*) FROM audit_line")) or 0
        run = self.hub.approved(*([question] if question else []))
        until = time.monotonic() + seconds
        while self.hub.run(run).outcome is None:
            assert time.monotonic() < until, "the worker did not get there in time"
            self.worker.step(datetime.now(UTC), wait=0.05)
        return self.hub.run(run).outcome

    def refused(self) -> list[tuple[str, str]]:
        """(site, code) of each reply that the hub refused since the last question, as audited."""
        with self.hub.factory() as session:
            found = session.execute(
                text("SELECT action, facts FROM audit_line ORDER BY seq LIMIT -1 OFFSET :start"),
                {"start": self.log_from},
            ).all()
        facts = [json.loads(facts) for action, facts in found if action == "run.reply_refused"]
        return sorted((each["site"], each["code"]) for each in facts)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    running = server()
    folder = tmp_path_factory.mktemp("hostile")
    build = _hub_with_sites()
    build.build(folder)
    hub = build.HubWithSites(folder)
    together = collaboration(folder, list(hub.sites))
    with (
        HostileServer(running.port) as proxy,
        nodes(together, list(hub.sites.values()), url=f"{proxy.url}/api"),
        engine(together, proxy.url) as carrier,
    ):
        made = Network(hub, together, proxy, Worker(hub.factory, carrier, hub.key, timing=TIMING))
        made.sites = {number: site for site, number in together.organizations.items()}
        proxy.rules.append(made.remember)
        assert made.ask()["result"]["n"] == PATIENTS  # honest, and the lists of consent are there
        assert made.refused() == []
        yield made
    hub.close()


def flipped(sealed: str, place: int) -> str:
    """One bit of the message changed, without the key: nothing in vantage6's encryption notices."""
    key, iv, data = sealed.split("$")
    changed = bytearray(base64.b64decode(data))
    changed[place] ^= 1
    return "$".join([key, iv, base64.b64encode(changed).decode()])


def test_replies_that_are_altered_exchanged_repeated_or_made_up(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = sorted(network.hub.sites)
    cryptor = make_cryptor(network.together.hub.key_file)

    def garbage(site: str, result: str) -> str:
        return flipped(result, 2)  # in the word "reply"

    def unnoticed(site: str, result: str) -> str:
        """Another signature that is still base64, so that only its check can tell."""
        for place in range(-40, -10):
            changed = flipped(result, place)
            try:
                if decode_result(cryptor.decrypt(changed))[0] is not None:
                    return changed
            except WireError:
                continue
        raise AssertionError("no place found")

    def of_another_site(site: str, result: str) -> str:
        return network.results[a][-1]

    def earlier(site: str, result: str) -> str:
        return network.results[site][1]  # the first after that for the list of consent

    def made_up(site: str, result: str) -> str:
        public = network.together.hub.key.on_the_server  # everybody on the server has it
        return str(cryptor.encrypt_bytes_to_str(encode_result(reply=b"e30.e30.AAAA"), public))

    cheats = [(a, garbage), (b, unnoticed), (c, of_another_site), (a, earlier), (b, made_up)]
    with caplog.at_level(logging.WARNING, LOG), network.proxy.cheating(network.cheat(*cheats)):
        outcome = network.ask()

    assert outcome["result"]["n"] == PATIENTS
    assert f"VANTAGE6_UNREADABLE site={a}" in caplog.text
    (old, *of_b, exchanged) = network.refused()
    assert old == (a, "WRONG_RUN")
    assert {site for site, _ in of_b} == {b}
    assert {code for _, code in of_b} <= {"BAD_SIGNATURE", "BAD_MESSAGE"}
    assert exchanged == (c, "UNKNOWN_KEY")


def test_questions_that_are_altered_or_repeated(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = sorted(network.hub.sites)
    left = {a: "altered", b: "repeated", c: "another's"}

    def rule(exchange: Exchange) -> None:
        if exchange.method != "GET" or exchange.path != "run" or exchange.status != 200:
            return
        for row in exchange.rows:
            site = network.of_task.get(row["task"]["id"], "")
            how = left.pop(site, None) if row.get("input") else None
            if how == "altered":
                row["input"] = flipped(row["input"], 5)
            elif how == "repeated":
                row["input"] = network.inputs[site][0]
            elif how == "another's":
                row["input"] = network.inputs[a][-1]  # for a's key, and for a

    with caplog.at_level(logging.WARNING, LOG), network.proxy.cheating(rule):
        outcome = network.ask()

    assert outcome["result"]["n"] == PATIENTS
    assert not left
    assert f"VANTAGE6_NOT_ALLOWED site={a}" in caplog.text
    assert f"VANTAGE6_NOT_ALLOWED site={c}" in caplog.text
    assert [site for site, _ in network.refused()] == [b]  # its old answer to the old question
    said = (network.hub.sites[a] / "node.log").read_text()
    assert " UNREADABLE\n" in said  # the hospital's own log names it too


def test_what_is_dropped_is_asked_again_and_makes_no_second_task(network: Network) -> None:
    dropped: dict[str, int] = {}

    def rule(exchange: Exchange) -> None:
        kind = f"{exchange.method} {exchange.path.split('/')[0]}"
        if kind in ("POST task", "GET result", "PATCH run") and exchange.status:
            dropped[kind] = dropped.get(kind, 0) + 1
            exchange.lost = dropped[kind] <= 2
        if kind == "GET task" and not exchange.status:
            dropped[kind] = dropped.get(kind, 0) + 1
            exchange.lost = dropped[kind] <= 2

    first = max(network.of_task)
    with network.proxy.cheating(rule):
        assert network.ask(_hub_with_sites().COUNT)["status"] == "complete"
    assert set(dropped) == {"POST task", "GET result", "PATCH run", "GET task"}
    client = Tasks(connection(network.together), {}, {}).client
    names = [row["name"] for row in client.list("task") if row["id"] > first]
    client.close()
    assert len(names) >= 6  # the look, then the sums
    assert len(names) == len(set(names))


def test_keys_that_are_swapped(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    """The server is the directory of keys; ours count only when they were written down."""
    a, b, _ = sorted(network.hub.sites)
    other = make_key()
    swapped = {network.together.organizations[a]}

    def rule(exchange: Exchange) -> None:
        place, _, number = exchange.path.partition("/")
        if place == "organization" and exchange.status == 200 and int(number) in swapped:
            exchange.answer["public_key"] = other.on_the_server

    with caplog.at_level(logging.WARNING, LOG), network.proxy.cheating(rule):
        with engine(network.together, network.proxy.url) as fresh:
            before = network.proxy.count("POST", "task")
            fresh.send(a, b"to be read by the server")
            fresh.send(b, b"to b")
            failed = {reply.site: reply.failure for reply in collect(fresh, 2)}
            assert failed[a] == "VANTAGE6_KEY_CHANGED"
            assert network.proxy.count("POST", "task") == before + 1  # nothing was sent to a
        assert f"VANTAGE6_KEY_CHANGED site={a}" in caplog.text
        # our own, so that hospitals would answer to the server: the hub does not start
        swapped.add(network.together.hub.organization)
        tasks = Tasks(connection(network.together, network.proxy.url), {}, {})
        with pytest.raises(Vantage6Error, match="VANTAGE6_OWN_KEY"):
            tasks.check()
        tasks.client.close()
    unpinned = engine(network.together, network.proxy.url, fingerprints={})
    with unpinned as fresh:
        fresh.send(a, b"a key that nobody compared")
        assert [reply.failure for reply in collect(fresh, 1)] == ["VANTAGE6_KEY_UNPINNED"]


def test_it_says_that_nothing_is_encrypted_or_that_all_is_done(network: Network) -> None:
    a = min(network.hub.sites)

    def plain(exchange: Exchange) -> None:
        if exchange.path.startswith("collaboration/") and exchange.status == 200:
            exchange.answer["encrypted"] = 0

    def done(exchange: Exchange) -> None:
        if exchange.path.startswith("task/") and exchange.status == 200:
            exchange.answer["status"] = "completed"
        if exchange.path.startswith("result") and exchange.status == 200:
            for row in exchange.rows:
                row["result"] = None

    for rule, code in ((plain, "VANTAGE6_UNENCRYPTED"), (done, "VANTAGE6_UNREADABLE")):
        with (
            network.proxy.cheating(rule),
            engine(network.together, network.proxy.url) as fresh,
        ):
            fresh.send(a, b"x")
            assert [reply.failure for reply in collect(fresh, 1)] == [code]


def test_the_server_saw_ciphertext_and_our_names_for_tasks(network: Network) -> None:
    """After all the questions above: nothing of a question or an answer is readable there."""
    seen = b"\n".join(network.proxy.bytes_seen)
    for each in (b"hormone", b"describe", b"Age by", b'"kid"'):
        assert each not in seen
    posted = [json.loads(data) for data in network.proxy.bytes_seen if b'"image"' in data[:200]]
    for body in posted:
        for row in body.get("data", [body]) if isinstance(body, dict) else []:
            assert row["description"] in ("", None)
            assert row["name"].startswith("oncokring ")
    for sealed in [each for some in network.inputs.values() for each in some]:
        assert b"method" not in base64.b64decode(sealed.split("$")[2])
