"""The entry point: people's errors end in one sentence, a programmer's error is not hidden."""

from __future__ import annotations

import pytest

from registry import cli
from registry.accounts.errors import AccountError
from registry.settings import SettingsError


@pytest.mark.parametrize("error", [AccountError("BAD_NAME"), SettingsError("ONCOKRING_X is bad.")])
def test_an_error_for_people_is_one_sentence_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 1
    shown = capsys.readouterr()
    assert shown.err == f"Error: {error}\n"
    assert shown.out == ""


def test_a_bug_is_shown_as_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main([])
