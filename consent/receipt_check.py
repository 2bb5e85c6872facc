"""Checking a receipt with nothing of the hub: pure, without a database, also in ten years.

Every answer that the receipt shows must be what its leaf hides, every leaf must stand in the tree
whose head the hub signed, the words must have the hash the answers name, and the hub's signature
must be over exactly this document.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from consent.encoding import from_ms
from consent.log import leaf_hash, verify_inclusion

PROFILE: Final = "dpv-27560:receipt-eu-gdpr"
VERSION: Final = 2
JURISDICTION: Final = "NL"

#: Gets a signed message, gives its claims; raises an exception with a `code` when it does not hold.
Open = Callable[[bytes], Mapping[str, Any]]
# What an answer shows beside its canonical text, and where the text says the same.
_SHOWN: Final = (
    ("item", "item"),
    ("answer", "kind"),
    ("study", "study"),
    ("category", "category"),
    ("text_version", "text_version"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its code, whether it holds, and a stable code for why not."""

    name: str
    holds: bool
    why: str = ""


@dataclass(frozen=True)
class Checked:
    """What came of a receipt. `said`: the parts whose content was erased have no answer."""

    checks: tuple[Check, ...]
    document: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Whether everything that was looked at holds, the signature included."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    @property
    def erased(self) -> int:
        """Of how many answers the content was erased after its time of keeping."""
        return sum("erased" in one for one in self.document.get("said", ()))


def check_receipt(
    document: Mapping[str, Any],
    signature: bytes,
    *,
    open_receipt: Open,
    open_head: Open,
    envelope: frozenset[str],
) -> Checked:
    """Check everything. envelope: names that signing adds to the claims of a message."""
    try:
        checks = (
            _signature(document, signature, open_receipt, envelope),
            _head(document, open_head),
            _answers(document),
            _inclusion(document),
            _texts(document),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Checked((Check("form", False, "not_a_receipt"),), {})
    return Checked(checks, document)


def _signature(
    document: Mapping[str, Any], signature: bytes, open_receipt: Open, envelope: frozenset[str]
) -> Check:
    if (document["profile"], document["version"]) != (PROFILE, VERSION):
        return Check("signature", False, "other_version")
    claims, why = _opened(signature, open_receipt)
    if claims is None:
        return Check("signature", False, why)
    signed = {name: value for name, value in claims.items() if name not in envelope}
    same = canonical(signed) == canonical(document)
    return Check("signature", same, "" if same else "document_changed")


def _head(document: Mapping[str, Any], open_head: Open) -> Check:
    log = document["log"]
    claims, why = _opened(log["head"].encode("ascii", "replace"), open_head)
    if claims is None:
        return Check("head", False, why)
    told = (document["network"]["slug"], log["size"], log["root"])
    same = (claims.get("network"), claims.get("size"), claims.get("root")) == told
    return Check("head", same, "" if same else "head_changed")


def _opened(message: bytes, open_it: Open) -> tuple[Mapping[str, Any] | None, str]:
    try:
        return open_it(message), ""
    except Exception as error:
        code = getattr(error, "code", None)
        if not isinstance(code, str):
            raise
        return None, code.lower()


def _answers(document: Mapping[str, Any]) -> Check:
    """Each answer that is shown is the one its leaf was made of."""
    for one in document["said"]:
        if "erased" in one:
            if one["erased"] is None:
                return Check("answers", False, "content_missing")
            continue
        salt = bytes.fromhex(one["salt"])
        if leaf_hash(salt, one["content"].encode("utf-8")) != bytes.fromhex(one["leaf"]):
            return Check("answers", False, "answer_changed")
        content = json.loads(one["content"])
        shown = all(one[name] == content[inside] for name, inside in _SHOWN)
        moment = from_ms(content["effective_at"])
        belongs = (
            content["receipt_id"] == document["receipt"]
            and content["network"] == document["network"]["slug"]
            and content["language"] == document["language"]
            and content["actor_role"] == document["actor_role"]
            and datetime.fromisoformat(one["effective_at"]) == moment
        )
        if not shown or not belongs:
            return Check("answers", False, "answer_changed")
    return Check("answers", bool(document["said"]), "" if document["said"] else "content_missing")


def _inclusion(document: Mapping[str, Any]) -> Check:
    """Each leaf stands in the tree whose head is given."""
    root, size = bytes.fromhex(document["log"]["root"]), document["log"]["size"]
    for one in document["said"]:
        path = [bytes.fromhex(beside) for beside in one["path"]]
        if not verify_inclusion(bytes.fromhex(one["leaf"]), one["number"], size, path, root):
            return Check("inclusion", False, "not_in_the_log")
    return Check("inclusion", True)


def _texts(document: Mapping[str, Any]) -> Check:
    """The words given are the ones the answers name."""
    text = document["text"]
    named = {one["text_version"] for one in document["said"] if "erased" not in one} - {None}
    if text is None:
        return Check("texts", not named, "text_missing" if named else "")
    whole = canonical({"study": text["study"], "content": text["content"]})
    right = sha256(whole.encode("utf-8")).hexdigest() == text["id"] and named <= {text["id"]}
    return Check("texts", right, "" if right else "text_changed")


def canonical(value: Any) -> str:
    """The one JSON text of a value, as the hub writes it (studies.base.canonical_json)."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
