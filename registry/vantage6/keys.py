"""The pair of RSA keys with which vantage6 encrypts for one organisation.

It is vantage6's own way (RSA and AES-CTR, no proof of who wrote): a first envelope only. What
counts in Oncokring is signed, and sealed where it must be, inside it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

#: What vantage6 makes itself.
BITS = 4096
LEAST_BITS = 2048
MAX_PEM = 20_000


class BadKey(ValueError):
    """A file does not hold the key it should; the message says what to do."""

    code = "BAD_KEY"


def load_or_make(path: Path, bits: int = BITS) -> bytes:
    """The public key as PEM that belongs to the private key in `path`, made there (0600) when the
    file is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    return read_private(path)


def read_private(path: Path) -> bytes:
    """The public key as PEM that belongs to the private key in `path`."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"{path.name} does not hold a private key without a password. Put it back from a "
            "backup, or take the file away and set up a new key."
        ) from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise BadKey(f"{path.name} holds a key of another kind than RSA, which vantage6 wants.")
    return _pem(private.public_key())


def read_public(data: bytes, name: str) -> bytes:
    """The public key in the file called `name`, as the PEM that vantage6 compares byte by byte."""
    try:
        if len(data) > MAX_PEM:
            raise ValueError("too long")
        public = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"{name} does not hold a public key. Ask the hospital for the file vantage6.pub that "
            "'oncokring site join' wrote."
        ) from error
    if not isinstance(public, rsa.RSAPublicKey) or public.key_size < LEAST_BITS:
        raise BadKey(f"{name} must hold an RSA key of at least {LEAST_BITS} bits.")
    return _pem(public)


def fingerprint(pem: bytes) -> str:
    """SHA-256 of a public key as DER SubjectPublicKeyInfo, in hex."""
    der = serialization.load_pem_public_key(pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def spoken(fingerprint_hex: str) -> str:
    """The beginning of a fingerprint in groups of four, for comparing by phone (128 bits)."""
    return " ".join(fingerprint_hex[i : i + 4] for i in range(0, 32, 4))


def on_server(said: object) -> str | None:
    """The fingerprint of a public key as the server gives it (base64 of PEM); None without one,
    and "unreadable" for what is no key."""
    if not said or not isinstance(said, str):
        return None
    try:
        return fingerprint(read_public(base64.b64decode(said, validate=True), "the server"))
    except ValueError:
        return "unreadable"


def for_server(pem: bytes) -> str:
    """A public key as the server wants it."""
    return base64.b64encode(pem).decode("ascii")


def _pem(public: rsa.RSAPublicKey) -> bytes:
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
