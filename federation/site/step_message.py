"""A step message from the hub, read strictly after its signature held."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from federation.protocol.encoding import canonical
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, key_id
from federation.protocol.messages import TYP_STEP, verify

HUB = "hub"
MAX_STEP_BYTES = 48 * 1024 * 1024
MAX_STEPS = 1_000

_COMMON = frozenset({"v", "iss", "aud", "iat", "exp", "jti"})
_OWN = frozenset(
    {
        "run",
        "step",
        "step_name",
        "query",
        "query_sha256",
        "codebook",
        "roster",
        "terms",
        "min_snapshot",
        "approval",
        "again",
        "requester",
        "previous",
    }
)
# What may differ between the messages of one run.
_PER_STEP = frozenset({"step", "step_name", "previous", "min_snapshot"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}")
_HASH = re.compile(r"[0-9a-f]{64}")
_REQUESTER = re.compile(r"[A-Za-z0-9_-]{0,64}")


@dataclass(frozen=True)
class StepMessage:
    """One verified question to this site. Query, codebook and terms are still plain data.

    requester: who asks, as a word without a meaning here; "" when the hub does not say.
    content_sha256: of everything but the common claims, so that the same question signed again
    is recognised. run_sha256: of what must stay the same in all messages of the run.
    """

    run: str
    step: int
    step_name: str
    query: Mapping[str, Any]
    query_sha256: str
    codebook: Mapping[str, Any]
    roster: Mapping[str, PublicIdentity]
    roster_sha256: str
    terms: Mapping[str, Any]
    min_snapshot: int
    approval: Mapping[str, Any]
    again: bool
    requester: str
    previous: tuple[str, ...]
    jti: str
    expires: int
    message_sha256: str
    content_sha256: str
    run_sha256: str


def read_step(data: bytes, *, slug: str, hub_public: str, now: datetime) -> StepMessage:
    """The step message in `data`. Raises ProtocolError for whatever is wrong with it: size,
    signature, sender, addressee, time, keys, types."""
    keys = {key_id(hub_public): hub_public}
    claims = verify(TYP_STEP, data, keys.get, audience=slug, now=now, max_bytes=MAX_STEP_BYTES)
    if claims["iss"] != HUB:
        raise ProtocolError("WRONG_ISSUER")
    if set(claims) != _COMMON | _OWN:
        raise ProtocolError("BAD_STEP")
    _check_types(claims)
    own = {name: claims[name] for name in _OWN}
    fixed = {name: value for name, value in own.items() if name not in _PER_STEP}
    return StepMessage(
        run=claims["run"],
        step=claims["step"],
        step_name=claims["step_name"],
        query=claims["query"],
        query_sha256=claims["query_sha256"],
        codebook=claims["codebook"],
        roster=read_roster(claims["roster"]),
        roster_sha256=_sha256(claims["roster"]),
        terms=claims["terms"],
        min_snapshot=claims["min_snapshot"],
        approval=claims["approval"],
        again=claims["again"],
        requester=claims["requester"],
        previous=tuple(claims["previous"]),
        jti=claims["jti"],
        expires=claims["exp"],
        message_sha256=hashlib.sha256(data).hexdigest(),
        content_sha256=_sha256(own),
        run_sha256=_sha256(fixed),
    )


def _check_types(claims: Mapping[str, Any]) -> None:
    for name in ("run", "step_name", "jti"):
        if not isinstance(claims[name], str) or not _NAME.fullmatch(claims[name]):
            raise ProtocolError("BAD_STEP")
    for name in ("query", "codebook", "roster", "terms", "approval"):
        if not isinstance(claims[name], dict):
            raise ProtocolError("BAD_STEP")
    for name in ("step", "min_snapshot"):
        if type(claims[name]) is not int or claims[name] < 0:
            raise ProtocolError("BAD_STEP")
    previous = claims["previous"]
    if (
        claims["step"] >= MAX_STEPS
        or type(claims["again"]) is not bool
        or not isinstance(claims["requester"], str)
        or not _REQUESTER.fullmatch(claims["requester"])
        or not isinstance(claims["query_sha256"], str)
        or not _HASH.fullmatch(claims["query_sha256"])
        or not isinstance(previous, list)
        or not all(isinstance(text, str) for text in previous)
    ):
        raise ProtocolError("BAD_STEP")


def read_roster(value: Mapping[str, Any]) -> Mapping[str, PublicIdentity]:
    """Hospitals with their keys, as a message names them. Raises ProtocolError."""
    roster = {}
    for slug, keys in value.items():
        if (
            not _NAME.fullmatch(slug)
            or not isinstance(keys, dict)
            or set(keys) != {"sign", "box"}
            or not all(isinstance(key, str) for key in keys.values())
        ):
            raise ProtocolError("BAD_STEP")
        roster[slug] = PublicIdentity(slug, keys["sign"], keys["box"])
    return MappingProxyType(roster)


def _sha256(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()
