"""What the default run says about what it reached, and where it must have reached everything."""

import json
import subprocess
import sys
from pathlib import Path

import whole_suite

PART = {
    "executed_lines": [1, 2, 4],
    "missing_lines": [3],
    "executed_branches": [[2, 4]],
    "missing_branches": [[2, 3]],
}
ALL = {**PART, "missing_lines": [], "missing_branches": []}


def test_a_room_that_must_be_whole_is_named_with_what_is_missing() -> None:
    measured = {"files": {"consent/rule.py": PART, "registry/app.py": PART}}
    assert whole_suite.not_whole(measured) == ["consent/rule.py: lines [3], branches [[2, 3]]"]
    for name in ("consent/rule.py", "federation/disclosure/gate.py", "federation/protocol/keys.py"):
        assert whole_suite.not_whole({"files": {name: PART}})
        assert not whole_suite.not_whole({"files": {name: ALL}})


def test_the_table_names_what_is_not_whole_and_sums_all() -> None:
    measured = {"files": {"studies/a.py": PART, "studies/b.py": ALL}}
    told = whole_suite.told(list(whole_suite.files(measured))).splitlines()
    assert [line.split()[0] for line in told] == ["file", "studies/a.py", "all"]
    assert told[1].split()[1:] == ["4", "1", "2", "1", "66.7%"]
    assert told[2].split()[1:] == ["7", "1", "3", "1", "80.0%"]


def test_slipcover_counts_lines_and_branches_in_both_processes(tmp_path: Path) -> None:
    """The real thing, small: two files of tests in two processes, together they try all but one."""
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").touch()
    (tmp_path / "room" / "sign.py").write_text(
        "def sign(x):\n    if x > 0:\n        return 1\n"
        "    if x < 0:\n        return -1\n    return 0\n"
    )
    for name, value in (("one", 5), ("two", -5)):
        (tmp_path / f"test_{name}.py").write_text(
            f"from room.sign import sign\n\n\ndef test_it():\n    assert sign({value})\n"
        )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "slipcover", "--branch", "--source", "room", "--json"),
            *("--out", "found.json", "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"),
        ],
        cwd=tmp_path,
        env=whole_suite.outside_of_this_run(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    (sign,) = (one for one in whole_suite.files(found) if one.name.endswith("sign.py"))
    assert (sign.missing, sign.missing_branches) == (1, 1)
