"""What an administrator can see and decide without stopping the serving program."""

import re
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from federation.site import audit
from federation.site.consenting import Consenting
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.journal import Journal
from federation.site.store import open_store, transaction

_BY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}")


def read_status(path: Path, now: datetime) -> dict[str, Any]:
    """Numbers of answers and refusals, the snapshot in use, and whether the log is unbroken."""
    directory = SiteDirectory.load(path)
    database = open_store(directory.database)
    try:
        settings = directory.settings
        snapshot = Consenting(
            database, slug=directory.slug, network=settings.network, hub_public=settings.hub_public
        ).snapshot
        codes = database.execute("SELECT code, count(*) FROM journal GROUP BY code ORDER BY code")
        return {
            "site": directory.slug,
            "network": settings.network,
            "protection": directory.policy.protection,
            "stopped": directory.stopped,
            "studies": sorted(settings.studies),
            "sites_pinned": sorted(directory.peers),
            "snapshot": None if snapshot is None else snapshot.seq,
            "snapshot_age_minutes": None
            if snapshot is None
            else round((now - snapshot.issued).total_seconds() / 60, 1),
            "answers": {str(code): int(n) for code, n in codes},
            "ledger_entries": _count(database, "SELECT count(*) FROM ledger_entry"),
            "waiting_for_approval": len(Journal(database).waiting()),
            "audit_lines": _count(database, "SELECT count(*) FROM audit"),
            "audit_intact": audit.first_break(database) is None,
        }
    finally:
        database.close()


def waiting_queries(path: Path) -> list[dict[str, Any]]:
    """The queries that the committee approved and this hospital has not yet."""
    database = open_store(SiteDirectory.load(path).database)
    try:
        return [
            {
                "query_sha256": sha256,
                "study": study,
                "asked_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "query": query,
            }
            for sha256, study, query, at in Journal(database).waiting()
        ]
    finally:
        database.close()


def approve_query(path: Path, query_sha256: str, by: str, now: datetime) -> None:
    """Approve one of the waiting queries. SetupError when it does not wait, or `by` is no name
    of letters, digits and - _ . :"""
    if not _BY.fullmatch(by):
        raise SetupError("--by must be a short name or role of letters, digits, '-' and '.'.")
    database = open_store(SiteDirectory.load(path).database)
    try:
        journal = Journal(database)
        with transaction(database):
            if query_sha256 not in {waiting[0] for waiting in journal.waiting()}:
                raise SetupError("No query with this hash waits for approval.")
            journal.approve(query_sha256, by, now)
            audit.record(database, "APPROVED", {"query_sha256": query_sha256, "by": by}, now)
    finally:
        database.close()


def _count(database: sqlite3.Connection, statement: str) -> int:
    return int(database.execute(statement).fetchone()[0])
