"""Every code that a person or a program can meet has its texts, and none is forgotten."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from consent import errors as consent_errors
from federation.query.refusals import REFUSALS
from federation.rounds import errors as round_errors
from federation.runs import errors as run_errors
from registry import error_codes, errors
from registry.accounts.errors import ACCOUNT_ERRORS
from registry.api.once import KEY_ERRORS
from registry.cli import COMMANDS
from registry.settings import VARIABLES
from studies import errors as studies_errors


def raised(sources: list[Path], exception: str) -> set[str]:
    """The codes given as a literal to ``exception(...)`` anywhere outside the tests."""
    found = set()
    for path in sources:
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == exception
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


@pytest.mark.parametrize(
    ("exception", "codes"),
    [
        ("AccountError", set(ACCOUNT_ERRORS)),
        ("ConsentError", set(consent_errors.CODES)),
        ("RoundError", set(round_errors.CODES)),
        ("RunError", set(run_errors.CODES)),
        ("StudiesError", set(studies_errors.CODES)),
    ],
)
def test_each_raised_code_has_a_sentence(
    sources: list[Path], exception: str, codes: set[str]
) -> None:
    assert raised(sources, exception) <= codes


def test_each_public_refusal_speaks_both_languages() -> None:
    for code, refusal in REFUSALS.items():
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", code)
        for text in (
            refusal.text_en,
            refusal.text_nl,
            refusal.what_to_do,
            refusal.what_to_do_nl,
        ):
            assert text.endswith("."), code
        assert refusal.text_en != refusal.text_nl


def test_each_status_we_answer_has_texts() -> None:
    used = {*error_codes.STATUS_OF_CODE.values(), *(row[2] for row in error_codes.DOMAIN_ERRORS)}
    assert used <= errors.TEXTS.keys()
    for status, texts in errors.TEXTS.items():
        assert HTTPStatus(status).phrase
        assert all(text.strip() for text in texts)


def test_each_sentence_a_page_can_show_has_a_dutch_one(root: Path) -> None:
    with (root / "registry" / "translations" / "nl.po").open("rb") as file:
        dutch = {message.id for message in read_po(file) if message.string}
    fixed = (errors.CSRF_TEXT, errors.FRESH_TEXT, errors.AUDIT_TEXT)
    said = [text for texts in (*errors.TEXTS.values(), *fixed) for text in texts[1:]]
    said += [text for code in ("WRONG_SIGN_IN", "LOCKED") for text in ACCOUNT_ERRORS[code]]
    said += [*round_errors.CODES.values()]
    said += [*run_errors.CODES.values(), *studies_errors.CODES.values()]
    assert [text for text in said if text not in dutch] == []


def test_each_code_with_a_status_of_its_own_exists() -> None:
    known = {
        *REFUSALS,
        *ACCOUNT_ERRORS,
        *KEY_ERRORS,
        *consent_errors.CODES,
        *round_errors.CODES,
        *run_errors.CODES,
        *studies_errors.CODES,
        "TOO_LARGE",
        "BAD_JSON",
    }
    assert set(error_codes.STATUS_OF_CODE) <= known


def test_each_setting_is_described(root: Path, sources: list[Path]) -> None:
    used = {
        name
        for path in sources
        if path.parts[-2:] == ("registry", "settings.py")
        for name in re.findall(r"ONCOKRING_[A-Z0-9_]+", path.read_text())
    }
    assert used - {"ONCOKRING_"} == set(VARIABLES)
    reference = "\n".join(path.read_text() for path in (root / "docs").rglob("*.md"))
    assert {name for name in VARIABLES if name not in reference} == set()


def test_each_command_can_be_loaded() -> None:
    import click

    from registry.cli import cli

    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.help
