"""The Dockerfile, read without a container runtime: what goes in, who runs it, what it answers.

What this cannot show: that the images build. The build is `pip install` from the locks and a wheel
of the listed folders, and the tests below look at exactly those.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("registry", "federation", "consent", "studies", "migrations")
#: import name -> name in a lock, where the two differ
DISTRIBUTION = {
    "yaml": "pyyaml",
    "socketio": "python-socketio",
    "vantage6": "vantage6-client",
    "websocket": "websocket-client",
}


def instructions() -> Iterator[tuple[str, str, str]]:
    """(stage, instruction, arguments), with continued lines joined and comments left out."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stage = ""
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        word, _, arguments = line.strip().partition(" ")
        if word == "FROM":
            stage = arguments.split(" AS ")[1]
        yield stage, word, arguments.strip()


def of(stage: str, word: str) -> list[str]:
    return [arguments for at, found, arguments in instructions() if (at, found) == (stage, word)]


def copied(stage: str) -> list[Path]:
    """Our own Python files in the image of a stage."""
    found: set[Path] = set()
    for arguments in of(stage, "COPY"):
        *sources, _target = arguments.split()
        for source in sources:
            path = ROOT / source
            assert path.exists(), f"{source} is copied and does not exist"
            found.update(path.rglob("*.py") if path.is_dir() else [path])
    python = [path for path in found if path.suffix == ".py"]
    return sorted(path for path in python if path.relative_to(ROOT).parts[0] in OURS)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, lazy) for every import of a file; lazy when inside a function or a type check."""
    tree = ast.parse(path.read_text("utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) not in top
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in top


def locked(lock: str) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))


def test_there_are_three_images() -> None:
    stages = [arguments.split(" AS ")[1] for _, word, arguments in instructions() if word == "FROM"]
    assert stages == ["base", "hub-build", "hub", "site-build", "site", "algorithm"]


@pytest.mark.parametrize("stage", ["hub", "site"])
def test_an_image_runs_as_nobody_in_particular_and_says_how_it_is(stage: str) -> None:
    assert of(stage, "USER") == ["10001:10001"]
    assert len(of(stage, "HEALTHCHECK")) == 1
    assert of(stage, "ENTRYPOINT")[0].startswith('["oncokring"')
    after_user = False
    for at, word, _ in instructions():
        after_user = after_user or (at == stage and word == "USER")
        assert not (after_user and at == stage and word in ("RUN", "COPY", "ADD"))


@pytest.mark.parametrize("stage", ["hub", "site"])
def test_an_image_holds_its_own_lock_and_nothing_unhashed(stage: str) -> None:
    installs = [line for line in of(f"{stage}-build", "RUN") if "pip install" in line]
    assert installs == [
        f"pip install --require-hashes -r /tmp/{stage}.txt",
        "pip install --no-deps --no-build-isolation --no-index .",
    ]
    assert "setuptools" in locked(stage)  # what the second line builds with
    assert not any(word == "ADD" for _, word, _ in instructions())


def test_the_algorithm_is_the_site_program_and_starts_by_itself() -> None:
    """The stock node runs an image without arguments, and makes its files as root."""
    assert of("algorithm", "COPY") == ["--from=site-build /opt/oncokring /opt/oncokring"]
    assert of("algorithm", "CMD") == [
        '["python", "-P", "-m", "federation.site.vantage6.algorithm"]'
    ]
    assert not [word for at, word, _ in instructions() if at == "algorithm" and word == "USER"]


def test_the_hospital_gets_no_web_framework_and_no_database_layer() -> None:
    assert not {"flask", "sqlalchemy", "werkzeug", "gunicorn", "alembic"} & locked("site")


def test_the_hospital_gets_none_of_the_hub() -> None:
    parts = {path.relative_to(ROOT).parts[:2] for path in copied("site-build")}
    assert {part for part in parts if part[0] == "registry"} == {
        ("registry", "__init__.py"),
        ("registry", "cli.py"),
    }
    assert not {("federation", name) for name in ("runs", "client", "engines")} & parts
    assert not any(part[0] in ("studies", "migrations") for part in parts)


def test_all_that_the_site_program_imports_is_in_its_image() -> None:
    files = copied("site-build")
    present = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files
    }
    packages = locked("site")
    for path in files:
        if path.parent.name == "registry":
            continue  # cli.py imports a command when it is called, and says so when it is absent
        names = list(imports(path))
        for name, lazy in names:
            first = name.split(".")[0]
            if first in OURS:
                # `from a.b import c`: either a.b.c is a module, or a.b is one
                found = name in present or name.rpartition(".")[0] in present
                assert found, f"{path.relative_to(ROOT)} imports {name}, which is not in the image"
            elif first not in sys.stdlib_module_names and not lazy:
                package = DISTRIBUTION.get(first, first)
                assert package in packages, f"{path.relative_to(ROOT)} imports {first}"


def test_every_image_copies_only_what_the_ignore_file_lets_through() -> None:
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    for stage in ("hub-build", "site-build"):
        for arguments in of(stage, "COPY"):
            for source in arguments.split()[:-1]:
                assert {source, source.split("/")[0]} & allowed, source


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """A template, seed or font that package-data forgets is missing in the image only."""
    source = tmp_path / "src"
    for name in OURS:
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = (
        "import sys\nfrom setuptools import build_meta\nprint(build_meta.build_wheel(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build, str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for name in OURS
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sorted(wanted - held) == []


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("address", ["https://hub.example", "http://127.0.0.1:{port}"])
def test_the_health_check_of_the_hub_passes_on_a_real_hub(tmp_path: Path, address: str) -> None:
    """Run as it stands in the Dockerfile, but for the port; a hub refuses any other name."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (check,) = of("hub", "HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2])
    code = command[-1].replace("8000", str(port))
    environment = {
        **os.environ,
        "ONCOKRING_DATA": str(tmp_path),
        "ONCOKRING_SECRET_KEY": "k" * 40,
        "ONCOKRING_ADDRESS": address.format(port=port),
    }
    hub = [sys.executable, "-c", "from registry.cli import main; main()"]
    subprocess.run([*hub, "migrate"], cwd=ROOT, env=environment, check=True, capture_output=True)
    server = subprocess.Popen(
        [*hub, "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not listening(port) and time.monotonic() < deadline:
            assert server.poll() is None, "the hub ended"
            time.sleep(0.1)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    finally:
        server.terminate()
        server.wait(60)


def test_the_version_is_said_once() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
