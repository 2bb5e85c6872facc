"""``oncokring``: operators' commands from an empty directory, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from migrations.run import newest
from registry.cli import COMMANDS, cli


class Terminal:
    """Types commands against one data directory."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            "ONCOKRING_DATA": str(folder),
            "ONCOKRING_SECRET_KEY": "k" * 40,
            "ONCOKRING_DATABASE": "",
        }

    def type(self, line: str, **more: str) -> Result:
        # click 8.1 needs to be told to keep stdout and stderr apart.
        runner = CliRunner(mix_stderr=False)
        return runner.invoke(cli, line.split(), env={**self.environ, **more})


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    assert made.type("migrate").exit_code == 0
    return made


def test_help_lists_every_command_without_importing_it() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for name, (_, _, words, _) in COMMANDS.items():
        assert name in shown
        assert words.split()[0] in shown


def test_an_unknown_command_is_wrong_use() -> None:
    assert CliRunner().invoke(cli, ["serf"]).exit_code == 2


def test_an_account_from_nothing_to_signed_in_secrets(terminal: Terminal) -> None:
    assert terminal.type("user list --json").stdout.strip() == "[]"
    made = terminal.type("user add Anna --role administrator@network --json")
    assert made.exit_code == 0, made.stderr
    shown = json.loads(made.stdout)
    assert shown["name"] == "anna"
    assert len(shown["password"]) >= 16
    assert len(pyotp.parse_uri(shown["totp"]).now()) == 6
    (row,) = json.loads(terminal.type("user list --json").stdout)
    assert row["roles"] == ["administrator@network"]
    assert terminal.type("user grant anna auditor@network").exit_code == 0
    assert terminal.type("user revoke anna auditor@network").exit_code == 0
    again = json.loads(terminal.type("user reset anna --json").stdout)
    assert again["password"] != shown["password"]


def test_the_number_that_patients_call(terminal: Terminal) -> None:
    terminal.type("network load oncozon")
    assert terminal.type("network phone viecuri 077-0000000").stdout == "viecuri\t077-0000000\n"
    assert terminal.type("network phone viecuri").stdout == "viecuri\tno number\n"
    for wrong in ("network phone viecuri call-me", "network phone nowhere 077-0000000"):
        assert terminal.type(wrong).exit_code == 2
    # The road of hospitals, in the same network.
    assert len(terminal.type("network road oncozon wmo").stdout.splitlines()) == 13
    shorter = terminal.type("network road oncozon wmo --without vgo_signed --without local_review")
    assert len(shorter.stdout.splitlines()) == 11
    assert terminal.type("network road oncozon wmo").stdout == shorter.stdout
    assert len(terminal.type("network road oncozon wmo --whole").stdout.splitlines()) == 13
    for wrong in ("nowhere wmo", "oncozon wmo --without open", "oncozon wmo --without x --whole"):
        assert terminal.type(f"network road {wrong}").exit_code == 2


def test_a_refusal_is_an_error_with_its_code(terminal: Terminal) -> None:
    terminal.type("user add anna --role administrator@network")
    refused = terminal.type("user suspend anna")
    assert getattr(refused.exception, "code", "") == "LAST_ADMINISTRATOR"


def test_a_token_is_shown_once(terminal: Terminal) -> None:
    terminal.type("user add anna")
    text = terminal.type("token add anna --label notebook --days 30").stdout.strip()
    assert text.startswith("onk_")
    listed = terminal.type("token list anna").stdout
    assert "notebook" in listed
    assert text not in listed
    number = listed.split("\t")[0]
    assert terminal.type(f"token revoke anna {number}").exit_code == 0
    assert "revoked" in terminal.type("token list anna").stdout


def test_the_audit_log_is_checked_and_exported(terminal: Terminal) -> None:
    terminal.type("user add anna")
    head = terminal.type("audit verify").stdout.strip()
    assert head.startswith("1:")
    lines = [json.loads(line) for line in terminal.type("audit export").stdout.splitlines()]
    assert [line["action"] for line in lines] == ["account.added"]
    # The export is itself a line, and the head from before still stands.
    assert terminal.type(f"audit verify --known {head}").stdout.startswith("2:")
    broken = terminal.type(f"audit verify --known 1:{'0' * 64}")
    assert broken.exit_code == 1
    assert "rewritten" in broken.stderr
    assert terminal.type("audit verify --known nonsense").exit_code == 2


def test_migrating_down_would_delete_audit_and_is_refused(terminal: Terminal) -> None:
    terminal.type("user add anna")
    assert terminal.type("migrate current").stdout == f"{newest()}\n"
    refused = terminal.type("migrate downgrade base")
    assert "audit_line" in str(refused.exception)
    assert terminal.type("migrate").exit_code == 0


def test_a_database_behind_the_code_is_said(tmp_path: Path) -> None:
    refused = Terminal(tmp_path).type("user list")
    assert refused.exit_code == 1
    assert "oncokring migrate" in refused.stderr


def test_the_hub_says_its_public_key(terminal: Terminal) -> None:
    first = terminal.type("worker --public-key").stdout.strip()
    assert len(first) == 43
    assert terminal.type("worker --public-key").stdout.strip() == first
