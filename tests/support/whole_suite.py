"""The default run of all tests, and what of the product they reached.

`python3 dev.py test` without arguments runs this file. SlipCover counts lines and branches by
changing the byte code once per place; coverage.py, which is told of every line each time it runs,
took a quarter of the whole run's computing (ADR 0024).

Exit code: pytest's, or 1 when a room that must be covered wholly is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("registry", "federation", "consent", "studies")
#: What decides about consent and about release: no line and no branch of it stays untried.
WHOLE = ("consent/rule.py", "federation/disclosure/", "federation/protocol/")

#: Files are kept together, so that what a file sets up is set up once. Measurements that take
#: minutes are marked slow: `python3 dev.py test -m slow`. Three on two cores, because tests wait
#: half of their time for processes of their own: sites, browsers, databases.
PYTEST = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "not slow"]


def outside_of_this_run() -> dict[str, str]:
    """The environment for a pytest that a test starts: with ours it would take itself for one of
    our two processes, and remove at its end what they measured."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLIPCOVER_", "PYTEST_XDIST_"))
    }


@dataclass(frozen=True)
class File:
    """One file of the product. Branches are (line from, line to)."""

    name: str
    lines: int
    missing: int
    branches: int
    missing_branches: int

    @property
    def whole(self) -> bool:
        return not self.missing and not self.missing_branches

    @property
    def reached(self) -> float:
        """Lines and branches reached, of all there are."""
        all_ = self.lines + self.branches
        return 1.0 if not all_ else 1 - (self.missing + self.missing_branches) / all_


def files(measured: Mapping[str, Any]) -> Iterator[File]:
    """The files in what SlipCover wrote as JSON, by name."""
    for name, found in sorted(measured["files"].items()):
        lines, missing = len(found["executed_lines"]), len(found["missing_lines"])
        branches = len(found.get("executed_branches", ()))
        missing_branches = len(found.get("missing_branches", ()))
        yield File(name, lines + missing, missing, branches + missing_branches, missing_branches)


def told(found: list[File]) -> str:
    """A line per file that is not reached wholly, and the whole."""
    all_ = File(
        "all",
        sum(one.lines for one in found),
        sum(one.missing for one in found),
        sum(one.branches for one in found),
        sum(one.missing_branches for one in found),
    )
    rows = [f"{'file':60} {'lines':>7} {'missed':>7} {'branches':>9} {'missed':>7} {'reached':>8}"]
    rows += [
        f"{one.name:60} {one.lines:7} {one.missing:7} {one.branches:9} {one.missing_branches:7} "
        f"{one.reached:8.1%}"
        for one in [*(one for one in found if not one.whole), all_]
    ]
    return "\n".join(rows)


def not_whole(measured: Mapping[str, Any]) -> list[str]:
    """Each file of ``WHOLE`` that is not reached wholly, with its lines and branches."""
    return [
        f"{name}: lines {found['missing_lines']}, branches {found['missing_branches']}"
        for name, found in sorted(measured["files"].items())
        if name.startswith(WHOLE) and (found["missing_lines"] or found["missing_branches"])
    ]


def main() -> int:
    written = ROOT / ".coverage.json"
    written.unlink(missing_ok=True)
    measure = ["--branch", "--source", ",".join(PACKAGES), "--json", "--out", str(written)]
    done = subprocess.run(
        [sys.executable, "-m", "slipcover", *measure, "-m", "pytest", *PYTEST],
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    if not written.exists():
        return done.returncode or 1
    measured = json.loads(written.read_text("utf-8"))
    print(told(list(files(measured))))
    untried = not_whole(measured)
    if untried:
        print("Here every line and every branch must be tried, and these are not:")
        print("\n".join(untried))
    return done.returncode or (1 if untried else 0)


if __name__ == "__main__":
    sys.exit(main())
