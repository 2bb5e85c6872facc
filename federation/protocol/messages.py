"""Signed messages: JWS compact, Ed25519, one `typ` per kind.

The bytes signed are the bytes sent and nothing is parsed before the signature holds
(design: security.md 3.1). The header is exactly alg, typ and kid, so an embedded key,
another algorithm or compression cannot be smuggled in (OWASP ASVS 5.0, 9.1.2 and 9.1.3).
Megabytes of bytes travel as they are, behind the signed part that holds their hash.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from federation.protocol.attached import attach, detach, split
from federation.protocol.encoding import MAX_MESSAGE_BYTES, canonical, parse_json
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey, verifying_key

VERSION = 1
TYP_STEP = "oncokring-step+jws"
TYP_REPLY = "oncokring-reply+jws"
TYP_SNAPSHOT = "consent-snapshot+jws"
TYP_ACK = "oncokring-ack+jws"
TYP_RESULT = "oncokring-result+jws"
TYP_SITE_MESSAGE = "oncokring-site-message+jws"
TYP_MATCH = "oncokring-match+jws"
TYP_MATCH_REPLY = "oncokring-match-reply+jws"
TYPES = frozenset(
    {
        TYP_STEP,
        TYP_REPLY,
        TYP_SNAPSHOT,
        TYP_ACK,
        TYP_RESULT,
        TYP_SITE_MESSAGE,
        TYP_MATCH,
        TYP_MATCH_REPLY,
    }
)

SKEW = timedelta(seconds=60)
_ALGORITHMS = ["Ed25519"]


class _Registry(JWSRegistry):
    """joserfc's own limit is 128,000 bytes; ours is checked per kind of message."""

    max_payload_length = 128 * 1024 * 1024


_REGISTRY = _Registry(algorithms=_ALGORITHMS)


def sign(
    typ: str,
    claims: Mapping[str, Any],
    key: SigningKey,
    *,
    issuer: str,
    audience: str,
    now: datetime,
    lifetime: timedelta,
) -> bytes:
    """Sign `claims` together with v, iss, aud, iat, exp and a random jti of 128 bits.

    Claims that are bytes, and bytes in a table that is a claim, go behind the signed part
    (federation/protocol/attached.py).
    """
    told, behind = detach(claims)
    payload = {
        **told,
        "v": VERSION,
        "iss": issuer,
        "aud": audience,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": secrets.token_hex(16),
    }
    header = {"alg": "Ed25519", "typ": typ, "kid": key.kid}
    text = jws.serialize_compact(
        header, canonical(payload), key.jwk, algorithms=_ALGORITHMS, registry=_REGISTRY
    )
    return b"".join([text.encode("ascii"), *behind])


def verify(
    typ: str,
    data: bytes,
    key_of: Callable[[str], str | None],
    *,
    audience: str,
    now: datetime | None,
    max_bytes: int = MAX_MESSAGE_BYTES,
    attached: bool = False,
) -> dict[str, Any]:
    """The claims of a message of kind `typ` meant for `audience`.

    `key_of` maps a key id to the public key that may sign this kind, or None.
    With `now` None the time window is not checked: for messages kept as evidence.
    With `attached` bytes may stand behind the signed part; they come back as views of `data`.
    Raises ProtocolError: TOO_LARGE, BAD_MESSAGE, BAD_HEADER, WRONG_TYPE, UNKNOWN_KEY,
    BAD_SIGNATURE, WRONG_VERSION, WRONG_AUDIENCE, NOT_YET, EXPIRED, BAD_ATTACHED or what parse_json
    raises.
    """
    if len(data) > max_bytes:
        raise ProtocolError("TOO_LARGE")
    signed, behind = split(data) if attached else (data, memoryview(b""))
    payload = _checked_payload(typ, signed, key_of)
    claims = parse_json(payload, max_bytes)
    _check_common(claims)
    if claims["aud"] != audience:
        raise ProtocolError("WRONG_AUDIENCE")
    if now is not None:
        if claims["iat"] > (now + SKEW).timestamp():
            raise ProtocolError("NOT_YET")
        if claims["exp"] < (now - SKEW).timestamp():
            raise ProtocolError("EXPIRED")
    return attach(claims, behind) if attached else claims


def _checked_payload(typ: str, data: bytes, key_of: Callable[[str], str | None]) -> bytes:
    try:
        message = jws.extract_compact(data, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise ProtocolError("BAD_MESSAGE") from error
    header = message.headers()
    if set(header) != {"alg", "typ", "kid"} or not all(isinstance(v, str) for v in header.values()):
        raise ProtocolError("BAD_HEADER")
    if header["typ"] != typ:
        raise ProtocolError("WRONG_TYPE")
    public = key_of(header["kid"])
    if public is None:
        raise ProtocolError("UNKNOWN_KEY")
    try:
        genuine = jws.validate_compact(
            message, verifying_key(public), algorithms=_ALGORITHMS, registry=_REGISTRY
        )
    except (JoseError, ValueError) as error:
        raise ProtocolError("BAD_SIGNATURE") from error
    if not genuine:
        raise ProtocolError("BAD_SIGNATURE")
    assert message.payload is not None  # noqa: S101  extract_compact always sets it
    return message.payload


def _check_common(claims: Mapping[str, Any]) -> None:
    if claims.get("v") != VERSION:
        raise ProtocolError("WRONG_VERSION")
    for name in ("iss", "aud", "jti"):
        if not isinstance(claims.get(name), str):
            raise ProtocolError("BAD_CLAIMS")
    for name in ("iat", "exp"):
        if type(claims.get(name)) is not int:
            raise ProtocolError("BAD_CLAIMS")
