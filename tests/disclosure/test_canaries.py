"""Strings planted in the hospital's files never reach a reply, a log, an error or another program.

Planted: in every header, in every column's values, in the patient numbers, in the path.
"""

import base64
import shutil
import sqlite3
import struct
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
EVERYTHING = [
    COUNT,
    {"kind": "count", "by": ["hist", "sex"]},
    {"kind": "describe", "variables": ["ca125", "age"], "by": "sex"},
    {"kind": "survival", "time": "fu_days", "event": "death", "by": "trt"},
    COX,
    {"kind": "cox", "time": "fu_days", "event": "death", "formula": "C(hist) * C(stage)"},
]
ROOT = Path(__file__).parents[2]

# Every header, and what stands in every planted value, number and path. Long enough not to turn
# up in random base64 by chance.
HEADERS = (
    "hdr_patient_no hdr_age hdr_sex hdr_stage hdr_hist hdr_trt hdr_ca125 hdr_diag hdr_last"
    " hdr_death hdr_cnryplant"
).split()
CANARIES = ("cnryplant", "31-02-2016", *HEADERS)


def plant(rows):
    """A value without a meaning in each column, in some rows of each hospital."""
    for slug, found in rows.items():
        for place, row in enumerate(found):
            row["HDR_PATIENT_NO"] = f"CNRYPLANT{slug}{place:05d}"
        columns = [name for name in found[0] if name != "HDR_PATIENT_NO"]
        for place, name in enumerate(columns):
            found[place][name] = f"CNRYPLANT free text in {name}"
        found[20]["HDR_DIAG"] = "31-02-2016"
        found[21]["HDR_AGE"] = "250"
    return rows


def readable(body):
    """Everything in a signed message that a reader can turn into text, in small letters."""
    parts = body.split(b".")
    texts = [body]
    texts += [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in parts]
    return b"\n".join(texts).decode("latin-1").lower()


def assert_clean(text):
    found = [canary for canary in CANARIES if canary in text.lower()]
    assert not found, f"{found} in {text[:300]!r}"


@pytest.fixture
def planted(build, five):
    return build(plant(five), name="CNRYPLANTpath")


def test_nothing_planted_leaves_a_site(planted):
    for analysis in EVERYTHING:
        planted.ask(analysis)
        planted.ask(analysis, cohort={"var": "hist", "op": "=", "value": "8502"})

    assert len(planted.bodies) > 50
    for body in planted.bodies:
        assert_clean(readable(body))


def test_nothing_planted_is_in_the_audit_or_the_journal(planted):
    for analysis in EVERYTHING:
        planted.ask(analysis)

    for slug in planted.programs:
        for event, facts in planted.audit(slug):
            assert_clean(event + facts)


def test_the_search_finds_what_is_planted(planted):
    assert "hdr_age" in (planted.folder / "h0" / "data.csv").read_text().lower()
    with pytest.raises(AssertionError):
        assert_clean(readable(b"e30." + base64.urlsafe_b64encode(b"CNRYPLANT value") + b".AA"))


def broken_row(text):
    return text.replace("\n", "\nCNRYPLANT,too,few\n", 2)


def in_latin(text):
    return text.replace("VROUW", "CNRYPLANTé", 1).encode("latin-1")


BROKEN = {
    "ragged": broken_row,
    "quote": lambda text: text + '"CNRYPLANT never closed',
    "latin": in_latin,
    "empty": lambda text: "",
    "header gone": lambda text: text.replace("HDR_STAGE", "HDR_CNRYPLANT", 1),
    "header twice": lambda text: text.replace("HDR_SEX", "HDR_AGE", 1),
    "number twice": lambda text: text + text.splitlines()[1] + "\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_data_are_a_refusal_without_words(planted, read, kind):
    path = planted.folder / "h0" / "data.csv"
    broken = BROKEN[kind](path.read_text())
    path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    planted.bodies.clear()

    outcome = planted.ask(COUNT)

    assert (outcome.status, outcome.code) == ("refused", "DATA_MISMATCH")
    assert read(planted.bodies[0])["code"] == "DATA_MISMATCH"
    for body in planted.bodies:
        assert_clean(readable(body))
    assert_clean(str(planted.audit("h0")))


def test_missing_data_are_a_refusal(planted):
    (planted.folder / "h0" / "data.csv").unlink()

    assert planted.ask(COUNT).code == "DATA_MISMATCH"


def test_after_the_repair_the_question_is_answered(planted):
    path = planted.folder / "h0" / "data.csv"
    shutil.move(path, planted.folder / "away.csv")
    assert planted.ask(COUNT).code == "DATA_MISMATCH"

    shutil.move(planted.folder / "away.csv", path)

    assert planted.ask(COUNT).status == "complete"


def test_a_method_that_fails_says_only_that_it_failed(planted, monkeypatch, read):
    from federation.methods.registry import KINDS

    def site(self, ask, step, rows):
        raise KeyError("CNRYPLANT value from a row")

    monkeypatch.setattr(type(KINDS["count"]), "site", site)
    planted.bodies.clear()

    assert planted.ask(COUNT).code == "INTERNAL_REFUSED"
    assert '"reason":"KeyError"' in planted.audit("h0")[-1][1]
    for body in planted.bodies:
        assert_clean(readable(body))
    assert [planted.ledger(slug) for slug in planted.programs] == [0] * 5


def test_a_locked_database_refuses_and_charges_nothing(planted):
    database = planted.programs["h0"]._database
    database.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(planted.folder / "h0" / "site.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    outcome = planted.ask(COUNT)
    other.execute("ROLLBACK")
    other.close()

    assert outcome.code == "INTERNAL_REFUSED"
    assert planted.ledger("h0") == 0
    assert planted.ask(COUNT, plan={"again": True}).status == "complete"


def frame(message):
    return struct.pack(">I", len(message)) + message


def run_process(directory, messages, **more):
    """The real program on real pipes."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "federation.site.process", str(directory)],
        input=b"".join(map(frame, messages)),
        capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        timeout=60,
        check=False,
        **more,
    )


def frames_of(output):
    found = []
    while output:
        (length,) = struct.unpack_from(">I", output)
        found.append(output[4 : 4 + length])
        output = output[4 + length :]
    return found


def test_the_process_writes_codes_only(planted, read):
    """Real time, real pipes, broken data, garbage and a good question."""
    planted.close()
    planted.now = datetime.now(UTC)
    planted.seq += 1
    snapshot = planted.snapshot("h0")
    good = planted.driver(planted.plan(planted.query(COUNT))).messages(planted.now)["h0"]
    path = planted.folder / "h0" / "data.csv"

    fine = run_process(planted.folder / "h0", [snapshot, good, b"CNRYPLANT garbage", b""])
    path.write_text(BROKEN["ragged"](path.read_text()))
    plan = planted.plan(planted.query(EVERYTHING[1]))
    message = planted.driver(plan).messages(planted.now)["h0"]
    broken = run_process(planted.folder / "h0", [message])

    replies = [read(body) for body in frames_of(fine.stdout)]
    assert [reply["status"] for reply in replies] == ["applied", "ok", "refused", "refused"]
    assert fine.stderr.decode().split() == ["PROTOCOL", "PROTOCOL"]
    assert broken.stderr.decode().split() == ["DATA_MISMATCH"]
    assert (fine.returncode, broken.returncode) == (0, 0)
    for output in (fine.stdout, broken.stdout):
        for body in frames_of(output):
            assert_clean(readable(body))


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("site.toml", lambda text: text.replace("HDR", "").replace("csv", "CNRYPLANT")),
        ("site.toml", lambda text: "CNRYPLANT = = broken"),
        ("policy.yaml", lambda text: text.replace("t_cell: 10", "t_cell: CNRYPLANT")),
        ("mapping.yaml", lambda text: text + "\n  x: [CNRYPLANT"),
        ("peers.json", lambda text: '{"CNRYPLANT": 1}'),
    ],
)
def test_a_wrong_setup_stops_with_a_sentence_and_no_traceback(planted, file, change):
    path = planted.folder / "h0" / file
    path.write_text(change(path.read_text()))

    found = run_process(planted.folder / "h0", [])

    text = found.stderr.decode()
    assert found.returncode == 2
    assert found.stdout == b""
    assert text.startswith("SETUP ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    assert str(planted.folder) not in text
