"""`oncokring vantage6 setup | doctor | remove` against a real server, as an operator types them."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from vantage6_lab import Administrator, make_key, server

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection
from federation.site.vantage6.settings import read_given_file
from registry.cli import cli
from registry.database import engine_of, open_database, utc_now
from registry.settings import Vantage6Settings
from registry.transaction import unit_of_work
from registry.vantage6 import hub_user, setup
from registry.vantage6.doctor_sites import node_of
from registry.vantage6.engine import open_engine
from registry.vantage6.findings import Finding, exit_code
from registry.vantage6.keys import fingerprint, load_or_make, on_server
from registry.vantage6.models import Vantage6Site
from registry.vantage6.uploading import upload
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Institution, Membership, Network

SITES = ("alfa-ziekenhuis", "beta-ziekenhuis")


@dataclass
class Office:
    """The network office's machine: types commands against one data directory."""

    folder: Path
    collaboration: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "ONCOKRING_DATA": str(self.folder),
            "ONCOKRING_SECRET_KEY": "k" * 40,
            "ONCOKRING_DATABASE": "",
            "ONCOKRING_VANTAGE6_URL": server().url,
            "ONCOKRING_VANTAGE6_USER": self.collaboration,
            "ONCOKRING_VANTAGE6_COLLABORATION": self.collaboration,
        }

    @property
    def settings(self) -> Vantage6Settings:
        keys = self.folder / "keys"
        return Vantage6Settings(
            server().url,
            keys / "vantage6.password",
            keys / "vantage6.pem",
            self.collaboration,
            self.collaboration,
        )

    def type(self, line: str, **more: str) -> Result:
        return CliRunner(mix_stderr=False).invoke(cli, line.split(), env={**self.environ, **more})

    def setup(self, line: str = "", **more: str) -> Result:
        password = server().folder / "root.password"
        return self.type(f"vantage6 setup --admin-password-file {password} {line}", **more)

    def doctor(self) -> tuple[int, dict[tuple[str, str], dict[str, str]]]:
        done = self.type("vantage6 doctor --json")
        found = json.loads(done.stdout)["findings"]
        return done.exit_code, {(each["code"], each["about"]): each for each in found}

    def records(self) -> dict[str, tuple[int, int, str | None]]:
        factory = open_database(f"sqlite:///{self.folder / 'hub.sqlite'}")
        with factory() as session:
            rows = {
                row.institution: (row.organization, row.node, row.key_sha256)
                for row in session.query(Vantage6Site)
            }
        engine_of(factory).dispose()
        return rows


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    server()
    folder = tmp_path_factory.mktemp("office")
    made = Office(folder, f"net-{secrets.token_hex(4)}")
    assert made.type("migrate").exit_code == 0
    factory = open_database(f"sqlite:///{folder / 'hub.sqlite'}")
    with unit_of_work(factory, SYSTEM) as session:
        session.add(Network(slug="griek", name="Griek"))
        session.flush()
        for slug in SITES:
            session.add(Institution(slug=slug, name=slug.capitalize(), kind="general"))
            session.flush()
            since = utc_now() - timedelta(days=1)
            session.add(Membership(network="griek", institution=slug, since=since))
        announce(session, actor=SYSTEM, action="network.created", about="network:griek")
    engine_of(factory).dispose()
    with pytest.MonkeyPatch.context() as patch:
        # 4096 bits take seconds to make
        patch.setattr(setup, "load_or_make", lambda path, bits: load_or_make(path, 2048))
        yield made


@pytest.fixture(scope="module")
def first(office: Office, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """The first set-up, with one hospital's key; in the folder, the hospitals' files."""
    out = tmp_path_factory.mktemp("out") / "for-hospitals"
    (out.parent / "alfa.pem").write_bytes(make_key().public)
    done = office.setup(
        f"--public-key alfa-ziekenhuis={out.parent / 'alfa.pem'} --out {out} --lang nl"
    )
    assert done.exit_code == 0, (done.stderr, done.exception)
    return done, out


@pytest.fixture(scope="module")
def root(office: Office) -> Iterator[Administrator]:
    made = Administrator(server().url, server().root)
    yield made
    made.close()


def organisations(root: Administrator) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in root.get("organization", per_page=100)["data"]}


def test_it_makes_an_encrypted_collaboration_with_the_keys_that_were_given(
    office: Office, first: tuple[Result, Path], root: Administrator
) -> None:
    found = organisations(root)
    hub = found[f"{office.collaboration}-hub"]
    mine = fingerprint(load_or_make(office.settings.key_file))
    assert on_server(hub["public_key"]) == mine
    given = fingerprint((first[1].parent / "alfa.pem").read_bytes())
    assert on_server(found["alfa-ziekenhuis"]["public_key"]) == given
    assert on_server(found["beta-ziekenhuis"]["public_key"]) is None
    (made,) = root.get("collaboration", name=office.collaboration)["data"]
    assert made["encrypted"] == 1
    records = office.records()
    assert set(records) == set(SITES)
    assert records["alfa-ziekenhuis"][2] == given
    assert records["beta-ziekenhuis"][2] is None
    for file in (office.settings.password_file, office.settings.key_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_hubs_user_may_do_little(office: Office, first: object, root: Administrator) -> None:
    (user,) = root.get("user", username=office.collaboration)["data"]
    rules = {
        (rule["name"], rule["scope"], rule["operation"])
        for rule in root.get("rule", user_id=user["id"], per_page=100)["data"]
    }
    assert rules == set(hub_user.RIGHTS)


def test_each_hospital_gets_its_file_and_page_once(
    office: Office, first: tuple[Result, Path]
) -> None:
    done, out = first
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{slug}.{ending}" for slug in SITES for ending in ("json", "txt")
    )
    keys = set()
    for slug in SITES:
        given = read_given_file(out / f"{slug}.json")
        assert given["slug"] == slug
        assert given["organization"] == office.records()[slug][0]
        assert given["encrypted"] is True
        page = (out / f"{slug}.txt").read_text()
        assert given["api_key"] in page
        assert f"oncokring site join {slug}" in page
        assert "Vergelijk de sleutel" in page
        assert stat.S_IMODE((out / f"{slug}.json").stat().st_mode) == 0o600
        keys.add(given["api_key"])
    assert len(keys) == len(SITES)
    # Not on the terminal, nor at the hub.
    for key in keys:
        assert key not in done.output
        assert key.encode() not in (office.folder / "hub.sqlite").read_bytes()


def test_again_makes_nothing_and_shows_no_key(
    office: Office, first: object, root: Administrator
) -> None:
    before = office.records(), len(organisations(root))
    again = office.setup("--json")
    assert again.exit_code == 0, (again.stderr, again.exception)
    said = json.loads(again.stdout)
    assert (said["made"], said["invitations"]) == ([], [])
    # The one whose key came with the first set-up is complete.
    assert [line.split(":")[0] for line in said["waiting"]] == ["beta-ziekenhuis"]
    assert (office.records(), len(organisations(root))) == before


def test_the_doctor_finds_what_is_missing(office: Office, first: object) -> None:
    code, found = office.doctor()
    assert code == 1
    states = {key: each["state"] for key, each in found.items()}
    for fine in ("CLIENT_VERSION", "SERVER_VERSION", "CLOCK", "CREDENTIALS", "ENCRYPTION"):
        assert states[fine, ""] == "good", found[fine, ""]
    assert states["HUB_KEY", ""] == "good"
    assert states["WORKER", ""] == "warn"
    assert states["SITE_KEY", "beta-ziekenhuis"] == "bad"
    assert states["NODE", "beta-ziekenhuis"] == "warn"
    assert all(each["change"] for each in found.values() if each["state"] != "good")
    shown = office.type("vantage6 doctor")
    assert "=> oncokring vantage6 setup --public-key beta-ziekenhuis=FILE" in shown.stdout
    assert shown.stderr.count("\n") == 1


def test_a_key_is_replaced_only_for_a_hospital_that_is_named(
    office: Office, first: tuple[Result, Path], root: Administrator, tmp_path: Path
) -> None:
    (tmp_path / "new.pem").write_bytes(make_key().public)
    given = f"--public-key alfa-ziekenhuis={tmp_path / 'new.pem'}"
    refused = office.setup(given)
    assert getattr(refused.exception, "code", "") == "KEY_KNOWN"
    before = office.records()
    old = read_given_file(first[1] / "alfa-ziekenhuis.json")["api_key"]
    done = office.setup(f"{given} --new-key alfa-ziekenhuis --json")
    assert done.exit_code == 0, (done.stderr, done.exception)
    (invitation,) = json.loads(done.stdout)["invitations"]
    assert invitation["api_key"] != old
    after = office.records()
    assert after["alfa-ziekenhuis"][:2] == before["alfa-ziekenhuis"][:2]
    assert after["alfa-ziekenhuis"][2] == fingerprint((tmp_path / "new.pem").read_bytes())
    assert after["beta-ziekenhuis"] == before["beta-ziekenhuis"]
    found = organisations(root)
    assert on_server(found["alfa-ziekenhuis"]["public_key"]) == after["alfa-ziekenhuis"][2]
    assert office.doctor()[1]["SITE_KEY", "alfa-ziekenhuis"]["state"] == "good"
    # Who put it there is gone again.
    assert not [row for row in root.get("user", per_page=100)["data"] if "key-" in row["username"]]


def test_a_key_that_the_server_swapped_is_noticed(
    office: Office, first: object, root: Administrator, tmp_path: Path
) -> None:
    (tmp_path / "beta.pem").write_bytes(make_key().public)
    given = f"--site beta-ziekenhuis --public-key beta-ziekenhuis={tmp_path / 'beta.pem'}"
    done = office.setup(f"{given} --json")
    assert done.exit_code == 0, (done.stderr, done.exception)
    assert json.loads(done.stdout)["waiting"] == []
    assert office.doctor()[1]["SITE_KEY", "beta-ziekenhuis"]["state"] == "good"
    client = Vantage6Client(
        Connection(server().url, server().root.username, server().root.password)
    )
    upload(client, office.records()["beta-ziekenhuis"][0], make_key().public)
    client.close()
    again = office.setup("--json")
    assert "another public key" in json.loads(again.stdout)["waiting"][0]
    swapped = office.doctor()[1]["SITE_KEY", "beta-ziekenhuis"]
    assert swapped["state"] == "bad"
    assert "another public key" in swapped["sentence"]


def test_the_doctor_stops_where_nothing_more_can_be_seen(office: Office, first: object) -> None:
    away = office.type("vantage6 doctor --json", ONCOKRING_VANTAGE6_URL="http://127.0.0.1:9")
    codes = [each["code"] for each in json.loads(away.stdout)["findings"]]
    assert (away.exit_code, codes[-1]) == (1, "VANTAGE6_UNREACHABLE")
    password = office.settings.password_file
    kept = password.read_text()
    password.write_text("Wrong-password-1\n")
    password.chmod(0o644)
    try:
        _code, found = office.doctor()
    finally:
        password.write_text(kept)
        password.chmod(0o600)
    assert ("FILE_OPEN", "") in found
    assert found["VANTAGE6_LOGIN", ""]["state"] == "bad"


def test_an_unencrypted_collaboration_is_refused_unless_the_words_are_there(
    office: Office, first: object, root: Administrator, tmp_path: Path
) -> None:
    shutil.copytree(office.folder, tmp_path / "office")
    other = Office(tmp_path / "office", office.collaboration)
    (made,) = root.get("collaboration", name=office.collaboration)["data"]
    root.patch(f"collaboration/{made['id']}", encrypted=False)
    try:
        refused = other.setup()
        assert getattr(refused.exception, "code", "") == "NOT_ENCRYPTED"
        assert other.doctor()[1]["ENCRYPTION", ""]["state"] == "bad"
        words = {"ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED": "everybody on the server may read"}
        assert other.setup(**words).exit_code == 0
    finally:
        root.patch(f"collaboration/{made['id']}", encrypted=True)


def test_the_engine_opens_over_what_was_set_up(office: Office, first: object) -> None:
    factory = open_database(f"sqlite:///{office.folder / 'hub.sqlite'}")
    engine = open_engine(office.settings, factory)
    try:
        assert engine.status(SITES[0]).site == SITES[0]
        assert engine.status("unknown").state == "unknown"
    finally:
        engine.close()
        engine_of(factory).dispose()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--site gamma", "no hospital 'gamma'"),
        ("--new-key gamma", "no hospital 'gamma'"),
        ("--public-key alfa-ziekenhuis", "SITE=FILE"),
        ("--public-key alfa-ziekenhuis=/etc/hostname", "does not hold a public key"),
    ],
)
def test_wrong_use_is_said(office: Office, line: str, words: str) -> None:
    done = office.setup(line)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_hospital_that_leaves_is_off_the_server(
    office: Office, first: object, root: Administrator
) -> None:
    organization, node, _key = office.records()["beta-ziekenhuis"]
    password = server().folder / "root.password"
    line = f"vantage6 remove beta-ziekenhuis --admin-password-file {password}"
    assert office.type(line).exit_code == 0
    assert set(office.records()) == {"alfa-ziekenhuis"}
    (made,) = root.get("collaboration", name=office.collaboration)["data"]
    members = root.get("organization", collaboration_id=made["id"], per_page=100)["data"]
    assert organization not in {row["id"] for row in members}
    assert node not in {row["id"] for row in root.get("node", per_page=100)["data"]}
    assert getattr(office.type(line).exception, "code", "") == "NOT_SET_UP"


SHARED = {"encryption": "1", "allowed_algorithms": "oncokring/site:1", "oncokring": "0.1.0"}


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "good", "allows only our program"),
        ({"oncokring": None}, "warn", "cannot be seen"),
        ({"oncokring": None, "share_algorithm_logs": "false"}, "good", "allows only"),
        ({"share_algorithm_logs": "true"}, "bad", "share_algorithm_logs"),
        ({"allowed_algorithms": "all"}, "bad", "other algorithms"),
        ({"allowed_algorithms": "^hub.example/oncokring/site@sha256:ab$"}, "good", "only"),
        ({"allowed_algorithms": ".*"}, "bad", "other algorithms"),
        ({"encryption": "0"}, "bad", "encryption"),
    ],
)
def test_what_a_node_shares_is_judged(
    change: dict[str, str | None], state: str, words: str
) -> None:
    shared = {key: value for key, value in {**SHARED, **change}.items() if value is not None}
    config = [{"key": key, "value": value} for key, value in shared.items()]
    _online, found = node_of("alfa", {"status": "online", "config": config}, encrypted=True)
    assert (found.code, found.state) == ("NODE_RULES", state)
    assert words in found.sentence
    assert re.fullmatch(r"[A-Z_]+", found.code)


def test_the_worst_finding_decides_the_exit_code() -> None:
    made = {state: Finding("X", state, "") for state in ("good", "warn", "bad")}
    assert exit_code([made["good"]]) == 0
    assert exit_code([made["good"], made["warn"]]) == 4
    assert exit_code([made["warn"], made["bad"]]) == 1
