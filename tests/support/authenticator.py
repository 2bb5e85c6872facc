"""A passkey device in software: makes a P-256 key and signs challenges as WebAuthn asks."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """One device with one passkey for `rp_id`, opened from pages of `origin`."""

    rp_id: str = "localhost"
    origin: str = "http://localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    number: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def point(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def make(self, options: dict[str, Any], *, fmt: str = "none") -> dict[str, Any]:
        """What the browser sends after `navigator.credentials.create`."""
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: self.point[1:33], -3: self.point[33:]})
        number = len(self.number).to_bytes(2, "big") + self.number
        data = self._data(self.flags | ATTESTED) + bytes(16) + number + cose
        statement = {} if fmt == "none" else {"alg": -7, "sig": b"", "x5c": [b"certificate"]}
        body = cbor2.dumps({"fmt": fmt, "attStmt": statement, "authData": data})
        client = self._client("webauthn.create", challenge=options["challenge"])
        return self._credential({"attestationObject": b64(body), "clientDataJSON": b64(client)})

    def sign(self, options: dict[str, Any], **changed: Any) -> dict[str, Any]:
        """What the browser sends after `navigator.credentials.get`; `changed`: of the client."""
        self.count += 1
        data = self._data(self.flags)
        client = self._client("webauthn.get", **{"challenge": options["challenge"], **changed})
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "authenticatorData": b64(data),
                "clientDataJSON": b64(client),
                "signature": b64(signature),
            }
        )

    def _data(self, flags: int) -> bytes:
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, **given: Any) -> bytes:
        said = {"type": kind, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **given}).encode()

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        number = b64(self.number)
        return {"id": number, "rawId": number, "type": "public-key", "response": response}
