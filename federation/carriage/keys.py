"""The RSA keys with which vantage6 encrypts: made, read with limits, told apart by fingerprint.

It is vantage6's own way (RSA and AES-CTR, no proof of who wrote): a first envelope only. What
counts in Oncokring is signed, and sealed where it must be, inside it.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

#: As vantage6 makes them itself, and the least that is taken from others.
BITS, LEAST_BITS = 4096, 2048
MAX_PEM = 20_000


class KeyUnreadable(ValueError):
    """Not an RSA key of a size that we take. ``kind``: "unreadable", "not rsa" or "too short"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def make_private(bits: int = BITS) -> bytes:
    """A new private key, as PEM in the form that vantage6 writes."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def read_private(pem: bytes) -> rsa.RSAPrivateKey:
    """The private key in ``pem``, which must have no password. KeyUnreadable for anything else."""
    try:
        if len(pem) > MAX_PEM:
            raise ValueError("too long")
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnreadable("unreadable") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyUnreadable("not rsa")
    return key


def read_public(pem: bytes) -> rsa.RSAPublicKey:
    """The public key in ``pem``. KeyUnreadable for anything else."""
    try:
        if len(pem) > MAX_PEM:
            raise ValueError("too long")
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnreadable("unreadable") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyUnreadable("not rsa")
    if key.key_size < LEAST_BITS:
        raise KeyUnreadable("too short")
    return key


def public_pem(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> bytes:
    """The public half as PEM, byte for byte as vantage6 compares it."""
    return _public(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> str:
    """SHA-256 (hex) of the public half as DER SubjectPublicKeyInfo; people compare it by phone."""
    der = _public(key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def shown_fingerprint(shown: object) -> str:
    """The fingerprint of a public key as a server passes it on (base64 of PEM); "" when that is no
    key, or none that we take."""
    if not isinstance(shown, str) or len(shown) > 2 * MAX_PEM:
        return ""
    try:
        return fingerprint(read_public(base64.b64decode(shown, validate=True)))
    except (KeyUnreadable, binascii.Error, ValueError):
        return ""


def _public(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> rsa.RSAPublicKey:
    return key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
