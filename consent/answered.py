"""What a patient answered on a questionnaire, as it goes to the hospital; and what is kept for the
patient alone. Pure, also on the site (design: ADR 0041).

The hub seals a statement to the hospital's key and cannot open it again. A code over it, made with
the secret of the patient's letter, lets the hospital see that the patient and nobody else filled it
in: a key to seal with is public, and a hub could make up answers otherwise.
"""

import hmac
import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.encoding import one_per_line

MAX_STATEMENT: Final = 3_500
"""Bytes; so that every questionnaire fills exactly one block when it is sealed."""
MAX_ANSWERS: Final = 60
_TITLE: Final = "oncokring/v1/answers"
_TEXTS: Final = (
    *("id", "network", "site", "handle", "instrument", "version"),
    *("timepoint", "day", "language", "letter"),
)
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,20}")
_NONCE: Final = 12
OWN_BLOCK: Final = 4096
"""Bytes; what is sealed for the patient alone fills whole blocks, in practice exactly one: forty
questionnaires with all their scores take 2,600 bytes. A length would tell the hub, which keeps
them, how much was answered, and something of how."""
_MOST_OPENED: Final = 64 * 1024


@dataclass(frozen=True)
class Answered:
    """One questionnaire as somebody sent it. handle: as the hub stores it. day: on which it was
    sent. letter: code of the letter whose secret proves it. answers: by item, whole numbers; what
    was skipped is left out."""

    id: str
    network: str
    site: str
    handle: str
    instrument: str
    version: str
    timepoint: str
    day: date
    language: str
    letter: str
    answers: Mapping[str, int]

    @property
    def canonical(self) -> bytes:
        """One spelling: a line per field, items sorted. ValueError for a field with a line
        break."""
        items = ",".join(f"{code}={self.answers[code]}" for code in sorted(self.answers))
        return one_per_line(_TITLE, *(str(getattr(self, name)) for name in _TEXTS), items)

    def mac(self, key: bytes) -> str:
        """HMAC-SHA-256 under the proof key of the letter, as 64 hex digits."""
        return hmac.digest(_derived(key, self.letter, "answers"), self.canonical, "sha256").hex()

    def proved_by(self, mac: str, key: bytes) -> bool:
        """Whether `mac` is this statement's under `key`."""
        return hmac.compare_digest(self.mac(key).encode(), mac.encode("utf-8", "replace"))

    def to_bytes(self, key: bytes) -> bytes:
        """The statement with its code, to be sealed. ValueError when it is too long."""
        value = {name: str(getattr(self, name)) for name in _TEXTS}
        told = {**value, "answers": dict(self.answers), "mac": self.mac(key)}
        data = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
        if len(data) > MAX_STATEMENT:
            raise ValueError("a questionnaire is too long")
        return data


def read_answered(data: bytes) -> tuple[Answered, str]:
    """A statement and its code, not checked yet. ValueError for anything else."""
    if len(data) > MAX_STATEMENT:
        raise ValueError("a questionnaire is too long")
    value = json.loads(data)
    if not isinstance(value, dict) or set(value) != {*_TEXTS, "answers", "mac"}:
        raise ValueError("not a questionnaire")
    texts = {name: value[name] for name in (*_TEXTS, "mac")}
    if not all(isinstance(each, str) and len(each) <= 200 for each in texts.values()):
        raise ValueError("a field is a short text")
    mac, day = texts.pop("mac"), texts.pop("day")
    found = Answered(**texts, day=date.fromisoformat(day), answers=_answers(value["answers"]))
    if str(found.day) != day:
        raise ValueError("a day has one spelling")
    return found, mac


def _answers(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MAX_ANSWERS:
        raise ValueError("answers are by item")
    for code, answer in value.items():
        if not _CODE.fullmatch(code) or type(answer) is not int or not 0 <= answer <= 1000:
            raise ValueError("an answer is a small number")
    return value


def seal_own(key: bytes, letter: str, purpose: str, bound: str, value: Mapping[str, Any]) -> bytes:
    """`value` (JSON) readable only with the secret of the letter, for one purpose and one place.

    key: the letter's proof key. AES-256-GCM, a fresh nonce each time. Made small and filled up to
    whole blocks, so that the length says nothing of the value.
    """
    nonce = os.urandom(_NONCE)
    small = zlib.compress(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), 9)
    plain = small + bytes(-len(small) % OWN_BLOCK)
    return nonce + AESGCM(_derived(key, letter, purpose)).encrypt(nonce, plain, bound.encode())


def open_own(
    key: bytes, letter: str, purpose: str, bound: str, sealed: bytes
) -> dict[str, Any] | None:
    """What `seal_own` was given; None for anything changed, moved, foreign or unreadable."""
    try:
        cipher = AESGCM(_derived(key, letter, purpose))
        small = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound.encode())
        value = json.loads(zlib.decompressobj().decompress(small, _MOST_OPENED))
    except (InvalidTag, ValueError, zlib.error):
        return None
    return value if isinstance(value, dict) else None


def fingerprint(sealed: str) -> str:
    """SHA-256 of sealed bytes: what logs may hold of them."""
    return sha256(sealed.encode()).hexdigest()


def _derived(key: bytes, letter: str, purpose: str) -> bytes:
    derive = HKDF(
        algorithm=SHA256(),
        length=32,
        salt=letter.encode(),
        info=f"oncokring/v1/{purpose}".encode(),
    )
    return derive.derive(key)
