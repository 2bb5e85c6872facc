"""What is pinned about a vantage6 server: the connection, our key, and how keys are compared.

vantage6 hands out everybody's public key itself, so a key counts only when its fingerprint is the
one that was written down when the hospital joined. That keeps the server from reading along; what
keeps it from being believed are the signatures inside the messages, which are ours.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from vantage6.common.encryption import CryptorBase, DummyCryptor, RSACryptor


class Vantage6Error(Exception):
    """The server could not be used. ``code`` is stable; the text says what to do about it.

    ``unsure``: the request may have reached the server, so it must not simply be made again.
    """

    def __init__(self, code: str, sentence: str, *, unsure: bool = False, status: int = 0) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.unsure = unsure
        self.status = status


@dataclass(frozen=True)
class Connection:
    """Where the server is and who we are there.

    ``url`` without a path means ``/api``. ``key``: our organisation's private key (PEM), or None
    where the collaboration is not encrypted; ``allow_unencrypted`` must then hold the words of
    ``vantage6_wire.ALLOW_UNENCRYPTED``.
    """

    url: str
    username: str
    password: str = field(repr=False)
    collaboration: int = 0
    key: Path | None = None
    allow_unencrypted: str = ""


def make_cryptor(key: Path | None) -> CryptorBase:
    """vantage6's encryption with exactly this key.

    Its classes are singletons: the second key of a process would silently be the first. This goes
    past that (``type.__call__``), so each caller has its own.
    """
    if key is None:
        return type.__call__(DummyCryptor)
    try:
        return type.__call__(RSACryptor, key)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise Vantage6Error(
            "VANTAGE6_OWN_KEY",
            f"{key} is no private key that can be read. Name the PEM file whose public half the "
            "server has for our organisation.",
        ) from None


def key_fingerprint(public_key: str | None) -> str:
    """SHA-256 (hex) of a public key as the server passes it on: base64 of PEM. Empty for none."""
    try:
        found = load_pem_public_key(base64.b64decode(public_key or "", validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return ""
    der = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
