"""What lets a hospital check a yes without trusting the hub (design: security.md 3.4). Pure.

The hospital makes the secret of a letter and keeps one of two keys made from it; the hub keeps a
verifier of the other. With the letter's secret, and with nothing the hub stores, a patient's yes
can be proved: a code over exactly what was agreed to, by whom, where and when.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.encoding import one_per_line, to_ms

LETTER: Final = "letter"
PASSKEY: Final = "passkey"
SITE: Final = "site"
KINDS: Final = (LETTER, PASSKEY, SITE)
KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
ACT_BYTES: Final = 16
_TITLE: Final = "oncokring/v1/yes"


def _derived(code_id: str, secret: str, purpose: str) -> bytes:
    # The secret has 80 random bits, so it needs no slow function; RFC 5869 keeps the two apart.
    kdf = HKDF(
        algorithm=SHA256(),
        length=KEY_BYTES,
        salt=code_id.encode("ascii"),
        info=f"oncokring/v1/{purpose}".encode("ascii"),
    )
    return kdf.derive(secret.encode("ascii"))


def login_key(code_id: str, secret: str) -> str:
    """What proves to the hub that somebody has the letter, as 64 hex digits."""
    return _derived(code_id, secret, "login").hex()


def proof_key(code_id: str, secret: str) -> bytes:
    """The 32 bytes with which a yes is proved; the hospital keeps them, the hub never does."""
    return _derived(code_id, secret, "proof")


def act_of(form_key: str) -> str:
    """The name of an act in its statement: 32 hex digits made from the key of its form."""
    return sha256(form_key.encode("utf-8")).hexdigest()[: 2 * ACT_BYTES]


@dataclass(frozen=True)
class Statement:
    """What somebody agrees to in one act.

    handle: as the hub stores it. text_version: id of the text read. yes: item codes. party: "self"
    or the representative who speaks. at: the moment, whole milliseconds. act: see `act_of`.
    """

    network: str
    site: str
    handle: str
    party: str
    study: str
    text_version: str
    yes: tuple[str, ...]
    at: datetime
    act: str

    @property
    def canonical(self) -> bytes:
        """One spelling: a line per field, items sorted. No field may hold a line break."""
        return one_per_line(
            _TITLE,
            self.network,
            self.site,
            self.handle,
            self.party,
            self.study,
            self.text_version,
            ",".join(sorted(self.yes)),
            str(to_ms(self.at)),
            self.act,
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the statement: the challenge that a passkey signs."""
        return sha256(self.canonical).digest()

    def mac(self, key: bytes) -> bytes:
        """HMAC-SHA-256-128 (RFC 4868) of the statement under a letter's proof key."""
        return hmac.digest(key, self.canonical, "sha256")[:MAC_BYTES]

    def proved_by(self, mac: bytes, key: bytes) -> bool:
        """Whether `mac` is this statement's under `key`, in the same time for every wrong one."""
        return hmac.compare_digest(self.mac(key), mac)


@dataclass(frozen=True)
class StatementForm:
    """All statements that differ in handle, moment and act only: what stands around these.

    A hospital checks tens of thousands of them with each list.
    """

    before: bytes
    after: bytes

    @classmethod
    def of(cls, statement: Statement) -> "StatementForm":
        """Raises ValueError for a field with a line break."""
        given = statement
        return cls(
            one_per_line(_TITLE, given.network, given.site, ""),
            one_per_line(
                "", given.party, given.study, given.text_version, ",".join(sorted(given.yes)), ""
            ),
        )

    def mac(self, handle: str, at: int, act: str, key: bytes) -> bytes:
        """As `Statement.mac`. at: milliseconds."""
        canonical = self.before + handle.encode() + self.after + f"{at}\n{act}".encode()
        return hmac.digest(key, canonical, "sha256")[:MAC_BYTES]

    def proved_by(self, handle: str, at: int, act: str, mac: bytes, key: bytes) -> bool:
        """As `Statement.proved_by`. at: milliseconds."""
        return hmac.compare_digest(self.mac(handle, at, act, key), mac)


Prove = Callable[[Statement], Mapping[str, Any] | None]


def letter_prover(code_id: str, key: bytes) -> Prove:
    """Proves statements with the key of one letter."""

    def prove(statement: Statement) -> Mapping[str, Any]:
        return {"kind": LETTER, "by": code_id, "mac": statement.mac(key).hex()}

    return prove


def site_prover(checker: str) -> Prove:
    """For an act that the hospital vouches for itself: it looks the act up in its own books."""

    def prove(_statement: Statement) -> Mapping[str, Any]:
        return {"kind": SITE, "by": checker, "mac": ""}

    return prove
