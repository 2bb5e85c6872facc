"""A hospital's own signed word, for everybody, about whom it counted an answer by.

It goes with each answer and stands in the result (consent.md 3.6, 24; 3.8 "result proof"): which
question and run, which consent list, which head of the log of choices that list told of, which
items a patient had to agree to, and under which policy and program. No number of patients is in it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey, key_id
from federation.protocol.messages import sign, verify
from federation.protocol.transparency import FOR_EVER, PUBLIC

TYP_BASIS: Final = "oncokring-basis+jws"
MAX_BASIS_BYTES: Final = 16_384
_HASHES: Final = ("query_sha256", "roster_sha256", "policy_sha256")
_WORDS: Final = ("run", "study", "software")
_NAMES: Final = frozenset({*_HASHES, *_WORDS, "snapshot", "log", "requires"})


def sign_basis(key: SigningKey, site: str, now: datetime, claims: Mapping[str, Any]) -> bytes:
    """Sign `claims`: run, study, query_sha256, roster_sha256, policy_sha256, software, snapshot
    (the number of the list), log ({"size", "root"}, or None where no list told of one), requires.
    """
    return sign(TYP_BASIS, claims, key, issuer=site, audience=PUBLIC, now=now, lifetime=FOR_EVER)


def open_basis(body: bytes, site: str, public: str) -> dict[str, Any]:
    """The claims of a hospital's word, with `iat`.

    public: the hospital's signing key. Raises ProtocolError for anything else, also `BAD_CLAIMS`.
    """
    keys = {key_id(public): public}
    claims = verify(TYP_BASIS, body, keys.get, audience=PUBLIC, now=None, max_bytes=MAX_BASIS_BYTES)
    if claims["iss"] != site:
        raise ProtocolError("UNKNOWN_KEY")
    if not claims.keys() >= _NAMES or not _is_basis(claims):
        raise ProtocolError("BAD_CLAIMS")
    return claims


def _is_basis(claims: Mapping[str, Any]) -> bool:
    requires, snapshot = claims["requires"], claims["snapshot"]
    return (
        all(isinstance(claims[name], str) and len(claims[name]) == 64 for name in _HASHES)
        and all(isinstance(claims[name], str) and len(claims[name]) <= 100 for name in _WORDS)
        and type(snapshot) is int
        and 0 <= snapshot < 1 << 53
        and _is_head(claims["log"])
        and isinstance(requires, list)
        and 0 < len(requires) <= 100
        and all(isinstance(item, str) and len(item) <= 64 for item in requires)
    )


def _is_head(log: object) -> bool:
    if log is None:
        return True
    if not isinstance(log, Mapping) or log.keys() != {"size", "root"}:
        return False
    size, root = log["size"], log["root"]
    return type(size) is int and 0 <= size < 1 << 53 and isinstance(root, str) and len(root) == 64
