"""The hospital tells people of every yes, by its own channel, once; and hears when it is not so."""

from __future__ import annotations

import csv
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from notice_ward import NOW, Ward, notice_of, staffed

from consent.reading_level import too_hard
from federation.site import audit
from federation.site.choices.notices import Owed
from federation.site.desk.doing import opened
from federation.site.desk.letter_pdf import Sender
from federation.site.desk.notice_letter import (
    Notice,
    counting_from,
    notice_html,
    notice_text,
    sentences,
)
from federation.site.steward.sent import Register, decoded
from federation.site.steward.sent_words import contents, what_left
from federation.site.store import open_store, transaction


@pytest.fixture
def ward(make_site: Any) -> Ward:
    return staffed(make_site)


def test_every_yes_is_told_once_by_letter_and_none_is_lost(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("federation.site.desk.telling.letter_pdf", lambda _html: None)
    made_up = replace(ward.act("P2"), mac=b"\1" * 16)
    assert ward.take(ward.act("P1"), made_up) == "APPLIED"
    assert ward.waiting() == {1: "P1"}  # what is not proved does not count, and is told to nobody
    # The same again is no other yes; more under the same name of an act is.
    wider = ward.act("P1", yes=("use.ai", "use.network", "use.record"))
    ward.take(ward.act("P1"), ward.act("P2"))
    ward.take(ward.act("P1"), ward.act("P2"), wider)
    [anna, bea] = ward.done("list")
    assert (anna["notice"], anna["number"], anna["kept_back"]) == (1, "P1", None)
    assert bea["letters"] == [ward.keys["P2"][0]]

    out = tmp_path / "out"
    told = ward.done("letters", "--out", out, "--by", "Anna")
    assert told == {"told": 2, "not_sent": 0, "unsure": 0, "number_unknown": 0, "kept_back": 0}
    rows = list(csv.DictReader((out / "addresses.csv").read_text().splitlines()))
    assert {row["number"]: row["party"] for row in rows} == {"P1": "self", "P2": "self"}
    assert stat.S_IMODE((out / rows[0]["file"]).stat().st_mode) == 0o600
    assert ward.waiting() == {}
    ward.take(ward.act("P1"), ward.act("P2"), wider)
    assert ward.done("letters", "--out", out, "--by", "Anna")["told"] == 0

    # One that came back is made again, and stands beside the first.
    again = ward.done("again", 1, "--out", out, "--by", "Anna")
    assert again["file"] != rows[0]["file"]
    assert (out / again["file"]).exists()
    assert [each["state"] for each in ward.done("list", "--told")] == ["told"] * 3
    database = open_store(ward.site.database)
    try:
        for statement in ("DELETE FROM notice", "DELETE FROM telling"):
            with pytest.raises(Exception, match="never forgotten"):
                database.execute(statement)
        with pytest.raises(Exception, match="stays what it was"):
            database.execute("UPDATE notice SET handle = x'00'")
        assert audit.first_break(database) is None
        assert "P1" not in "\n".join(database.iterdump())
    finally:
        database.close()


def test_the_hospitals_own_command_is_run_once_and_what_is_unsure_is_said(
    ward: Ward, tmp_path: Path
) -> None:
    ward.take(ward.act("P1"))
    assert ward.run("send").exit_code == 2  # there is no command yet
    kept = tmp_path / "sent"
    ward.own_command(f"exit 3; cat > {kept}")
    refused = ward.run("send")
    assert (refused.exit_code, json.loads(refused.stdout)["not_sent"]) == (1, 1)
    assert ward.waiting() == {1: "P1"}  # it said that it did not send
    ward.own_command("sleep 20")
    assert json.loads(ward.run("send").stdout)["unsure"] == 1
    [unsure] = ward.done("list")
    assert unsure["kept_back"] == "unsure"
    ward.own_command(f"cat >> {kept}")
    assert ward.done("send")["told"] == 0  # nobody knows whether it left: not sent again by itself
    ward.done("again", 1, "--by", "Anna")
    assert ward.done("send")["told"] == 1
    assert ward.done("send")["told"] == 0
    message = json.loads(kept.read_text())
    assert (message["number"], message["reference"], message["party"]) == ("P1", 1, "self")
    assert "085 1234567" in message["text"]
    for secret in ("onco", "use.", "kanker", ward.keys["P1"][0]):
        assert secret not in message["text"].lower().replace("h0", "")
    [*_, first] = ward.done("list", "--told")
    assert (first["state"], first["by"]) == ("not sent", "site notices")


def test_somebody_calls_and_it_stops_at_once(ward: Ward) -> None:
    ward.take(ward.act("P1"))
    assert ward.counts("P1")
    found = ward.done("wrong", 1, "--by", "Anna")
    assert found["stopped"] == ["onco"]
    assert found["letters_ended"] == [ward.keys["P1"][0]]
    assert not ward.counts("P1")
    # Whoever has the old code says yes again: the letter has ended.
    later = ward.act("P1", at=NOW + timedelta(hours=1), act="34" * 16)
    ward.take(ward.act("P1"), later, now=NOW + timedelta(hours=2))
    assert not ward.counts("P1", NOW + timedelta(hours=2))
    assert ward.waiting() == {}
    assert ward.run("wrong", 9, "--by", "Anna").exit_code == 2
    assert ward.run("told", 1, "--how", "phone", "--by", "Anna").exit_code == 2


def test_who_wants_no_messages_is_told_by_a_person_and_the_dead_by_nobody(
    ward: Ward, tmp_path: Path
) -> None:
    ward.take(ward.act("P1"), ward.act("P2"))
    with opened(ward.site.path, "Anna") as desk, desk.act():
        desk.people.stop_contact(ward.site.handles.handle("P1"), NOW)
        desk.people.died(ward.site.handles.handle("P2"), NOW)
    assert ward.done("letters", "--out", tmp_path / "o", "--by", "Anna")["kept_back"] == 2
    assert {each["number"]: each["kept_back"] for each in ward.done("list")} == {
        "P1": "no_contact",
        "P2": "died",
    }
    ward.done("told", notice_of(ward, "P1"), "--how", "phone", "--by", "Anna")
    assert set(ward.waiting().values()) == {"P2"}


def test_a_yes_counts_only_after_its_notice_where_the_hospital_wants_that(ward: Ward) -> None:
    toml = ward.site.path / "site.toml"
    lines = toml.read_text().replace("[source]", "[consent]\nnotice_days = 7\n\n[source]")
    toml.write_text(lines)
    ward.take(ward.act("P1"), ward.act("P2"))
    assert not ward.counts("P1")  # though the hub says yes, with a proof
    database = open_store(ward.site.database)
    try:
        # It is not counted yet; it is not a yes that could not be verified.
        assert database.execute("SELECT patients FROM unproven").fetchone()[0] == 1
        # The hub is told, so that the patient's page can say it; the board reads it in words.
        (line,) = database.execute("SELECT max(line) FROM sent").fetchone()
        left = Register(database).message(line)
        assert left is not None
        assert decoded(left.body)["claims"]["notice_days"] == 7
        assert any("telt hier 7 dagen" in words for words in what_left(left, contents(left), "nl"))
        assert contents(left).other == ()
    finally:
        database.close()
    ward.own_command("cat > /dev/null")
    assert ward.done("send")["told"] == 2
    # P2 calls before the week is over: that yes never begins to count.
    ward.done("wrong", notice_of(ward, "P2"), "--by", "Anna")
    week = datetime.now(UTC) + timedelta(days=7)
    ward.take(ward.act("P1"), ward.act("P2"), now=week - timedelta(minutes=30))
    assert not ward.counts("P1", week - timedelta(minutes=30))
    # The clock alone opens it, between two lists.
    later = week + timedelta(minutes=10)
    assert (ward.counts("P1", later), ward.counts("P2", later)) == (True, False)
    # The letter came back: it was not told, so it does not count.
    ward.done("again", notice_of(ward, "P1"), "--by", "Anna")
    assert not ward.counts("P1", later)


def test_what_counted_before_notices_were_kept_is_told_to_nobody(ward: Ward) -> None:
    ward.take(ward.act("P1"))
    database = open_store(ward.site.database)
    with transaction(database):  # as a site of the version before this one left it
        for table in ("notice", "telling"):
            database.execute(f"DROP TRIGGER {table}_no_delete")
            database.execute(f"DELETE FROM {table}")
    database.close()
    ward.take(ward.act("P1"), ward.act("P2"))
    assert set(ward.waiting().values()) == {"P2"}


@pytest.mark.parametrize("party", ["self", "p-0123456789abcdef"])
def test_the_words_are_plain_and_say_nothing_of_what_it_is_about(party: str) -> None:
    owed = Owed(b"a" * 20, party, (12, 13), ("onco-trial",), ("ABC123",), NOW)
    sender = Sender("https://keuze.example/mijn", "085 123 45 67", "Ziekenhuis 'Nul' & <co>")
    notice = Notice(owed, sender, counting_from(7, NOW))
    for language in ("nl", "en"):
        said = sentences(notice, language)
        assert "085 123 45 67" in said["wrong"]
        assert " 12" in said["wrong"]
        assert "from" in said
    assert too_hard(sentences(notice, "nl").values()) == []
    assert "from" not in sentences(replace(notice, counts=None), "nl")
    html = notice_html(notice)
    assert "&lt;co&gt;" in html
    assert html.count("<h1>") == html.count("<h2>") == 1
    for secret in ("onco", "trial", "ABC123", "kanker", "cancer"):
        assert secret not in html + notice_text(notice)
