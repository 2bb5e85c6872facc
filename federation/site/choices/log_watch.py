"""The hub's log of choices as this hospital saw it: it may only ever grow.

With each consent list the hub tells the head of its log and shows that it continues the head told
before (RFC 9162, 2.1.4). A hub that rewrites history, or shows two hospitals different ones, is
found out: here, or by comparing what hospitals confirm.
"""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from consent.errors import ConsentError
from consent.log import EMPTY_ROOT, verify_consistency
from consent.snapshot import Snapshot
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity
from federation.protocol.transparency import open_witness
from federation.site.store import milliseconds

MOST_OTHERS = 50
OTHERS = 2
"""Of so many other hospitals, where there are, a list carries what they saw."""
SEEN_WITHIN = timedelta(days=1)
ALONE = "alone"
"""In the site's own log: a list that told of fewer. A hub that tells this hospital another story
than the others must keep their words from it."""


def head_seen(database: sqlite3.Connection) -> tuple[int, str]:
    """Size and root (hex) of the log as it was last shown; the empty log before that."""
    row = database.execute("SELECT size, root FROM log_seen").fetchone()
    return (0, EMPTY_ROOT.hex()) if row is None else (row[0], row[1])


def check_head(database: sqlite3.Connection, told: object) -> None:
    """Raise ConsentError `log_inconsistent` unless what is told continues what was seen.

    A list that tells of no log at all is refused once any was seen.
    """
    size, root = head_seen(database)
    if told is None and size == 0:
        return
    claims = told if isinstance(told, Mapping) else {}
    new_size, new_root, since = claims.get("size"), claims.get("root"), claims.get("from")
    if type(new_size) is not int or not isinstance(new_root, str) or new_size < size:
        raise ConsentError("log_inconsistent")
    if size == 0 or (new_size == size and new_root == root):
        return
    if since != size or not _continues(size, root, new_size, new_root, claims.get("consistency")):
        raise ConsentError("log_inconsistent")


def check_others(
    told: object,
    witnesses: object,
    peers: Mapping[str, PublicIdentity],
    *,
    site: str,
    network: str,
    issued: datetime,
) -> int:
    """Raise ConsentError `log_inconsistent` unless the log that is told continues every head that
    other hospitals say, in their own signed words, that they were told.

    Only words signed with a key that is pinned here count; others are nobody's. So a hub that tells
    two hospitals different histories can let neither see the other's word. Of how many hospitals
    there was one that is not older than a day.
    """
    heard = set()
    claims = told if isinstance(told, Mapping) else {}
    new_size, new_root = claims.get("size"), claims.get("root")
    for each in witnesses[:MOST_OTHERS] if isinstance(witnesses, list) else ():
        head = _word_of(each, peers, site=site, network=network)
        if head is None:
            continue
        if issued - datetime.fromtimestamp(head["iat"], UTC) <= SEEN_WITHIN:
            heard.add(each["site"])
        if head["size"] == 0:
            continue
        if type(new_size) is not int or not isinstance(new_root, str) or head["size"] > new_size:
            raise ConsentError("log_inconsistent")
        path = each.get("consistency", [])
        if not _continues(head["size"], head["root"], new_size, new_root, path):
            raise ConsentError("log_inconsistent")
    return len(heard)


def _word_of(
    given: object, peers: Mapping[str, PublicIdentity], *, site: str, network: str
) -> Mapping[str, Any] | None:
    """What another hospital of this network signed; None for what no pinned key signed."""
    who = given.get("site") if isinstance(given, Mapping) else None
    said = given.get("said") if isinstance(given, Mapping) else None
    if not isinstance(who, str) or who == site or who not in peers:
        return None
    if not isinstance(said, str) or not said.isascii():
        return None
    try:
        head = open_witness(said.encode("ascii"), who, peers[who].sign)
    except ProtocolError:
        return None
    return head if head["network"] == network else None


def _continues(size: int, root: str, new_size: int, new_root: str, path: object) -> bool:
    try:
        beside = [bytes.fromhex(one) for one in path]  # type: ignore[attr-defined]
        return verify_consistency(
            size, bytes.fromhex(root), new_size, bytes.fromhex(new_root), beside
        )
    except (TypeError, ValueError, AttributeError):
        return False


def keep_head(database: sqlite3.Connection, told: object, now: datetime) -> None:
    """Remember the head that was told; inside a transaction, after `check_head`."""
    if not isinstance(told, Mapping):
        return
    values: tuple[Any, ...] = (told["size"], told["root"], milliseconds(now))
    database.execute(
        "INSERT INTO log_seen (one, size, root, at) VALUES (1, ?, ?, ?) ON CONFLICT (one)"
        " DO UPDATE SET size = excluded.size, root = excluded.root, at = excluded.at",
        values,
    )


def head_told(snapshot: Snapshot) -> tuple[int, str] | None:
    """The head that a snapshot tells of, after `check_head`; None when it tells of none."""
    told = snapshot.further.get("log")
    return (told["size"], told["root"]) if isinstance(told, Mapping) else None
