"""One local database: durable settings, all-or-nothing writing, history that cannot be changed."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest

from federation.methods.base import Step
from federation.site import audit, store
from federation.site.errors import SetupError
from federation.site.history.ledger import SiteLedger
from federation.site.journal import Journal, RunState
from federation.site.store import SCHEMA_VERSION, milliseconds, moment, open_store, transaction

NOW = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "site.sqlite"


@pytest.fixture
def database(path):
    found = open_store(path)
    yield found
    found.close()


def pragma(database, name):
    return database.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_database_is_durable_and_private(database, path):
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2  # FULL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "user_version") == SCHEMA_VERSION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_opens_again(database, path):
    open_store(path).close()


def test_a_newer_or_damaged_database_stops_the_start(path):
    database = open_store(path)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(SetupError, match="another version"):
        open_store(path)

    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(SetupError, match=r"site\.sqlite cannot be opened"):
        open_store(path)


def test_a_transaction_is_whole_or_nothing(database):
    def broken():
        with transaction(database):
            database.execute("INSERT INTO approval VALUES ('x', 'y', 1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert database.execute("SELECT count(*) FROM approval").fetchone() == (0,)
    assert not database.in_transaction


def test_moments_survive(database):
    assert moment(milliseconds(NOW)) == NOW


def state(**more):
    given = {
        "run": "r1",
        "study": "onco",
        "question_sha256": "q",
        "run_sha256": "s",
        "roster": ("h0", "h1"),
        "sets_sha256": "sets",
        "analysis_sha256": "analysis",
        "contributes": True,
        "number": 0,
        "step": Step("first", {"beta": [0.1, 1e-300, -2.5]}),
        "snapshot": 3,
        "started_at": NOW,
    }
    return RunState(**{**given, **more})


def test_a_run_state_reads_back_exactly(database):
    journal = Journal(database)
    journal.keep_run(state())
    assert journal.run("r1") == state()
    assert journal.run("r2") is None

    later = state(number=1, step=Step("second", {"n": 1}, labelled=True), snapshot=4)
    journal.keep_run(later)
    assert journal.run("r1") == later


def test_the_latest_run_of_a_question_in_its_own_study(database):
    journal = Journal(database)
    for n, (study, question) in enumerate([("a", "q"), ("a", "q"), ("b", "q"), ("a", "z")]):
        journal.keep_run(state(run=f"r{n}", study=study, question_sha256=question, started_at=NOW))

    found = [journal.latest(q, s) for q, s in [("q", "a"), ("q", "b"), ("z", "a"), ("z", "b")]]
    assert [f and f.run for f in found] == ["r1", "r2", "r3", None]


def test_the_rosters_of_an_answer_and_of_the_same_sets_asked_again(database):
    ledger, journal = SiteLedger(database), Journal(database)
    ledger.record("q", [("analysis", 7)], run="r1", study="onco", now=NOW, roster=["h1", "h0"])
    ledger.record("q", [("analysis", 8)], run="r5", study="onco", now=NOW, roster=["h9", "h0"])
    journal.keep_run(state(run="r1"))
    journal.keep_run(state(run="r2", roster=("h0", "h2"), started_at=NOW - timedelta(days=900)))
    journal.keep_run(state(run="r3", roster=("h0", "h3"), contributes=False))
    journal.keep_run(state(run="r4", roster=("h0", "h4"), answered=False))
    journal.keep_run(state(run="r5", roster=("h0", "h9"), sets_sha256="other"))

    assert ledger.rosters([1]) == {frozenset({"h0", "h1"}), frozenset({"h0", "h2"})}
    assert ledger.rosters([2]) == {frozenset({"h0", "h9"})}
    assert ledger.rosters([]) == set()


def test_what_a_researcher_was_charged(database):
    ledger = SiteLedger(database)
    for day, requester in enumerate(["a", "b", "a", "a"]):
        when = NOW + timedelta(days=day)
        ledger.record("q", [("x", 1)], run=f"r{day}", study="s", now=when, requester=requester)

    assert ledger.charged_to("a", NOW) == [NOW + timedelta(days=2), NOW + timedelta(days=3)]
    assert ledger.charged_to("c", NOW) == []


def test_a_reply_is_kept_once(database):
    journal = Journal(database)
    journal.keep_reply("r1", 0, "c", "OK", b"bytes", NOW)

    kept = journal.reply("r1", 0)
    assert (kept.content_sha256, kept.code, kept.reply) == ("c", "OK", b"bytes")
    assert journal.reply("r1", 1) is None
    with pytest.raises(sqlite3.IntegrityError):
        journal.keep_reply("r1", 0, "c", "OK", b"other", NOW)


def test_message_numbers_are_remembered_until_a_day_after_they_expire(database):
    journal = Journal(database)
    expires = int(NOW.timestamp())
    journal.keep_seen("old", "sha", expires, NOW)
    journal.keep_seen("old", "another", expires, NOW)
    assert journal.message_of("old") == "sha"

    journal.keep_seen("new", "sha", expires, NOW + timedelta(days=1))
    assert journal.message_of("old") == "sha"

    journal.keep_seen("newer", "sha", expires, NOW + timedelta(days=1, seconds=1))
    assert journal.message_of("old") is None


def test_queries_wait_until_they_are_approved(database):
    journal = Journal(database)
    journal.asked("abc", "onco", {"kind": "count"}, NOW)
    journal.asked("abc", "onco", {"kind": "other"}, NOW)
    assert journal.waiting() == [("abc", "onco", {"kind": "count"}, NOW)]
    assert not journal.approved_here("abc")

    journal.approve("abc", "steward", NOW)
    assert journal.waiting() == []
    assert journal.approved_here("abc")


def charge(ledger, run, *sets, question="q"):
    ledger.record(question, sets, run=run, study="onco", now=NOW)


def test_the_ledger_gives_back_every_set(database):
    ledger = SiteLedger(database)
    big = (1 << 100_000) | 1
    charge(ledger, "r1", ("analysis", big), ("age=[40,45)", 0b1010))
    charge(ledger, "r2", ("analysis", 0))

    assert [(found.entry, found.sets) for found in ledger.since(0)] == [
        (1, (("analysis", big), ("age=[40,45)", 0b1010))),
        (2, (("analysis", 0),)),
    ]
    charge(ledger, "r3", ("analysis", 7))
    assert [found.entry for found in ledger.since(2)] == [3]


def test_a_run_is_charged_once(database):
    """The journal prevents it too; this is the second line."""
    ledger = SiteLedger(database)
    charge(ledger, "r1", ("analysis", 1))
    with pytest.raises(sqlite3.IntegrityError):
        charge(ledger, "r1", ("analysis", 1))


def test_a_charge_that_is_rolled_back_is_not_remembered(database):
    ledger = SiteLedger(database)

    def broken():
        with transaction(database):
            charge(ledger, "r1", ("analysis", 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(ledger.since(0)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET event = 'X'",
        "DELETE FROM audit",
        "UPDATE ledger_set SET bits = x'00'",
        "DELETE FROM ledger_set",
    ],
)
def test_history_cannot_be_changed(database, statement):
    charge(SiteLedger(database), "r1", ("analysis", 1))
    audit.record(database, "STEP", {"code": "OK"}, NOW)

    with pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)


def test_the_audit_is_a_chain(database):
    for step in range(4):
        audit.record(database, "STEP", {"code": "OK", "step": step, "run": "r-1"}, NOW)
    assert audit.first_break(database) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET facts = '{}' WHERE seq = 2",
        "UPDATE audit SET at = 0 WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET hash = previous WHERE seq = 2",
    ],
)
def test_a_changed_line_is_found(database, change):
    for step in range(4):
        audit.record(database, "STEP", {"code": "OK", "step": step}, NOW)
    database.execute("DROP TRIGGER audit_no_update")
    database.execute("DROP TRIGGER audit_no_delete")
    database.execute(change)

    assert audit.first_break(database) == 2


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        ("step", {}),
        ("STEP", {"patient": 1}),
        ("STEP", {"code": "two words"}),
        ("STEP", {"reason": "value\n"}),
        ("STEP", {"reason": "x" * 81}),
    ],
)
def test_the_audit_takes_codes_only(database, event, facts):
    with pytest.raises(ValueError, match="audit"):
        audit.record(database, event, facts, NOW)


def test_a_database_of_version_1_gains_what_version_2_has(path):
    """The roster of an old entry is that of its run; nothing else of the old content changes."""
    database = sqlite3.connect(path)
    database.executescript(store._VERSION_1)
    database.execute("PRAGMA user_version = 1")
    database.execute(
        "INSERT INTO run VALUES ('r1', 'onco', 'q', 's', '[\"h0\",\"h1\"]', 'x', 'y', 1, 0,"
        " 'first', '{}', 0, 3, 5)"
    )
    for run in ("r1", "r2"):
        entry = "INSERT INTO ledger_entry (run, question_sha256, study, at) VALUES (?, 'q', 's', 5)"
        database.execute(entry, (run,))
    database.execute("INSERT INTO ledger_set VALUES (1, 0, 'analysis', x'07')")
    database.commit()
    database.close()

    for _ in range(2):  # the second time there is nothing left to do
        database = open_store(path)
        found = database.execute("SELECT run, requester, roster FROM ledger_entry").fetchall()
        assert found == [("r1", "", '["h0","h1"]'), ("r2", "", "[]")]
        assert next(SiteLedger(database).since(0)).sets == (("analysis", 7),)
        database.execute("SELECT query_sha256, by_name, reason, at FROM refused_here")
        assert pragma(database, "user_version") == SCHEMA_VERSION
        database.close()


def test_a_migrated_database_is_the_same_as_a_new_one(database, tmp_path):
    old = sqlite3.connect(tmp_path / "old.sqlite")
    old.executescript(store._VERSION_1 + "PRAGMA user_version = 1;")
    old.close()

    migrated = open_store(tmp_path / "old.sqlite")

    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    assert migrated.execute(schema).fetchall() == database.execute(schema).fetchall()
    migrated.close()


def test_a_list_of_the_old_form_is_given_up_and_what_it_said_stays(path):
    """After an upgrade nobody is counted until the next list; a "no" and a seen head stay."""
    database = sqlite3.connect(path)
    for script in store._CHANGES[:9]:
        database.executescript(script)
    database.execute("PRAGMA user_version = 9")
    database.execute("INSERT INTO snapshot VALUES (1, 7, x'00', 5)")
    database.execute("INSERT INTO denial VALUES (x'01', 'onco', '*', 5)")
    database.execute("INSERT INTO log_seen VALUES (1, 9, 'root', 5)")
    database.commit()
    database.close()

    database = open_store(path)
    assert database.execute("SELECT count(*) FROM snapshot").fetchone() == (0,)
    assert database.execute("SELECT study, at FROM denial").fetchall() == [("onco", 5)]
    assert database.execute("SELECT size, root FROM log_seen").fetchone() == (9, "root")
    database.close()


def test_a_letter_never_changes_but_that_it_ends(database):
    """What a letter proves is worked out once, so it must stay true."""
    letter = "INSERT INTO letter VALUES ('ABC123', x'01', 'self', 'self', x'02', 5, NULL)"
    database.execute(letter)
    database.execute("UPDATE letter SET ended_at = 6")
    for change in (
        "UPDATE letter SET handle = x'03'",
        "UPDATE letter SET party = 'p-1'",
        "UPDATE letter SET proof_key = x'03'",
        "UPDATE letter SET code_id = 'XYZ789'",
        "DELETE FROM letter",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="a letter"):
            database.execute(change)
