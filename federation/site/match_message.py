"""A message of a private match, read strictly after its signature held (ADR 0039)."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import key_id
from federation.protocol.match_steps import FIXED, STEPS, run_sha256, sha256_of, what_is_asked
from federation.protocol.messages import TYP_MATCH, verify
from federation.site.step_message import HUB, MAX_STEP_BYTES, StepMessage, read_roster

_COMMON = frozenset({"v", "iss", "aud", "iat", "exp", "jti"})
_PER_STEP = frozenset({"step", "min_snapshot", "previous", "lists"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}")


@dataclass(frozen=True)
class MatchMessage:
    """One verified message. `asked`: as a step of a question, whose `query` names study and
    hospitals. `lists`: sealed lists for this hospital, by who sent them and about which partner."""

    asked: StepMessage
    study: str
    lists: Mapping[str, bytes]

    @property
    def run(self) -> bytes:
        """What every point of this run depends on: the same bytes at every hospital."""
        return bytes.fromhex(self.asked.run_sha256)


def read_match(data: bytes, *, slug: str, hub_public: str, now: datetime) -> MatchMessage:
    """The message in `data`. Raises ProtocolError for whatever is wrong with it."""
    keys = {key_id(hub_public): hub_public}
    claims = verify(TYP_MATCH, data, keys.get, audience=slug, now=now, max_bytes=MAX_STEP_BYTES)
    if claims["iss"] != HUB:
        raise ProtocolError("WRONG_ISSUER")
    if set(claims) != _COMMON | FIXED | _PER_STEP or not _well_formed(claims):
        raise ProtocolError("BAD_STEP")
    query = what_is_asked(claims["study"], claims["roster"])
    own = {name: claims[name] for name in FIXED | _PER_STEP}
    asked = StepMessage(
        run=claims["run"],
        step=claims["step"],
        step_name=STEPS[claims["step"]],
        query=query,
        query_sha256=sha256_of(query),
        codebook=claims["codebook"],
        roster=read_roster(claims["roster"]),
        roster_sha256=sha256_of(claims["roster"]),
        terms=claims["terms"],
        min_snapshot=claims["min_snapshot"],
        approval=claims["approval"],
        again=False,
        requester="",
        previous=tuple(claims["previous"]),
        jti=claims["jti"],
        expires=claims["exp"],
        message_sha256=hashlib.sha256(data).hexdigest(),
        content_sha256=sha256_of(own),
        run_sha256=run_sha256(claims),
    )
    lists = {name: unb64(text) for name, text in claims["lists"].items()}
    return MatchMessage(asked, claims["study"], lists)


def _well_formed(claims: Mapping[str, Any]) -> bool:
    return (
        all(
            isinstance(claims[name], str) and _NAME.fullmatch(claims[name])
            for name in ("run", "study", "jti")
        )
        and all(isinstance(claims[name], dict) for name in ("codebook", "roster", "terms"))
        and all(isinstance(claims[name], dict) for name in ("approval", "lists"))
        and type(claims["step"]) is int
        and 0 <= claims["step"] < len(STEPS)
        and type(claims["min_snapshot"]) is int
        and claims["min_snapshot"] >= 0
        and isinstance(claims["previous"], list)
        and all(isinstance(text, str) for text in claims["previous"])
    )
