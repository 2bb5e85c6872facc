"""Checking a receipt at the hub: against its own keys, and against what it has written down."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g

from consent.errors import ConsentError
from consent.models import Receipt
from consent.receipt_check import Checked
from consent.receipts import is_latest
from consent.tree import leaf_at
from registry.app import hub
from registry.hub_keys import published_keys
from registry.receipts.checking import check
from registry.transaction import reading


@dataclass(frozen=True)
class Looked:
    """What a check found. `known`: this hub has it in its log; `latest`: nothing was said since."""

    checked: Checked
    known: bool = False
    latest: bool = False


def look(data: bytes) -> Looked:
    """Check a receipt as it came. Keeps nothing, and looks in the database only if it holds."""
    checked = check(data, published_keys(hub().settings, g.now))
    if not checked.holds:
        return Looked(checked)
    document = checked.document
    with reading(hub().factory) as session:
        of = session.get(Receipt, document["receipt"])
        if of is None:
            return Looked(checked)
        try:
            known = all(
                leaf_at(session, of.network, one["number"]).hex() == one["leaf"]
                for one in document["said"]
            )
        except ConsentError:
            known = False
        return Looked(checked, known, known and is_latest(session, of))
