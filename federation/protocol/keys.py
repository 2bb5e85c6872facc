"""Ed25519 keys that sign, X25519 keys that agree on masks or open sealed results."""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc.jwk import OKPKey

from federation.protocol.encoding import b64, unb64
from federation.protocol.errors import ProtocolError

_KEY_BYTES = 32


def key_id(public: str) -> str:
    """The short name of a public key: 16 hex digits of SHA-256 over a label and the key."""
    return hashlib.sha256(b"oncokring-key\0" + unb64(public)).hexdigest()[:16]


def write_secret(path: Path, secret: bytes) -> None:
    """Create `path` readable by its owner only; never overwrites (FileExistsError)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)


def read_secret(path: Path) -> bytes:
    """Read a secret; PermissionError when group or others may read it too."""
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path.name} may be read by others; run: chmod 600 {path.name}")
    return path.read_bytes()


class SigningKey:
    """An Ed25519 key pair."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _KEY_BYTES:
            raise ProtocolError("BAD_KEY")
        self._seed = seed
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = b64(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.kid = key_id(self.public)
        self.jwk = OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": self.public, "d": b64(seed)}
        )

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(os.urandom(_KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        return cls(read_secret(path))

    def save(self, path: Path) -> None:
        write_secret(path, self._seed)


class BoxKey:
    """An X25519 key pair; two sites agree on a mask with it."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self._agreed: dict[str, bytes] = {}
        self.public = b64(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def generate(cls) -> "BoxKey":
        return cls(X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "BoxKey":
        secret = read_secret(path)
        if len(secret) != _KEY_BYTES:
            raise ProtocolError("BAD_KEY")
        return cls(X25519PrivateKey.from_private_bytes(secret))

    def save(self, path: Path) -> None:
        write_secret(
            path, self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        )

    @property
    def jwk(self) -> OKPKey:
        """The key pair as JWE wants it (RFC 8037)."""
        secret = self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return OKPKey.import_key(
            {"kty": "OKP", "crv": "X25519", "x": self.public, "d": b64(secret)}
        )

    def agree(self, other_public: str) -> bytes:
        """The 32 shared bytes with the owner of `other_public` (RFC 7748), worked out once for
        each: ask only with keys that are pinned.

        ProtocolError for a key that is malformed or of low order.
        """
        if other_public not in self._agreed:
            try:
                other = X25519PublicKey.from_public_bytes(unb64(other_public))
                shared = self._private.exchange(other)
            except (ValueError, InvalidKey) as error:
                raise ProtocolError("BAD_KEY") from error
            self._agreed[other_public] = shared
        return self._agreed[other_public]


@lru_cache(maxsize=1_000)
def verifying_key(public: str) -> OKPKey:
    """The key that checks signatures of the holder of `public`; ProtocolError when malformed."""
    if len(unb64(public)) != _KEY_BYTES:
        raise ProtocolError("BAD_KEY")
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": public})


@dataclass(frozen=True)
class PublicIdentity:
    """What others may know of a site: its name and its two public keys."""

    slug: str
    sign: str
    box: str

    def to_dict(self) -> dict[str, str]:
        return {"sign": self.sign, "box": self.box}
