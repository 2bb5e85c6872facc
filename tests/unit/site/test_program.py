"""Frames, the loop around them, and one program per directory."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from federation.site import faults, program, serving
from federation.site.errors import SetupError
from federation.site.frames import FrameError, read_frame, write_frame
from federation.site.pipeline import Outgoing
from federation.site.program import SiteProgram
from federation.site.serving import HELD, Ticks, serve, utc_now

ROOT = Path(__file__).parents[3]


class Slow(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, data):
        self.data = data

    def read(self, size=-1):
        taken, self.data = self.data[:1], self.data[1:]
        return taken


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 100_000])
def test_a_frame_comes_back(body):
    pipe = io.BytesIO()
    write_frame(pipe, body)
    write_frame(pipe, b"next")
    pipe.seek(0)

    assert [read_frame(pipe), read_frame(pipe), read_frame(pipe)] == [body, b"next", None]


def test_a_frame_in_pieces():
    assert read_frame(Slow(b"\0\0\0\3abc")) == b"abc"


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\3", b"\0\0\0\3ab", b"\xff\xff\xff\xff"])
def test_half_a_frame_or_too_long_a_one(data):
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(data))


def test_too_long_a_frame_is_not_written(monkeypatch):
    monkeypatch.setattr("federation.site.frames.MAX_FRAME_BYTES", 3)
    with pytest.raises(FrameError):
        write_frame(io.BytesIO(), b"abcd")


class Steady:
    """A clock that only work and waiting move; `slept` is every wait."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Answers:
    """Stands in for a SiteProgram where only the loop is tested."""

    def __init__(self, code, clock, took):
        self.code, self.clock, self.took = code, clock, took

    def handle(self, message, now):
        self.clock.now += self.took
        return Outgoing(message.upper(), self.code)


def run(code, bucket=5, took=2.0):
    incoming, outgoing, log, clock = io.BytesIO(), io.BytesIO(), io.StringIO(), Steady()
    write_frame(incoming, b"abc")
    incoming.seek(0)
    serve(
        Answers(code, clock, took),
        incoming,
        outgoing,
        log,
        bucket_seconds=bucket,
        steady=lambda: clock.now,
        sleep=clock.sleep,
    )
    outgoing.seek(0)
    assert read_frame(outgoing) == b"ABC"
    return log.getvalue(), clock.slept


@pytest.mark.parametrize("code", ["OK", "REPLAY", "APPLIED"])
def test_an_answer_leaves_at_once_and_is_not_logged(code):
    assert run(code) == ("", [])


@pytest.mark.parametrize("code", sorted(HELD))
def test_a_refusal_about_patients_leaves_at_the_tick(code):
    assert run(code) == (code + "\n", [3.0])
    assert run(code, bucket=0) == (code + "\n", [])


@pytest.mark.parametrize(("took", "waits"), [(0.0, [5.0]), (4.75, [0.25]), (5.0, []), (5.5, [4.5])])
def test_ticks_count_from_the_arrival_of_the_message(took, waits):
    """A hub that chooses when its message comes learns nothing from when the reply leaves."""
    assert run("SMALL_GROUP", took=took)[1] == waits


def test_other_refusals_leave_at_once():
    assert run("PROTOCOL") == ("PROTOCOL\n", [])


def leave(messages, took):
    """When each reply leaves: `messages` are (arrival, code), one worked on after the other."""
    ticks, done, left = Ticks(5.0), 0.0, []
    for (arrived, code), seconds in zip(messages, took, strict=True):
        done = max(done, arrived) + seconds
        left.append(ticks.leaves(code, arrived, done))
    return left


def test_what_came_before_a_refusal_left_keeps_to_ticks_of_its_own():
    came = [(0.0, "OK"), (1.0, "SMALL_GROUP"), (1.1, "OK"), (5.9, "OK"), (6.0, "OK"), (12.0, "OK")]
    took = [0.5, 0.2, 0.3, 0.1, 0.1, 0.5]
    assert leave(came, took) == [0.5, 6.0, 6.1, 10.9, 11.0, 12.5]
    # a message that took longer than a bucket: those behind it do not overtake it
    assert leave([(0.0, "BUDGET"), (4.0, "OK"), (4.5, "OK")], [5.5, 0.1, 0.1]) == [10.0, 14.0, 14.5]


def test_nothing_tells_how_long_a_refusal_took():
    """Of a thousand streams of messages: other times for the refusals, the same times at which
    everything leaves."""
    chance = random.Random(38)  # noqa: S311
    codes = ["OK", "PROTOCOL", "SMALL_GROUP", "BUDGET"]
    for _ in range(1000):
        at, came = 0.0, []
        for _ in range(12):
            at += chance.choice([0.0, 0.01, 0.3, 2.0, 4.999, 5.0, 7.0])
            came.append((at, chance.choice(codes)))
        slow = [chance.choice([0.001, 0.04, 0.2]) for _ in came]
        other = [
            chance.choice([0.001, 0.04, 0.2]) if code in HELD else seconds
            for (_, code), seconds in zip(came, slow, strict=True)
        ]
        assert leave(came, slow) == leave(came, other)


def test_a_refusal_that_waits_keeps_no_message_waiting():
    """Three refusals and an answer that came together all leave at one tick, in order."""
    incoming, outgoing, clock = io.BytesIO(), io.BytesIO(), Steady()
    for message in (b"a", b"b", b"c", b"d"):
        write_frame(incoming, message)
    incoming.seek(0)

    class Last(Answers):
        def handle(self, message, now):
            code = "OK" if message == b"d" else "SMALL_GROUP"
            return Outgoing(message.upper(), code)

    start = time.monotonic()
    serve(Last("", clock, 0), incoming, outgoing, io.StringIO(), bucket_seconds=0.3)
    assert 0.3 <= time.monotonic() - start < 0.85
    outgoing.seek(0)
    assert [read_frame(outgoing) for _ in range(5)] == [b"A", b"B", b"C", b"D", None]


class Shut(io.BytesIO):
    """A pipe that nobody reads any more."""

    def write(self, data):
        raise BrokenPipeError


@pytest.mark.parametrize("code", ["OK", "SMALL_GROUP"])
def test_a_pipe_that_is_shut_ends_the_loop(code):
    incoming = io.BytesIO()
    write_frame(incoming, b"a")
    incoming.seek(0)
    clock = Steady()
    with pytest.raises(BrokenPipeError):
        serve(
            Answers(code, clock, 0),
            incoming,
            Shut(),
            io.StringIO(),
            bucket_seconds=5,
            steady=lambda: clock.now,
            sleep=clock.sleep,
        )


def test_no_more_messages_are_read_than_may_be_inside(monkeypatch):
    monkeypatch.setattr(serving, "MOST_INSIDE", 2)
    incoming, outgoing, clock, seen = io.BytesIO(), io.BytesIO(), Steady(), []
    for number in range(5):
        write_frame(incoming, bytes([65 + number]))
    incoming.seek(0)

    class Counting(Answers):
        def handle(self, message, now):
            time.sleep(0.01)  # the reader may read on meanwhile, if anything lets it
            seen.append(incoming.tell() // 5)
            return super().handle(message, now)

    serve(Counting("OK", clock, 0), incoming, outgoing, io.StringIO(), bucket_seconds=5)
    assert all(read <= done + 2 for done, read in enumerate(seen))
    assert len(seen) == 5


def test_garbage_gets_a_signed_refusal(site):
    found = SiteProgram(site)
    for message in (b"", b"x", b"a.b.c", b"e30.e30.e30", b"\xff" * 2000, b"." * 10):
        assert found.handle(message, datetime(2026, 1, 1, tzinfo=UTC)).code == "PROTOCOL"
    found.close()


def test_one_directory_has_one_program(site, monkeypatch):
    monkeypatch.setattr(program, "LOCK_SECONDS", 0.1)
    first = SiteProgram(site)
    with pytest.raises(SetupError, match="another program"):
        SiteProgram(site)

    first.close()
    SiteProgram(site).close()


def process(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-P", "-m", "federation.site.process", *map(str, arguments)],
        capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **more},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def test_the_process_ends_when_its_pipe_does(site):
    found = process(site.path)

    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_without_a_directory_it_says_what_to_give():
    found = process()

    assert found.returncode == 2
    assert b"directory" in found.stderr


def test_a_directory_that_is_none(tmp_path):
    found = process(tmp_path / "nothing")

    assert found.returncode == 2
    assert found.stderr.startswith(b"SETUP site.toml is missing")


def test_the_site_imports_no_heavy_library(site):
    """No DuckDB before a Parquet file is read, and no library of the hub at all."""
    code = (
        "import sys, federation.site.program, federation.site.directory\n"
        "heavy = {'duckdb','scipy','flask','sqlalchemy','pandas','rich','click','vantage6'}\n"
        "sys.exit(repr(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False, timeout=60
    )

    assert found.returncode == 0, found.stderr


def test_an_idle_site_needs_little_memory(site):
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "federation.site.process", str(site.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
    ) as running:
        write_frame(running.stdin, b"x")
        assert read_frame(running.stdout)
        resident = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * 4096
        running.stdin.close()

    assert resident < 120e6


def test_a_crash_point_kills_at_its_passage():
    code = (
        "from federation.site.faults import point\n"
        "for n in range(3): point('N5'); print(n, flush=True)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        cwd=ROOT,
        env={"ONCOKRING_CRASH": "N5:2", "PATH": os.defpath},
        check=False,
        timeout=60,
    )
    assert found.returncode == -signal.SIGKILL
    assert found.stdout.split() == [b"0"]


def test_a_crash_point_does_nothing_by_itself(monkeypatch):
    monkeypatch.delenv("ONCOKRING_CRASH", raising=False)
    faults.point("N5")
    monkeypatch.setenv("ONCOKRING_CRASH", "N4:1")
    faults.point("N5")


def test_the_software_version_is_the_packages():
    from importlib.metadata import version

    from federation.site.replies import SOFTWARE

    assert f"oncokring/{version('oncokring')}" == SOFTWARE


def test_time_is_utc():
    assert utc_now().utcoffset() == timedelta(0)
