"""A site before a server that fails, lies or never stops: bounded requests, codes, and nothing sent
twice or to the wrong one. The server here is ours, in this process, so that it can be as odd as it
likes; what it leaves out is in test_node.py, with the real one."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hospitals
import pytest

from federation.carriage.wire import ALLOW_UNENCRYPTED, IMAGE, decode_result, encode_input
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.program import SiteProgram
from federation.site.vantage6 import node as vantage6_node
from federation.site.vantage6.answers import NodeError, Rejected
from federation.site.vantage6.connect import FAILED, OFFERS, OK, REFUSED, Node
from federation.site.vantage6.node import SiteClient
from federation.site.vantage6.settings import join, read_node_settings

TOKEN = ".".join(("e30", base64.urlsafe_b64encode(b'{"sub":7}').decode().rstrip("="), "x"))
Answer = tuple[int, Any]


@dataclass
class Odd:
    """What the server answers: as a real one unless a test says otherwise, per method and path."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    instead: dict[str, Callable[[int], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    signed: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        what = f"{method} {path.removeprefix('/api/')}"
        self.asked.append(what)
        for prefix, given in self.instead.items():
            if what.startswith(prefix):
                found = given(self.asked.count(what))
                if found[0] != 200 or found[1] is not None:
                    return found
        if what.startswith("PATCH run/"):
            number = int(path.rpartition("/")[2])
            self.told.append((number, body))
            self.runs[:] = [run for run in self.runs if run["id"] != number]
            return 200, {}
        if what == "GET run":
            size, page = (int(query[name][0]) for name in ("per_page", "page"))
            newest = sorted(self.runs, key=lambda run: -run["id"])
            last = max(1, -(-len(newest) // size))
            links = {"last": f"/api/run?page={last}"}
            return 200, {"data": newest[(page - 1) * size : page * size], "links": links}
        return 200, {
            "POST token/node": {"access_token": TOKEN, "refresh_token": TOKEN},
            "POST token/refresh": {"access_token": TOKEN, "refresh_token": TOKEN},
            "GET node/7": {"collaboration": {"id": 1}, "organization": {"id": 2}, "name": "n"},
            "GET collaboration/1": {"encrypted": 0},
            "GET version": {"version": "4.15.2"},
        }.get(what, {})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        odd: Odd = self.server.odd  # type: ignore[attr-defined]
        odd.signed.append(self.headers.get("Authorization"))
        status, found = odd.answer(self.command, parts.path, parse_qs(parts.query), body)
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 302:
            self.send_header("Location", "/api/version")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as in the base class
        pass


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    monkeypatch.setattr(vantage6_node.time, "sleep", lambda _: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.odd = Odd(url=f"http://127.0.0.1:{server.server_port}/api")  # type: ignore[attr-defined]
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.odd  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> hospitals.Net:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hospitals, "START", datetime.now(UTC))
        rows = {f"h{n}": hospitals.patients(f"h{n}", 60, seed=n) for n in range(3)}
        made = hospitals.Net(tmp_path_factory.mktemp("net"), rows)
    made.close()
    return made


class Site:
    """A real site program behind the real client, without the open line."""

    def __init__(self, net: hospitals.Net, odd: Odd) -> None:
        self.net, self.path = net, net.folder / "h0"
        given = {"url": odd.url, "collaboration": 1, "organization": 2, "hub_organization": 3}
        more = {"slug": "h0", "api_key": "key", "encrypted": False, "hub_key_sha256": ""}
        join(self.path, given | more, allow_unencrypted=ALLOW_UNENCRYPTED)
        self.lines: list[str] = []
        self.client = SiteClient(read_node_settings(self.path))
        self.program = SiteProgram(SiteDirectory.load(self.path))
        self.node = Node(
            self.program, self.client, self.lines.append, bucket_seconds=0, poll_seconds=0.01
        )

    def run(self, number: int, **other: Any) -> dict[str, Any]:
        plan = self.net.plan(self.net.query({"kind": "count"}))
        message = self.net.driver(plan).messages(datetime.now(UTC))["h0"]
        return {
            "id": number,
            "task": {"id": number, "image": IMAGE, "init_org": {"id": 3}},
            "input": base64.b64encode(encode_input(message)).decode(),
            "status": "pending",
            "finished_at": None,
            **other,
        }


@pytest.fixture
def site(net: hospitals.Net, odd: Odd) -> Iterator[Site]:
    made = Site(net, odd)
    yield made
    made.client.close()
    made.program.close()


def result(told: dict[str, Any]) -> tuple[bytes | None, str | None]:
    return decode_result(base64.b64decode(told["result"]))


def test_the_oldest_comes_first_and_what_has_ended_is_never_taken_up(odd: Odd, site: Site) -> None:
    """vantage6 issue 2371: finished tasks in the list of open ones."""
    at = datetime.now(UTC).isoformat()
    odd.runs += [
        site.run(1, status="completed"),
        site.run(2, finished_at=at),
        site.run(3),
        site.run(4, status="killed by user"),
        site.run(5, status="active"),
    ]
    assert site.node.once() == OK
    assert [number for number, _ in odd.told] == [3, 5]
    assert {told["status"] for _, told in odd.told} == {"completed"}
    assert {run["id"] for run in odd.runs} == {1, 2, 4}


def test_a_reply_that_is_too_large_for_the_way_becomes_a_code(odd: Odd, site: Site) -> None:
    odd.runs += [site.run(1)]
    odd.instead["PATCH run/1"] = lambda nth: (413, {}) if nth == 1 else (200, None)
    assert site.node.once() == OK
    ((_, told),) = odd.told
    assert (told["status"], told["log"]) == ("failed", "TOO_LARGE")
    assert result(told) == (None, "TOO_LARGE")


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_reply_that_nobody_wants_is_let_go(odd: Odd, site: Site, status: int) -> None:
    """Finished by an earlier try whose answer was lost, deleted by the hub, or not ours."""
    odd.runs += [site.run(1), site.run(2)]
    odd.instead["PATCH run/1"] = lambda nth: (status, {"msg": "no"})
    assert site.node.once() == OK
    assert [number for number, _ in odd.told] == [2]
    assert site.lines == ["CONNECTED", "OK", "NOT_TAKEN", "OK"]


def test_one_reply_on_which_the_server_fails_does_not_stop_the_others(odd: Odd, site: Site) -> None:
    odd.runs += [site.run(1), site.run(2)]
    odd.instead["PATCH run/1"] = lambda nth: (500, b"<h1>Internal Server Error</h1>")
    for _ in range(OFFERS):
        assert site.node.once() == FAILED
    assert odd.asked.count("PATCH run/1") == OFFERS * vantage6_node.ATTEMPTS
    assert site.node.once() == OK
    assert [number for number, _ in odd.told] == [2]
    # Asked again and again, and computed once: the journal has the one reply.
    assert site.lines.count("OK") == 2
    assert "GIVEN_UP" in site.lines


def test_a_reply_is_offered_again_and_not_made_again(odd: Odd, site: Site) -> None:
    """Also when its message has expired meanwhile, as after an hour without a line."""
    odd.runs += [site.run(1)]
    odd.instead["PATCH run/1"] = lambda nth: (503, {}) if nth <= 3 else (200, None)
    assert site.node.once() == FAILED
    handled: list[bytes] = []
    site.program.handle = lambda message, now: handled.append(message)  # type: ignore[assignment]
    assert site.node.once() == OK
    (reply, _) = result(odd.told[0][1])
    assert reply
    assert handled == []


@pytest.mark.parametrize(
    ("what", "given", "code", "times"),
    [
        ("GET node/7", (500, {}), "UNREACHABLE", 3),
        ("GET node/7", (429, {}), "UNREACHABLE", 3),
        ("GET node/7", (404, {}), "REJECTED", 1),
        ("GET node/7", (302, b""), "NOT_VANTAGE6", 1),
        ("GET node/7", (200, b"<html>"), "NOT_VANTAGE6", 1),
        ("GET node/7", (200, b"[" * 100_000), "NOT_VANTAGE6", 1),
        ("GET node/7", (200, []), "NOT_VANTAGE6", 1),
        ("GET node/7", (200, {"collaboration": {"id": "1"}}), "NOT_VANTAGE6", 1),
        ("GET node/7", (200, {"collaboration": {"id": 9}}), "OTHER_COLLABORATION", 1),
        ("GET collaboration/1", (200, {"encrypted": 1}), "ENCRYPTED", 1),
        ("GET collaboration/1", (200, {}), "NOT_VANTAGE6", 1),
        ("POST token/node", (401, {}), "KEY_REFUSED", 1),
        ("POST token/node", (404, {}), "NOT_VANTAGE6", 1),
        ("POST token/node", (200, {"access_token": "a.b.c"}), "NOT_VANTAGE6", 1),
        ("POST token/node", (200, {"access_token": "a", "refresh_token": "b"}), "NOT_VANTAGE6", 1),
        ("GET run", (200, {"data": [{}, {}, {}]}), "NOT_VANTAGE6", 1),
        ("GET run", (200, {"data": [{"id": 1, "task": {"id": 1}}]}), "NOT_VANTAGE6", 1),
        ("GET run", (200, {"data": {}}), "NOT_VANTAGE6", 1),
    ],
)
def test_an_odd_answer_is_a_code(
    odd: Odd, site: Site, what: str, given: Answer, code: str, times: int
) -> None:
    odd.instead[what] = lambda nth: given
    refused = code in ("OTHER_COLLABORATION", "ENCRYPTED")
    assert site.node.once() == (REFUSED if refused else FAILED)
    assert (site.lines[-1], odd.asked.count(what)) == (code, times)


def test_a_flood_is_not_read_to_its_end(
    odd: Odd, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vantage6_node, "MAX_ANSWER", 100_000)
    odd.instead["GET version"] = lambda nth: (200, {"version": "4" * 1_000_000})
    client = SiteClient(read_node_settings(site.path))
    with pytest.raises(NodeError, match="NOT_VANTAGE6"):
        client.server_version()
    client.close()


def test_the_machines_netrc_does_not_take_the_place_of_the_token(
    odd: Odd, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert site.node.once() == OK
    assert set(odd.signed) == {None, f"Bearer {TOKEN}"}


def test_a_token_is_renewed_once_and_then_the_no_is_believed(odd: Odd, site: Site) -> None:
    site.client.renew()
    odd.asked.clear()
    odd.instead["GET thing"] = lambda nth: (401, {})
    with pytest.raises(Rejected):
        site.client.request("thing")
    assert odd.asked == ["GET thing", "POST token/refresh", "GET thing"]
    odd.asked.clear()
    odd.instead["POST token/refresh"] = lambda nth: (422, {})
    odd.instead["GET thing"] = lambda nth: (422, {}) if nth == 1 else (200, {"a": 1})
    assert site.client.request("thing") == {"a": 1}
    assert odd.asked == ["GET thing", "POST token/refresh", "POST token/node", "GET thing"]


def test_a_wrong_file_of_settings_is_one_sentence(site: Site) -> None:
    file = site.path / "vantage6.toml"
    text = file.read_text("utf-8")
    for change, words in (
        (text + "x = 1\n", "unknown key 'x'"),
        (text.replace("url =", "# url ="), "'url' is missing"),
        (text.replace("poll_seconds = 20", 'poll_seconds = "often"'), "poll_seconds"),
        (text.replace("hub_organization = 3", "hub_organization = 0"), "hub_organization"),
        (text.replace("everybody on", "nobody on"), "allow_unencrypted"),
        (text.replace("http://127.0.0.1", "http://10.0.0.1"), "https"),
        (text.replace("http://", "http://me:secret@"), "without name"),
        (text.replace("http://", "ftp://"), "must be an address"),
        ("= =", "not a TOML file"),
    ):
        file.write_text(change, "utf-8")
        with pytest.raises(SetupError, match=words) as found:
            read_node_settings(site.path)
        assert "secret" not in str(found.value)
    file.unlink()
    with pytest.raises(SetupError, match="oncokring site join"):
        read_node_settings(site.path)
