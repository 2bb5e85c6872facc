"""A hub's database with the whole of OncoZON: seconds to write, a moment to copy."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from migrations.run import upgrade
from registry.cli import cli


@cache
def loaded() -> Path:
    """The database, made once in a process with the commands that an office would type."""
    folder = Path(tempfile.mkdtemp(prefix="oncokring-loaded-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "hub.sqlite"
    upgrade(f"sqlite:///{path}")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONCOKRING_DATABASE", f"sqlite:///{path}")
        done = CliRunner(mix_stderr=False).invoke(cli, ["network", "load", "oncozon"])
    assert done.stdout == "oncozon: 10 hospitals, 120 studies\n", done.stderr
    return path


def copy(path: Path) -> str:
    """Copy it to `path`; the address of the copy."""
    with closing(sqlite3.connect(loaded())) as before, closing(sqlite3.connect(path)) as now:
        before.backup(now)
    return f"sqlite:///{path}"
