"""A hospital as a node of a real vantage6 server: what it answers, outlives and says."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from hospitals import claims_of
from site_nodes import LINE, Lab, Process, Running, Wire, a_lab, journal, root, wait_for
from vantage6.client import UserClient
from vantage6_lab import Administrator, add_user, make_key, server

from federation.carriage.line import Line
from federation.carriage.wire import ALLOW_UNENCRYPTED, IMAGE, encode_input
from federation.protocol.messages import TYP_REPLY, verify
from federation.site.cli import site
from federation.site.pipeline import Outgoing
from federation.site.program import SiteProgram
from federation.site.vantage6 import connect as vantage6_connect
from federation.site.vantage6 import events as vantage6_events
from federation.site.vantage6 import node as vantage6_node
from federation.site.vantage6.connect import OK, REFUSED
from federation.site.vantage6.events import open_line
from federation.site.vantage6.node import SiteClient
from federation.site.vantage6.settings import read_node_settings

# Ours name the failures of a line that is cut on purpose; the libraries close theirs late.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_a_site_answers_and_looks_at_nothing_that_is_not_the_hubs(lab: Lab) -> None:
    hub, site = lab.hub, lab.together.sites["h0"]
    with Running(lab.path("h0")) as node:
        node.says("ONLINE")

        reply = hub.answer(hub.post(site, lab.message("h0")))
        sign = lab.net.directories["h0"].sign
        claims = verify(
            TYP_REPLY,
            reply,
            {sign.kid: sign.public}.get,
            audience="hub",
            now=datetime.now(UTC),
        )
        assert claims["status"] == "ok"
        assert journal(lab.path("h0"))[-1] == ("OK", reply)

        # The server shows the site, with the version and nothing of its data.
        shown = hub.node(site)
        assert shown["status"] == "online"
        config = {each["key"]: each["value"] for each in shown["config"]}
        assert config == {"oncokring": "0.1.0", "allowed_algorithms": IMAGE, "encryption": "1"}

        # Not signed by the hub: a signed refusal, and the site's own log names it.
        (asked,) = lab.message("h0").split()
        altered = hub.answer(hub.post(site, asked[:-8] + b"AAAAAAAA"))
        assert (claims_of(altered)["status"], claims_of(altered)["code"]) == ("refused", "PROTOCOL")
        assert "PROTOCOL" in node.lines

        # Another image, another method, another organisation, garbage: not allowed, no more.
        other = Administrator(
            lab.together.url, add_user(admin := root(), lab.together.sites["h1"].organization)
        )
        message = lab.message("h0")
        foreign = [
            hub.post(site, message, image="ghcr.io/vantage6/algorithm-basics:latest"),
            hub.post(site, message, image="oncokring/site:2"),
            hub.post(site, b"", clear=encode_input(message).replace(b"answer", b"column")),
            hub.post(site, b"", clear=b"\x80garbage"),
            hub.post(site, message, user=other),
        ]
        before = len(journal(lab.path("h0")))
        for task in foreign:
            run = hub.ended(task)
            assert (run["status"], run["result"], run["log"]) == ("not allowed", None, None)
        assert len(journal(lab.path("h0"))) == before
        other.close()
        admin.close()
    assert node.code == OK
    wait_for(lambda: hub.node(site)["status"] == "offline")


def test_the_stock_client_with_a_task_of_its_own_gets_nothing(lab: Lab) -> None:
    """As a researcher would do it who has an account on the same server."""
    site = lab.together.sites["h0"]
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        stock = UserClient("http://127.0.0.1", int(server().port), "/api", log_level="critical")
        stock.authenticate(lab.together.user.username, lab.together.user.password)
        stock.cryptor = lab.hub.cryptor
        task = stock.task.create(
            collaboration=lab.together.id,
            organizations=[site.organization],
            name="count",
            image="harbor2.vantage6.ai/demo/average:latest",
            description="",
            input_={"method": "partial_average", "kwargs": {"column_name": "HDR_AGE"}},
        )
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    with Running(lab.path("h0")):
        run = lab.hub.ended(task["id"])
    assert (run["status"], run["result"], run["log"]) == ("not allowed", None, None)


def test_killed_after_the_journal_it_sends_the_same_bytes(lab: Lab) -> None:
    hub, path, site = lab.hub, lab.path("h1"), lab.together.sites["h1"]
    task = hub.post(site, lab.message("h1"))

    with Process(path, crash="N5:1") as dying:
        code, out, errors = dying.ended()
    assert (code, errors) == (-9, "")
    assert all(LINE.fullmatch(line) for line in out.splitlines(keepends=True))
    (kept,) = journal(path)
    assert hub.run(task)["finished_at"] is None

    with Process(path) as later:
        later.says("ONLINE")
        assert hub.answer(task) == kept[1]
        assert journal(path) == [kept]
        code, out, errors = later.terminate()
    assert (code, errors) == (0, "")
    assert all(LINE.fullmatch(line) for line in out.splitlines(keepends=True))


def test_killed_after_sending_it_does_not_take_the_task_up_again(lab: Lab) -> None:
    path, hub = lab.path("h1"), lab.hub
    task = hub.post(lab.together.sites["h1"], lab.message("h1"))
    with Process(path, "--once", crash="N6:1") as dying:
        assert dying.ended()[0] == -9
    reply, rows = hub.answer(task), journal(path)
    with Running(path) as node:
        node.says("ONLINE")
    assert node.lines == ["CONNECTED", "ONLINE", "OFFLINE"]
    assert (hub.answer(task), journal(path)) == (reply, rows)


def test_it_outlives_a_restart_of_the_server_and_a_cut_line(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vantage6_node, "ATTEMPTS", 1)
    monkeypatch.setattr(vantage6_node, "READ_SECONDS", 1.5)
    monkeypatch.setattr(vantage6_events, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(vantage6_events, "LONGEST_PAUSE", 0.5)
    hub, site, wire = lab.hub, lab.together.sites["h0"], Wire(server().port)
    lab.set("h0", url=f'"{wire.url}"', poll_seconds=0.2)
    try:
        with Running(lab.path("h0")) as node:
            node.says("ONLINE")

            # A cut of minutes, with tasks posted meanwhile; minutes are a matter of the pauses.
            wire.cut()
            node.says("UNREACHABLE")
            node.says("OFFLINE")
            tasks = [hub.post(site, lab.message("h0")) for _ in range(2)]
            wire.mend()
            replies = [hub.answer(task) for task in tasks]
            assert replies == [reply for _, reply in journal(lab.path("h0"))[-2:]]
            node.says("ONLINE", 2)

            # A line on which nothing passes any more, and nobody says so.
            wire.silence()
            node.says("UNREACHABLE", node.lines.count("UNREACHABLE") + 1)
            task = hub.post(site, lab.message("h0"))
            wire.mend()
            hub.answer(task)

            server().restart()
            hub.answer(hub.post(site, lab.message("h0")))
            assert set(node.lines) <= {"CONNECTED", "ONLINE", "OFFLINE", "UNREACHABLE", "OK"}
        assert node.code == OK
    finally:
        wire.close()
        lab.set("h0", url=f'"{lab.together.url}/api"', poll_seconds=20)


def test_a_token_that_expired_is_renewed(lab: Lab) -> None:
    """The server allows no token shorter than half an hour, so this one is made with its secret."""
    secret = (server().folder / "jwt.secret").read_text("ascii")
    client = SiteClient(read_node_settings(lab.path("h0")))
    client.enter()
    good = client._access_token
    claims = jwt.decode(good, secret, ["HS256"], options={"verify_sub": False})
    past = int(datetime.now(UTC).timestamp()) - 60
    expired = jwt.encode({**claims, "exp": past, "iat": past - 60}, secret)
    foreign = jwt.encode(claims, secrets.token_hex(32))

    for access, refresh in ((expired, client._refresh), (expired, expired), (foreign, foreign)):
        client._access_token, client._refresh = access, refresh
        assert client.open_run(1) is None
        assert client._access_token not in (access, good)

    for bad in (expired, foreign):
        lines: list[str] = []
        client._access_token = bad
        line = open_line(client, lambda: None, lines.append, {})
        line.start()
        wait_for(lambda said=lines: "ONLINE" in said)
        line.close()
        assert client._access_token != bad
    client.close()


def test_a_refusal_that_depends_on_patients_leaves_on_its_tick(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, site, real = lab.hub, lab.together.sites["h2"], SiteProgram.handle

    def refused(self: SiteProgram, message: bytes, now: datetime) -> Outgoing:
        return Outgoing(real(self, message, now).body, "SMALL_GROUP")

    monkeypatch.setattr(SiteProgram, "handle", refused)
    monkeypatch.setattr(vantage6_connect, "SLOW_SECONDS", 0.3)
    with Running(lab.path("h2"), bucket=1.0) as node:
        task = hub.post(site, lab.message("h2"))
        wait_for(lambda: hub.run(task)["status"] == "active")
        node.node.end()  # what SIGTERM does: the answer at hand is still given
        run = hub.ended(task)
        assert "SMALL_GROUP" in node.lines
    assert (node.code, run["status"]) == (OK, "completed")
    began, ended = (datetime.fromisoformat(run[key]) for key in ("started_at", "finished_at"))
    assert timedelta(seconds=0.95) <= ended - began < timedelta(seconds=2)


def test_polling_alone_will_do(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "start", lambda self: None)
    monkeypatch.setattr(Line, "close", lambda self: None)
    lab.set("h2", poll_seconds=0.1)
    with Running(lab.path("h2")) as node:
        node.says("CONNECTED")
        lab.hub.answer(lab.hub.post(lab.together.sites["h2"], lab.message("h2")))
        assert "ONLINE" not in node.lines


def test_it_refuses_another_key_of_the_hub(lab: Lab) -> None:
    """The server is the directory of keys, so it could hand out its own to read the replies; here
    it does while the line was away."""
    hub, wire = lab.together.hub, Wire(server().port)
    office = Administrator(
        lab.together.url, add_user(admin := root(), hub.organization, "Organization Admin")
    )
    lab.set("h2", url=f'"{wire.url}"', poll_seconds=0.2)
    try:
        with Running(lab.path("h2")) as node:
            node.says("ONLINE")
            wire.cut()
            node.says("UNREACHABLE")
            office.patch(f"organization/{hub.organization}", public_key=make_key().on_the_server)
            wire.mend()
            wait_for(lambda: node.code is not None)
        assert (node.code, "HUB_KEY_CHANGED" in node.lines[-2:]) == (REFUSED, True)
    finally:
        office.patch(f"organization/{hub.organization}", public_key=hub.key.on_the_server)
        office.close()
        admin.close()
        wire.close()
        lab.set("h2", url=f'"{lab.together.url}/api"', poll_seconds=20)


def test_an_unencrypted_collaboration_is_used_in_words_only(lab: Lab, tmp_path: Path) -> None:
    with a_lab(tmp_path, encrypted=False) as plain:
        path = plain.path("h0")
        with Running(path) as node:
            reply = plain.hub.answer(
                plain.hub.post(plain.together.sites["h0"], plain.message("h0"))
            )
        assert (node.code, claims_of(reply)["status"]) == (OK, "ok")
        # A server that calls an encrypted collaboration unencrypted, and the other way about.
        file = path / "vantage6.toml"
        words = f"allow_unencrypted = {json.dumps(ALLOW_UNENCRYPTED)}\n"
        key = f'hub_key_sha256 = "{"0" * 64}"\nprivate_key_file = "keys/vantage6.pem"\n'
        file.write_text(file.read_text("utf-8").replace(words, key), "utf-8")
        pem = path / "keys" / "vantage6.pem"
        pem.touch(0o600)
        pem.write_bytes(make_key().private)
        with Running(path) as node:
            wait_for(lambda: node.code is not None)
        assert (node.code, node.lines) == (REFUSED, ["UNENCRYPTED"])


def test_the_servers_own_log_holds_no_word_of_ours(lab: Lab) -> None:
    """Last in this file: what the server wrote down over all of the above."""
    text = server().log.read_text("utf-8", "replace")
    for word in (
        "HDR_",
        "SMALL_GROUP",
        "site.sqlite",
        'Traceback (most recent call last):\n  File "/work',
    ):
        assert word not in text


def test_the_doctor_finds_what_is_wrong(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from federation.site.vantage6.doctor import look

    def codes(slug: str = "h2") -> dict[str, str]:
        return {each.code: each.state for each in look(lab.path(slug))}

    fine = codes()
    assert {code for code, state in fine.items() if state != "good"} == {"RUNNING"}
    assert {"SITE_FILES", "DATA", "REACH", "SERVER_VERSION", "CLOCK", "NODE_KEY"} <= set(fine)

    monkeypatch.setattr(vantage6_node, "ATTEMPTS", 1)
    url = f'"{lab.together.url}/api"'
    for change, code in (
        ({"url": '"http://127.0.0.1:1/api"'}, "UNREACHABLE"),
        ({"url": f'"{lab.together.url}/nothing"'}, "NOT_VANTAGE6"),
        ({"url": url, "collaboration": "999"}, "OTHER_COLLABORATION"),
        (
            {"collaboration": lab.together.id, "organization": lab.together.hub.organization},
            "OTHER_ORGANIZATION",
        ),
        (
            {
                "organization": lab.together.sites["h2"].organization,
                "hub_key_sha256": f'"{"0" * 64}"',
            },
            "HUB_KEY_CHANGED",
        ),
    ):
        lab.set("h2", **change)
        assert codes().get(code) == "bad", code
    lab.set("h2", hub_key_sha256=f'"{lab.together.hub.key.fingerprint}"')
    key = lab.path("h2") / "keys" / "vantage6-node.key"
    kept = key.read_bytes()
    key.write_bytes(b"not-the-key")
    assert codes()["KEY_REFUSED"] == "bad"
    key.write_bytes(kept)
    lab.path("h2").joinpath("keys/vantage6.pem").write_bytes(make_key().private)
    assert codes()["OWN_KEY_DIFFERS"] == "warn"
    date: Any = lambda self: datetime.now(UTC) - timedelta(seconds=90)  # noqa: E731
    monkeypatch.setattr(SiteClient, "server_date", property(date, lambda *_: None), raising=False)
    assert codes()["CLOCK"] == "bad"


def test_the_commands_say_the_same(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/how-to/run-the-site-under-vantage6.md shows."""
    for module in ("silence", "vantage6.connect"):  # or this process would be silent for good
        monkeypatch.setattr(f"federation.site.{module}.be_silent", lambda: None)
    monkeypatch.setattr("os.umask", lambda mask: mask)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(site, list(arguments))
        assert done.exit_code == code, done.output
        return done.output

    path, office = lab.path("h1"), tmp_path / "h1-vantage6.json"
    invitation = lab.invitation("h1")
    office.write_text(json.dumps(invitation))
    shown = run("join", str(path), str(office))
    assert lab.together.sites["h1"].key.fingerprint in shown
    assert "Send vantage6.pub to the network office" in shown
    assert invitation["api_key"] not in shown
    assert {file.name: file.stat().st_mode & 0o777 for file in (path / "keys").glob("*6*")} == {
        "vantage6.pem": 0o600,
        "vantage6.pub": 0o644,
        "vantage6-node.key": 0o600,
    }
    for change, words in (
        ({"slug": "h2"}, "for another hospital"),
        ({"hub_key_sha256": "1" * 64}, "HUB_KEY_CHANGED"),
        ({"url": "http://vantage6.example.nl/api"}, "https"),
        ({"encrypted": False}, "UNENCRYPTED"),
        ({"api_key": "a\nb"}, "damaged"),
        ({"organization": "1"}, "organization"),
    ):
        office.write_text(json.dumps({**invitation, **change}))
        assert words in run("join", str(path), str(office), code=2)
    assert read_node_settings(path).hub_key_sha256 == lab.together.hub.key.fingerprint

    findings = json.loads(run("doctor", "--json", str(path), code=4))
    assert {each["code"] for each in findings if each["state"] != "good"} == {"RUNNING"}
    assert "look  RUNNING: No program" in run("doctor", str(path), code=4)

    out = run("connect", "--once", str(path))
    assert [line.split()[1] for line in out.splitlines()] == ["CONNECTED"]
    (path / "keys" / "vantage6-node.key").chmod(0o644)
    assert "chmod 600" in run("connect", "--once", str(path), code=2)
    assert "WRONG NODE_FILES" in run("doctor", str(path), code=1)
    (path / "keys" / "vantage6-node.key").chmod(0o600)
