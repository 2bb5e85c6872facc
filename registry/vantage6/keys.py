"""The hub's and the hospitals' keys on a vantage6 server, with sentences for who sets them up."""

from __future__ import annotations

import base64
from pathlib import Path

from federation.carriage import keys
from federation.carriage.keys import BITS, LEAST_BITS, MAX_PEM, KeyUnreadable
from federation.protocol.keys import write_secret

__all__ = ["BITS", "MAX_PEM"]


class BadKey(ValueError):
    """A file does not hold the key it should; the message says what to do."""

    code = "BAD_KEY"


def load_or_make(path: Path, bits: int = BITS) -> bytes:
    """The public key as PEM that belongs to the private key in `path`, made there (0600) when the
    file is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, keys.make_private(bits))
    return read_private(path)


def read_private(path: Path) -> bytes:
    """The public key as PEM that belongs to the private key in `path`."""
    try:
        return keys.public_pem(keys.read_private(path.read_bytes()))
    except KeyUnreadable as error:
        if error.kind == "not rsa":
            raise BadKey(
                f"{path.name} holds a key of another kind than RSA, which vantage6 wants."
            ) from error
        raise _no_private(path) from error
    except OSError as error:
        raise _no_private(path) from error


def read_public(data: bytes, name: str) -> bytes:
    """The public key in the file called `name`, as the PEM that vantage6 compares byte by byte."""
    try:
        return keys.public_pem(keys.read_public(data))
    except KeyUnreadable as error:
        if error.kind == "unreadable":
            raise BadKey(
                f"{name} does not hold a public key. Ask the hospital for the file vantage6.pub "
                "that 'oncokring site join' wrote."
            ) from error
        raise BadKey(f"{name} must hold an RSA key of at least {LEAST_BITS} bits.") from error


def fingerprint(pem: bytes) -> str:
    """SHA-256 of a public key as DER SubjectPublicKeyInfo, in hex."""
    return keys.fingerprint(keys.read_public(pem))


def spoken(fingerprint_hex: str) -> str:
    """The beginning of a fingerprint in groups of four, for comparing by phone (128 bits)."""
    return " ".join(fingerprint_hex[i : i + 4] for i in range(0, 32, 4))


def on_server(said: object) -> str | None:
    """The fingerprint of a public key as the server gives it (base64 of PEM); None without one,
    and "unreadable" for what is no key."""
    if not said or not isinstance(said, str):
        return None
    return keys.shown_fingerprint(said) or "unreadable"


def for_server(pem: bytes) -> str:
    """A public key as the server wants it."""
    return base64.b64encode(pem).decode("ascii")


def _no_private(path: Path) -> BadKey:
    return BadKey(
        f"{path.name} does not hold a private key without a password. Put it back from a backup, "
        "or take the file away and set up a new key."
    )
