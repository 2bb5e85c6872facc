"""Each change of the policy is a line of the site's own chained log, with who loosened it."""

import json
import sqlite3
from datetime import datetime

from federation.disclosure.policy import Policy
from federation.site import audit
from federation.site.store import transaction


def note_policy(database: sqlite3.Connection, policy: Policy, now: datetime) -> bool:
    """Write the policy down when it is not the one that was written down last; whether it was not.

    One line POLICY with its SHA-256, and for each looser key one line LOOSENED with the names of
    the two persons and the last day.
    """
    last = database.execute(
        "SELECT facts FROM audit WHERE event = 'POLICY' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if last is not None and json.loads(last[0])["sha256"] == policy.sha256:
        return False
    with transaction(database):
        audit.record(database, "POLICY", {"sha256": policy.sha256}, now)
        for each in policy.loosened:
            facts = {"key": each.key, "names": "; ".join(each.by), "until": each.until.isoformat()}
            audit.record(database, "LOOSENED", facts, now)
    return True
