"""What the code imports is in the lock of the place where that code runs."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OURS = ("registry", "federation", "consent", "studies", "migrations")
#: packages that the code asks for only where they happen to be
OPTIONAL = {"matplotlib", "pandas", "IPython"}

#: what a test starts from a file beside it
BESIDE = {path.stem for path in (ROOT / "tests").rglob("*.py")}


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """(file, top-level package) of every import that is not ours and not Python's own."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                first = name.split(".")[0]
                if first not in OURS and first not in BESIDE | sys.stdlib_module_names:
                    yield path, first


def locked(lock: str) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))


def absent(folders: list[str], lock: str, without: tuple[str, ...] = ()) -> set[str]:
    held, distributions = locked(lock), packages_distributions()
    return {
        f"{path.relative_to(ROOT)} imports {package}"
        for folder in folders
        for path, package in imported(ROOT / folder)
        if package not in OPTIONAL
        and not str(path.relative_to(ROOT)).startswith(without)
        and not {canonicalize_name(name) for name in distributions.get(package, [])} & held
    }


@pytest.mark.parametrize(
    ("lock", "folders", "without"),
    [
        ("test", [*OURS, "tests"], ()),
        ("run", list(OURS), ("registry/bench/",)),  # the bench needs the libraries of the tests
        ("hub", list(OURS), ("registry/demo/", "registry/bench/")),
    ],
    ids=["test", "run", "hub"],
)
def test_what_is_imported_is_locked(
    lock: str, folders: list[str], without: tuple[str, ...]
) -> None:
    assert absent(folders, lock, without) == set()
