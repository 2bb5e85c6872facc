"""A hospital with the stock vantage6 node: its Docker starts our image, three sites, one query.

Not in the default run, and deselected there rather than skipped: it needs root, a Docker daemon of
its own in a network namespace of its own, Python 3.10 for vantage6-node, half a gigabyte of
downloads and about ten minutes. Run it with

    python3 dev.py test -m docker tests/vantage6/test_stock_node.py

after `apt-get install docker.io debootstrap iptables`. ONCOKRING_STOCK_NODE names a folder to keep
what was downloaded; ONCOKRING_STOCK_NODE_PYTHON the Python 3.10.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_three_stock_nodes_with_our_image_answer_one_query(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("debootstrap"):
        pytest.skip("needs root, and: apt-get install docker.io debootstrap iptables")
    folder = Path(os.environ.get("ONCOKRING_STOCK_NODE") or tmp_path)
    python = os.environ.get("ONCOKRING_STOCK_NODE_PYTHON") or shutil.which("python3.10")
    assert python, "vantage6-node 4.15 wants Python 3.10"
    script = Path(__file__).with_name("stock_node_run.py")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, script, folder, python],
        stdout=subprocess.PIPE,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["outcome"] == "complete"
    assert {run["status"] for run in found["runs"]} == {"completed"}
    assert found["foreign"] == "not allowed"
    assert found["audit_intact"]
    assert all(set(answers) == {"OK"} for answers in found["answers"].values())
    assert found["owners"] == [10001]
