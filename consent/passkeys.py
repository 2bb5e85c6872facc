"""A passkey as a patient's own signature under a choice. Pure, also on the site.

A passkey counts because a letter vouches for it: whoever held the letter's proof key said "this key
is mine" (an enrolment, with the letter's code over it). From then on the key's signature over a
statement proves a yes as the letter does. Only ES256 (P-256, SHA-256), with user verification.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256

from consent.encoding import b64, from_ms, one_per_line, to_ms, unb64
from consent.proof import PASSKEY, Statement

POINT_BYTES: Final = 65  # 0x04, x, y
SIGNED_BEFORE: Final = timedelta(minutes=10)
_TITLE: Final = "oncokring/v1/passkey"
_PRESENT: Final = 0x01
_VERIFIED: Final = 0x04
_AUTHENTICATOR_BYTES: Final = 37  # hash of the relying party, flags, counter
_MOST: Final = 1_497  # 2,000 characters


@dataclass(frozen=True)
class Enrolment:
    """That a key is this person's. handle, party: as in a statement. rp_id: the hub's host name.

    credential_id, public_key: base64url; the key is an uncompressed point of P-256.
    """

    network: str
    site: str
    handle: str
    party: str
    credential_id: str
    public_key: str
    rp_id: str
    at: datetime

    @property
    def canonical(self) -> bytes:
        """One spelling: a line per field. No field may hold a line break."""
        return one_per_line(
            _TITLE,
            self.network,
            self.site,
            self.handle,
            self.party,
            self.credential_id,
            self.public_key,
            self.rp_id,
            str(to_ms(self.at)),
        )

    def mac(self, key: bytes) -> bytes:
        """HMAC-SHA-256 under the proof key of the letter that vouches for the passkey."""
        return hmac.digest(key, self.canonical, "sha256")

    def proved_by(self, mac: bytes, key: bytes) -> bool:
        """Whether `mac` is this enrolment's under `key`; a field that cannot be signed proves
        nothing."""
        try:
            return hmac.compare_digest(self.mac(key), mac)
        except ValueError:
            return False


def challenge_of(statement: Statement) -> str:
    """What the passkey signs: the statement's SHA-256, as base64url."""
    return b64(statement.digest)


def proof_of(
    statement: Statement, credential_id: str, response: Mapping[str, str]
) -> dict[str, Any]:
    """The proof of a yes: what the browser gave (base64url), and the moment that was signed.

    The browser signs a little before the choice is written down. `at` is that moment, and the yes
    counts from it: a no from in between is later and wins.
    """
    return {
        "kind": PASSKEY,
        "by": credential_id,
        "at": to_ms(statement.at),
        "authenticator": response["authenticatorData"],
        "client": response["clientDataJSON"],
        "signature": response["signature"],
    }


def proves(statement: Statement, proof: Mapping[str, Any], enrolment: Enrolment) -> bool:
    """Whether `proof` is the enrolled key's signature under this statement.

    Signed for the same person, party and hospital, at most ten minutes before `statement.at`. What
    cannot be read proves nothing. The caller checks the enrolment's own code.
    """
    who = (statement.network, statement.site, statement.handle, statement.party)
    if who != (enrolment.network, enrolment.site, enrolment.handle, enrolment.party):
        return False
    if proof.get("kind") != PASSKEY or proof.get("by") != enrolment.credential_id:
        return False
    try:
        signed_at = from_ms(int(proof["at"]))
        early = statement.at - signed_at
        signed = replace(statement, at=signed_at)
        authenticator = decoded(proof["authenticator"])
        client = decoded(proof["client"])
        signature = decoded(proof["signature"])
        point = decoded(enrolment.public_key)
        said = json.loads(client)
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return (
        timedelta(0) <= early <= SIGNED_BEFORE
        and isinstance(said, dict)
        and _asked_by_us(said, challenge_of(signed), enrolment.rp_id)
        and _by_a_person(authenticator, enrolment.rp_id)
        and _signed(point, signature, authenticator + sha256(client).digest())
    )


def decoded(text: object) -> bytes:
    """The bytes of base64url text in its one spelling; ValueError for anything else."""
    return unb64(text, _MOST)


def _asked_by_us(said: Mapping[str, Any], challenge: str, rp_id: str) -> bool:
    """Whether the browser was asked for this very statement, by a page of the hub itself."""
    origin = urlsplit(str(said.get("origin", "")))
    return (
        said.get("type") == "webauthn.get"
        and said.get("challenge") == challenge
        and said.get("crossOrigin") in (None, False)
        and origin.hostname == rp_id
        and (origin.scheme == "https" or rp_id == "localhost")
    )


def _by_a_person(authenticator: bytes, rp_id: str) -> bool:
    """Whether the key was used for this hub by a person who was there and was checked."""
    if len(authenticator) < _AUTHENTICATOR_BYTES:
        return False
    needed = _PRESENT | _VERIFIED
    return (
        hmac.compare_digest(authenticator[:32], sha256(rp_id.encode()).digest())
        and authenticator[32] & needed == needed
    )


def _signed(point: bytes, signature: bytes, content: bytes) -> bool:
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        key.verify(signature, content, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return len(point) == POINT_BYTES
