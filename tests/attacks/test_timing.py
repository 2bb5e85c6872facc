"""Attack 38: what a refusal is about can be told neither from its bytes nor from its time (S2)."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hospitals import Net, claims_of, patients
from scipy import stats

from federation.protocol.messages import TYP_STEP, sign
from federation.site.frames import read_frame, write_frame

ROOT = Path(__file__).parents[2]
EACH = 200
COMMON_CLAIMS = ("v", "iss", "aud", "iat", "exp", "jti")
COUNT = {"kind": "count"}


def leaf(var, op, value):
    return {"var": var, "op": op, "value": value}


def cells():
    """Small groups: five or ten years of age, a sex, a stage, a histology and a treatment."""
    ages = range(35, 90, 5)
    for years, hist, trt, age, sex, stage in itertools.product(
        (5, 10), ("8140", "8500"), (True, False), ages, "mf", ("I", "II", "III", "IV")
    ):
        yield {
            "all": [
                leaf("age", ">=", age),
                leaf("age", "<", age + years),
                leaf("sex", "=", sex),
                leaf("stage", "=", stage),
                leaf("hist", "=", hist),
                leaf("trt", "=", trt),
            ]
        }


def matching(net, cell):
    """How many patients of the network are in a cell."""
    low, high, sex, stage, hist, trt = (each["value"] for each in cell["all"])
    return sum(
        low <= int(row["HDR_AGE"]) < high
        and row["HDR_SEX"] == {"m": "MAN", "f": "VROUW"}[sex]
        and (row["HDR_STAGE"], row["HDR_HIST"]) == (stage, hist)
        and row["HDR_TRT"] == ("ja" if trt else "nee")
        for rows in net.rows.values()
        for row in rows
    )


class Process:
    """h0 as a process of its own; `log` is what it wrote on stderr."""

    def __init__(self, *command):
        self.running = subprocess.Popen(
            [sys.executable, "-P", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "OMP_NUM_THREADS": "1"},
        )
        self.log = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.running.stderr:
            self.log.append(line.decode().strip())

    def ask(self, message):
        write_frame(self.running.stdin, message)
        return read_frame(self.running.stdout)

    def end(self):
        self.running.stdin.close()
        assert self.running.wait(60) == 0
        self.reader.join(60)
        self.running.stdout.close()
        self.running.stderr.close()


@pytest.fixture
def net(tmp_path):
    """Three hospitals of the same size; h0 is stopped here, so that a process can serve it."""
    rows = {f"h{n}": patients(f"h{n}", 90, seed=n) for n in range(3)}
    made = Net(tmp_path, rows)
    assert made.ask(COUNT).status == "complete"
    made.programs.pop("h0").close()
    yield made
    made.close()


def refused(net, process, cohort):
    """What h0 says to the step after the look, which a hostile hub sends whatever the look said."""
    driver = net.driver(net.plan(net.query(COUNT, cohort=cohort)))
    messages = driver.messages(net.now)
    looks = {slug: net.send(slug, messages[slug]) for slug in net.programs}
    looks["h0"] = process.ask(messages["h0"])
    asked = claims_of(messages["h0"])
    own = {key: value for key, value in asked.items() if key not in COMMON_CLAIMS}
    own |= {
        "step": 1,
        "step_name": "count.cells",
        "previous": [looks[slug].decode() for slug in sorted(looks)],
    }
    message = sign(
        TYP_STEP,
        own,
        net.hub,
        issuer="hub",
        audience="h0",
        now=net.now,
        lifetime=timedelta(hours=1),
    )
    return process.ask(message)


def test_38_few_and_too_near_look_the_same(net):
    few = [cell for cell in cells() if matching(net, cell) in (0, 1)][: EACH // 2]
    few += [cell for cell in cells() if 2 <= matching(net, cell) <= 9][: EACH // 2]
    near = [{"not": cell} for cell in cells() if 1 <= matching(net, cell) <= 9][:EACH]
    assert (len(few), len(near)) == (EACH, EACH)
    at = str(net.now)
    process = Process(str(ROOT / "tests/support/timed_site.py"), str(net.folder / "h0"), at)

    replies = {"few": [], "near": []}
    for one, other in zip(few, near, strict=True):
        # In turn, so that whatever else this machine does falls on both.
        replies["few"].append(refused(net, process, one))
        replies["near"].append(refused(net, process, other))
    process.end()

    times = [float(line.split()[1]) for line in process.log if line.startswith("T ")][1::2]
    seconds = {"few": times[0::2], "near": times[1::2]}
    said = {kind: [claims_of(body) for body in bodies] for kind, bodies in replies.items()}
    for kind, bodies in replies.items():
        assert {each.get("code") for each in said[kind]} == {"SMALL_GROUP"}, kind
        assert len(bodies) == len(seconds[kind]) == EACH
    assert {len(body) for body in replies["few"]} == {len(body) for body in replies["near"]}
    fixed = [
        {key: value for key, value in each.items() if key not in ("run", "jti", "query_sha256")}
        for each in (*said["few"], *said["near"])
    ]
    for each in fixed:
        del each["iat"], each["exp"]
    assert all(each == fixed[0] for each in fixed)
    # to half a second: what a busy machine adds after the tick says nothing of the work before it
    ticks = {kind: [round(each / 5, 1) for each in found] for kind, found in seconds.items()}
    assert set(ticks["few"]) == set(ticks["near"]) == {1.0}
    assert stats.ks_2samp(ticks["few"], ticks["near"]).pvalue > 0.01


def test_38_the_process_itself_waits_for_the_tick(net):
    """The real program with its real clock: one refusal of each sort takes one tick of 5 seconds,
    and an answer does not wait."""
    net.now = datetime.now(UTC)
    net.start("h0")
    net.publish()
    net.programs.pop("h0").close()
    cell = next(cell for cell in cells() if 1 <= matching(net, cell) <= 9)
    process = Process("-m", "federation.site.process", str(net.folder / "h0"))

    took = []
    for cohort in (cell, {"not": cell}):
        before = time.monotonic()
        body = refused(net, process, cohort)
        took.append(time.monotonic() - before)
        assert claims_of(body)["code"] == "SMALL_GROUP"
    before = time.monotonic()
    query = net.query(COUNT, cohort=leaf("sex", "=", "m"))
    body = process.ask(net.driver(net.plan(query)).messages(datetime.now(UTC))["h0"])
    answered = time.monotonic() - before
    process.end()

    assert claims_of(body)["status"] == "ok"
    assert answered < 3
    assert all(5 <= each < 8 for each in took), took
