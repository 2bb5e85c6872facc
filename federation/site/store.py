"""site.sqlite: the one local database of a site. WAL, synchronous FULL, versioned schema.

Everything that must be true together is written in one `transaction`. Two programs may have the
file open (the serving process and a command of the administrator); only one serves.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from federation.site.errors import SetupError
from federation.site.store_consent import VERSION_7, VERSION_8, VERSION_9, VERSION_10
from federation.site.store_matching import VERSION_12
from federation.site.store_notices import NOTICES
from federation.site.store_own import OWN_SETS
from federation.site.store_prom import VERSION_11

SCHEMA_VERSION = 14
BUSY_SECONDS = 8.0

_VERSION_1 = """
CREATE TABLE snapshot (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    message BLOB NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
CREATE TABLE seen (
    jti TEXT PRIMARY KEY,
    message_sha256 TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE TABLE run (
    run TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    question_sha256 TEXT NOT NULL,
    run_sha256 TEXT NOT NULL,
    roster TEXT NOT NULL,
    sets_sha256 TEXT NOT NULL,
    analysis_sha256 TEXT NOT NULL,
    contributes INTEGER NOT NULL CHECK (contributes IN (0, 1)),
    step INTEGER NOT NULL,
    step_name TEXT NOT NULL,
    params TEXT NOT NULL,
    labelled INTEGER NOT NULL CHECK (labelled IN (0, 1)),
    snapshot INTEGER NOT NULL,
    started_at INTEGER NOT NULL
) STRICT;
CREATE INDEX run_by_question ON run (question_sha256, started_at);
CREATE TABLE journal (
    run TEXT NOT NULL,
    step INTEGER NOT NULL,
    content_sha256 TEXT NOT NULL,
    code TEXT NOT NULL,
    reply BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, step)
) STRICT;
CREATE TABLE ledger_entry (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL UNIQUE,
    question_sha256 TEXT NOT NULL,
    study TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE ledger_set (
    entry INTEGER NOT NULL REFERENCES ledger_entry,
    place INTEGER NOT NULL,
    label TEXT NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (entry, place)
) STRICT;
CREATE TABLE slot (
    slot INTEGER PRIMARY KEY,
    handle BLOB NOT NULL
) STRICT;
CREATE INDEX slot_by_handle ON slot (handle);
CREATE TABLE slot_values (
    variable TEXT PRIMARY KEY,
    hashes BLOB NOT NULL
) STRICT;
CREATE TABLE asked (
    query_sha256 TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    query TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE approval (
    query_sha256 TEXT PRIMARY KEY,
    by_name TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    facts TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit lines are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit lines are never removed'); END;
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_set
    BEGIN SELECT RAISE(ABORT, 'the ledger is never changed'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_set
    BEGIN SELECT RAISE(ABORT, 'the ledger is never shortened'); END;
"""
# requester and roster: who asked, and with which hospitals. Before version 2 nobody knew who, and
# the roster stood with the run. refused_here: queries that a person of the hospital turned down.
# votes: what this hospital's auditor said in the look. answered: sums left, not the look only.
# released_mark: by what the hospitals together recognise a set; mark_key: this hospital's secret.
_VERSION_2 = """
CREATE TABLE released_mark (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    label TEXT NOT NULL,
    mark TEXT NOT NULL
) STRICT;
CREATE TABLE mark_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL
) STRICT;
ALTER TABLE ledger_entry ADD COLUMN requester TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger_entry ADD COLUMN roster TEXT NOT NULL DEFAULT '[]';
UPDATE ledger_entry SET roster = coalesce(
    (SELECT run.roster FROM run WHERE run.run = ledger_entry.run), '[]');
ALTER TABLE run ADD COLUMN votes TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN answered INTEGER NOT NULL DEFAULT 1 CHECK (answered IN (0, 1));
CREATE INDEX ledger_by_requester ON ledger_entry (requester, at);
CREATE INDEX run_by_sets ON run (sets_sha256);
CREATE TABLE refused_here (
    query_sha256 TEXT PRIMARY KEY,
    by_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
"""
# sent: one row per message that left, beside the audit line that tells of it; body only where the
# journal does not hold the bytes. question, codebook, run_asked: to say in words what was asked.
_VERSION_3 = """
CREATE TABLE sent (
    line INTEGER PRIMARY KEY REFERENCES audit,
    kind TEXT NOT NULL,
    run TEXT NOT NULL,
    step INTEGER NOT NULL,
    step_name TEXT NOT NULL,
    query_sha256 TEXT NOT NULL,
    patients INTEGER,
    body BLOB
) STRICT;
CREATE INDEX sent_by_run ON sent (run, line);
CREATE TABLE question (
    query_sha256 TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    codebook_sha256 TEXT NOT NULL,
    query TEXT NOT NULL
) STRICT;
CREATE TABLE codebook (
    sha256 TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT;
CREATE TABLE run_asked (
    run TEXT PRIMARY KEY,
    query_sha256 TEXT NOT NULL,
    terms TEXT NOT NULL,
    requester TEXT NOT NULL,
    roster TEXT NOT NULL
) STRICT;
INSERT INTO sent
    SELECT seq,
        CASE WHEN event = 'SNAPSHOT' THEN 'acknowledgement'
            WHEN json_extract(facts, '$.code') = 'OK' THEN 'answer'
            WHEN json_extract(facts, '$.code') = 'REPLAY' THEN 'replay'
            ELSE 'refusal' END,
        coalesce(json_extract(facts, '$.run'), ''),
        coalesce(json_extract(facts, '$.step'), 0),
        '',
        coalesce(json_extract(facts, '$.query_sha256'), ''),
        NULL,
        NULL
    FROM audit WHERE event IN ('STEP', 'SNAPSHOT');
CREATE TRIGGER sent_no_update BEFORE UPDATE ON sent
    BEGIN SELECT RAISE(ABORT, 'what left is never changed'); END;
CREATE TRIGGER sent_no_delete BEFORE DELETE ON sent
    BEGIN SELECT RAISE(ABORT, 'what left is never forgotten'); END;
"""
# coverage: what was last worked out to be told of how much is filled. extraction: a few numbers per
# variable of each reading by `site check`, to see what the next one changes.
_VERSION_4 = """
CREATE TABLE coverage (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    basis TEXT NOT NULL,
    content TEXT NOT NULL,
    at INTEGER NOT NULL,
    sent_at INTEGER
) STRICT;
CREATE TABLE extraction (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    version TEXT NOT NULL,
    summary TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX extraction_by_subject ON extraction (subject, number);
"""
# study_release: the patients of a study when it last took questions, where a hospital withholds.
_VERSION_5 = """
CREATE TABLE study_release (
    study TEXT PRIMARY KEY,
    bits BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX run_by_step_name ON run (step_name);
"""
# inside: what is sealed in a message; this hospital has no key that opens it again.
_VERSION_6 = """
ALTER TABLE sent ADD COLUMN inside BLOB;
"""
_CHANGES = (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    _VERSION_5,
    _VERSION_6,
    VERSION_7,
    VERSION_8,
    VERSION_9,
    VERSION_10,
    VERSION_11,
    VERSION_12,
    NOTICES,
    OWN_SETS,
)
"""What each version adds to the one before it; a new database gets all of them."""


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open the database of a site, running or not, for looking only. SetupError when there is
    none, or when it is of another version than this program."""
    try:
        database = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}?mode=ro",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        database.execute("PRAGMA query_only = ON")
        (version,) = database.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise SetupError(
            "site.sqlite cannot be read; start the site once, or restore the file."
        ) from error
    if version != SCHEMA_VERSION:
        database.close()
        raise SetupError("site.sqlite is of another version; start the site once with this one.")
    return database


def open_store(path: Path) -> sqlite3.Connection:
    """Open the database, making it when it is not there. SetupError when it cannot be used."""
    try:
        path.touch(0o600)
        path.chmod(0o600)
        database = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        _write_ahead(database)
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        _migrate(database)
    except (sqlite3.Error, OSError) as error:
        raise SetupError(
            "site.sqlite cannot be opened; restore it, or end the program that holds it."
        ) from error
    return database


def _write_ahead(database: sqlite3.Connection) -> None:
    """Turn the write-ahead log on. SQLite does not always wait by itself for this one lock: where
    two programs open a new file at once it answers "busy" to one of them straight away."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _migrate(database: sqlite3.Connection) -> None:
    with transaction(database):
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if not 0 <= version <= SCHEMA_VERSION:
            raise SetupError("site.sqlite was made by another version; update the program.")
        for script in _CHANGES[version:]:
            for statement in _statements(script):
                database.execute(statement)
        if version < SCHEMA_VERSION:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    """The single statements of a script; `executescript` would commit by itself."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, on disk when it ends."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def milliseconds(moment: datetime) -> int:
    """A UTC moment as it stands in the database."""
    return int(moment.timestamp() * 1000)


def moment(value: int) -> datetime:
    """The UTC moment of `milliseconds`."""
    return datetime.fromtimestamp(value / 1000, UTC)
