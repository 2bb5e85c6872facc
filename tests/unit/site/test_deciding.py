"""Decisions of the hospital's people: what is refused, what is kept, what the log says."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from federation.site import audit
from federation.site.errors import SetupError
from federation.site.journal import Journal
from federation.site.steward.deciding import (
    approve_query,
    check_name,
    check_reason,
    pause_site,
    refuse_query,
    resume_site,
)
from federation.site.steward.overview import Overview
from federation.site.stopping import STOP_FILE, Stop, is_stopped, read_stop, write_stop
from federation.site.store import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def waiting(site):
    """A site that was asked one query, which waits."""
    database = open_store(site.database)
    Journal(database).asked(ONE, "onco", {"title": "A title", "purpose": "Why"}, NOW)
    database.close()
    return site.path


def lines(path):
    database = sqlite3.connect(path / "site.sqlite")
    try:
        assert audit.first_break(database) is None
        found = database.execute("SELECT event, facts FROM audit ORDER BY seq").fetchall()
        return [(event, json.loads(facts)) for event, facts in found]
    finally:
        database.close()


@pytest.mark.parametrize("by", ["", "  ", "x", "1234", "\n", "a" * 101, "An\x00na", "An\u202ena"])
def test_a_decision_needs_a_name(waiting, by):
    for decide in (
        lambda: approve_query(waiting, ONE, by, NOW),
        lambda: refuse_query(waiting, ONE, by, "a reason", NOW),
        lambda: pause_site(waiting, by, "a reason", NOW),
        lambda: resume_site(waiting, by, NOW),
    ):
        with pytest.raises(SetupError, match="--by"):
            decide()
    assert lines(waiting) == []
    assert not is_stopped(waiting)


@pytest.mark.parametrize("by", ["Anna de Vries", "Łukasz Żółć", "O'Neill-Smit", "dpo", "王 伟"])
def test_names_of_people(by):
    assert check_name(f"  {by.replace(' ', '   ')} ") == by


@pytest.mark.parametrize("reason", ["", "  a ", "x" * 501, "be\x1bll"])
def test_a_refusal_and_a_pause_need_a_reason(waiting, reason):
    for decide in (
        lambda: refuse_query(waiting, ONE, "Anna", reason, NOW),
        lambda: pause_site(waiting, "Anna", reason, NOW),
    ):
        with pytest.raises(SetupError, match="--reason"):
            decide()
    assert check_reason(" two \n lines ") == "two lines"


def test_only_what_was_asked_can_be_approved(waiting):
    for unknown in (TWO, "x", "", ONE[:-1]):
        with pytest.raises(SetupError, match="no query with this hash"):
            approve_query(waiting, unknown, "Anna", NOW)
    approve_query(waiting, ONE, "Anna de Vries", NOW)
    with pytest.raises(SetupError, match="no query with this hash"):
        approve_query(waiting, ONE, "Anna de Vries", NOW)

    assert lines(waiting) == [("APPROVED", {"query_sha256": ONE, "names": "Anna de Vries"})]


def test_the_last_decision_counts(waiting):
    database = open_store(waiting / "site.sqlite")
    journal = Journal(database)
    assert refuse_query(waiting, ONE, "Anna", "one", NOW)
    assert (journal.refused_here(ONE), journal.approved_here(ONE)) == (True, False)
    approve_query(waiting, ONE, "Bert", NOW + timedelta(1))
    assert (journal.refused_here(ONE), journal.approved_here(ONE)) == (False, True)
    refuse_query(waiting, ONE, "Anna", "two", NOW + timedelta(2))
    refuse_query(waiting, ONE, "Anna", "three", NOW + timedelta(3))
    assert (journal.refused_here(ONE), journal.approved_here(ONE)) == (True, False)
    assert not refuse_query(waiting, TWO, "Bert", "not asked yet", NOW + timedelta(4))

    assert journal.waiting() == []
    assert [row[:4] for row in journal.decided()] == [
        (TWO, "refused", "Bert", "not asked yet"),
        (ONE, "refused", "Anna", "three"),
    ]
    database.close()


@pytest.mark.parametrize("sha256", ["", "x", "1" * 63, "G" * 64, "1" * 65])
def test_what_is_no_hash_cannot_be_refused(waiting, sha256):
    with pytest.raises(SetupError, match="64 hexadecimal"):
        refuse_query(waiting, sha256, "Anna", "a reason", NOW)


def test_the_reason_is_not_in_the_log_but_its_hash_is(waiting):
    refuse_query(waiting, ONE, "Anna", "a private reason", NOW)
    pause_site(waiting, "Anna", "a private reason", NOW)

    (_, refused), (_, paused) = lines(waiting)
    assert "private" not in json.dumps([refused, paused])
    assert refused["sha256"] == paused["sha256"]
    assert Overview(waiting).decided()[0][3] == "a private reason"


def test_a_pause_says_who_when_and_why(waiting):
    pause_site(waiting, "Anna 'de' \"Vries\"", 'Back\\slash and "quotes" and é 😀', NOW)

    stop = read_stop(waiting)
    assert stop == Stop(
        "Anna 'de' \"Vries\"", "2026-11-22T12:00:00Z", 'Back\\slash and "quotes" and é 😀'
    )
    resume_site(waiting, "Anna", NOW)
    assert read_stop(waiting) is None
    assert [event for event, _ in lines(waiting)] == ["PAUSED", "RESUMED"]


def test_a_site_that_is_not_paused_cannot_resume(waiting):
    with pytest.raises(SetupError, match="not paused"):
        resume_site(waiting, "Anna", NOW)
    assert lines(waiting) == [], "what did not happen is not in the log"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"not toml", b"by = 3\nreason = ['x']\n", b"x" * 50_000]
)
def test_any_file_stops_the_site(waiting, content):
    (waiting / STOP_FILE).write_bytes(content)

    assert read_stop(waiting) == Stop()


def test_a_folder_called_stop_stops_the_site_too(waiting):
    (waiting / STOP_FILE).mkdir()
    assert read_stop(waiting) == Stop()
    with pytest.raises(SetupError, match="by hand"):
        resume_site(waiting, "Anna", NOW)
    with pytest.raises(SetupError, match="by hand"):
        write_stop(waiting, "Anna", "why", NOW)


def test_a_link_to_nothing_stops_the_site_too(waiting):
    (waiting / STOP_FILE).symlink_to(waiting / "nowhere")
    assert read_stop(waiting) == Stop()


def test_a_place_that_cannot_be_looked_at_is_no_free_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        is_stopped(tmp_path / "file")


def test_a_second_pause_replaces_the_first(waiting):
    pause_site(waiting, "Anna", "first", NOW)
    pause_site(waiting, "Bert", "second", NOW)
    assert read_stop(waiting).by == "Bert"


def test_a_pause_holds_even_when_the_log_cannot_be_written(waiting):
    (waiting / "site.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(SetupError, match=r"site\.sqlite"):
        pause_site(waiting, "Anna", "because", NOW)

    assert is_stopped(waiting)


def test_a_site_stays_paused_when_the_log_cannot_be_written(waiting):
    pause_site(waiting, "Anna", "because", NOW)
    holder = sqlite3.connect(waiting / "site.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(SetupError, match=r"site\.sqlite"):
        resume_site(waiting, "Anna", NOW)
    holder.close()

    assert is_stopped(waiting)


def test_a_directory_that_is_none_is_not_made_into_one(tmp_path):
    for decide in (
        lambda: pause_site(tmp_path, "Anna", "a reason", NOW),
        lambda: refuse_query(tmp_path, ONE, "Anna", "a reason", NOW),
        lambda: Overview(tmp_path),
    ):
        with pytest.raises(SetupError, match=r"site\.toml is missing"):
            decide()
    assert list(tmp_path.iterdir()) == []
