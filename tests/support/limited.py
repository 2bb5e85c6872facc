"""Run the program as a hospital would, with two seconds of processor and 256 MB of memory.

Processor time and not the clock on the wall, so that a busy machine changes no verdict; the wall
only catches a program that waits for something that never comes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CPU_SECONDS = 2
DATA_BYTES = 256 * 1024 * 1024
WALL_SECONDS = 30.0
LONGEST_SENTENCE = 500


@dataclass(frozen=True)
class Ended:
    """How a program ended and what it wrote."""

    code: int
    out: str
    err: str


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def oncokring(*arguments: str | Path, cwd: Path) -> Ended:
    """`oncokring …` under the limits. subprocess.TimeoutExpired when it waits for ever."""
    done = subprocess.run(
        [sys.executable, "-m", "registry.cli", *map(str, arguments)],
        cwd=cwd,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "LANG": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=WALL_SECONDS,
        preexec_fn=_limit,
        check=False,
    )
    # A program killed for its time or memory has a code below zero.
    return Ended(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def said_in_a_sentence(ended: Ended, *, folder: Path) -> str:
    """The one sentence on stderr, when that is all there is; AssertionError otherwise."""
    assert ended.code in (1, 2), ended
    lines = ended.err.strip().splitlines()
    assert len(lines) == 1, ended
    (sentence,) = lines
    assert len(sentence) <= LONGEST_SENTENCE, ended
    assert sentence.isprintable(), ended
    assert "Traceback" not in sentence, ended
    assert "Error" not in sentence, ended
    assert str(folder) not in ended.err + ended.out, ended
    return sentence
