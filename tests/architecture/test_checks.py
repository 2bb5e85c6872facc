"""The static checks that everybody runs, as tests: import contracts, ruff, mypy, file size."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

MOST_LINES = 400
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def test_imports_run_one_way(tool: Run) -> None:
    script = "import sys; from importlinter.cli import lint_imports_command as c; c()"
    done = tool(["-c", script])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_ruff_finds_nothing(tool: Run) -> None:
    done = tool(["-m", "ruff", "check", "--output-format", "concise"])
    assert done.returncode == 0, done.stdout


def test_everything_is_formatted(tool: Run) -> None:
    done = tool(["-m", "ruff", "format", "--check"])
    assert done.returncode == 0, done.stdout


def test_the_types_hold(tool: Run) -> None:
    done = tool(["-m", "mypy"])
    assert done.returncode == 0, done.stdout


def test_files_stay_small(sources: list[Path]) -> None:
    lines = {str(path): len(path.read_text().splitlines()) for path in sources}
    assert {path: count for path, count in lines.items() if count >= MOST_LINES} == {}


def test_init_files_are_empty(sources: list[Path]) -> None:
    full = [path for path in sources if path.name == "__init__.py" and path.read_text().strip()]
    # The client's few public names are the one agreed exception.
    assert [path for path in full if path.parent.name != "client"] == []


def test_every_module_says_its_job(sources: list[Path]) -> None:
    silent = [
        str(path)
        for path in sources
        if "tests" not in path.parts
        and path.read_text().strip()
        and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_every_module_can_be_imported(modules: list[str]) -> None:
    for name in modules:
        if name.endswith("__main__"):
            continue
        importlib.import_module(name)
        assert name in sys.modules
