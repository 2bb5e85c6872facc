"""How the hospital's part of consent stands, in numbers: letters, paper, outbox, orders."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from consent.bands import band
from federation.site.choices import notices, outbox
from federation.site.choices.destroying import orders
from federation.site.choices.log_watch import ALONE
from federation.site.desk import letters, paper
from federation.site.store import open_read_only


def choices_state(database: sqlite3.Connection) -> Mapping[str, int | str]:
    """`unproven`: of how many patients the consent list says a yes that could not be verified here
    and was counted as no; a range."""
    row = database.execute("SELECT patients FROM unproven").fetchone()
    told = outbox.counts(database)
    owed = notices.counts(database)
    return {
        "letters_out": letters.counts(database)["out"],
        "paper_waiting": paper.waiting(database),
        "messages_waiting": told["waiting"],
        "messages_refused": told["refused"],
        "orders_open": sum(order.open for order in orders(database)),
        "notices_waiting": owed["waiting"] + owed["no_contact"],
        "notices_unsure": owed["unsure"],
        "unproven": band(0 if row is None else row[0]),
        "alone": int(_is_alone(database)),
    }


def _is_alone(database: sqlite3.Connection) -> bool:
    """Whether the newest list came without what other hospitals saw of the log."""
    row = database.execute(
        "SELECT facts FROM audit WHERE event = 'SNAPSHOT' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return row is not None and json.loads(row[0]).get("status") == ALONE


_WORDS: Mapping[str, str] = {
    "paper_waiting": "forms on paper with a yes wait for a second person: site paper list",
    "messages_refused": "messages were refused by the hub: site outbox",
    "orders_open": "orders to destroy data wait for an answer: site destroy list",
    "notices_waiting": "people were not told yet that a yes came in: site notices list",
    "notices_unsure": "notices may or may not have left; find out: site notices told, or again",
    "alone": "list of choices came without what two other hospitals saw of the log; compare with "
    "them when that stays so for a day",
    "unproven": "patients: a yes that could not be verified, so they are not counted",
}


def to_do(path: Path) -> list[str]:
    """What somebody of the hospital has to look at, one line each; [] for a site that has not
    been started yet."""
    if not path.exists():
        return []
    database = open_read_only(path)
    try:
        found = choices_state(database)
    finally:
        database.close()
    return [f"{found[key]} {words}" for key, words in _WORDS.items() if found[key] not in (0, "0")]
