"""The commands of a hospital's administrator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from federation.protocol.keys import BoxKey, SigningKey
from federation.site.cli import site as commands
from federation.site.directory import SiteDirectory

BAD_DATA = (
    "nr,leeftijd,graad,hormoon\n"
    "P1,40,1,ja\nP2,250,1,nee\nP3,x,9,[bold]raar\nP4,,9,ja\n,50,2,nee\nP1,60,3,ja\n"
)


def run(*arguments, **more):
    return CliRunner().invoke(commands, [str(a) for a in arguments], **more)


def test_check_shows_what_does_not_fit(make_site):
    found = run("check", make_site(data=BAD_DATA).path)

    assert found.exit_code == 1
    lines = {line.split()[0]: line for line in found.output.splitlines() if line.strip()}
    assert lines["age"].split() == ["age", "3", "50.0", "1", "1", "1"]
    for said in ("age: 'x' 1×", "grade: '9' 2×", "hormone: '[bold]raar' 1×"):
        assert f"Without a meaning, {said}\n" in found.output
    assert "Not mapped, cannot be answered here: rfs" in found.output
    assert "without a patient number, never counted: 1" in found.output
    assert "stands in an earlier row: 1" in found.output


def test_check_as_json(make_site):
    found = run("check", make_site(data=BAD_DATA).path, "--json")
    (report,) = json.loads(found.output)

    assert (report["rows"], report["without_key"], report["repeated"]) == (6, 1, 1)
    assert not report["usable"]
    grade = report["variables"][1]
    assert grade["values"] == [{"value": "9", "n": 2}]
    assert (grade["filled"], grade["filled_percent"]) == (4, 66.7)


def test_check_of_good_data(site):
    assert run("check", site.path).exit_code == 0


def test_check_against_another_codebook(make_site, codebook, tmp_path):
    study = {
        "codebook": codebook.id,
        "codebook_sha256": codebook.sha256,
        "requires": ["use.record"],
    }
    site = make_site(studies={"onco": study})
    assert "--codebook" in run("check", site.path).output

    file = tmp_path / "book.json"
    file.write_text(json.dumps(codebook.to_dict()))
    assert run("check", site.path, "--codebook", file).exit_code == 0

    file.write_text("nonsense: [")
    assert run("check", site.path, "--codebook", file).exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nr,leeftijd", "nr,age", "no column 'leeftijd'"),
        ("P1,", "P1,1,", "more or fewer fields"),
    ],
)
def test_check_says_what_is_wrong_with_the_file(site, old, new, said):
    file = site.path / "data.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    found = run("check", site.path)

    assert found.exit_code == 1
    assert said in found.output


def test_a_wrong_directory_is_a_sentence(tmp_path):
    for command in ("check", "status", "approve"):
        found = run(command, tmp_path)
        assert found.exit_code == 2
        assert "site.toml is missing" in found.output


def test_status(site):
    found = run("status", site.path, "--json")
    assert found.exit_code == 0
    assert json.loads(found.output)["snapshot"] is None
    assert "audit intact" in run("status", site.path).output


def test_status_of_a_broken_log(site):
    import sqlite3

    run("status", site.path)
    database = sqlite3.connect(site.path / "site.sqlite")
    database.execute("INSERT INTO audit VALUES (1, 0, 'STEP', '{}', '', 'forged')")
    database.commit()
    database.close()

    found = run("status", site.path, "--json")
    assert found.exit_code == 1
    assert json.loads(found.output)["audit_intact"] is False


def test_init_then_pin(tmp_path, codebook, site):
    book, path = tmp_path / "book.json", tmp_path / "new"
    book.write_text(json.dumps(codebook.to_dict()))
    wrong = run("init", path, *made_again(site, book))
    assert (wrong.exit_code, path.exists()) == (2, False)
    assert "names 'use.recor', which is no consent item. Did you mean 'use.record'?" in wrong.output
    made = run(
        "init", path, "--slug", "h1", "--name", "Één", "--network", "net",
        "--hub", site.settings.hub_public, "--data", site.path / "data.csv",
        "--mapping", site.path / "mapping.yaml", "--study", "onco", "--codebook", book,
        "--requires", "use.record", "--requires", "use.network", "--approve", "here",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert run("check", path).exit_code == 0
    study = SiteDirectory.load(path).settings.studies["onco"]
    assert (study.requires, study.approve) == (("use.record", "use.network"), "here")

    identity = json.loads(made.output[: made.output.rindex("}") + 1])
    other = {"sign": SigningKey.generate().public, "box": BoxKey.generate().public}
    peers = tmp_path / "peers.json"
    peers.write_text(json.dumps({**identity, "h2": other}))
    assert json.loads(run("pin", path, peers).output) == {"pinned": ["h1", "h2"]}
    assert sorted(SiteDirectory.load(path).peers) == ["h1", "h2"]

    peers.write_text(json.dumps({"h2": other}))
    assert run("pin", path, peers).exit_code == 2
    assert run("init", path, *made_again(site, book)).exit_code == 2


def made_again(site, book):
    return (
        "--slug", "h1", "--name", "x", "--network", "net", "--hub", site.settings.hub_public,
        "--data", "x.csv", "--mapping", site.path / "mapping.yaml", "--study", "onco",
        "--codebook", book, "--requires", "use.recor",
    )  # fmt: skip


def test_run_serves_a_directory(site, tmp_path):
    def serve(path):
        return subprocess.run(
            [sys.executable, "-m", "registry.cli", "site", "run", str(path)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )

    fine, wrong = serve(site.path), serve(tmp_path / "none")

    assert (fine.returncode, fine.stdout) == (0, b"")
    assert wrong.returncode == 2
    assert b"site.toml is missing" in wrong.stderr
