"""Attack 39: a site that is not set up as it must be ends at once and answers nothing."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hospitals import Net, claims_of, patients

from federation.disclosure.policy import Policy
from federation.site.frames import read_frame, write_frame

ROOT = Path(__file__).parents[2]
COUNT = {"kind": "count", "by": ["stage"]}
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Three hospitals; h0 is stopped, so that a process can serve a copy of it."""
    folder = tmp_path_factory.mktemp("three")
    made = Net(folder, {f"h{n}": patients(f"h{n}", 60, seed=n) for n in range(3)})
    made.now = datetime.now(UTC)
    made.publish()
    made.programs.pop("h0").close()
    yield made
    made.close()


@pytest.fixture
def site(net, tmp_path):
    """A copy of h0's directory and a message that it would answer."""
    path = shutil.copytree(net.folder / "h0", tmp_path / "h0")
    return path, net.driver(net.plan(net.query(COUNT))).messages(datetime.now(UTC))["h0"]


def serve(site, limit=None):
    """(exit code, the reply's claims or None, the words on stderr) of one message."""
    path, message = site

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with subprocess.Popen(
        [sys.executable, "-P", "-m", "federation.site.process", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        preexec_fn=None if limit is None else no_room,
    ) as running:
        try:
            write_frame(running.stdin, message)
            running.stdin.close()
        except BrokenPipeError:
            running.stdin = None
        body = read_frame(running.stdout)
        words = running.stderr.read().decode()
        code = running.wait(60)
    return code, None if body is None else claims_of(body), words


def refuses_to_start(site, *said, limit=None):
    code, claims, words = serve(site, limit)
    assert (code, claims) == (2, None), words
    assert words.startswith("SETUP ")
    assert words.count("\n") == 1
    assert "Traceback" not in words
    assert str(site[0]) not in words
    for word in said:
        assert word in words, words


def policy(site, change):
    """Write the strict policy with a change."""
    keys = Policy.strict().to_dict()
    change(keys)
    (site[0] / "policy.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))


def test_39_as_it_must_be_it_answers(site):
    """Without this one the others would prove nothing."""
    code, claims, words = serve(site)

    assert (code, claims["status"], words) == (0, "ok", "")


@pytest.mark.parametrize("key", sorted(Policy.strict().to_dict()))
def test_39_a_key_is_missing(site, key):
    policy(site, lambda keys: keys.pop(key))
    refuses_to_start(site, "policy.yaml", key)


def test_39_a_key_is_missing_inside_a_group(site):
    policy(site, lambda keys: keys["diff"].pop("t_diff"))
    refuses_to_start(site, "policy.yaml", "t_diff")


@pytest.mark.parametrize(("key", "wrong"), [("t_cell", "t_cel"), ("min_sites", "min_site")])
def test_39_a_key_is_misspelt(site, key, wrong):
    policy(site, lambda keys: keys.update({wrong: keys.pop(key)}))
    refuses_to_start(site, wrong)


def test_39_a_key_too_many(site):
    policy(site, lambda keys: keys.update({"SUMMARY_ALLOW_MIN": True}))
    refuses_to_start(site, "SUMMARY_ALLOW_MIN")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("t_cell", 3),
        ("t_cell", 0),
        ("t_cell", -10),
        ("t_cell", True),
        ("t_cell", "10"),
        ("t_cell", None),
        ("t_cell", 7),  # above the floor, but nobody decided it
        ("min_sites", 2),
        ("zero_is_small", False),
        ("timing_bucket_s", 0),
        ("consent_max_age_min", 61),
        ("site_level_output", True),
        ("institution_disclosure", ""),
    ],
)
def test_39_a_value_protects_too_little(site, key, value):
    policy(site, lambda keys: keys.update({key: value}))
    refuses_to_start(site, "policy.yaml", key)


def loosened(decided: date, until: date, **more):
    entry = {
        "by": ["Anna de Vries", "Bert Jansen"],
        "reason": "A rare tumour.",
        "decided": decided.isoformat(),
        "until": until.isoformat(),
        **more,
    }
    return {"t_cell": 7, "loosened": {"t_cell": entry}}


def test_39_a_decision_to_be_looser_that_holds(site):
    policy(site, lambda keys: keys.update(loosened(TODAY, TODAY + timedelta(days=30))))
    code, claims, _ = serve(site)

    assert code == 0
    assert claims["status"] == "ok"


@pytest.mark.parametrize(
    "change",
    [
        loosened(TODAY - timedelta(days=90), TODAY - timedelta(days=1)),
        loosened(TODAY + timedelta(days=9), TODAY + timedelta(days=90)),
        loosened(TODAY, TODAY + timedelta(days=400)),
        loosened(TODAY, TODAY + timedelta(days=30), by=["Anna de Vries"]),
        loosened(TODAY, TODAY + timedelta(days=30), by=["Anna de Vries", "anna  de vries"]),
        loosened(TODAY, TODAY + timedelta(days=30), reason=""),
    ],
    ids=["ended", "not begun", "too long", "one person", "one person twice", "no reason"],
)
def test_39_a_decision_to_be_looser_that_does_not_hold(site, change):
    policy(site, lambda keys: keys.update(change))
    refuses_to_start(site, "policy.yaml", "t_cell")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "policy_version: 1\n", "t_cell: 10\n", "\0", "a: &a [*a]", "x" * 70_000, "ÿ"],
)
def test_39_a_policy_that_is_none(site, text):
    (site[0] / "policy.yaml").write_text(text)
    refuses_to_start(site, "policy.yaml")


@pytest.mark.parametrize(
    "name",
    ["policy.yaml", "site.toml", "mapping.yaml", "peers.json", "keys/sign.key", "keys/box.key",
     "keys/portal.key"],
)  # fmt: skip
def test_39_a_file_is_missing(site, name):
    (site[0] / name).unlink()
    refuses_to_start(site, name)


@pytest.mark.parametrize("name", ["sign.key", "box.key", "portal.key"])
def test_39_a_key_that_others_may_read(site, name):
    (site[0] / "keys" / name).chmod(0o644)
    refuses_to_start(site, name, "chmod 600")


def test_39_a_ledger_that_cannot_be_written(site):
    refuses_to_start(site, "site.sqlite", limit=0)


def test_39_a_ledger_that_is_a_folder(site):
    for file in site[0].glob("site.sqlite*"):
        file.unlink()
    (site[0] / "site.sqlite").mkdir()
    refuses_to_start(site, "site.sqlite")


def test_39_a_ledger_that_is_damaged(site):
    for file in site[0].glob("site.sqlite*"):
        file.unlink()
    (site[0] / "site.sqlite").write_bytes(os.urandom(20_000))
    refuses_to_start(site, "site.sqlite")


def test_39_a_ledger_of_a_later_version(site):
    database = sqlite3.connect(site[0] / "site.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    refuses_to_start(site, "site.sqlite", "version")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("requires =", "requires_not =", "requires"),
        ('approve = "committee"', 'approve = "nobody"', "approve"),
        ('requires = ["use.record", "use.network"]', "requires = []", "requires"),
        ('network = "testnet"', 'network = "another"', "consent snapshot"),
    ],
)
def test_39_a_setting_that_is_wrong(site, old, new, said):
    file = site[0] / "site.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    refuses_to_start(site, said)


def test_39_another_hub_in_site_toml(site, net):
    file = site[0] / "site.toml"
    other = net.directories["h1"].sign.public
    file.write_text(file.read_text().replace(net.hub.public, other))
    refuses_to_start(site, "consent snapshot")
