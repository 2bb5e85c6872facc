"""What people of the hospital decide about their site, each decision a line of its chained log.

Approve or refuse a query, pause and resume everything, cut the link to a patient whose data were
deleted. Every function can be called while the site program runs; it obeys from its next message.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from federation.site import audit
from federation.site.choices.handles import is_known
from federation.site.directory import DATABASE_FILE, SiteDirectory
from federation.site.errors import SetupError
from federation.site.history.slots import Slots
from federation.site.journal import Journal
from federation.site.settings import read_settings
from federation.site.stopping import Stop, remove_stop, write_stop
from federation.site.store import open_store, transaction

MAX_NAME = 100
MAX_REASON = 500
_SHA256 = re.compile(r"[0-9a-f]{64}")


def approve_query(path: Path, query_sha256: str, by: str, now: datetime) -> None:
    """Approve a query that waits, or that was refused here before.

    SetupError when no such query was asked, or `by` is no name.
    """
    name = check_name(by)
    with _database(path) as database:
        journal = Journal(database)
        waiting = {row[0] for row in journal.waiting()}
        if query_sha256 not in waiting and not journal.refused_here(query_sha256):
            raise SetupError("no query with this hash waits for approval; list them first.")
        journal.approve(query_sha256, name, now)
        audit.record(database, "APPROVED", {"query_sha256": query_sha256, "names": name}, now)


def refuse_query(path: Path, query_sha256: str, by: str, reason: str, now: datetime) -> bool:
    """Turn a query down, whoever approved it, until it is approved here by command; whether it was
    asked here before.

    SetupError when the hash is none, `by` is no name or `reason` no text.
    """
    name, why = check_name(by), check_reason(reason)
    if not _SHA256.fullmatch(query_sha256):
        raise SetupError("the hash of a query has 64 hexadecimal digits; copy all of it.")
    with _database(path) as database:
        Journal(database).refuse(query_sha256, name, why, now)
        facts = {"query_sha256": query_sha256, "names": name, "sha256": _sha256(why)}
        audit.record(database, "REFUSED_HERE", facts, now)
        known = database.execute(
            "SELECT EXISTS (SELECT 1 FROM asked WHERE query_sha256 = :sha256)"
            " OR EXISTS (SELECT 1 FROM question WHERE query_sha256 = :sha256)",
            {"sha256": query_sha256},
        ).fetchone()
        return bool(known[0])


def pause_site(path: Path, by: str, reason: str, now: datetime) -> Stop:
    """Stop all answers from the next message on. SetupError when `by` is no name or `reason` no
    text, and when the log cannot be written: the site is stopped then all the same."""
    name, why = check_name(by), check_reason(reason)
    read_settings(path)
    stop = write_stop(path, name, why, now)
    with _database(path) as database:
        audit.record(database, "PAUSED", {"names": name, "sha256": _sha256(why)}, now)
    return stop


def resume_site(path: Path, by: str, now: datetime) -> None:
    """Let the site answer again. SetupError when `by` is no name, or it was not stopped."""
    name = check_name(by)
    with _database(path) as database:
        # The file goes last: a log that cannot be written leaves the site stopped.
        audit.record(database, "RESUMED", {"names": name}, now)
        remove_stop(path)


def erase_patient(path: Path, number: str, by: str, now: datetime) -> None:
    """Cut the link between a patient whose data were deleted and the ledger's bits (rule W5).

    The bits stay, without a meaning: they protect the others. SetupError when the patient is still
    in the data or was never linked here; DataError when the data cannot be read.
    """
    name = check_name(by)
    directory = SiteDirectory.load(path, now)
    if is_known(directory, number):
        raise SetupError(
            "the data still hold this number; delete the patient there first, or the patient would "
            "come back as a new one."
        )
    with _database(path) as database:
        units = {unit for mapped in directory.mappings.values() for unit in mapped.tables}
        if not Slots(database).erase(directory.handles.handle(number.strip()), sorted(units)):
            raise SetupError("no patient with this number is linked here; nothing was changed.")
        audit.record(database, "ERASED", {"names": name}, now)


def check_name(by: str) -> str:
    """A person's name as it goes into the log. SetupError when it cannot be one."""
    name = " ".join(by.split())
    letters = sum(character.isalpha() for character in name)
    if letters < 2 or len(name) > MAX_NAME or not name.isprintable():
        raise SetupError("--by must be the name of a person: at least two letters, at most 100.")
    return name


def check_reason(reason: str) -> str:
    """A reason on one line. SetupError when it is empty, too long or not text."""
    why = " ".join(reason.split())
    if not 3 <= len(why) <= MAX_REASON or not why.isprintable():
        raise SetupError("--reason must be a text of 3 to 500 characters.")
    return why


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """The site's database in one transaction: all of a decision is kept, or none."""
    read_settings(path)
    database = open_store(path / DATABASE_FILE)
    try:
        with transaction(database):
            yield database
    except sqlite3.Error as error:
        raise SetupError("site.sqlite cannot be written; free disk space and repeat.") from error
    finally:
        database.close()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
