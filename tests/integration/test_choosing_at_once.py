"""Patients who choose at the same moment, with a hospital running: nothing is lost, nothing double.

The small form of `python3 dev.py bench --patients 200`, on both databases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry.bench import load


def test_every_choice_is_kept_once_and_counted(database: Any, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    said: list[str] = []
    with load.hub_of(folder, database.url, 8, said.append, hospitals=1) as hub:
        measured = load.measure(hub, 0.5, 0.0, said.append, load.in_this_process)
    told = measured.to_dict()
    assert measured.holds, told
    assert measured.recorded >= 8
    assert told["requests"]["record"]["n"] == measured.recorded
    assert told["requests"]["sign in"]["n"] == 8
