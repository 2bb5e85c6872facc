"""The six digits that come to a patient by another way than the letter. Pure, also on the site.

The hub keeps a slow hash of the digits mixed with the proof key of the letter, which it does not
keep: who copies the database of the hub cannot find the digits by trying a million of them.
"""

import hmac
import secrets
from typing import Final

DIGITS: Final = 6
_TITLE: Final = b"oncokring/v1/second\n"
_BETWEEN: Final = frozenset(" -.\t\r\n\u00a0")


def new_digits() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def read_digits(typed: str) -> str | None:
    """The digits a patient typed, forgiving spaces and dashes; None when they cannot be right."""
    if len(typed) > 40:
        return None
    plain = "".join(mark for mark in typed if mark not in _BETWEEN)
    return plain if len(plain) == DIGITS and plain.isascii() and plain.isdigit() else None


def second_key(proof_key: bytes, digits: str) -> str:
    """What the verifier of the digits is made of, as 64 hex digits (HMAC-SHA-256)."""
    return hmac.digest(proof_key, _TITLE + digits.encode("ascii"), "sha256").hex()
