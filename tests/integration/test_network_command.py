"""A network set up by its own commands, without the demo: from nothing to an invited patient."""

import json
from pathlib import Path

import loaded_hub
import pytest
from click.testing import CliRunner, Result

from consent.models import Invitation, Subject
from federation.disclosure.policy import Policy
from federation.query.canonical import canonical_json
from migrations.run import upgrade
from registry import audit
from registry.cli import cli
from registry.database import engine_of, open_database
from studies.models import SiteNode
from studies.seeds.loading import shipped_codebook

HOSPITAL = "viecuri"
MAPPING = "codebook: gbsg/1\nkey: nr\nvariables:\n  age: {column: leeftijd}\n"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty migrated hub that the commands find by the environment."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    yield from opened(url, monkeypatch)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The same with the network in it."""
    yield from opened(loaded_hub.copy(tmp_path / "hub.sqlite"), monkeypatch)


def opened(url, monkeypatch):
    monkeypatch.setenv("ONCOKRING_DATABASE", url)
    factory = open_database(url)
    yield factory
    engine_of(factory).dispose()


def run(*arguments: str | Path) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def identity(tmp_path):
    """What a hospital sends after `oncokring site init`."""
    (tmp_path / "data.csv").write_text("nr,leeftijd\nVIE1,60\n")
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "codebook.json").write_bytes(canonical_json(shipped_codebook("gbsg")))
    done = run(
        *("site", "init", tmp_path / "site", "--slug", HOSPITAL, "--name", "VieCuri"),
        *("--network", "oncozon", "--hub", "A" * 43, "--data", tmp_path / "data.csv"),
        *("--mapping", tmp_path / "mapping.yaml", "--study", "hormone-therapy"),
        *("--codebook", tmp_path / "codebook.json", "--requires", "use.record"),
    )
    assert done.exit_code == 0, done.stderr
    path = tmp_path / "identity.json"
    path.write_text(done.stdout)
    return path


def test_from_nothing_to_an_invited_patient(hub, identity, tmp_path):
    assert run("network", "load", "oncozon").exit_code == 0  # again is no fault
    assert "viecuri\tno program" in run("network", "sites").stdout

    policy = tmp_path / "site" / "policy.yaml"
    done = run("network", "enrol", identity, "--policy", policy)
    assert done.exit_code == 0, done.stderr
    assert "viecuri\taccepted" in run("network", "sites").stdout
    with hub() as session:
        node = session.get_one(SiteNode, HOSPITAL)
        assert node.terms == Policy.strict().terms().to_dict()
        assert node.sign_pub == json.loads(identity.read_text())[HOSPITAL]["sign"]

    (tmp_path / "peers.json").write_text(run("network", "peers").stdout)
    pinned = run("site", "pin", tmp_path / "site", tmp_path / "peers.json")
    assert json.loads(pinned.stdout) == {"pinned": [HOSPITAL]}

    made = run(
        *("site", "invite", tmp_path / "site", "--number", "VIE1", "--study", "hormone-therapy")
    )
    assert made.exit_code == 0, made.stderr
    sent = tmp_path / "outbox.json"
    sent.write_text(run("site", "outbox", tmp_path / "site", "--json").stdout)
    assert json.loads(run("consent", "import", sent).stdout) == {"taken": 1}
    assert json.loads(run("consent", "import", sent).stdout) == {"again": 1}
    with hub() as session:
        assert session.query(Invitation).count() == 1
        assert session.query(Subject).one().site == HOSPITAL
        actions = {line.action for line in audit.lines(session)}
    assert {"network.created", "site.enrolled", "consent.invited"} <= actions


def test_the_paper_of_an_agreement_goes_with_it_or_comes_later(hub, tmp_path):
    paper, other, wrong = (tmp_path / name for name in ("a.pdf", "b.pdf", "c.pdf"))
    paper.write_bytes(b"%PDF-1.7\n%%EOF\n")
    other.write_bytes(b"%PDF-1.7\n \n%%EOF\n")
    wrong.write_bytes(b"hello")
    add = ("network", "agreement", "oncozon", "processing", "9", "--nl", "Stuk", "--en", "Paper")
    refused = run(*add, "--pdf", wrong)
    assert (refused.exit_code, "Only whole PDF files" in refused.stderr) == (2, True)
    assert run(*add).exit_code == 0  # nothing of the refused one was written
    done = run(*add, "--pdf", paper)
    assert (done.exit_code, len(done.stdout.split()[-1])) == (0, 64)
    assert run(*add, "--pdf", paper).stdout == done.stdout
    again = run(*add, "--pdf", other)
    assert (again.exit_code, "a new version" in again.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"viecuri": 3}', '{"viecuri": {"sign": "x"}}'])
def test_a_wrong_identity_is_explained_and_changes_nothing(hub, tmp_path, text):
    (tmp_path / "policy.yaml").write_text(Policy.strict().to_yaml())
    (tmp_path / "wrong.json").write_text(text)
    done = run("network", "enrol", tmp_path / "wrong.json", "--policy", tmp_path / "policy.yaml")
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    assert done.stderr
    assert "no program" in run("network", "sites").stdout
    assert "accepted" not in run("network", "sites").stdout


def test_a_hospital_that_the_hub_does_not_know_is_refused(empty, identity, tmp_path):
    done = run("network", "enrol", identity, "--policy", tmp_path / "site" / "policy.yaml")
    assert done.exit_code == 2
    assert "oncokring network sites" in done.stderr


def test_a_broken_policy_is_refused_by_name_of_its_key(hub, identity, tmp_path):
    broken = tmp_path / "policy.yaml"
    broken.write_text(Policy.strict().to_yaml().replace("t_cell: 10", "t_cell: 2"))
    done = run("network", "enrol", identity, "--policy", broken)
    assert done.exit_code == 2
    assert "t_cell" in done.stderr


def test_a_file_that_is_not_the_hospitals_own_changes_nothing(hub, identity, tmp_path):
    policy = tmp_path / "site" / "policy.yaml"
    file = tmp_path / "outbox.json"
    run("site", "invite", tmp_path / "site", "--number", "VIE1", "--study", "hormone-therapy")
    text = run("site", "outbox", tmp_path / "site", "--json").stdout
    made = json.loads(text)

    file.write_text(text)
    assert "oncokring network sites" in run("consent", "import", file).stderr  # not accepted yet
    run("network", "enrol", identity, "--policy", policy)
    header, payload, signature = made["messages"][0].split(".")
    wrong = [
        ({"messages": [f"{header}.{payload}.{signature[::-1]}"]}, 1),
        ({"messages": ["x"]}, 1),
        ({"site": "zuyderland"}, 1),
        ({"messages": "x"}, 2),
        ({"site": 3}, 2),
        ({"more": 1}, 2),
    ]
    for change, code in wrong:
        file.write_text(json.dumps({**made, **change}))
        done = run("consent", "import", file)
        assert done.exit_code == code, change
        assert "Traceback" not in done.stderr
        assert done.stderr
    for odd in ("", "[]", "{", "\x00"):
        file.write_text(odd)
        assert run("consent", "import", file).exit_code == 2
    with hub() as session:
        assert session.query(Invitation).count() == 0
