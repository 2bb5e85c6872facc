"""A site killed at any point: asked again it answers, once charged, with the journaled bytes."""

import os
import signal
import sqlite3
import struct
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from federation.disclosure.auditor import Auditor
from federation.site import audit
from federation.site.history.ledger import SiteLedger

ROOT = Path(__file__).parents[2]
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
COUNT = {"kind": "count", "by": ["stage"]}
# Point -> whether the answer was on disk when the process died.
POINTS = {"N1": False, "N3": False, "N4": False, "N5": True, "N6": True}

pytestmark = pytest.mark.faults


def run(path, messages, crash=""):
    frames = b"".join(struct.pack(">I", len(m)) + m for m in messages)
    found = subprocess.run(
        [sys.executable, "-P", "-m", "federation.site.process", str(path)],
        input=frames,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "ONCOKRING_CRASH": crash},
        timeout=60,
        check=False,
    )
    bodies, output = [], found.stdout
    while output:
        (length,) = struct.unpack_from(">I", output)
        bodies.append(output[4 : 4 + length])
        output = output[4 + length :]
    return found.returncode, bodies


@pytest.fixture
def site(net):
    """h0 as a real process, in real time; the other four stay in this process."""
    net.now = datetime.now(UTC)
    net.publish()
    net.programs["h0"].close()
    return net.folder / "h0"


def journaled(path):
    database = sqlite3.connect(path / "site.sqlite")
    try:
        replies = database.execute("SELECT reply FROM journal ORDER BY step").fetchall()
        charged = len(list(SiteLedger(database).since(0)))  # every set can be read
        runs = database.execute("SELECT run FROM ledger_entry").fetchall()
        # an answer, and what the hospitals together know its sets by, are one transaction
        assert database.execute("SELECT DISTINCT run FROM released_mark").fetchall() == runs
        auditor = Auditor(10, 1)
        auditor.load(answer.sets for answer in SiteLedger(database).since(0))
        assert bool(auditor.rank) == bool(charged)
        assert audit.first_break(database) is None
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [bytes(row[0]) for row in replies], charged
    finally:
        database.close()


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_first_step(net, site, read, point):
    message = net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"]

    code, sent = run(site, [message], f"{point}:1")
    assert code == -signal.SIGKILL
    assert len(sent) == (point == "N6")
    before, charged = journaled(site)
    assert (len(before), charged) == (int(POINTS[point]), 0)  # a look is not charged

    code, (again,) = run(site, [message])

    assert (code, read(again)["status"]) == (0, "ok")
    assert before in ([], [again])
    assert sent in ([], [again])
    assert journaled(site) == ([again], 0)


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_a_later_step(net, site, read, point):
    driver = net.driver(net.plan(net.query(COX)))

    def step(crash=""):
        messages = driver.messages(net.now)
        code, bodies = run(site, [messages["h0"]], crash)
        return messages, code, bodies

    messages, _, (first,) = step()
    driver.receive("h0", first, net.now)
    for slug in ("h1", "h2", "h3", "h4"):
        driver.receive(slug, net.send(slug, messages[slug]), net.now)
    assert driver.advance(net.now) == "step"

    _, code, _ = step(f"{point}:1")
    assert code == -signal.SIGKILL
    _, code, (again,) = step()

    assert read(again)["status"] == "ok"
    assert journaled(site) == ([first, again], 1)


def test_killed_while_it_takes_a_snapshot_it_keeps_the_old_or_has_the_new(net, site, read):
    """The snapshot is stored before it is used and before it is confirmed."""
    net.seq += 1
    message = net.snapshot("h0")

    code, sent = run(site, [message], "N6:1")
    assert code == -signal.SIGKILL
    assert read(sent[0])["status"] == "applied"
    _, (again,) = run(site, [message])

    assert read(again)["status"] == "applied"
