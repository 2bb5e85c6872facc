"""The files in requirements/: complete, hashed, agreeing with each other and with pyproject.toml.

Installing hardened.txt would show more, and takes too long for every run; a release does that.
"""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
EXTRAS_OF: Mapping[str, frozenset[str]] = {
    lock: frozenset(extras)
    for lock, extras in runpy.run_path(str(ROOT / "dev.py"))["LOCKS"].items()
}
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>.+))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(lock: str) -> dict[str, set[str]]:
    """Package name -> its pinned versions (two where Python 3.11 and 3.12 differ)."""
    found: dict[str, set[str]] = {}
    hashes = 1
    for line in (REQUIREMENTS / f"{lock}.txt").read_text("utf-8").splitlines():
        if line.lstrip().startswith("#"):
            continue
        if HASH.match(line):
            hashes += 1
            continue
        pin = PIN.match(line)
        assert pin, f"{lock}.txt: cannot read {line!r}"
        assert hashes, f"{lock}.txt: no hash before {line!r}"
        found.setdefault(pin["name"], set()).add(pin["version"])
        hashes = 0
    assert hashes, f"{lock}.txt: the last package has no hash"
    return found


def project() -> Mapping[str, object]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert isinstance(found, dict)
    return found


def direct(extras: frozenset[str]) -> list[Requirement]:
    """What pyproject.toml asks for by name, without and with these extras."""
    metadata = project()
    optional = metadata["optional-dependencies"]
    dependencies = metadata["dependencies"]
    assert isinstance(optional, dict)
    assert isinstance(dependencies, list)
    return [
        Requirement(text)
        for text in [*dependencies, *(line for extra in extras for line in optional[extra])]
    ]


@pytest.mark.parametrize("lock", EXTRAS_OF)
def test_a_lock_holds_what_pyproject_asks_for(lock: str) -> None:
    found = pins(lock)
    overridden = (
        {Requirement(line).name for line in overrides()} if lock == "hardened" else frozenset()
    )
    for requirement in direct(EXTRAS_OF[lock]):
        versions = found.get(canonicalize_name(requirement.name), set())
        assert versions, f"{lock}.txt is older than pyproject.toml: {requirement} is not in it"
        if requirement.name not in overridden:
            assert all(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("lock", ["run", "hub", "site"])
def test_what_is_shipped_is_what_was_tested(lock: str) -> None:
    tested = pins("test")
    other = {
        name: versions for name, versions in pins(lock).items() if tested.get(name) != versions
    }
    assert other == {}


@pytest.mark.parametrize("lock", EXTRAS_OF)
def test_the_command_in_the_file_makes_that_file(lock: str) -> None:
    header = (REQUIREMENTS / f"{lock}.txt").read_text("utf-8").splitlines()[1]
    assert set(re.findall(r"--extra (\S+)", header)) == EXTRAS_OF[lock]
    assert "--generate-hashes" in header
    assert "--universal" in header


def test_the_hospital_gets_no_web_framework_and_no_database_layer() -> None:
    assert not {
        "flask",
        "werkzeug",
        "sqlalchemy",
        "marshmallow",
        "pandas",
        "lifelines",
        "statsmodels",
    } & (set(pins("site")))


def test_the_production_hub_gets_no_pandas() -> None:
    assert not {"pandas", "lifelines", "statsmodels"} & set(pins("hub"))


def test_the_demo_gets_its_reference_and_no_test_tools() -> None:
    run = set(pins("run"))
    assert "lifelines" in run
    assert not {"pytest", "hypothesis", "statsmodels", "playwright", "mypy", "ruff"} & run


def overrides() -> list[str]:
    lines = (REQUIREMENTS / "overrides.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_hardened_lock_leaves_the_pins() -> None:
    found = pins("hardened")
    for requirement in map(Requirement, overrides()):
        assert all(requirement.specifier.contains(v) for v in found[requirement.name])
    (cryptography,) = found["cryptography"]
    assert int(cryptography.split(".")[0]) >= 50
    assert found["vantage6-client"] == pins("hub")["vantage6-client"]


def test_the_server_of_the_tests_is_the_release_that_the_client_knows() -> None:
    server = pins("vantage6-server")
    assert server["vantage6-server"] == server["vantage6-backend-common"] == {"4.15.2"}
    assert server["vantage6-common"] == pins("test")["vantage6-common"]
    # which is why it needs an environment of its own
    assert not server["sqlalchemy"] & pins("test")["sqlalchemy"]


def test_uv_itself_is_locked() -> None:
    assert set(pins("uv")) == {"uv"}
