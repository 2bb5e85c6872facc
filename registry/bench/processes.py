"""What processes on this machine used: memory and computing, from /proc.

On a machine that others use as well, seconds of computing say more than seconds of waiting.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def computing(pids: Iterable[int]) -> float:
    """Seconds that this process and those computed until now, with what they waited for to end."""
    return time.process_time() + sum(map(_computed, pids))


def _computed(pid: int) -> float:
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, facts[11:15])) / _TICKS


def megabytes(pid: int, field: str = "Pss") -> float:
    """The memory of a process: `Pss`, where what several share counts once between them, `Rss`, or
    `VmHWM`, the most it ever had."""
    file = "status" if field.startswith("Vm") else "smaps_rollup"
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(found[0]) / 1024 if found else 0.0
