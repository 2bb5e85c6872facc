"""What patients asked to destroy at this hospital, and what came of it.

The orders come with the consent lists. The hospital destroys in its own systems; here its people
say what they did, and the patient sees it.
"""

import binascii
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from consent.snapshot import HANDLE_BYTES
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.site import audit
from federation.site.choices.outbox import Outbox
from federation.site.errors import SetupError
from federation.site.store import milliseconds, moment

DONE, PARTLY, IMPOSSIBLE = "done", "partly", "impossible"
OUTCOMES: Final = (DONE, PARTLY, IMPOSSIBLE)
REASONS: Final = (
    "care_record",
    "safety_rules",
    "already_used",
    "not_found_again",
    "held_elsewhere",
)
"""Why not everything could be destroyed: it belongs to the care record; rules for safety in trials
keep it; it was used up; it can no longer be told whose it is; another party holds it."""
MAX_ORDERS: Final = 10_000
THINKING: Final = timedelta(days=14)
"""In which the patient may take an order back (consent.md 3.7, W4). Counted here from when it was
first seen: an order has no proof, and what was destroyed does not come back."""
_ID: Final = re.compile(r"[0-9a-f-]{32,36}")
_WORD: Final = re.compile(r"[a-z*][a-z0-9_.*-]{0,62}")
_STUDY: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Order:
    """`what`: the kinds of things the patient named. It may be carried out from `grace_until`."""

    id: str
    handle: bytes
    study: str
    what: tuple[str, ...]
    grace_until: datetime
    cancelled: bool
    outcome: str | None
    reason: str | None

    @property
    def open(self) -> bool:
        return self.outcome is None and not self.cancelled

    def to_dict(self) -> dict[str, Any]:
        return {
            "order": self.id,
            "study": self.study,
            "what": list(self.what),
            "from": self.grace_until.isoformat(timespec="minutes"),
            "taken_back": self.cancelled,
            "outcome": self.outcome,
            "reason": self.reason,
        }


class Orders:
    """The table `destroy_order`. Call inside one transaction."""

    def __init__(self, database: sqlite3.Connection, outbox: Outbox, by: str = "site") -> None:
        self._database = database
        self._outbox = outbox
        self._by = by

    def take(self, claims: Mapping[str, Any], now: datetime) -> None:
        """Keep the orders that a consent list names; one that is taken back is cancelled here.

        None may be carried out before `THINKING` has passed here too, whatever the hub says of it.
        Never raises for what the list holds: an order that cannot be read is not kept.
        """
        given = claims.get("destroy")
        for each in given[:MAX_ORDERS] if isinstance(given, list) else ():
            order = _read(each)
            if order is None:
                continue
            self._database.execute(
                "INSERT INTO destroy_order (id, handle, study, what, grace_until, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (
                    *(order.id, order.handle, order.study, json.dumps(order.what)),
                    milliseconds(max(order.grace_until, now + THINKING)),
                    milliseconds(now),
                ),
            )
            if order.cancelled:
                self._database.execute(
                    "UPDATE destroy_order SET cancelled_at = coalesce(cancelled_at, ?)"
                    " WHERE id = ? AND outcome IS NULL",
                    (milliseconds(now), order.id),
                )

    def report(self, order_id: str, outcome: str, reason: str | None, now: datetime) -> Order:
        """Say what came of an order. SetupError before the days in which the patient may take it
        back have passed, without a reason where one is needed, and for an order that is closed."""
        order = next((each for each in orders(self._database) if each.id == order_id), None)
        if order is None:
            raise SetupError("there is no order with this number; see site destroy list.")
        if not order.open:
            raise SetupError("this order was answered or taken back; nothing was changed.")
        if now < order.grace_until:
            raise SetupError("the patient may still take this order back; wait until that ends.")
        if outcome not in OUTCOMES or (outcome == DONE) != (reason is None):
            raise SetupError("say why when not everything was destroyed, and only then.")
        if reason is not None and reason not in REASONS:
            raise SetupError(f"give one of these reasons: {', '.join(REASONS)}.")
        self._database.execute(
            "UPDATE destroy_order SET outcome = ?, reason = ?, by_name = ?, done_at = ?"
            " WHERE id = ?",
            (outcome, reason, self._by, milliseconds(now), order_id),
        )
        content = {"order": order_id, "status": outcome, "reason_code": reason}
        self._outbox.add("destroy_report", content, now)
        facts = {"code": outcome, "reason": reason or "", "names": self._by}
        audit.record(self._database, "DESTROY_ORDER", facts, now)
        return next(each for each in orders(self._database) if each.id == order_id)


def orders(database: sqlite3.Connection) -> list[Order]:
    """All orders, the oldest first."""
    rows = database.execute(
        "SELECT id, handle, study, what, grace_until, cancelled_at, outcome, reason"
        " FROM destroy_order ORDER BY grace_until, id"
    )
    return [
        Order(
            id=order,
            handle=handle,
            study=study,
            what=tuple(json.loads(what)),
            grace_until=moment(grace),
            cancelled=cancelled is not None,
            outcome=outcome,
            reason=reason,
        )
        for order, handle, study, what, grace, cancelled, outcome, reason in rows
    ]


def _read(value: object) -> Order | None:
    if not isinstance(value, dict):
        return None
    order, study, what = value.get("order"), value.get("study"), value.get("what")
    handle, grace, cancelled = value.get("handle"), value.get("grace_until"), value.get("cancelled")
    if not isinstance(order, str) or not _ID.fullmatch(order):
        return None
    if not isinstance(study, str) or not _STUDY.fullmatch(study):
        return None
    if not isinstance(what, list) or len(what) > 100 or type(cancelled) is not bool:
        return None
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in what):
        return None
    if type(grace) is not int or not 0 < grace < 1 << 43 or not isinstance(handle, str):
        return None
    try:
        raw = unb64(handle)
    except (ProtocolError, binascii.Error, ValueError):
        return None
    if len(raw) != HANDLE_BYTES:
        return None
    return Order(order, raw, study, tuple(what), moment(grace), cancelled, None, None)
