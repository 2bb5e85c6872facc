"""A site process that is fed nonsense, cut off, told to end, or has no room left to write."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hospitals import build, claims_of, five, net

from federation.protocol.keys import key_id
from federation.protocol.messages import TYP_ACK, TYP_REPLY, verify
from federation.site import audit
from federation.site.frames import read_frame, write_frame

__all__ = ["build", "five", "net"]

ROOT = Path(__file__).parents[2]
COUNT = {"kind": "count", "by": ["stage"]}
# More conditions than the policy allows: refused about patients, so it is held for a tick.
TOO_MANY = {"all": [{"var": "age", "op": ">=", "value": 35 + 5 * n} for n in range(7)]}
TOO_LONG = 64 * 1024 * 1024 + 1
ROOM = 0  # bytes that a file may grow to when the disk is "full"

pytestmark = pytest.mark.faults


class Site:
    """h0 as a process in real time; the other four stay in this process."""

    def __init__(self, net):
        net.now = datetime.now(UTC)
        net.publish()
        net.programs["h0"].close()
        self.net = net
        self.path = net.folder / "h0"
        self.running = subprocess.Popen(
            [sys.executable, "-P", "-m", "federation.site.process", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        )

    def started(self):
        """Wait until it serves."""
        assert self.ask(b"anybody there?")["code"] == "PROTOCOL"

    def message(self, analysis=COUNT, **more):
        query = self.net.query(analysis, **more)
        return self.net.driver(self.net.plan(query)).messages(datetime.now(UTC))["h0"]

    def ask(self, message):
        """The claims of the signed reply; an unsigned one is an error."""
        write_frame(self.running.stdin, message)
        return self.signed(read_frame(self.running.stdout))

    def signed(self, body):
        sign = self.net.directories["h0"].sign.public
        typ = TYP_ACK if "applied_at" in claims_of(body) else TYP_REPLY
        return verify(typ, body, {key_id(sign): sign}.get, audience="hub", now=None)

    def limit(self, size):
        """The largest file the process may write from now on; None for any."""
        size = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.running.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def end(self, code=0):
        """What it wrote on stderr, when it has ended as expected."""
        if not self.running.stdin.closed:
            self.running.stdin.close()
        self.running.stdin = None
        out, err = self.running.communicate(timeout=60)
        assert self.running.returncode == code, err
        assert b"Traceback" not in err
        assert str(self.path).encode() not in err
        return out, err.decode().split()

    def count(self, table):
        database = sqlite3.connect(self.path / "site.sqlite")
        try:
            assert audit.first_break(database) is None
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        finally:
            database.close()


@pytest.fixture
def site(net):
    made = Site(net)
    pipes = (made.running.stdin, made.running.stdout, made.running.stderr)
    yield made
    made.running.kill()
    made.running.wait()
    for pipe in pipes:
        with suppress(BrokenPipeError):
            pipe.close()


def test_garbage_is_refused_and_the_next_question_answered(site):
    for nonsense in (b"", b"\0", b"{}", b"a.b.c", os.urandom(100_000), b"." * 1000):
        assert site.ask(nonsense)["code"] == "PROTOCOL"
    assert site.ask(site.message())["status"] == "ok"

    assert site.end() == (b"", ["PROTOCOL"] * 6)


def test_a_message_that_is_cut_short_or_changed(site):
    good = site.message()
    for bad in (good[:-1], good[: len(good) // 2], good[1:], good.replace(b".", b",", 1)):
        assert site.ask(bad)["code"] == "PROTOCOL"
    assert site.ask(good)["status"] == "ok"
    site.end()


@pytest.mark.parametrize(
    "frame", [b"\xff\xff\xff\xff", struct.pack(">I", TOO_LONG) + b"x", b"\0\0\0\5abc", b"\0"]
)
def test_a_frame_that_is_none_ends_the_program(site, frame):
    site.running.stdin.write(frame)
    site.running.stdin.flush()

    assert site.end(code=1) == (b"", ["PIPE"])


def test_a_huge_frame_costs_no_memory_before_it_is_there(site):
    """A length alone reserves nothing."""
    site.running.stdin.write(struct.pack(">I", 64 * 1024 * 1024))
    site.running.stdin.flush()
    time.sleep(0.5)
    resident = int(Path(f"/proc/{site.running.pid}/statm").read_text().split()[1]) * 4096

    assert resident < 150e6
    site.end(code=1)


def test_a_hub_that_hangs_up_before_the_reply(site):
    message = site.message()
    site.running.stdout.close()
    write_frame(site.running.stdin, message)
    site.running.stdin.close()
    site.running.wait(60)
    err = site.running.stderr.read()

    assert site.running.returncode == 1
    assert err.split() == [b"PIPE"]
    assert site.count("journal") == 1


def test_sigterm_between_two_messages(site):
    assert site.ask(site.message())["status"] == "ok"
    site.running.send_signal(signal.SIGTERM)
    site.running.wait(60)

    assert site.end() == (b"", [])


def test_sigterm_in_the_middle_of_a_message(site):
    """A refusal that waits for its tick leaves before the program ends."""
    write_frame(site.running.stdin, site.message(cohort=TOO_MANY))
    time.sleep(2)
    site.running.send_signal(signal.SIGTERM)
    site.running.send_signal(signal.SIGTERM)
    began = time.monotonic()
    body = read_frame(site.running.stdout)
    waited = time.monotonic() - began
    site.running.wait(60)

    assert site.signed(body)["code"] == "SMALL_GROUP"
    assert waited > 1
    assert site.end() == (b"", ["SMALL_GROUP"])


def test_no_room_to_write_an_answer_down(site):
    """Nothing that could not be written down leaves; with room again the same message is answered
    and charged once."""
    message = site.message()
    first = site.ask(site.message({"kind": "count"}))
    assert first["status"] == "ok"
    site.limit(ROOM)
    full = [site.ask(message), site.ask(message)]
    site.limit(None)
    room = site.ask(message)

    for claims in full:
        assert (claims["status"], claims["code"]) == ("refused", "INTERNAL_REFUSED")
        assert not {"masked", "plain", "layout"} & claims.keys()
    assert room["status"] == "ok"
    assert site.end()[1] == ["INTERNAL_REFUSED"] * 2
    assert site.count("journal") == 2


def test_no_room_to_write_a_refusal_down(site):
    """A refusal about patients that could not be noted says nothing of patients."""
    message = site.message(cohort=TOO_MANY)
    site.started()
    site.limit(ROOM)
    full = site.ask(message)
    site.limit(None)

    assert full["code"] == "INTERNAL_REFUSED"
    assert site.ask(message)["code"] == "SMALL_GROUP"
    site.end()


def test_no_room_for_a_consent_list(site):
    """The old list stays in use, and the hub is told that the new one is not."""
    site.net.seq += 1
    site.net.now = datetime.now(UTC)
    message = site.net.snapshot("h0")
    site.started()
    site.limit(ROOM)
    full = site.ask(message)
    site.limit(None)
    again = site.ask(message)

    assert (full["status"], full["code"]) == ("refused", "INTERNAL_REFUSED")
    assert again["status"] == "applied"
    site.end()


def test_a_database_that_somebody_else_holds(site):
    """As when a back-up locks it: refused after the wait, and answered when it is free."""
    message = site.message()
    site.started()
    holder = sqlite3.connect(site.path / "site.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    held = site.ask(message)
    holder.execute("ROLLBACK")
    holder.close()

    assert held["code"] == "INTERNAL_REFUSED"
    assert site.ask(message)["status"] == "ok"
    site.end()


def test_a_program_that_is_paused_meanwhile_obeys_at_the_next_message(site):
    """Commands of the steward, while the process runs."""
    by_name = ["--by", "Anna de Vries"]

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "registry.cli", "site", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert site.ask(site.message())["status"] == "ok"
    command("pause", site.path, *by_name, "--reason", "New data")
    assert site.ask(site.message({"kind": "count"}))["code"] == "PAUSED"
    command("resume", site.path, *by_name)
    query = site.net.query({"kind": "count"})
    command("refuse", site.path, query.sha256, *by_name, "--reason", "Not our purpose")
    assert site.ask(site.message({"kind": "count"}))["code"] == "QUERY_NOT_APPROVED"
    command("approve", site.path, query.sha256, *by_name)
    assert site.ask(site.message({"kind": "count"}))["status"] == "ok"
    assert "PAUSED" in command("sent", site.path)
    site.end()
    assert site.count("audit WHERE event IN ('PAUSED', 'RESUMED', 'REFUSED_HERE', 'APPROVED')") == 4


def test_messages_and_the_page_at_the_same_time(site):
    """Twenty questions while a page reads over and over: nobody waits for nobody."""
    from federation.site.steward.overview import Overview

    overview = Overview(site.path)
    stop, read = threading.Event(), []

    def look():
        while not stop.is_set():
            read.append(len(overview.items()))

    reader = threading.Thread(target=look)
    reader.start()
    for stage in ("I", "II", "III"):
        cohort = {"var": "stage", "op": "=", "value": stage}
        assert site.ask(site.message(cohort=cohort))["status"] == "ok"
    stop.set()
    reader.join(60)

    assert read == sorted(read)
    assert sum(item.run != "" for item, _ in overview.items()) == 3
    site.end()
