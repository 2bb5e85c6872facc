"""The site's own log: what was asked and what was answered, in a chain of hashes.

Codes, hashes and numbers of messages only. A line never holds a count of patients, a value, a
header, a path or a local number; `record` refuses facts of any other shape. `sha256` is that of
the bytes or of the text that a line is about, so that these cannot be changed unseen either.
`names` are those of the hospital's own people who decided something.
"""

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime

from federation.protocol.encoding import canonical
from federation.site.store import milliseconds

FIRST = "0" * 64
_EVENT = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
_TEXT = re.compile(r"[A-Za-z0-9_.:-]{0,80}")
_FACTS = frozenset(
    {
        "by",
        "code",
        "key",
        "kind",
        "names",
        "query_sha256",
        "reason",
        "run",
        "seq",
        "sha256",
        "status",
        "step",
        "study",
        "until",
    }
)
MAX_NAMES = 300


def record(
    database: sqlite3.Connection, event: str, facts: Mapping[str, str | int], now: datetime
) -> int:
    """Append one line; its number. Call it inside the transaction of what it tells about.

    ValueError for an event or fact that is not a code, an identifier or a message number.
    """
    if not _EVENT.fullmatch(event) or not facts.keys() <= _FACTS:
        raise ValueError("an audit line has a code and known facts")
    for fact, value in facts.items():
        if isinstance(value, str) and not _fits(fact, value):
            raise ValueError("an audit fact is a code or an identifier")
    last = database.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
    at = milliseconds(now)
    text = canonical(dict(facts)).decode()
    database.execute(
        "INSERT INTO audit (seq, at, event, facts, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        (seq, at, event, text, previous, _hash(seq, at, event, text, previous)),
    )
    return int(seq)


def _fits(fact: str, text: str) -> bool:
    if fact == "names":
        return len(text) <= MAX_NAMES and text.isprintable()
    return _TEXT.fullmatch(text) is not None


def first_break(database: sqlite3.Connection) -> int | None:
    """The number of the first line that does not follow from the one before; None if all do."""
    expected, previous = 1, FIRST
    for seq, at, event, facts, before, found in database.execute(
        "SELECT seq, at, event, facts, previous, hash FROM audit ORDER BY seq"
    ):
        if seq != expected or before != previous or found != _hash(seq, at, event, facts, previous):
            return expected
        expected, previous = seq + 1, found
    return None


def _hash(seq: int, at: int, event: str, facts: str, previous: str) -> str:
    return hashlib.sha256(canonical([seq, at, event, facts, previous])).hexdigest()
