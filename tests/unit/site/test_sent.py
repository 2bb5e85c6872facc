"""The register of what left, and what a message is said to hold."""

import hashlib
import json
import re
import sqlite3
from datetime import UTC, datetime

import pytest

from federation.protocol.encoding import b64, pack_array
from federation.protocol.errors import ProtocolError
from federation.site import audit, store
from federation.site.errors import SetupError
from federation.site.steward import sent_report, sent_words
from federation.site.steward.sent import Register, Sent, decoded, kind_of
from federation.site.steward.sent_report import moment_text, when
from federation.site.steward.sent_words import contents, flat, number, what_left
from federation.site.store import open_read_only, open_store, transaction

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "site.sqlite"


def message(kind="answer", body=b"", **more):
    given = {
        "line": 1,
        "at": NOW,
        "kind": kind,
        "code": "OK",
        "reason": "",
        "run": "r",
        "step": 1,
        "step_name": "a.step.of.tomorrow",
        "query_sha256": "q",
        "snapshot": 3,
        "patients": 10,
        "sha256": hashlib.sha256(body or b"").hexdigest(),
        "body": body,
    }
    return Sent(**{**given, **more})


def signed(**claims):
    """A message with these claims and a signature of nobody."""
    parts = ({"alg": "Ed25519"}, claims)
    return b".".join(b64(json.dumps(part).encode()).encode() for part in parts) + b".AAAA"


def said(sent, lang="en"):
    return what_left(sent, contents(sent), lang)


@pytest.mark.parametrize(
    ("code", "step_name", "kind"),
    [
        ("OK", "look", "look"),
        ("OK", "cox.score", "answer"),
        ("OK", "something.new", "answer"),
        ("REPLAY", "look", "replay"),
        ("SMALL_GROUP", "look", "refusal"),
        ("A_CODE_OF_TOMORROW", "x", "refusal"),
    ],
)
def test_kinds(code, step_name, kind):
    assert kind_of(code, step_name) == kind


def test_numbers_of_the_hospital_itself_are_shown():
    answer = {"result": {"n": 57, "cells": [{"n": 12}, {"n": None}]}, "hidden": [], "warnings": []}
    sent = message(body=signed(status="ok", released=answer))
    found = contents(sent)

    assert found.form == "released"
    assert found.readable == (
        ("result.n", "57"),
        ("result.cells[0].n", "12"),
        ("result.cells[1].n", "–"),
    )
    assert "our hospital itself" in said(sent)[0]
    assert not found.hides_counts


def test_sealed_numbers_are_said_to_be_sealed():
    sent = message(body=signed(status="ok", sealed="a.b.c.d.e"))

    assert contents(sent).form == "sealed"
    assert "only the study's key" in said(sent)[0]


def test_a_part_that_is_not_known_is_named():
    """A later version may send more; a steward must not read an old list and think it complete."""
    layout = [["n", [1], "i"], ["x", [2, 3], "f"]]
    array = pack_array(__import__("numpy").zeros((7, 2), "u8"))
    sent = message(body=signed(status="ok", layout=layout, masked=array, tomorrow=1, also=[2]))
    found = contents(sent)

    assert (found.form, found.numbers) == ("masked", 7)
    assert found.other == ("also", "tomorrow")
    assert said(sent)[-1].endswith("also, tomorrow.")
    assert found.to_dict()["unknown_parts"] == ["also", "tomorrow"]


def test_a_kind_that_is_not_known_is_shown_by_its_own_name():
    sent = message(kind="hologram", body=signed(status="ok", hologram="x"))

    assert said(sent) == ["The message also has parts that this version does not know: hologram."]
    assert sent_report.kind_word("hologram", "nl") == "hologram"


def test_what_a_hospital_tells_of_its_data():
    told = {"onco": {"age": 90, "stage": None}}
    body = signed(seq=4, status="applied", code=None, applied_at=1, coverage=told)
    sent = message(kind="coverage", body=body, run="", step_name="")

    assert contents(sent).readable == (("onco.age", "90"), ("onco.stage", "–"))
    assert sent_report.kind_word("coverage", "nl") == "overzicht van wat is ingevuld"
    assert sent_report.kind_word("messages", "nl") == "berichten over keuzes van onze patiënten"
    assert said(sent) == [
        "Consent list 4 is in use.",
        "The overview per variable of what is filled: rounded, and small counts left out.",
    ]
    assert said(message(kind="acknowledgement", body=body))[1].startswith("With the same")


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"a.b.c", b"...", signed(), signed(status="ok", layout=3, masked=1), b"\xff" * 9],
)
@pytest.mark.parametrize("kind", ["answer", "refusal", "replay", "acknowledgement", "coverage"])
def test_damaged_bytes_never_break_the_register(body, kind):
    sent = message(kind=kind, body=body, code="SMALL_GROUP")
    for lang in ("nl", "en"):
        assert all(isinstance(line, str) for line in said(sent, lang))


def test_bytes_of_an_older_version_are_not_there():
    sent = message(kind="refusal", code="ROSTER", body=None, sha256="")

    assert sent.intact
    assert said(sent)[0].startswith("No number: only the code ROSTER.")
    assert "not kept" in said(sent)[-1]


def test_flat_is_in_order():
    assert flat({"a": [1, {"b": True}], "c": {}}) == [("a[0]", "1"), ("a[1].b", "True")]


def test_decoding_refuses_what_is_no_message():
    for body in (b"", b"a.b", b"a.b.c.d", b"!!.!!.!!"):
        with pytest.raises(ProtocolError):
            decoded(body)


def test_an_overview_of_the_data_is_noted_when_it_is_new(path):
    database = open_store(path)
    register = Register(database)

    def told(coverage):
        body = signed(seq=1, status="applied", code=None, applied_at=1, coverage=coverage)
        kind = register.acknowledgement_kind(body)
        with transaction(database):
            line = audit.record(database, "SNAPSHOT", {"seq": 1, "code": "APPLIED"}, NOW)
            register.keep(line, kind, body=body)
        return kind

    assert [told(each) for each in (None, {"a": 1}, {"a": 1}, None, {"a": 2}, {"a": 1})] == [
        "acknowledgement", "coverage", "acknowledgement", "acknowledgement", "coverage", "coverage",
    ]  # fmt: skip
    assert register.counts() == {"acknowledgement": 3, "coverage": 3}
    database.close()


def test_messages_without_a_run_stay_apart(path):
    database = open_store(path)
    register = Register(database)
    with transaction(database):
        for run in ("", "r1", "", "r1", "r2"):
            line = audit.record(database, "STEP", {"code": "PROTOCOL", "seq": 0}, NOW)
            register.keep(line, "refusal", run=run, body=b"x")

    assert [(item.run, item.messages) for item in register.items()] == [
        ("r2", 1), ("r1", 2), ("", 1), ("", 1),
    ]  # fmt: skip
    assert [item.run for item in register.items(first=1, most=2)] == ["r1", ""]
    assert [sent.line for sent in register.messages(run="r1")] == [4, 2]
    assert register.message(99) is None
    database.close()


def test_a_database_of_an_older_version_gives_what_it_knows(path):
    """Lines of its log become rows; the journal has the bytes of the answers it kept."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(store._VERSION_1 + store._VERSION_2)
    database.execute("PRAGMA user_version = 2")
    with transaction(database):
        run = {"run": "r1", "step": 0, "query_sha256": "q"}
        audit.record(database, "STEP", {"code": "CONSENT_UNAVAILABLE", "seq": 1, **run}, NOW)
        audit.record(database, "STEP", {"code": "OK", "seq": 1, **run}, NOW)
        audit.record(database, "SNAPSHOT", {"code": "APPLIED", "seq": 2}, NOW)
        audit.record(database, "APPROVED", {"by": "steward"}, NOW)
        audit.record(database, "STEP", {"code": "PROTOCOL", "seq": 2}, NOW)
        database.execute("INSERT INTO journal VALUES ('r1', 0, 'c', 'OK', x'61', 1)")
    database.close()

    database = open_store(path)
    found = [
        (sent.kind, sent.run, sent.code, sent.body)
        for sent in reversed(Register(database).messages(lists=True))
    ]
    assert found == [
        ("refusal", "r1", "CONSENT_UNAVAILABLE", None),
        ("answer", "r1", "OK", b"a"),
        ("acknowledgement", "", "APPLIED", None),
        ("refusal", "", "PROTOCOL", None),
    ]
    assert Register(database).first_changed() is None
    asked = Register(database).asked("r1", "q")
    assert (asked.study, dict(asked.query), asked.roster) == ("", {}, ())
    database.close()


def test_reading_only(path):
    with pytest.raises(SetupError, match="cannot be read"):
        open_read_only(path)
    assert not path.exists()
    open_store(path).close()
    database = open_read_only(path)
    with pytest.raises(sqlite3.OperationalError):
        database.execute("DELETE FROM asked")
    database.close()

    writing = open_store(path)
    writing.execute("PRAGMA user_version = 1")
    writing.close()
    with pytest.raises(SetupError, match="another version"):
        open_read_only(path)


@pytest.mark.parametrize("texts", [sent_words.TEXTS, sent_report.TEXTS], ids=["words", "report"])
def test_both_languages_say_everything(texts):
    assert texts["nl"].keys() == texts["en"].keys()
    for key, text in texts["nl"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", texts["en"][key]))


def test_numbers_and_moments_for_people(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Europe/Amsterdam")
    time.tzset()
    try:
        assert when(NOW, "nl") == "22 november 2026, 13:00"
        assert when(NOW, "en") == "22 November 2026, 13:00"
        assert moment_text("2026-07-01T12:00:00Z", "nl") == "1 juli 2026, 14:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert moment_text("yesterday", "nl") == "yesterday"
    assert (number(1234567, "nl"), number(1234567, "en")) == ("1.234.567", "1,234,567")
