"""A hospital's install has no Flask, a hub's no duckdb: hidden from a fresh Python."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable, Sequence

import pytest

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
# A hospital has scipy, for its own results: it must start, and answer pooled questions, before
# half a second of import.
SITE_HAS_NOT = (
    "alembic",
    "argon2",
    "flask",
    "flask_smorest",
    "flask_wtf",
    "lifelines",
    "marshmallow",
    "pandas",
    "psycopg",
    "pyotp",
    "scipy",
    "sqlalchemy",
    "statsmodels",
    "vantage6",
)
HUB_HAS_NOT = ("duckdb", "lifelines", "pandas", "requests", "statsmodels", "vantage6")
CLIENT_HAS_NOT = (*SITE_HAS_NOT, "duckdb")

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"not installed here: {{name}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Hidden())
"""


def fresh(tool: Run, hidden: tuple[str, ...], code: str) -> str:
    """Run ``code`` without the packages ``hidden``; what it printed."""
    done = tool(["-c", HIDE.format(hidden=set(hidden)) + textwrap.dedent(code)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hiding_works(tool: Run) -> None:
    done = tool(["-c", HIDE.format(hidden={"flask"}) + "import registry.app"])
    assert done.returncode != 0
    assert "not installed here: flask" in done.stderr


@pytest.mark.parametrize(
    "module",
    [
        "federation.site.process",
        "federation.site.cli",
        "federation.methods.registry",
        "federation.disclosure.gate",
        "federation.disclosure.policy",
        "consent.rule",
        "consent.snapshot",
        "registry.cli",
    ],
)
def test_a_site_needs_nothing_of_the_hub(tool: Run, module: str) -> None:
    fresh(tool, SITE_HAS_NOT, f"import {module}")


def test_a_site_can_run_its_commands(tool: Run) -> None:
    code = "from registry.cli import cli; cli.main(['site', '--help'], standalone_mode=False)"
    assert "site" in fresh(tool, SITE_HAS_NOT, code)


def test_a_site_is_told_what_a_hub_command_needs(tool: Run) -> None:
    code = """
    from registry.cli import cli
    try:
        cli.main(["serve"], standalone_mode=False)
    except Exception as error:
        print(error)
    """
    assert "pip install 'oncokring[hub]'" in fresh(tool, SITE_HAS_NOT, code)


@pytest.mark.parametrize("module", ["registry.app", "registry.worker", "registry.cli"])
def test_a_hub_needs_nothing_of_a_site(tool: Run, module: str) -> None:
    fresh(tool, HUB_HAS_NOT, f"import {module}")


def test_the_query_language_needs_neither(tool: Run) -> None:
    fresh(tool, (*CLIENT_HAS_NOT, "cryptography", "joserfc"), "import federation.query.model")
