"""What the algorithm image runs, as the stock node starts it, and the doctor on such a node.

The node itself, with Docker, is in test_stock_node.py.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from typing import Any

import hospitals
import pytest
from hospitals import claims_of

from federation.carriage.wire import decode_result, encode_input
from federation.site.steward.status import read_status
from federation.site.vantage6 import algorithm as vantage6_algorithm
from federation.site.vantage6.link import Link, run
from federation.site.vantage6.stock import look_at

ROOT = Path(__file__).parents[2]


def encoded(value: str) -> str:
    """As the node writes a variable (vantage6-node 4.15, docker/task_manager.py)."""
    return base64.b32encode(value.encode()).decode().replace("=", "!")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> hospitals.Net:
    folder = tmp_path_factory.mktemp("net")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hospitals, "START", datetime.now(UTC))
        rows = {f"h{n}": hospitals.patients(f"h{n}", 60, seed=n) for n in range(3)}
        made = hospitals.Net(folder, rows)
    made.close()
    return made


def message(net: hospitals.Net, slug: str) -> bytes:
    plan = net.plan(net.query({"kind": "count"}))
    return net.driver(plan).messages(datetime.now(UTC))[slug]


@dataclass
class Container:
    """The folder that a node mounts for one task, and the variables it sets."""

    folder: Path
    given: bytes
    more: Mapping[str, str]

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "input").write_bytes(self.given)
        (self.folder / "output").touch()

    @property
    def variables(self) -> dict[str, str]:
        files = {f"{name.upper()}_FILE": str(self.folder / name) for name in ("input", "output")}
        return {name: encoded(value) for name, value in {**files, **self.more}.items()}

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "federation.site.vantage6.algorithm"],
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def here(self) -> int:
        """The same in this process."""
        return vantage6_algorithm.main(self.variables)

    @property
    def result(self) -> tuple[bytes | None, str | None]:
        return decode_result((self.folder / "output").read_bytes())


@pytest.fixture(autouse=True)
def _not_silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In this process the silence would last for all tests that follow."""
    monkeypatch.setattr(vantage6_algorithm, "be_silent", lambda: None)
    before = os.umask(0o077)
    yield
    os.umask(before)


def journal(path: Path) -> list[bytes]:
    database = sqlite3.connect(path / "site.sqlite")
    rows = [reply for (reply,) in database.execute("SELECT reply FROM journal ORDER BY rowid")]
    database.close()
    return rows


def test_two_containers_at_once_take_turns_and_a_third_repeats_the_bytes(
    net: hospitals.Net, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(net.folder / "h0", site)
    where = {"ONCOKRING_SITE": str(site)}
    first, second = (
        Container(tmp_path / f"task{n}", encode_input(message(net, "h0")), where) for n in (1, 2)
    )
    running = [first.start(), second.start()]
    for each in running:
        out, _ = each.communicate(timeout=60)
        assert (each.returncode, out) == (0, "")
    replies = {first.result[0], second.result[0]}
    assert {claims_of(reply)["status"] for reply in replies if reply} == {"ok"}
    assert set(journal(site)) == replies
    assert len(replies) == 2

    again = Container(tmp_path / "task3", first.given, where)
    assert again.here() == 0
    assert again.result == first.result
    assert len(journal(site)) == 2
    status = read_status(site, datetime.now(UTC))
    assert (status["audit_intact"], status["sent_intact"]) == (True, True)


def test_it_goes_on_as_the_user_whose_directory_it_is(tmp_path: Path) -> None:
    """The node starts the container as root; the site's files stay the site's own."""
    owner = 10001 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, owner, -1)
    code = (
        "import os, sys, pathlib; from federation.site.vantage6.algorithm import become_owner; "
        "become_owner(pathlib.Path(sys.argv[1])); print(os.getresuid(), os.getgroups()[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split(")")[0] == f"({owner}, {owner}, {owner}", done.stderr


def test_over_the_link_the_directory_stays_out_of_reach(net: hospitals.Net, tmp_path: Path) -> None:
    log, made = io.StringIO(), Queue[Link]()
    thread = threading.Thread(target=run, args=(net.folder / "h1", "127.0.0.1", 0, log, made.put))
    thread.start()
    link = made.get(timeout=30)
    try:
        where = {"ONCOKRING_LINK": f"127.0.0.1:{link.port}", "ONCOKRING_SITE": "/nowhere"}
        asked = message(net, "h1")
        task = Container(tmp_path / "task", encode_input(asked), where)
        assert task.here() == 0
        (reply, _) = task.result
        assert reply == journal(net.folder / "h1")[-1]
        # Somebody else on the node's network, without the hub's signature.
        other = Container(tmp_path / "other", encode_input(asked[:-8] + b"AAAAAAAA"), where)
        assert other.here() == 0
        (refusal, _) = other.result
        assert refusal
        assert claims_of(refusal)["code"] == "PROTOCOL"
        with socket.create_connection(("127.0.0.1", link.port)) as noise:
            noise.sendall(b"\xff\xff\xff\xffGET / HTTP/1.1")
        assert Container(tmp_path / "later", encode_input(asked), where).here() == 0
    finally:
        link.end()
        thread.join(30)
    assert log.getvalue().split() == ["LISTENING", "PROTOCOL", "PIPE"]


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        (b"\x80", {}, "UNREADABLE"),
        (json.dumps({"method": "column_names", "kwargs": {}}).encode(), {}, "UNREADABLE"),
        (encode_input(b"m"), {"ONCOKRING_SITE": "/nowhere"}, "SITE_SETUP"),
        (encode_input(b"m"), {"ONCOKRING_LINK": "127.0.0.1:1"}, "SITE_UNREACHABLE"),
        (encode_input(b"m"), {"ONCOKRING_LINK": "nowhere"}, "SITE_UNREACHABLE"),
    ],
)
def test_what_goes_wrong_is_a_code(
    given: bytes,
    more: dict[str, str],
    code: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = Container(tmp_path / "task", given, more)
    assert task.here() == 0
    assert task.result == (None, code)
    assert capsys.readouterr() == (f"{code}\n", "")


def test_without_a_place_for_the_result_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert vantage6_algorithm.main({}) == 1
    assert capsys.readouterr() == ("INTERNAL\n", "")


def test_the_names_of_the_node_are_read_whether_encoded_or_not() -> None:
    read = vantage6_algorithm.variable
    assert read({"A": encoded("/mnt/data/task-000000001/input")}, "A").endswith("001/input")
    assert read({"A": "/mnt/data/input"}, "A") == "/mnt/data/input"
    assert read({"A": "oncokring:7700"}, "A") == "oncokring:7700"
    assert read({}, "A", "/mnt/oncokring") == "/mnt/oncokring"


GOOD: dict[str, Any] = {
    "share_algorithm_logs": False,
    "encryption": {"enabled": True, "private_key": "/keys/key.pem"},
    "policies": {
        "allowed_algorithms": [r"^oncokring/site:1$"],
        "allowed_organizations": ["3"],
        "allow_basics_algorithm": False,
    },
    "databases": [{"label": "oncokring", "type": "other", "uri": "/srv/site"}],
}


def policies(**other: Any) -> dict[str, Any]:
    return {**GOOD, "policies": {**GOOD["policies"], **other}}


@pytest.mark.parametrize(
    ("config", "code", "state"),
    [
        ({**GOOD, "share_algorithm_logs": True}, "SHARE_LOGS", "bad"),
        ({k: v for k, v in GOOD.items() if k != "share_algorithm_logs"}, "SHARE_LOGS", "bad"),
        ({**GOOD, "encryption": {"enabled": False}}, "ENCRYPTION", "bad"),
        (policies(allowed_algorithms=[]), "ALLOWED_ALGORITHMS", "bad"),
        (policies(allowed_algorithms="^harbor2"), "ALLOWED_ALGORITHMS", "bad"),
        (policies(allowed_algorithms=["("]), "ALLOWED_ALGORITHMS", "bad"),
        (policies(allowed_algorithms=["oncokring/site", ".*"]), "ALLOWED_ALGORITHMS", "warn"),
        (policies(allow_basics_algorithm=True), "BASICS", "warn"),
        (policies(allowed_organizations=None), "ALLOWED_ORGANIZATIONS", "warn"),
        (policies(allowed_organizations=["hub"]), "ALLOWED_ORGANIZATIONS", "bad"),
        ({**GOOD, "databases": []}, "WAY_IN", "bad"),
        (
            {**GOOD, "databases": [{**GOOD["databases"][0], "mount_mode": "ro"}]},
            "WAY_IN",
            "bad",
        ),
    ],
)
def test_the_doctor_reads_the_stock_nodes_configuration(
    config: dict[str, Any], code: str, state: str, tmp_path: Path
) -> None:
    def found(table: dict[str, Any]) -> dict[str, str]:
        file = tmp_path / "node.yaml"
        file.write_text(json.dumps(table))  # JSON is YAML
        return {each.code: each.state for each in look_at(Path("/srv/site"), file)}

    assert set(found(GOOD).values()) == {"good"}
    assert found(config)[code] == state
    linked = {"docker_services": {"site": "c"}, "algorithm_env": {"ONCOKRING_LINK": "site:7700"}}
    assert found({**GOOD, "databases": [], **linked})["WAY_IN"] == "good"


def test_every_code_that_a_site_under_vantage6_says_is_explained() -> None:
    page = (ROOT / "docs" / "how-to" / "run-the-site-under-vantage6.md").read_text("utf-8")
    site = ROOT / "federation" / "site" / "vantage6"
    sources = [path.read_text("utf-8") for path in sorted(site.glob("*.py"))]
    said = re.compile(
        r'(?:_say|NodeError|Refused|Finding|yield Finding)\(\s*"([A-Z][A-Z0-9_]+)"'
        r'|"([A-Z][A-Z0-9_]+)" if self'
        r'|return \["([A-Z_]+)"\]'
        r'|^    "([A-Z_]+)": \(',
        re.MULTILINE,
    )
    codes = {code for text in sources for found in said.findall(text) for code in found if code}
    assert {"HUB_KEY_CHANGED", "UNREADABLE", "WAY_IN", "UNREACHABLE", "CONNECTED"} <= codes
    assert {code for code in codes if f"`{code}`" not in page} == set()
