"""dev.py: sentences for what is missing, one installation, pip when uv fails, arguments passed on.

The environments here are made of small shell scripts that write down how they were called. A real
installation takes the network and up to two minutes, so that is done by .ci/run itself, which
starts from a clone without .venv, and not again in a test.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

FAKE_PYTHON = """#!/bin/sh
echo "$*" >> "{log}"
case "$*" in
    *"uv "*) [ -e "{folder}/uv-fails" ] && {{ echo "invalid peer certificate" >&2; exit 2; }} ;;
    *"pip "*) echo "noise of pip"; [ -e "{folder}/pip-fails" ] && exit 1 ;;
esac
exit 0
"""


@pytest.fixture
def dev() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("oncokring_dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


class Clone:
    """A folder that looks like a clone whose .venv already has a Python and a pip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls.log"
        (folder / "dev.py").write_bytes((ROOT / "dev.py").read_bytes())
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "oncokring"\nversion = "1.2"\n'
            'scripts = {oncokring = "registry.cli:main"}\n'
        )
        (folder / "requirements").mkdir()
        for lock in ("run", "test", "uv", "vantage6-server"):
            (folder / "requirements" / f"{lock}.txt").write_text(f"# {lock}\n")
        self.packages = folder / ".venv/lib/python3.11/site-packages"
        (self.packages / "pip").mkdir(parents=True)
        (folder / ".venv/bin").mkdir()
        python = folder / ".venv/bin/python"
        python.write_text(FAKE_PYTHON.format(log=self.log, folder=folder))
        python.chmod(0o755)

    def dev(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            [sys.executable, "dev.py", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path / "a clone"  # with a space, as on many a desk
    folder.mkdir()
    return Clone(folder)


def test_a_wrong_python_gets_a_sentence_that_names_one_that_will_do(dev: ModuleType) -> None:
    with pytest.raises(dev.Stop, match=r"3\.11 or 3\.12, and this is 3\.13\.0.*python3\.12 dev"):
        dev.check_python((3, 13, 0), which=lambda name: "/bin/true" if "12" in name else None)
    with pytest.raises(dev.Stop, match="apt-get install"):
        dev.check_python((3, 9, 2), which=lambda name: None)
    # a pyenv shim for a Python that is not there is on the path, and fails
    with pytest.raises(dev.Stop, match="apt-get install"):
        dev.check_python((3, 9, 2), which=lambda name: "/bin/false")
    dev.check_python((3, 11, 2))
    dev.check_python((3, 12, 1))


def test_an_older_python_can_read_the_file() -> None:
    ast.parse((ROOT / "dev.py").read_text("utf-8"), feature_version=(3, 7))


def test_the_script_needs_nothing_but_the_standard_library() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse((ROOT / "dev.py").read_text("utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


def test_a_missing_venv_package_gets_the_command_that_mends_it(dev: ModuleType) -> None:
    with pytest.raises(dev.Stop, match="apt-get install python3-venv"):
        dev.check_venv_module(present=lambda name: None if name == "ensurepip" else name)
    dev.check_venv_module()


def test_the_first_call_installs_and_the_second_only_runs(clone: Clone) -> None:
    first = clone.dev("test", "-x")
    assert first.returncode == 0, first.stderr
    installed, ran = clone.calls[:-1], clone.calls[-1]
    assert ["--require-hashes -r" in call for call in installed] == [True, True, True]
    assert "--system-certs" in installed[1]
    assert ran == "-m pytest -x"
    second = clone.dev("test", "-x")
    assert clone.calls == ["-m pytest -x"]
    assert second.stderr == ""


def test_a_changed_lock_is_installed_again(clone: Clone) -> None:
    clone.dev("test", "-x")
    (clone.folder / "requirements/test.txt").write_text("# other\n")
    clone.dev("test", "-x")
    assert len(clone.calls) == 3  # uv, the packages, the tests: the server's lock is as it was


def test_the_stamp_of_one_lock_does_not_stand_for_another(clone: Clone) -> None:
    clone.dev("test", "-x")
    clone.dev("demo")
    assert any("requirements/run.txt" in call for call in clone.calls)
    stamps = json.loads((clone.folder / ".venv/oncokring.json").read_text())
    assert set(stamps) == {"run", "test"}


def test_a_moved_clone_is_set_up_again(clone: Clone, tmp_path: Path) -> None:
    clone.dev("demo")
    moved = tmp_path / "moved"
    clone.folder.rename(moved)
    environment = {**os.environ, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "dev.py", "demo"], cwd=moved, capture_output=True, env=environment
    )
    assert b"Installing" in done.stderr


def test_pip_takes_over_when_uv_fails(clone: Clone) -> None:
    (clone.folder / "uv-fails").touch()
    done = clone.dev("test", "-x")
    assert done.returncode == 0
    assert "uv: invalid peer certificate" in done.stderr
    assert "pip takes over" in done.stderr
    ours, server = [
        call for call in clone.calls if call.startswith("-m pip") and "uv.txt" not in call
    ]
    assert "requirements/test.txt" in ours
    assert "--python" not in ours
    assert "requirements/vantage6-server.txt" in server
    assert ".venv-vantage6/bin/python" in server


def test_no_packages_at_all_is_a_sentence_and_leaves_no_stamp(clone: Clone) -> None:
    (clone.folder / "pip-fails").touch()
    done = clone.dev("test")
    assert done.returncode == 2
    assert "PIP_INDEX_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone.folder / ".venv/oncokring.json").exists()


def test_a_missing_lock_is_a_sentence(clone: Clone) -> None:
    (clone.folder / "requirements/run.txt").unlink()
    done = clone.dev("demo")
    assert done.returncode == 2
    assert "git checkout -- requirements/run.txt" in done.stderr


def test_the_vantage6_server_gets_an_environment_of_its_own(clone: Clone) -> None:
    clone.dev("test", "-x")
    server = clone.folder / ".venv-vantage6"
    assert (server / "bin/python").exists()
    assert not list(server.glob("lib/python3.*/site-packages/*oncokring*"))
    (into,) = [call for call in clone.calls if "requirements/vantage6-server.txt" in call]
    assert into.startswith("-m uv")  # the first environment's: the second has no tools
    assert f"--python {server}/bin/python" in into
    # a changed pyproject.toml is of no concern to it
    project = clone.folder / "pyproject.toml"
    project.write_text(project.read_text() + "# other\n")
    clone.dev("test", "-x")
    assert not any("vantage6-server" in call for call in clone.calls)


@pytest.mark.parametrize("command", ["demo", "bench"])
def test_the_server_is_installed_for_whom_asks_for_it(clone: Clone, command: str) -> None:
    python = clone.folder / ".venv/bin/python"
    python.write_text(
        python.read_text().replace('"$*"', '"$* $ONCOKRING_VANTAGE6_SERVER_PYTHON"', 1)
    )
    clone.dev(command)
    assert not (clone.folder / ".venv-vantage6").exists()
    for engine in (["--engine", "vantage6"], ["--engine=vantage6"]):
        clone.dev(command, *engine)
        server = clone.folder / ".venv-vantage6/bin/python"
        assert clone.calls[-1].endswith(f"{' '.join(engine)} {server}")


def test_tests_run_without_a_server_that_cannot_be_installed(clone: Clone) -> None:
    clone.dev("test", "-x")
    (clone.folder / "requirements/vantage6-server.txt").unlink()
    done = clone.dev("test", "-x")
    assert done.returncode == 0
    assert "are skipped" in done.stderr
    assert clone.calls[-1] == "-m pytest -x"


def test_stdout_belongs_to_the_command(clone: Clone) -> None:
    (clone.folder / "uv-fails").touch()  # pip is the one that writes on stdout
    assert clone.dev("demo", "--json").stdout == ""
    assert clone.calls[-1].endswith("oncokring demo --json")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["demo", "--once", "--json"], "/bin/oncokring demo --once --json"),
        (["serve"], "/bin/oncokring serve"),
        (["bench", "--small"], "-m registry.bench --small"),
        (["test", "tests/unit", "-q"], "-m pytest tests/unit -q"),
        (["test"], "tests/support/whole_suite.py"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_arguments_are_passed_on(clone: Clone, arguments: list[str], expected: str) -> None:
    clone.dev(*arguments)
    assert clone.calls[-1].endswith(expected)


def test_the_clone_is_on_the_path_with_its_command_and_metadata(clone: Clone) -> None:
    clone.dev("demo")
    assert (clone.packages / "oncokring.pth").read_text() == f"{clone.folder}\n"
    metadata = clone.packages / "oncokring-1.2.dist-info"
    assert "Version: 1.2\n" in (metadata / "METADATA").read_text()
    command = clone.folder / ".venv/bin/oncokring"
    assert os.access(command, os.X_OK)
    assert "from registry.cli import main" in command.read_text()
    recorded = [line.split(",")[0] for line in (metadata / "RECORD").read_text().splitlines()]
    assert all((clone.packages / path).exists() for path in recorded)
    assert "../../../bin/oncokring" in recorded


def test_the_command_starts_from_a_folder_with_a_space(clone: Clone) -> None:
    clone.dev("demo")
    subprocess.run([clone.folder / ".venv/bin/oncokring", "explain"], check=True)
    assert clone.calls[-1].endswith("bin/oncokring explain")


def test_an_older_installation_of_ours_goes(clone: Clone) -> None:
    (clone.packages / "oncokring-0.9.dist-info").mkdir()
    (clone.packages / "__editable__.oncokring-0.9.pth").touch()
    clone.dev("demo")
    left = {path.name for path in clone.packages.glob("*oncokring*")}
    assert left == {"oncokring.pth", "oncokring-1.2.dist-info"}


def test_an_unknown_command_names_those_that_exist(clone: Clone) -> None:
    done = clone.dev("dmeo")
    assert done.returncode == 2
    assert "demo, test, bench, serve" in done.stderr
    assert clone.calls == []


def test_help_says_what_there_is(clone: Clone) -> None:
    assert "python3 dev.py demo" in clone.dev("--help").stdout
    nothing = clone.dev()
    assert nothing.returncode == 2
    assert "python3 dev.py demo" in nothing.stdout


def test_interrupting_is_a_sentence(dev: ModuleType, monkeypatch: Any, capsys: Any) -> None:
    def interrupted(environment: object, arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dev, "COMMANDS", {"demo": interrupted})
    assert dev.main(["demo"]) == 130
    assert "Nothing is lost" in capsys.readouterr().err
