"""Questionnaires at a hospital: asked, taken sealed, proved, kept, and read as rows of its data."""

from __future__ import annotations

import csv
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking_hospital import BEST, NOW, TODAY, Hub, ask, done, run

from consent.answered import (
    MAX_STATEMENT,
    OWN_BLOCK,
    Answered,
    open_own,
    read_answered,
    seal_own,
)
from consent.encoding import to_ms, unb64
from consent.reporting import MAX_OWN, MOST_ASKED
from consent.snapshot import NO_END, NO_START, Snapshot, Windows
from federation.prom.instruments import INSTRUMENTS
from federation.protocol.keys import BoxKey
from federation.protocol.sealing import seal
from federation.query.builtin import builtin_codebook
from federation.site import audit
from federation.site.choices.record_days import rows_that_count
from federation.site.data.columns import DataStore, read_table
from federation.site.data.mapping import read_mapping
from federation.site.directory import SiteDirectory
from federation.site.prom.taking import OWN_SCORES, own_scores
from federation.site.store import transaction
from federation.site.store_prom import OWN_COLUMNS

MAPPING = b"""
version: 2
codebook: oncomin/1
tables:
  patient: {from: people, key: nr, sex: {column: sekse, map: {m: male, v: female}}}
  prom: {from: own_answers}
"""


@pytest.fixture
def hospital(make_site: Callable[..., SiteDirectory]) -> SiteDirectory:
    site = make_site()
    (site.path / "people.csv").write_text("nr,sekse\n1,m\n2,v\n3,v\n")
    return site


def table(hospital: SiteDirectory, text: bytes = MAPPING) -> Any:
    book = builtin_codebook("oncomin/1")
    assert book is not None
    source = {"kind": "csv", "files": {"people": "people.csv"}}
    mapped = read_mapping(text, source, hospital.path, "mapping.yaml")
    return DataStore(mapped, hospital.handles).table(book.at("prom"))


def test_from_asking_to_a_row_that_counts(hospital: SiteDirectory, tmp_path: Path) -> None:
    assert table(hospital).n == 0  # the site was never started: no rows, no failure
    hub = Hub(hospital)
    refused = ask(hospital, "1")
    assert refused.exit_code == 2
    assert "has no letter" in refused.stderr
    code, key = hub.letter("1")
    assert ask(hospital, "1").exit_code == 0
    told = hub.messages()[-1]
    assert told["kind"] == "prom_ask"
    assert len(told["content"]["asks"]) == 10
    assert set(told["content"]) == {"handle", "asks"}
    opens, closes = TODAY - timedelta(28), TODAY + timedelta(14)
    assert ["QLQ-C30", "T0", str(opens), str(closes)] in told["content"]["asks"]

    # What is asked but whose days are not over is no row yet: it is not missing, it is open.
    assert table(hospital).n == 0
    said = hub.said("1", code)
    yesterday = NOW - timedelta(days=1)
    assert hub.give(hub.sealed(said, key), now=yesterday) == [[said.id, None]]
    found = table(hospital)
    assert found.n == 1
    assert found.columns["qlq_summary"].tolist() == [100.0]
    assert found.columns["qlq_physical_change"].tolist() == [0.0]
    assert found.columns["prom_completed"].tolist() == [1]
    assert found.handles.tolist() == [hospital.handles.handle("1")]
    assert found.keyed.all()
    version = found.version
    # A second one that comes in today counts from tomorrow: a day has one state of the data.
    eq = hub.said("1", code, instrument="EQ-5D-5L", version="1", answers={"mo": 2, "vas": 60})
    assert hub.give(hub.sealed(eq, key)) == [[eq.id, None]]
    assert table(hospital).version == version
    # Of somebody whose days are over without an answer there is a row that says so.
    hub.letter("2")
    old = ("--start", TODAY - timedelta(60), "--by", "Nel", "--instrument", "QLQ-C30")
    assert run("prom ask", hospital, "--number", "2", "--any-number", *old).exit_code == 0
    found = table(hospital)
    assert found.version != version
    assert sorted(found.columns["prom_completed"].tolist()) == [0, 1]
    assert found.columns["prom_due"].tolist() == [1, 1]

    counts = {
        (each["instrument"], each["timepoint"], each["state"]): each["patients"]
        for each in done("prom list", hospital)
    }
    assert counts["QLQ-C30", "T0", "received"] == 1
    assert counts["QLQ-C30", "T0", "missed"] == 1
    assert counts["EQ-5D-5L", "T0", "received"] == 1
    assert counts["QLQ-C30", "12m", "later"] == 2
    assert {each["number"] for each in done("prom list", hospital, "--numbers")} == {"1", "2"}
    file = tmp_path / "out.csv"
    assert done("prom export", hospital, file, "--by", "Nel") == {"questionnaires": 2}
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["number"] for row in rows] == ["1", "1"]
    assert {row["qlq_summary"] for row in rows} == {"", "100.0"}

    # The patient's own scores, which only the letter's secret opens; again after a new letter.
    chart = next(m for m in reversed(hub.messages()) if m["kind"] == "prom_own")["content"]
    blob, name = unb64(chart["sealed"], 9_000), chart["handle"]
    opened = open_own(key, code, OWN_SCORES, name, blob)
    assert opened == own_scores(hub.database, hospital.handles.handle("1"))
    assert opened["scores"][1][3]["qlq_summary"] == "100.0"
    assert open_own(b"x" * 32, code, OWN_SCORES, name, blob) is None
    assert open_own(key, code, OWN_SCORES, "somebody", blob) is None
    assert open_own(key, code, "draft", name, blob) is None
    assert open_own(key, code, OWN_SCORES, name, b"") is None
    new_code, new_key = hub.letter("1")
    hub.give()
    chart = hub.messages()[-1]["content"]
    again = open_own(new_key, new_code, OWN_SCORES, name, unb64(chart["sealed"], 9_000))
    assert again == opened
    lengths = {len(m["content"]["sealed"]) for m in hub.messages() if m["kind"] == "prom_own"}
    count = len(hub.messages())
    hub.give()
    assert len(hub.messages()) == count  # nothing new, nothing said

    ended = done("prom end", hospital, "--number", "1", "--any-number", "--by", "Nel", "--forget")
    assert ended == {"ended": 12, "forgotten": True}
    kinds = [m["kind"] for m in hub.messages()[-2:]]
    assert kinds == ["prom_own", "prom_ask"]
    own = hub.messages()[-2]["content"]
    empty = open_own(new_key, new_code, OWN_SCORES, name, unb64(own["sealed"], 9_000))
    assert empty == {"scores": []}
    assert lengths == {len(own["sealed"])}  # the hub does not see how much was answered
    assert table(hospital).columns["prom_completed"].tolist() == [0]
    assert audit.first_break(hub.database) is None
    # No answer, score or local number leaves, but sealed.
    left = json.dumps(hub.messages())
    assert '"q1"' not in left
    for name in ("qlq_global", "qlq_summary", "eq5d_index"):  # sealed bytes may well hold "qlq"
        assert name not in left


def test_the_patients_choices_decide_what_of_the_answers_counts(hospital: SiteDirectory) -> None:
    """Own answers are rows of the data like any: whose yes there is, and of which time."""
    first, last = TODAY - timedelta(60), TODAY - timedelta(35)
    rows = "".join(f"{number},m,{first},{last}\n" for number in (1, 2, 3))
    (hospital.path / "people.csv").write_text(f"nr,sekse,eerste,laatste\n{rows}")
    hub = Hub(hospital)
    long_ago = NOW - timedelta(days=1)
    for number in ("1", "2", "3"):
        code, key = hub.letter(number)
        ask(hospital, number)
        if number != "3":
            said = hub.said(number, code)
            assert hub.give(hub.sealed(said, key), now=long_ago) == [[said.id, None]]
    # The third was asked in a week that is over, and did not answer.
    hub.database.execute("UPDATE prom_ask SET ended_at = 1 WHERE number = '3'")
    hub.database.execute(
        "UPDATE prom_ask SET ended_at = NULL, opens = ?, closes = ? WHERE number = '3'"
        " AND timepoint = 'T0' AND instrument = 'QLQ-C30'",
        (str(TODAY - timedelta(40)), str(TODAY - timedelta(30))),
    )
    days = "first_incidence: {column: eerste, format: '%Y-%m-%d'},"
    days += " vital_date: {column: laatste, format: '%Y-%m-%d'},"
    found = table(hospital, MAPPING.replace(b"key: nr,", f"key: nr, {days}".encode()))
    names = {hospital.handles.handle(number): number for number in ("1", "2", "3")}
    assert sorted(names[each] for each in found.handles.tolist()) == ["1", "2", "3"]
    handles = np.sort(found.handles)
    since, until = np.full(3, NO_START), np.full(3, NO_END)
    granted = np.array([names[bytes(each)] != "2" for each in handles.tolist()])

    def counted() -> list[str]:
        snapshot = Snapshot(
            network="net",
            seq=1,
            issued=NOW,
            valid_until=NOW + timedelta(hours=1),
            columns=(("onco", "use.record"),),
            handles=handles,
            granted=(granted,),
            windows=Windows((since,), (until,)),
        )
        rows = rows_that_count(snapshot, found, "onco", ["use.record"]) & found.countable
        return sorted(names[each] for each in found.handles[rows].tolist())

    assert counted() == ["1", "3"]
    # Only data of some time: a questionnaire is of its own day, with the patient's own data.
    since[:] = to_ms(NOW - timedelta(days=70))
    assert counted() == ["1", "3"]
    since[:] = to_ms(NOW - timedelta(days=50))  # the patient's tumour is of before
    assert counted() == []
    since[:], until[:] = NO_START, to_ms(NOW - timedelta(days=20))
    assert counted() == ["3"]


def test_a_hostile_hub_and_a_hostile_patient(hospital: SiteDirectory) -> None:
    hub = Hub(hospital)
    code, key = hub.letter("1")
    other_code, other_key = hub.letter("2")
    assert ask(hospital, "1").exit_code == 0
    good = hub.said("1", code)
    blob = hub.sealed(good, key)

    def outcome(said: Answered, by: bytes = key, **how: Any) -> str | None:
        ((_, found),) = hub.give(hub.sealed(said, by, **how))
        assert found is None or isinstance(found, str)
        return found

    # The hub can seal, and prove nothing: not with a key of its own, not with another's letter.
    assert outcome(hub.said("1", code), b"h" * 32) == "not_proved"
    assert outcome(hub.said("1", other_code), other_key) == "not_proved"
    assert outcome(hub.said("1", "ZZZZZZ")) == "not_proved"
    assert outcome(hub.said("1", "é")) == "not_proved"
    changed = json.loads(good.to_bytes(key)) | {
        "answers": {**BEST, "q1": 4},
        "id": str(uuid.uuid4()),
    }
    raw = [changed["id"], seal(json.dumps(changed).encode(), hospital.box.public)]
    assert hub.give(raw) == [[changed["id"], "not_proved"]]
    # Another patient's chart, another hospital, another time, a questionnaire nobody asked.
    assert outcome(hub.said("2", other_code), other_key) == "not_asked"
    assert outcome(hub.said("1", code, site="h1")) == "not_ours"
    assert outcome(hub.said("1", code, network="other")) == "not_ours"
    assert outcome(hub.said("1", code), number=str(uuid.uuid4())) == "not_ours"
    assert outcome(hub.said("1", code, timepoint="12m")) == "not_asked"
    assert outcome(hub.said("1", code, timepoint="36m")) == "not_asked"
    assert outcome(hub.said("1", code, version="2.0")) == "not_asked"
    assert outcome(hub.said("1", code, day=TODAY + timedelta(2))) == "not_asked"
    assert outcome(hub.said("1", code, day=date(2020, 1, 1))) == "not_asked"
    for answers in ({"q1": 5}, {"mo": 1}, {"q31": 1}):
        assert outcome(hub.said("1", code, answers=answers)) == "unreadable"
    assert outcome(hub.said("1", code, instrument="SF-36")) == "unreadable"
    assert outcome(hub.said("1", code, handle="AA")) == "not_proved"
    # Sealed to another key, broken, oversized, no text at all.
    number = str(uuid.uuid4())
    assert hub.give([number, seal(good.to_bytes(key), BoxKey.generate().public)]) == [
        [number, "unreadable"]
    ]
    number = str(uuid.uuid4())
    assert hub.give([number, blob[1][:-4] + "AAAA"]) == [[number, "unreadable"]]
    number = str(uuid.uuid4())
    long = seal(b"x" * (MAX_STATEMENT + 1), hospital.box.public)
    assert hub.give([number, long]) == [[number, "unreadable"]]
    ignored: list[Any] = [["not a number", "x"], [number, "x" * 20_001], [number], 7, None, [1, 2]]
    assert hub.give(*ignored) == []
    with transaction(hub.database):
        for wrong in (None, {}, "x", 7, {"prom": {}}, {"prom": "x"}):
            hub.answers.take(wrong if isinstance(wrong, dict) else {"prom": wrong}, NOW)
    assert hub.database.execute("SELECT count(*) FROM prom_answer").fetchone() == (0,)

    # The right one counts once; the same bytes again, or new answers, change nothing.
    assert hub.give(blob) == [[good.id, None]]
    assert hub.give(blob) == [[good.id, None]]
    assert outcome(hub.said("1", code, answers={"q1": 4})) == "answered_before"
    rows = hub.database.execute("SELECT answers FROM prom_answer").fetchall()
    assert [json.loads(each) for (each,) in rows] == [BEST]
    assert audit.first_break(hub.database) is None
    # Who is asked no more, or wants no messages, is not asked; nor is a child.
    done("prom end", hospital, "--number", "1", "--any-number", "--by", "Nel")
    assert (
        outcome(hub.said("1", code, instrument="EQ-5D-5L", version="1", answers={})) == "not_asked"
    )
    done("person", hospital, "--number", "2", "--any-number", "--no-contact", "--by", "Nel")
    assert "not to be written to" in ask(hospital, "2").stderr
    hub.letter("3")
    done("person", hospital, "--number", "3", "--any-number", "--born", "2020-01", "--by", "Nel")
    assert "adults" in ask(hospital, "3").stderr


def test_pathways_of_a_hospital(hospital: SiteDirectory) -> None:
    hub = Hub(hospital)
    hub.letter("1")
    assert "there is no pathway 'x'" in ask(hospital, "1", "--pathway", "x").stderr
    assert "asks QLQ-C30" in ask(hospital, "1", "--instrument", "SF-36").stderr
    file = hospital.path / "prom.yaml"
    file.write_text(
        "breast:\n  instruments: [EQ-5D-5L]\n  timepoints: {T0: {before: 0, after: 7}}\n"
    )
    made = ask(hospital, "1", "--pathway", "breast")
    assert json.loads(made.stdout) == [
        {
            "instrument": "EQ-5D-5L",
            "timepoint": "T0",
            "opens": str(TODAY),
            "closes": str(TODAY + timedelta(7)),
        }
    ]
    file.write_text("breast: {instruments: [EQ-5D-5L]}\n")
    assert "prom.yaml: pathway breast must have" in ask(hospital, "1").stderr
    file.write_text("{")
    assert "prom.yaml" in ask(hospital, "1").stderr


def test_a_statement_has_one_spelling() -> None:
    said = Answered(
        *("a", "net", "h0", "x", "QLQ-C30", "3.0", "T0", date(2026, 1, 2), "nl", "ABC123"), BEST
    )
    data = said.to_bytes(b"k" * 32)
    assert read_answered(data) == (said, said.mac(b"k" * 32))
    assert said.proved_by(said.mac(b"k" * 32), b"k" * 32)
    assert not said.proved_by("é", b"k" * 32)
    # The two questionnaires seal to the same length, whatever was answered.
    key = BoxKey.generate().public
    short = replace(said, instrument="EQ-5D-5L", answers={})
    assert len(seal(data, key)) == len(seal(short.to_bytes(b"k" * 32), key))
    value = json.loads(data)
    for wrong in (
        {**value, "more": 1},
        {**value, "day": "20260102"},
        {**value, "letter": 7},
        {**value, "answers": []},
        {**value, "answers": {"q1": True}},
        {**value, "answers": {"Q1\n": 1}},
        [],
    ):
        with pytest.raises(ValueError, match=r"."):
            read_answered(json.dumps(wrong).encode())
    with pytest.raises(ValueError, match="too long"):
        replace(said, language="n" * 4_000).to_bytes(b"k" * 32)
    with pytest.raises(ValueError, match="one line"):
        replace(said, language="n\nl").mac(b"k" * 32)
    place = (b"k" * 32, "ABC123", "p", "b")
    row = {f"scale_{n}": f"{3.7 * n:.1f}" for n in range(17)}
    many = [[str(TODAY - timedelta(n)), "QLQ-C30", f"{n}m", row] for n in range(MOST_ASKED)]
    vas: list[Any] = [{"given": {"vas": n}} for n in (5, 85, 100)]
    values = [{}, {"given": {}}, *vas, {"given": BEST}, {"scores": []}, {"scores": many}]
    sealed = [seal_own(*place, each) for each in values]
    assert [open_own(*place, each) for each in sealed] == values
    [length] = {len(each) for each in sealed}  # it tells nothing
    assert OWN_BLOCK < length < MAX_OWN
    items = [item.code for each in INSTRUMENTS.values() for item in each.items]
    assert list(OWN_COLUMNS[8:]) == items


def test_scores_given_as_answers_in_the_hospitals_own_table(hospital: SiteDirectory) -> None:
    """Item answers in the hospital's own file become scores, baselines and changes per patient."""
    names = [*BEST, "mo", "sc", "ua", "pd", "ad", "vas"]
    worse = {f"q{n}": 4 if n > 28 else 2 for n in range(1, 31)}
    rows = [
        {"nr": 1, "instr": "QLQ-C30", "tp": "T0", **BEST},
        {"nr": 1, "instr": "QLQ-C30", "tp": "3m", **worse},
        {"nr": 1, "instr": "EQ-5D-5L", "tp": "T0", **dict.fromkeys(names[30:35], 1), "vas": 80},
        {"nr": 1, "instr": "EQ-5D-5L", "tp": "3m", **dict.fromkeys(names[30:35], 1), "mo": 2},
        {"nr": 2, "instr": "QLQ-C30", "tp": "3m", **worse},
        {"nr": 3, "instr": "QLQ-C30", "tp": "T0", **BEST, "q1": 9},
    ]
    with (hospital.path / "proms.csv").open("w") as file:
        writer = csv.DictWriter(file, ["nr", "instr", "tp", *names], restval="")
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(f"    {name}: {name}\n" for name in names)
    text = MAPPING.decode().replace("{from: own_answers}", "") + (
        f"    from: proms\n    prom_instrument: instr\n    prom_timepoint: tp\n{lines}"
    )
    source = {"kind": "csv", "files": {"people": "people.csv", "proms": "proms.csv"}}
    book = builtin_codebook("oncomin/1")
    assert book is not None
    mapped = read_mapping(text.encode(), source, hospital.path, "mapping.yaml")
    found = read_table(book.at("prom"), mapped, hospital.handles)

    def column(name: str) -> list[float | None]:
        return [None if each != each else round(each, 3) for each in found.columns[name].tolist()]

    assert column("qlq_summary") == [100.0, 66.667, None, None, 66.667, None]
    assert column("qlq_summary_change") == [0.0, -33.333, None, None, None, None]
    assert column("qlq_fatigue_change") == [0.0, 33.333, None, None, None, 0.0]
    assert column("qlq_summary_baseline") == [100.0, 100.0, 100.0, 100.0, None, None]
    assert column("eq5d_index") == [None, None, 1.0, 0.918, None, None]
    assert column("eq5d_index_change") == [None, None, 0.0, -0.082, None, None]
    assert column("eq_vas") == [None, None, 80.0, None, None, None]
    # An answer that no list has makes no score of its scale, and is told as such.
    assert found.tallies["qlq_physical"].unmapped == 1
    assert column("qlq_physical")[5] is None
    assert column("qlq_global")[5] == 100.0
