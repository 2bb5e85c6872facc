"""A vantage6 server behind HTTPS with a certificate of an own authority, as docs/how-to says it.

Hub and hospital name that authority's file. Whoever has not, and whoever meets another certificate,
sends nothing and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from site_nodes import Lab, Running, a_lab, wait_for
from tls_door import Authority, TlsDoor
from vantage6_lab import server
from vantage6_stock import collect, connection

from federation.engines.vantage6 import Vantage6Engine
from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Vantage6Error
from federation.site.errors import SetupError
from federation.site.vantage6 import events as vantage6_events
from federation.site.vantage6.doctor import look
from federation.site.vantage6.settings import CA_FILE, read_node_settings

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def door(authority: Authority) -> Iterator[TlsDoor]:
    with TlsDoor(server().port, authority.certificate()) as made:
        yield made


def test_hub_and_hospital_work_over_it(lab: Lab, authority: Authority, door: TlsDoor) -> None:
    """The hospital gets the authority in the network office's file, and joins as always."""
    lab.join("h0", url=f"{door.url}/api", ca=authority.file.read_text("ascii"))
    settings = read_node_settings(lab.path("h0"))
    assert settings.ca_file == lab.path("h0") / CA_FILE
    with Running(lab.path("h0")) as node:
        node.says("ONLINE")
        assert door.upgrades == 1  # a websocket, through the door
        made = connection(lab.together, door.url, ca_file=authority.file)
        fingerprints = lab.together.fingerprints
        with Vantage6Engine(made, lab.together.organizations, fingerprints) as hub:
            hub.check()
            hub.send("h0", lab.message("h0"))
            (reply,) = collect(hub, 1)
            assert reply.body is not None
            wait_for(lambda: door.upgrades == 2)  # the hub's own line
            assert hub.status("h0").state == "up"
    assert {"CONNECTED", "ONLINE", "OK"} <= set(node.lines)
    # A later file without an authority keeps the one that is there.
    lab.join("h0", url=f"{door.url}/api")
    assert read_node_settings(lab.path("h0")).ca_file == settings.ca_file


def test_without_websockets_the_line_is_polled(lab: Lab, authority: Authority) -> None:
    with TlsDoor(server().port, authority.certificate(), websockets=False) as door:
        lab.join("h1", url=f"{door.url}/api", ca=authority.file.read_text("ascii"))
        with Running(lab.path("h1")) as node:
            node.says("ONLINE")
            lab.hub.answer(lab.hub.post(lab.together.sites["h1"], lab.message("h1")))
            assert door.upgrades == 1  # asked for, and refused
            assert "UNREACHABLE" not in node.lines


@pytest.mark.parametrize("kind", ["unknown", "other name", "expired"])
def test_the_hub_sends_nothing_to_another_certificate(
    lab: Lab, authority: Authority, tmp_path: Path, kind: str
) -> None:
    shown = {
        "unknown": lambda: Authority(tmp_path).certificate(),
        "other name": lambda: authority.certificate("vantage6.example.nl"),
        "expired": lambda: authority.certificate(days=-1),
    }[kind]()
    words = {"unknown": "issuer", "other name": "Hostname mismatch", "expired": "expired"}[kind]
    with TlsDoor(server().port, shown) as door:
        client = Vantage6Client(connection(lab.together, door.url, ca_file=authority.file))
        with pytest.raises(Vantage6Error, match=words) as caught:
            client.authenticate()
        assert caught.value.code == "VANTAGE6_CERTIFICATE"
        assert "ONCOKRING_VANTAGE6_CA_FILE" in caught.value.sentence
        assert not caught.value.unsure
        assert door.requests == []
        client.close()


def test_a_hospital_sends_nothing_to_another_certificate_and_comes_back(
    lab: Lab,
    authority: Authority,
    door: TlsDoor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when it has run out overnight and somebody renews it."""
    monkeypatch.setattr(vantage6_events, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(vantage6_events, "LONGEST_PAUSE", 0.5)
    path = lab.path("h2")
    lab.join("h2", url=f"{door.url}/api", ca=authority.file.read_text("ascii"))
    lab.set("h2", poll_seconds=0.2)
    with Running(path) as node:
        node.says("ONLINE")
        door.show(Authority(tmp_path).certificate())
        node.says("CERTIFICATE")
        door.requests.clear()
        (bad,) = [each for each in look(path) if each.state == "bad"]
        assert (bad.code, "Nothing was sent" in bad.sentence) == ("CERTIFICATE", True)
        assert door.requests == []
        door.show(authority.certificate())
        node.says("ONLINE", 2)
        lab.hub.answer(lab.hub.post(lab.together.sites["h2"], lab.message("h2")))


def test_the_machines_authorities_are_not_asked_when_one_is_named(
    lab: Lab, authority: Authority, door: TlsDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests itself would let REQUESTS_CA_BUNDLE win; without a file of our own it counts."""
    other = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.file))
    named = Vantage6Client(connection(lab.together, door.url, ca_file=authority.file))
    named.authenticate()
    named.close()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    machine = Vantage6Client(connection(lab.together, door.url))
    machine.authenticate()
    machine.close()
    wrong = Vantage6Client(connection(lab.together, door.url, ca_file=other.file))
    with pytest.raises(Vantage6Error, match="VANTAGE6_CERTIFICATE"):
        wrong.authenticate()
    wrong.close()


def test_a_wrong_file_of_authorities_is_a_sentence(
    lab: Lab,
) -> None:
    for given in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é", 7):
        with pytest.raises(SetupError, match=r"certificates|damaged"):
            lab.join("h1", ca=given)
    file = lab.path("h1") / CA_FILE
    file.write_text("nothing", "ascii")
    with pytest.raises(SetupError, match="holds no certificates"):
        read_node_settings(lab.path("h1"))
    file.unlink()
    with pytest.raises(SetupError, match="cannot be read"):
        read_node_settings(lab.path("h1"))
