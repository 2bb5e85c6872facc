"""The rules of tests/conftest.py hold: they are tried on small suites of their own."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from whole_suite import outside_of_this_run

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPED = "import pytest\ndef test_a(): pytest.skip('no Chromium')\ndef test_b(): pass\n"
SKIPPED_MODULE = "import pytest\npytest.importorskip('no_such_module')\ndef test_a(): pass\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n"
SWALLOWED = (
    "import socket\n"
    "def test_a():\n"
    "    try:\n"
    "        socket.create_connection(('192.0.2.1', 80))\n"
    "    except Exception:\n"
    "        pass\n"
)
CHANCE = "import random\ndef test_a(): print('drawn', random.random())\n"


def run_suite(folder: Path, text: str, no_skips: bool) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_small.py").write_text(text, encoding="utf-8")
    environment = {**outside_of_this_run(), "ONCOKRING_NO_SKIPS": "1" if no_skips else ""}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-c", os.devnull, "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("text", [SKIPPED, SKIPPED_MODULE], ids=["test", "module"])
def test_a_skip_fails_the_session_only_where_it_is_forbidden(tmp_path: Path, text: str) -> None:
    forbidden = run_suite(tmp_path, text, no_skips=True)
    assert forbidden.returncode == 1
    assert "ONCOKRING_NO_SKIPS forbids" in forbidden.stdout
    assert "test_small.py" in forbidden.stdout.split("forbids that")[1]
    assert run_suite(tmp_path, text, no_skips=False).returncode in (0, 5)


def test_an_expected_failure_is_not_a_skip(tmp_path: Path) -> None:
    assert run_suite(tmp_path, EXPECTED_FAILURE, no_skips=True).returncode == 0


def test_a_swallowed_attempt_to_go_outside_still_fails_the_test(tmp_path: Path) -> None:
    done = run_suite(tmp_path, SWALLOWED, no_skips=False)
    assert done.returncode == 1
    assert "192.0.2.1" in done.stdout


def test_chance_is_the_same_in_every_run(tmp_path: Path) -> None:
    first, second = (run_suite(tmp_path, CHANCE, no_skips=False).stdout for _ in range(2))
    drawn = [line for line in first.splitlines() if "drawn" in line]
    assert drawn
    assert drawn == [line for line in second.splitlines() if "drawn" in line]


def test_another_machine_cannot_be_reached(outside_network_attempts: list[str]) -> None:
    with pytest.raises(RuntimeError, match="this machine only"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match="example"):
        socket.getaddrinfo("hub.example", 443)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        pytest.raises(RuntimeError, match="this machine only"),
    ):
        udp.sendto(b"x", ("192.0.2.1", 53))
    assert len(outside_network_attempts) == 3
    outside_network_attempts.clear()


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            assert client.getpeername() == server.getsockname()
        with socket.create_connection(("localhost", server.getsockname()[1])):
            pass


def test_chance_does_not_depend_on_the_tests_before() -> None:
    drawn = random.random()  # noqa: S311
    random.seed(20_240_611)
    assert drawn == random.random()  # noqa: S311
