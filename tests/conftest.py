"""Rules for every test: no skips where they are forbidden, no outside network, fixed chance.

* `ONCOKRING_NO_SKIPS=1` (set by .ci/run) fails the session when a test was skipped, so that a
  missing Chromium or PostgreSQL is a failure there and only a note on a laptop.
* A socket may reach this machine only. The attempt fails, and so does its test, even when the code
  swallowed the error.
* Chance is seeded per test: a failure comes back on the next run.
"""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

SEED = 20_240_611
NO_SKIPS = "ONCOKRING_NO_SKIPS"

hypothesis.settings.register_profile(
    "oncokring",
    derandomize=True,  # the same examples each time; look for new ones with --hypothesis-profile
    deadline=None,  # a busy machine is not a fault of the code
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("oncokring")


# -- order ---------------------------------------------------------------------------------------

#: Files that take a minute or more begin first, so that the last minutes of the whole suite, on
#: several processes, are not one process at its longest file. `--no-loadscope-reorder` keeps it.
LONG = (
    "tests/integration/consent/test_rule_sql.py",
    "tests/demo/test_demo.py",
    "tests/web/browser/test_patient_form.py",
    "tests/web/browser/test_coordinator.py",
    "tests/web/test_authorization_matrix.py",
    "tests/web/browser/test_every_page.py",
    "tests/docs/test_commands.py",
    "tests/faults/test_kills.py",
    "tests/disclosure/test_hostile_files.py",
    "tests/disclosure/test_hostile_mappings.py",
    "tests/web/browser/test_desk_page.py",
    "tests/web/browser/test_results.py",
    "tests/attacks/test_hostile_hub.py",
    "tests/attacks/test_timing.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


# -- skips ---------------------------------------------------------------------------------------

_skipped = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_skipped] = []
    _Outside.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    _Outside.remove()


class _Skips:
    """Counts what was skipped; an expected failure is not a skip, though pytest reports it so."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.config.stash[_skipped].append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # importorskip or skip(allow_module_level=True)
            self.config.stash[_skipped].append(report.nodeid)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Skips(session.config), "oncokring-skips")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    harmless = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if exitstatus in harmless and _forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    skipped = _forbidden_skips(config)
    if skipped:
        terminalreporter.section(f"skipped, and {NO_SKIPS} forbids that", red=True)
        for nodeid in skipped:
            terminalreporter.line(nodeid)


def _forbidden_skips(config: pytest.Config) -> list[str]:
    return config.stash[_skipped] if os.environ.get(NO_SKIPS) == "1" else []


# -- network -------------------------------------------------------------------------------------


class OutsideNetwork(RuntimeError):
    """A test tried to reach another machine."""


class _Outside:
    """Replaces the three calls with which a Python socket leaves the machine."""

    attempts: list[str] = []  # noqa: RUF012 - one process, one list
    _real: dict[str, Any] = {}  # noqa: RUF012

    @classmethod
    def install(cls) -> None:
        for name in ("connect", "connect_ex", "sendto"):
            cls._real[name] = getattr(socket.socket, name)
            setattr(socket.socket, name, cls._guarded(cls._real[name]))
        cls._real["getaddrinfo"] = socket.getaddrinfo
        socket.getaddrinfo = cls._guarded_lookup

    @classmethod
    def remove(cls) -> None:
        socket.getaddrinfo = cls._real.pop("getaddrinfo")
        while cls._real:
            setattr(socket.socket, *cls._real.popitem())

    @classmethod
    def _guarded(cls, real: Any) -> Any:
        def call(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]  # sendto takes flags before the address
            if self.family in (socket.AF_INET, socket.AF_INET6):
                cls.check(address[0])
            return real(self, *arguments)

        return call

    @classmethod
    def _guarded_lookup(cls, host: Any, *arguments: Any, **more: Any) -> Any:
        cls.check(host)
        return cls._real["getaddrinfo"](host, *arguments, **more)

    @classmethod
    def check(cls, host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name in (None, "", "localhost"):
            return
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            address = None
        if address is None or not (address.is_loopback or address.is_unspecified):
            cls.attempts.append(str(name))
            raise OutsideNetwork(f"A test may reach this machine only, and this is {name}.")


@pytest.fixture(autouse=True)
def _no_outside_network() -> Iterator[None]:
    _Outside.attempts.clear()
    yield
    attempts, _Outside.attempts = _Outside.attempts, []
    assert not attempts, f"this test tried to reach {attempts}"


@pytest.fixture
def outside_network_attempts() -> list[str]:
    """What the present test tried to reach; a test that means to try empties the list."""
    return _Outside.attempts


# -- chance --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)
    if "numpy" in sys.modules:  # not worth half a second for a test that has no arrays
        sys.modules["numpy"].random.seed(SEED)
