"""What the tests of ``oncokring try`` share: codebook, questions, patients, and one call of it."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

GBSG = {
    "codebook": "gbsg/1",
    "key": "patient_id",
    "variables": {
        "age": {"type": "integer", "unit": "years", "min": 18, "max": 110, "cuts": {"step": 5}},
        "grade": {"type": "category", "levels": {"1": "well", "2": "moderate", "3": "poor"}},
        "hormone": {"type": "category", "levels": {"no": "without", "yes": "with"}},
        "rfs_days": {"type": "duration", "unit": "days", "min": 0, "max": 10000},
        "relapse": {"type": "boolean"},
    },
}
BASE = {"version": 1, "study": "demo", "title": "A question", "codebook": "gbsg/1"}
COUNT = {**BASE, "analysis": {"kind": "count", "by": ["hormone", "grade"]}}
SURVIVAL = {
    **BASE,
    "analysis": {
        "kind": "survival",
        "time": "rfs_days",
        "event": "relapse",
        "by": "hormone",
        "at": [365, 1095],
    },
}
COX = {
    **BASE,
    "analysis": {"kind": "cox", "time": "rfs_days", "event": "relapse", "formula": "age + hormone"},
}


def patients() -> list[Row]:
    """686 invented patients: every value from the row number, so that any test can count them."""
    made = []
    for number in range(686):
        made.append(
            {
                "patient_id": f"P{number}",
                "age": 30 + (number * 7) % 55,
                "grade": str(1 + (number * 5) % 3),
                "hormone": "yes" if (number * 3) % 8 < 3 else "no",
                "rfs_days": 40 + (number * 131) % 2400,
                "relapse": (number * 11) % 5 < 2,
            }
        )
    return made


def write_csv(path: Path, rows: Sequence[Row], separator: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def split(folder: Path, sites: int, rows: Sequence[Row] | None = None) -> None:
    everyone = patients() if rows is None else rows
    for number in range(sites):
        write_csv(folder / "data" / f"h{number:02}.csv", everyone[number::sites])


class Tried:
    """What one call printed, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.words = done.stderr

    @property
    def answer(self) -> Any:
        return json.loads(self.out)


def run_try(
    folder: Path, *queries: Mapping[str, Any] | str, options: Sequence[str] = ("--json",)
) -> Tried:
    """Call the program on the folder's data; nothing may be left behind, no traceback shown."""
    names = []
    for number, query in enumerate(queries):
        path = folder / f"q{number}.json"
        path.write_text(query if isinstance(query, str) else json.dumps(query))
        names.append(str(path))
    given = ["--codebook", str(folder / "codebook.json"), "--data", str(folder / "data")]
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "registry.cli", "try", *names, *given, *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert "Traceback" not in done.stderr
    assert list(temporary.iterdir()) == []
    return Tried(done)


def cells(answer: Any) -> dict[tuple[str, str], int]:
    return {(c["by"]["hormone"], c["by"]["grade"]): c["n"] for c in answer["result"]["cells"]}


def expected_cells() -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in patients():
        key = (row["hormone"], row["grade"])
        found[key] = found.get(key, 0) + 1
    return found
