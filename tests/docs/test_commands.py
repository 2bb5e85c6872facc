"""Every command that the documentation shows is run: here, or by the test that the table names.

A block marked `console` holds commands behind `$ `. What stands below a command is part of what it
prints, but for `…`, which stands for anything. The commands of one page run in one shell, in a copy
of the repository's docs, with the environment's own programs first on the path.

A command that takes long, needs root, or needs another machine stands in ELSEWHERE, with the test
that covers it or the reason why none can.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
END = "end-of-command"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: A pattern that fits the whole command -> the test that covers it, or ("no test", reason).
ELSEWHERE: Mapping[str, str | tuple[str, str]] = {
    r"python3 dev\.py (demo|serve|test|bench)( .*)?": "tests/dev/test_dev.py",
    r"python3 dev\.py check": ("no test", "the suite has its own architecture tests"),
    r"python3 dev\.py lock.*": ("no test", "needs the package index; changes requirements/"),
    r"oncokring vantage6 .*": "tests/vantage6/test_setup.py",
    r"oncokring round .*": "tests/web/test_rounds_planned.py",
    r"echo uv \| .*": ("no test", "needs the package index"),
    r"oncokring site (join|connect|doctor) .*": "tests/vantage6/test_node.py",
    r"systemctl .*": ("no test", "needs systemd and root"),
    r"docker .*": ("no test", "needs a container runtime; tests/dev/test_dockerfile.py reads it"),
    r"python3 -m venv .*": ("no test", "an environment outside the clone"),
    r"/(tmp|opt)/\S+/bin/pip .*": ("no test", "needs the package index"),
    r"(echo|ln -sfn) /opt/.*": ("no test", "writes outside the clone"),
}


@dataclass(frozen=True)
class Command:
    page: str
    line: int
    text: str
    shows: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def elsewhere(self) -> str | tuple[str, str] | None:
        for pattern, where in ELSEWHERE.items():
            if re.fullmatch(pattern, self.text):
                return where
        return None


def commands_of(text: str, page: str) -> Iterator[Command]:
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1)) + 1
        present: list[str] = []
        shows: list[str] = []
        start = 0
        for number, content in enumerate(block[1].splitlines(), start=line):
            if content.startswith("$ "):
                if present:
                    yield Command(page, start, present[0], tuple(shows))
                present, start, shows = [content[2:].strip()], number, []
            elif content.strip():
                assert present, f"{page}:{number}: output stands before the first command"
                shows.append(content)
        if present:
            yield Command(page, start, present[0], tuple(shows))


PER_PAGE: Mapping[str, list[Command]] = {
    str(page.relative_to(ROOT)): list(
        commands_of(page.read_text("utf-8"), str(page.relative_to(ROOT)))
    )
    for page in PAGES
}
COMMANDS = [command for commands in PER_PAGE.values() for command in commands]


def words(text: str) -> str:
    return " ".join(text.split())


def missing_lines(shows: tuple[str, ...], printed: str) -> list[str]:
    """The lines that the page shows and the command did not print; spacing does not count."""
    flat = words(printed)
    absent = []
    for line in shows:
        pieces = [words(piece) for piece in line.split("…")]
        if not all(piece in flat for piece in pieces):
            absent.append(line)
    return absent


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [page for page, commands in PER_PAGE.items() if any(c.elsewhere is None for c in commands)],
)
def test_the_commands_of_a_page_do_what_the_page_says(page: str, workplace: Path) -> None:
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "100"}
    commands = [command for command in PER_PAGE[page] if command.elsewhere is None]
    # One shell for the page, so that an export on it holds for what follows.
    script = "".join(f"{command.text}\necho {END} $?\n" for command in commands)
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=workplace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    parts = re.split(rf"^{END} (\d+)$\n?", done.stdout, flags=re.MULTILINE)
    assert len(parts) == 2 * len(commands) + 1, done.stdout
    for command, printed, code in zip(commands, parts[0::2], parts[1::2], strict=False):
        # `; echo $?` on a page shows an exit code other than 0 on purpose
        assert code == "0", f"{command}: {command.text}\n{printed}"
        assert missing_lines(command.shows, printed) == [], f"{command}\n{printed}"


def test_a_command_that_is_not_run_here_is_covered_elsewhere() -> None:
    for command in COMMANDS:
        match command.elsewhere:
            case str() as test:
                assert (ROOT / test).is_file(), f"{command}: {test} does not exist"
            case ("no test", reason):
                assert reason
            case other:
                assert other is None


def test_the_table_holds_nothing_that_no_page_shows() -> None:
    unused = [
        pattern
        for pattern in ELSEWHERE
        if not any(re.fullmatch(pattern, command.text) for command in COMMANDS)
    ]
    assert unused == []


def test_the_readme_shows_how_to_start() -> None:
    shown = [command.text for command in PER_PAGE["README.md"]]
    assert shown[:2] == ["python3 dev.py demo", "python3 dev.py demo --once"]


PAGE = """Some words.
```console
$ echo one
one
$ echo two  three
two …
```
"""


def test_commands_and_what_they_print_are_read_from_a_page() -> None:
    assert list(commands_of(PAGE, "page.md")) == [
        Command("page.md", 3, "echo one", ("one",)),
        Command("page.md", 5, "echo two  three", ("two …",)),
    ]
    assert missing_lines(("two …",), "two three\n") == []
    assert missing_lines(("four",), "two three\n") == ["four"]
