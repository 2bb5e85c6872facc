"""The state of a site: what it answered, which consent it counts by, whether its log holds."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from consent.errors import ConsentError
from consent.snapshot import Snapshot
from federation.protocol.errors import ProtocolError
from federation.site import audit
from federation.site.choices.consenting import Consenting
from federation.site.choices.state import choices_state
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.journal import Journal
from federation.site.settings import read_peers
from federation.site.steward.overview import Overview
from federation.site.steward.sent import Register
from federation.site.stopping import read_stop


def read_status(path: Path, now: datetime) -> dict[str, Any]:
    """The state of the site in `path`, after a check of the whole directory, keys included."""
    SiteDirectory.load(path, now)
    return state(Overview(path), now)


def state(overview: Overview, now: datetime) -> dict[str, Any]:
    """Numbers of answers and refusals, the snapshot in use, and whether the log is unbroken."""
    settings, policy = overview.settings, overview.policy
    stop = read_stop(overview.path)
    with overview.database() as database:
        snapshot = _snapshot(overview, database)
        codes = database.execute("SELECT code, count(*) FROM journal GROUP BY code ORDER BY code")
        register = Register(database)
        return {
            "site": settings.slug,
            "network": settings.network,
            "protection": policy.protection,
            "policy_sha256": policy.sha256,
            "loosened": [each.key for each in policy.loosened],
            "stopped": stop is not None,
            "paused": None if stop is None else stop.to_dict(),
            "studies": sorted(settings.studies),
            "sites_pinned": sorted(read_peers(overview.path)),
            "snapshot": None if snapshot is None else snapshot.seq,
            "snapshot_age_minutes": None
            if snapshot is None
            else round((now - snapshot.issued).total_seconds() / 60, 1),
            "snapshot_fresh": _fresh(snapshot, now, policy.consent_max_age_min),
            "answers": {str(code): int(n) for code, n in codes},
            "sent": register.counts(),
            "choices": dict(choices_state(database)),
            "ledger_entries": _count(database, "SELECT count(*) FROM ledger_entry"),
            "waiting_for_approval": len(Journal(database).waiting()),
            "refused_here": _count(database, "SELECT count(*) FROM refused_here"),
            "audit_lines": _count(database, "SELECT count(*) FROM audit"),
            "audit_intact": audit.first_break(database) is None,
            "sent_intact": register.first_changed() is None,
        }


def _snapshot(overview: Overview, database: sqlite3.Connection) -> Snapshot | None:
    settings = overview.settings
    try:
        return Consenting(
            database,
            slug=settings.slug,
            network=settings.network,
            hub_public=settings.hub_public,
            periods=settings.periods,
        ).snapshot
    except (ProtocolError, ConsentError) as error:
        raise SetupError(
            "the consent snapshot in site.sqlite does not fit site.toml; check hub and network."
        ) from error


def _fresh(snapshot: Snapshot | None, now: datetime, minutes: int) -> bool:
    if snapshot is None:
        return False
    try:
        snapshot.check_fresh(now, timedelta(minutes=minutes))
    except ConsentError:
        return False
    return True


def _count(database: sqlite3.Connection, statement: str) -> int:
    return int(database.execute(statement).fetchone()[0])
