"""The hub's side of one private match as a pure state machine: no database, no engine, no clock.

It carries sealed lists from hospital to hospital and adds masked numbers; it can open none of them.
Given the plan and the same replies it always comes to the same state, as the driver of a question
(driver.py) does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from federation.disclosure import gate
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, SigningKey, key_id
from federation.protocol.match_steps import (
    BLIND,
    COUNT,
    DOUBLE,
    LOOKING,
    PAIRS,
    named,
    run_sha256,
    sha256_of,
    what_is_asked,
)
from federation.protocol.messages import TYP_MATCH, TYP_MATCH_REPLY, sign, verify
from federation.protocol.pooling import pool, take_contribution
from federation.protocol.private_match import third_of
from federation.query.codebook import Codebook
from federation.query.refusals import REFUSALS, Refused
from federation.query.terms import Terms
from federation.runs.driver import HUB, LIFETIME, UNREAD_RUN, Outcome

MAX_REPLY: Final = 48 * 1024 * 1024


@dataclass(frozen=True)
class MatchPlan:
    """All that is fixed when a match opens; as RunPlan."""

    run_id: str
    study: str
    codebook: Codebook
    roster: Mapping[str, PublicIdentity]
    terms: Terms
    min_snapshots: Mapping[str, int]
    approval: Mapping[str, str]

    @property
    def fixed(self) -> dict[str, Any]:
        """The claims that are the same in all messages."""
        return {
            "run": self.run_id,
            "study": self.study,
            "codebook": self.codebook.to_dict(),
            "roster": {slug: self.roster[slug].to_dict() for slug in sorted(self.roster)},
            "terms": self.terms.to_dict(),
            "approval": dict(self.approval),
        }

    @property
    def match_sha256(self) -> str:
        """The hash of what is asked; what was approved names it."""
        return sha256_of(what_is_asked(self.study, self.roster))


@dataclass(frozen=True)
class _Answer:
    body: bytes
    claims: Mapping[str, Any] = field(repr=False)


class MatchDriver:
    """Drives one match; see the module docstring, and ``Driver`` for what each method promises."""

    def __init__(self, plan: MatchPlan, hub_key: SigningKey) -> None:
        self.plan = plan
        self.number = LOOKING
        self._key = hub_key
        self._fixed = plan.fixed
        self._roster_sha256 = sha256_of(self._fixed["roster"])
        self._run = bytes.fromhex(run_sha256(self._fixed))
        self._answers: dict[str, _Answer] = {}
        self._previous: list[str] = []
        self._lists: dict[str, dict[str, str]] = {}

    @property
    def waiting(self) -> set[str]:
        return set(self.plan.roster) - set(self._answers)

    def number_of(self, site: str) -> int:
        """The step that ``site`` is asked; the same for all."""
        return self.number

    def messages(self, now: datetime, lifetime: timedelta = LIFETIME) -> dict[str, bytes]:
        """One freshly signed message per site that has not answered the present step."""
        return {
            site: sign(
                TYP_MATCH,
                {
                    **self._fixed,
                    "step": self.number,
                    "min_snapshot": self.plan.min_snapshots[site],
                    "previous": self._previous if self.number == BLIND else [],
                    "lists": self._lists.get(site, {}),
                },
                self._key,
                issuer=HUB,
                audience=site,
                now=now,
                lifetime=lifetime,
            )
            for site in sorted(self.waiting)
        }

    def receive(self, site: str, body: bytes, now: datetime | None) -> None:
        """Take one site's reply to the present step. Raises ProtocolError as ``Driver.receive``."""
        identity = self.plan.roster.get(site)
        if identity is None:
            raise ProtocolError("ROSTER")
        keys = {key_id(identity.sign): identity.sign}
        claims = verify(TYP_MATCH_REPLY, body, keys.get, audience=HUB, now=now, max_bytes=MAX_REPLY)
        if claims.get("run") == UNREAD_RUN and claims.get("status") == "refused":
            raise ProtocolError("NOT_ACCEPTED")
        expected = {
            "iss": site,
            "run": self.plan.run_id,
            "step": self.number,
            "query_sha256": self.plan.match_sha256,
            "roster_sha256": self._roster_sha256,
        }
        if any(claims.get(name) != value for name, value in expected.items()):
            raise ProtocolError("WRONG_RUN")
        if claims.get("status") not in ("ok", "refused"):
            raise ProtocolError("BAD_REPLY")
        if claims["status"] == "ok" and self.number in (BLIND, DOUBLE):
            self._check_lists(site, claims.get("lists"))
        known = self._answers.get(site)
        if known is not None and known.body != body:
            raise ProtocolError("CONFLICT")
        self._answers[site] = _Answer(body, claims)

    def _check_lists(self, site: str, lists: object) -> None:
        if not isinstance(lists, Mapping) or set(lists) != set(self.plan.roster) - {site}:
            raise ProtocolError("BAD_REPLY")
        for sealed in lists.values():
            unb64(sealed)

    def advance(self, now: datetime) -> Literal["step"] | Outcome | None:
        """Go on when that is possible; as ``Driver.advance``. A complete outcome holds the sum over
        all pairs, ``{"pairs": n}``, as it is: what may be shown of it is not decided here."""
        refusing = sorted(s for s, a in self._answers.items() if a.claims["status"] == "refused")
        if refusing:
            code = self._answers[refusing[0]].claims.get("code")
            known = isinstance(code, str) and code in REFUSALS
            return self._refused(str(code) if known else "INTERNAL_REFUSED")
        if self.waiting:
            return None
        try:
            return self._next()
        except Refused as refused:
            return self._refused(refused.code)
        except ProtocolError:
            return self._refused("PROTOCOL")

    def _next(self) -> Literal["step"] | Outcome:
        claims = {site: answer.claims for site, answer in sorted(self._answers.items())}
        if self.number == COUNT:
            found = pool(claims, labelled=False).get(PAIRS)
            if found is None or found.shape != (1,) or found.dtype.kind != "i" or found[0] < 0:
                raise ProtocolError("BAD_REPLY")
            return Outcome("complete", {"pairs": int(found[0])})
        if self.number == LOOKING:
            gate.check_contribution(
                *take_contribution(pool(claims, labelled=False)), self.plan.terms
            )
            self._previous = [a.body.decode("ascii") for _, a in sorted(self._answers.items())]
        self._lists = self._carried(claims)
        self._answers = {}
        self.number += 1
        return "step"

    def _carried(self, claims: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Which sealed list goes to whom: of step 1 to the partner, of step 2 to the third one."""
        made: dict[str, dict[str, str]] = {}
        for sender, said in claims.items():
            for partner, sealed in (said.get("lists") or {}).items():
                if self.number == BLIND:
                    made.setdefault(partner, {})[sender] = sealed
                else:
                    third = third_of([sender, partner], self.plan.roster, self._run)
                    made.setdefault(third, {})[named(sender, partner)] = sealed
        return made

    def _refused(self, code: str) -> Outcome:
        return Outcome("refused", {}, code=code)

    def at_deadline(self) -> Outcome:
        """Somebody is silent: without all nothing can be read."""
        return Outcome("insufficient", {}, code="SITE_UNREACHABLE")
