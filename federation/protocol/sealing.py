"""Results that only a study's own people can read: JWE to the study's key.

ECDH-ES+A256KW with X25519 and A256GCM, a fresh ephemeral key each time. What is sealed is a signed
message of the hospital, so that neither the hub nor anybody else who has the public key can put
words in a hospital's mouth; its claims say which question of which study it answers, and are
compared after opening. It is filled up to whole blocks, so that its length says little
(design: security.md 3.1).
"""

from collections.abc import Callable
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OKPKey

from federation.protocol.encoding import parse_json, unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, key_id
from federation.protocol.messages import TYP_RESULT, verify

TYP_SEALED: Final = "oncokring-sealed+jwe"
MAX_SEALED: Final = 1_000_000
BLOCK: Final = 4096
_HEADER: Final = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "typ": TYP_SEALED}
_REGISTRY = JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"])


def check_result_key(public: str) -> str:
    """`public` when it is an X25519 key in base64url that keys can be agreed with; ProtocolError
    BAD_KEY or BAD_BASE64 otherwise."""
    if len(unb64(public)) != 32:
        raise ProtocolError("BAD_KEY")
    BoxKey.generate().agree(public)  # refuses a key of low order, with which nothing is secret
    return public


def seal(message: bytes, public: str) -> str:
    """`message` as JWE compact that only the holder of the private half of `public` can open."""
    key = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": check_result_key(public)})
    filled = message + b" " * (-len(message) % BLOCK)
    header = {**_HEADER, "kid": key_id(public)}
    return str(jwe.encrypt_compact(header, filled, key, registry=_REGISTRY))


def open_sealed(blob: str, key: BoxKey) -> bytes:
    """What was sealed to `key`. ProtocolError: TOO_LARGE, BAD_HEADER, UNKNOWN_KEY (sealed to
    another key), BAD_MESSAGE (changed on the way)."""
    if len(blob) > MAX_SEALED:
        raise ProtocolError("TOO_LARGE")
    if sealed_to(blob) != key_id(key.public):
        raise ProtocolError("UNKNOWN_KEY")
    try:
        opened = jwe.decrypt_compact(blob, key.jwk, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise ProtocolError("BAD_MESSAGE") from error
    return (opened.plaintext or b"").rstrip(b" ")


def sealed_to(blob: str) -> str:
    """The short name of the key that a sealed result is for; ProtocolError BAD_HEADER."""
    try:
        header = parse_json(unb64(blob.partition(".")[0]))
    except ProtocolError as error:
        raise ProtocolError("BAD_HEADER") from error
    # exactly these: no compression, no embedded key, no key set from somewhere else
    if set(header) != {*_HEADER, "kid", "epk"} or not isinstance(header["kid"], str):
        raise ProtocolError("BAD_HEADER")
    if any(header[name] != value for name, value in _HEADER.items()):
        raise ProtocolError("BAD_HEADER")
    return str(header["kid"])


def open_result(
    blob: str,
    key: BoxKey,
    *,
    site: str,
    study: str,
    query_sha256: str,
    signer: Callable[[str], str | None] | None,
) -> dict[str, Any]:
    """The claims of one hospital's sealed result.

    `signer` maps a key id to the public key of that hospital, or None; without a `signer` who wrote
    them is not checked. Raises ProtocolError as `open_sealed` and `verify` do, and WRONG_RESULT for
    a result of another hospital or question.
    """
    message = open_sealed(blob, key)
    if signer is None:
        claims = _unverified(message, study)
    else:
        claims = verify(TYP_RESULT, message, signer, audience=study, now=None, max_bytes=MAX_SEALED)
    if (claims["iss"], claims.get("query_sha256")) != (site, query_sha256):
        raise ProtocolError("WRONG_RESULT")
    return claims


def _unverified(message: bytes, study: str) -> dict[str, Any]:
    parts = message.split(b".")
    if len(parts) != 3:
        raise ProtocolError("BAD_MESSAGE")
    header, claims = (parse_json(unb64(part.decode("ascii", "replace"))) for part in parts[:2])
    if header.get("typ") != TYP_RESULT:
        raise ProtocolError("WRONG_TYPE")
    if claims.get("aud") != study:
        raise ProtocolError("WRONG_AUDIENCE")
    return {**claims, "iss": claims.get("iss")}
