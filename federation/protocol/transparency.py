"""Signed heads of the log of choices and signed receipts: made by the hub, checked by anyone.

Both are messages as all others (messages.py), for the audience `public` and for ever: what was
signed stays evidence, so only the time at which the key was in use is judged, not an end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey, key_id
from federation.protocol.messages import sign, verify

TYP_HEAD: Final = "consent-head+jws"
TYP_RECEIPT: Final = "consent-receipt+jws"
TYP_WITNESS: Final = "consent-witness+jws"
HUB: Final = "hub"
PUBLIC: Final = "public"
FOR_EVER: Final = timedelta(days=36_500)
MAX_RECEIPT_BYTES: Final = 400_000
#: What `sign` adds to the claims.
ENVELOPE: Final = frozenset({"v", "iss", "aud", "iat", "exp", "jti"})

SignClaims = Callable[[Mapping[str, Any]], bytes]


@dataclass(frozen=True)
class PublishedKey:
    """A public key of the hub and when it was in use; `until` None: it still is."""

    kid: str
    public: str
    since: datetime
    until: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a keys file and the API show it."""
        return {
            "kid": self.kid,
            "alg": "Ed25519",
            "public": self.public,
            "from": int(self.since.timestamp()),
            "until": None if self.until is None else int(self.until.timestamp()),
        }


def keys_from(document: object) -> tuple[PublishedKey, ...]:
    """The keys in a keys file. Raises ProtocolError `BAD_KEYS` for anything else."""
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or not listed:
        raise ProtocolError("BAD_KEYS")
    return tuple(_key(each) for each in listed)


def _key(value: object) -> PublishedKey:
    if not isinstance(value, Mapping) or value.get("alg") != "Ed25519":
        raise ProtocolError("BAD_KEYS")
    public, since, until = value.get("public"), value.get("from"), value.get("until")
    try:
        known = key_id(str(public)) if len(unb64(public)) == 32 else None
    except ProtocolError as error:
        raise ProtocolError("BAD_KEYS") from error
    if known is None or known != value.get("kid"):
        raise ProtocolError("BAD_KEYS")
    return PublishedKey(
        known, str(public), _moment(since), None if until is None else _moment(until)
    )


def _moment(value: object) -> datetime:
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise ProtocolError("BAD_KEYS")
    return datetime.fromtimestamp(value, UTC)


def head_signer(key: SigningKey, now: datetime) -> SignClaims:
    """What signs heads with `key` (consent.tree_heads.sign_head)."""
    return _signer(TYP_HEAD, key, now)


def receipt_signer(key: SigningKey, now: datetime) -> SignClaims:
    """What signs receipts with `key` (consent.receipts)."""
    return _signer(TYP_RECEIPT, key, now)


def _signer(typ: str, key: SigningKey, now: datetime) -> SignClaims:
    def signed(claims: Mapping[str, Any]) -> bytes:
        return sign(typ, claims, key, issuer=HUB, audience=PUBLIC, now=now, lifetime=FOR_EVER)

    return signed


def sign_witness(
    key: SigningKey, site: str, now: datetime, *, network: str, seq: int, size: int, root: str
) -> bytes:
    """A hospital's own word, for everybody: this head came with my consent list `seq`.

    A message of its own, because a confirmation also says things that are for the hub alone.
    """
    claims = {"network": network, "seq": seq, "size": size, "root": root}
    return sign(TYP_WITNESS, claims, key, issuer=site, audience=PUBLIC, now=now, lifetime=FOR_EVER)


def open_witness(body: bytes, site: str, public: str) -> dict[str, Any]:
    """The claims of a hospital's word about a head: network, seq, size, root.

    public: the hospital's signing key. Raises ProtocolError for anything else, also `BAD_CLAIMS`.
    """
    keys = {key_id(public): public}
    claims = verify(TYP_WITNESS, body, keys.get, audience=PUBLIC, now=None)
    if claims["iss"] != site:
        raise ProtocolError("UNKNOWN_KEY")
    counts = (claims.get("seq"), claims.get("size"))
    words = (claims.get("network"), claims.get("root"))
    if not all(type(count) is int and 0 <= count < 1 << 53 for count in counts):
        raise ProtocolError("BAD_CLAIMS")
    if not all(isinstance(word, str) and len(word) <= 64 for word in words):
        raise ProtocolError("BAD_CLAIMS")
    return claims


def open_head(body: bytes, keys: Sequence[PublishedKey]) -> dict[str, Any]:
    """The claims of a signed head. Raises ProtocolError when no key of the hub signed it then."""
    return _open(TYP_HEAD, body, keys)


def open_receipt(body: bytes, keys: Sequence[PublishedKey]) -> dict[str, Any]:
    """The claims of a signed receipt; ProtocolError when no key of the hub signed it then."""
    return _open(TYP_RECEIPT, body, keys)


def _open(typ: str, body: bytes, keys: Sequence[PublishedKey]) -> dict[str, Any]:
    # Base64 lets several spellings stand for the same bytes; one message has one spelling.
    for part in body.split(b"."):
        unb64(part.decode("ascii", "replace"))
    by_id = {key.kid: key for key in keys}
    used: list[PublishedKey] = []

    def key_of(kid: str) -> str | None:
        if kid not in by_id:
            return None
        used.append(by_id[kid])
        return by_id[kid].public

    claims = verify(typ, body, key_of, audience=PUBLIC, now=None, max_bytes=MAX_RECEIPT_BYTES)
    if claims["iss"] != HUB:
        raise ProtocolError("UNKNOWN_KEY")
    when, key = datetime.fromtimestamp(claims["iat"], UTC), used[0]
    if when < key.since - timedelta(minutes=1) or (key.until is not None and when > key.until):
        raise ProtocolError("KEY_NOT_IN_USE")
    return claims
