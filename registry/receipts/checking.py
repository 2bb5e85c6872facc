"""Reading a receipt file and checking it with a keys file: no hub, no database, no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from consent.receipt_check import Check, Checked, check_receipt
from federation.protocol.encoding import parse_json, unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.transparency import (
    ENVELOPE,
    MAX_RECEIPT_BYTES,
    PublishedKey,
    open_head,
    open_receipt,
)

MAX_BYTES = 2 * MAX_RECEIPT_BYTES


def as_file(document: dict[str, Any]) -> bytes:
    """A receipt as its JSON file, in the one way it is written."""
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def check(data: bytes, keys: Sequence[PublishedKey]) -> Checked:
    """Check a receipt as it came: the JSON file, or the signed message (.jws).

    Line ends and blanks around it may differ, as after a paste; nothing else may.
    """
    text = data.replace(b"\r\n", b"\n").strip()
    try:
        if len(text) > MAX_BYTES:
            raise ProtocolError("TOO_LARGE")
        document, signature = _json(text) if text.startswith(b"{") else _signed(text)
    except (ProtocolError, ValueError):
        return Checked((Check("form", False, "not_a_receipt"),), {})
    return check_receipt(
        document,
        signature,
        open_receipt=lambda body: open_receipt(body, keys),
        open_head=lambda body: open_head(body, keys),
        envelope=ENVELOPE,
    )


def _json(text: bytes) -> tuple[dict[str, Any], bytes]:
    document = parse_json(text, MAX_BYTES)
    if as_file(document).strip() != text:
        raise ProtocolError("BAD_JSON")  # the same values, but not the file that the hub made
    signature = document.pop("signature", None)
    if not isinstance(signature, str):
        raise ProtocolError("BAD_JSON")
    return document, signature.encode("ascii")


def _signed(text: bytes) -> tuple[dict[str, Any], bytes]:
    parts = text.decode("ascii").split(".")
    if len(parts) != 3:
        raise ProtocolError("BAD_MESSAGE")
    claims = parse_json(unb64(parts[1]), MAX_BYTES)
    return {name: value for name, value in claims.items() if name not in ENVELOPE}, text
