"""Small values that a browser keeps unread: AES-256-GCM under keys made from the hub's secret.

Each use has a key of its own, and `bound` says to what a value belongs: what was sealed for one
session opens in no other.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
MAX_SEALED = 3000


def derived(secret: str, use: str) -> bytes:
    """32 bytes for one use, made from the hub's secret (HKDF-SHA-256)."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"oncokring/hub/v1/{use}".encode())
    return kdf.derive(secret.encode())


def seal(key: bytes, value: dict[str, Any], bound: str) -> str:
    """`value` (JSON) for a cookie, readable only with `key` and the same `bound`."""
    nonce = os.urandom(NONCE_BYTES)
    plain = json.dumps(value, separators=(",", ":")).encode()
    body = nonce + AESGCM(key).encrypt(nonce, plain, bound.encode())
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode("ascii")


def opened(key: bytes, sealed: str, bound: str) -> dict[str, Any] | None:
    """What `seal` was given; None for anything changed, foreign or unreadable."""
    if not sealed or len(sealed) > MAX_SEALED:
        return None
    try:
        body = base64.urlsafe_b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4))
        plain = AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound.encode())
        value = json.loads(plain)
    except (InvalidTag, ValueError, binascii.Error):
        return None
    return value if isinstance(value, dict) else None
