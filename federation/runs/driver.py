"""The hub's side of one question as a pure state machine: no database, no engine, no clock.

The caller carries messages out and replies in. Given the plan and the same replies it always
comes to the same state, so that after a crash it is rebuilt from the stored replies.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from federation.disclosure import gate
from federation.disclosure.looking import COHORT, LOOK, Agreement, agree, take_doubts
from federation.disclosure.nesting import ReleasedSet
from federation.methods.base import Ask, Finished, Step
from federation.methods.labels import cell_labels, set_labels, settle, term_labels
from federation.methods.own import next_step
from federation.methods.registry import KINDS
from federation.methods.release import without_missing
from federation.protocol.encoding import canonical
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, SigningKey, key_id
from federation.protocol.messages import TYP_REPLY, TYP_STEP, sign, verify
from federation.protocol.pooling import pool, take_contribution
from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.query.refusals import REFUSALS, Refused
from federation.query.terms import Terms
from federation.runs import envelope
from federation.runs.holding_back import HeldBack, HoldingBack, without_cohort
from federation.runs.origin import origin
from federation.runs.refusing import known_names, latest_day

#: The name under which the hub signs and is addressed.
HUB = "hub"
#: What a site says instead of a run when it could not trust the message enough to read it.
UNREAD_RUN = "unknown"
#: What a signed reply may add to the bytes that the policy allows (names, base64, signature).
REPLY_ALLOWANCE = 65_536
#: How long a site may act on a step message, unless the caller says otherwise.
LIFETIME = timedelta(minutes=30)


Status = Literal["complete", "partial", "refused", "replay", "insufficient"]


@dataclass(frozen=True)
class RunPlan:
    """All that is fixed when a run opens.

    ``run_id`` is what the sites see; fresh for every attempt. ``terms`` are the strictest of all
    sites' policies. ``min_snapshots``: the lowest consent snapshot that will do, per site.
    ``approval``: {"by", "at", "query_sha256"}. ``again``: the question may have been computed
    before without a released result (after a crash); a site then charges nothing twice.
    ``requester``: who asks, as a word that says nothing elsewhere; sites budget by it.
    """

    run_id: str
    query: Query
    codebook: Codebook
    roster: Mapping[str, PublicIdentity]
    terms: Terms
    min_snapshots: Mapping[str, int]
    approval: Mapping[str, str]
    again: bool = False
    requester: str = ""

    @property
    def roster_dict(self) -> dict[str, dict[str, str]]:
        return {slug: self.roster[slug].to_dict() for slug in sorted(self.roster)}

    @property
    def roster_sha256(self) -> str:
        return hashlib.sha256(canonical(self.roster_dict)).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``complete``: ``envelope`` may be shown. ``partial``: so may this, with results per hospital of
    which some are missing. ``refused``: ``code`` says why, ``envelope`` says it in words.
    ``insufficient``: a site was silent until the deadline, so the masks did not vanish.
    ``replay``: sites answered this question before, in the runs ``replay_of``; the caller shows
    the stored result of one of them or, if there is none, asks with ``again``.
    ``sets``: of a complete answer under protection, what later answers must keep a distance from;
    of one that was refused here, what it held back.
    """

    status: Status
    envelope: dict[str, Any]
    code: str | None = None
    replay_of: tuple[str, ...] = ()
    sets: tuple[ReleasedSet, ...] = ()


@dataclass(frozen=True)
class _Answer:
    body: bytes
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        return str(self.claims["status"])


class Driver:
    """Drives one run; see the module docstring."""

    def __init__(
        self,
        plan: RunPlan,
        hub_key: SigningKey,
        earlier: Callable[[], Iterable[ReleasedSet]] = list,
    ) -> None:
        """``earlier`` gives the sets of all answers released until it is called."""
        self.plan = plan
        self._earlier = earlier
        self.number = 0
        self._key = hub_key
        self._max_reply = 2 * plan.terms.max_response_bytes + REPLY_ALLOWANCE
        self._method = KINDS[plan.query.kind]
        self._ask = Ask(query=plan.query, codebook=plan.codebook, terms=plan.terms, site=None)
        self._answers: dict[str, _Answer] = {}
        self._previous: list[str] = []
        self._step: Step | None = None
        self._agreed = Agreement(frozenset(), 0)
        self._n = 0  # pooled patients of the analysis set
        self._never: Outcome | None = None
        try:
            self._step = self._method.start(self._ask)
            if self._ask.strict:
                self._step = Step(LOOK)
        except Refused as refused:
            self._never = self._refused(refused.code, terms=refused.terms)

    @property
    def waiting(self) -> set[str]:
        """The sites whose reply to the present step is not there yet; none when the method
        refused the question before anybody was asked."""
        return set() if self._step is None else set(self.plan.roster) - set(self._answers)

    def number_of(self, site: str) -> int:
        """The step that ``site`` is asked; the same for all sites of a pooled run."""
        return self.number

    def refused_by(self, site: str) -> bool:
        """Whether this site's reply to the present step is a refusal."""
        answer = self._answers.get(site)
        return answer is not None and answer.status == "refused"

    def messages(self, now: datetime, lifetime: timedelta = LIFETIME) -> dict[str, bytes]:
        """One freshly signed message per site that has not answered the present step."""
        plan = self.plan
        if self._step is None:
            return {}
        shared = {
            "run": plan.run_id,
            "step": self.number,
            "step_name": self._step.name,
            "query": plan.query.to_dict(),
            "query_sha256": plan.query.sha256,
            "codebook": plan.codebook.to_dict(),
            "roster": plan.roster_dict,
            "terms": plan.terms.to_dict(),
            "approval": dict(plan.approval),
            "again": plan.again,
            "requester": plan.requester,
            "previous": self._previous,
        }
        return {
            site: sign(
                TYP_STEP,
                {**shared, "min_snapshot": plan.min_snapshots[site]},
                self._key,
                issuer=HUB,
                audience=site,
                now=now,
                lifetime=lifetime,
            )
            for site in sorted(self.waiting)
        }

    def receive(self, site: str, body: bytes, now: datetime | None) -> None:
        """Take one site's reply to the present step.

        ``now`` None: the reply was checked in time when it came and is now read from the store.
        The same bytes again change nothing. Raises ProtocolError for anything that is not this
        site's own reply to this step of this run: the codes of ``verify``, ROSTER, WRONG_RUN,
        WRONG_STEP, STALE_SNAPSHOT, BAD_REPLY, NOT_ACCEPTED (the site did not trust the message),
        CONFLICT (other bytes than the site sent before).
        """
        identity = self.plan.roster.get(site)
        if identity is None:
            raise ProtocolError("ROSTER")
        keys = {key_id(identity.sign): identity.sign}
        claims = verify(TYP_REPLY, body, keys.get, audience=HUB, now=now, max_bytes=self._max_reply)
        self._check(site, claims)
        known = self._answers.get(site)
        if known is not None and known.body != body:
            raise ProtocolError("CONFLICT")
        self._answers[site] = _Answer(body, claims)

    def _check(self, site: str, claims: Mapping[str, Any]) -> None:
        plan = self.plan
        if claims.get("run") == UNREAD_RUN and claims.get("status") == "refused":
            raise ProtocolError("NOT_ACCEPTED")
        expected = {
            "iss": site,
            "run": plan.run_id,
            "query_sha256": plan.query.sha256,
            "roster_sha256": plan.roster_sha256,
        }
        if any(claims.get(name) != value for name, value in expected.items()):
            raise ProtocolError("WRONG_RUN")
        if claims.get("step") != self.number or isinstance(claims.get("step"), bool):
            raise ProtocolError("WRONG_STEP")
        status = claims.get("status")
        if status == "ok":
            snapshot = claims.get("snapshot")
            if type(snapshot) is not int:
                raise ProtocolError("BAD_REPLY")
            if snapshot < plan.min_snapshots[site]:
                raise ProtocolError("STALE_SNAPSHOT")
        elif status == "replay":
            earlier = claims.get("replay_of")
            if not isinstance(earlier, Mapping) or not isinstance(earlier.get("run"), str):
                raise ProtocolError("BAD_REPLY")
        elif status != "refused":
            raise ProtocolError("BAD_REPLY")

    def advance(self, now: datetime) -> Literal["step"] | Outcome | None:
        """Go on when that is possible.

        None: replies are missing. "step": a new step began, ``messages`` has it. An ``Outcome``
        is final; a refusal ends the run at once, whoever is still missing.
        """
        if self._step is None:
            return self._never
        if refusal := self._refusal():
            return refusal
        if self.waiting:
            return None
        if replay := self._replay():
            return replay
        try:
            return self._combine(self._step, now)
        except HeldBack as held:
            return replace(self._refused(held.code), sets=held.sets)
        except Refused as refused:
            return self._refused(refused.code, terms=refused.terms)
        except ProtocolError:
            # The sites' sums do not fit together: one of them runs another program, or lies.
            return self._refused("PROTOCOL")

    def _refusal(self) -> Outcome | None:
        refusing = {site: a for site, a in self._answers.items() if a.status == "refused"}
        if not refusing:
            return None
        first = refusing[min(refusing)]
        code = first.claims.get("code")
        known = code if isinstance(code, str) and code in REFUSALS else "INTERNAL_REFUSED"
        return self._refused(
            known,
            terms=known_names(first.claims.get("terms_named"), self.plan.codebook),
            sites=sorted(refusing),
            again_from=latest_day(a.claims.get("again_from") for a in refusing.values()),
        )

    def _replay(self) -> Outcome | None:
        earlier = [
            str(answer.claims["replay_of"]["run"])
            for _, answer in sorted(self._answers.items())
            if answer.status == "replay"
        ]
        if not earlier:
            return None
        return Outcome("replay", {}, replay_of=tuple(dict.fromkeys(earlier)))

    def _combine(self, step: Step, now: datetime) -> Literal["step"] | Outcome:
        claims = {site: answer.claims for site, answer in sorted(self._answers.items())}
        pooled = pool(claims, labelled=step.labelled)
        contribution = take_contribution(pooled)
        gate.check_contribution(*contribution, self.plan.terms)
        self._n = contribution[1]
        doubted = take_doubts(pooled, self._labels())
        self._agreed = replace(self._agreed, doubted=self._agreed.doubted | doubted)
        if step.name == LOOK:
            self._holding_back().check_roster()
            self._agreed = self._agree(pooled)
            after: Step | Finished = self._after_look()
        else:
            after = next_step(self._method, self._ask, step, pooled)
        if isinstance(after, Finished):
            return self._finish(after, now)
        self._previous = [a.body.decode("ascii") for _, a in sorted(self._answers.items())]
        self._answers = {}
        self._step = after
        self.number += 1
        return "step"

    def _after_look(self) -> Step:
        return self._method.start(self._ask)

    def _labels(self) -> tuple[str, ...]:
        return (*set_labels(self._method, self._ask), COHORT)

    def _agree(self, votes: Mapping[str, Any]) -> Agreement:
        return agree(
            votes,
            self._labels(),
            cell_labels(self._method, self._ask),
            self.plan.terms.diff.t_diff,
            self.plan.terms.t_complement,
            terms=term_labels(self._method, self._ask),
            alone=self.plan.terms if self.plan.query.output == "by_site" else None,
        )

    def _finish(self, finished: Finished, now: datetime) -> Outcome:
        plan = self.plan
        hidden = without_cohort(self._agreed)
        finished, hidden = settle(self._method, self._ask, finished, hidden)
        tables = self._method.tables(self._ask, finished)
        sets: tuple[ReleasedSet, ...] = ()
        if self._ask.strict:
            shown, sets = self._holding_back().shown(
                tables, self._agreed, hidden, self._n, plan.codebook
            )
        else:
            shown = gate.decide(tables, plan.terms)
        answer = self._method.result(self._ask, finished, shown)
        if COHORT in self._agreed.hidden | self._agreed.doubted:
            answer = without_missing(answer)
        total = len(plan.roster)
        return Outcome(
            "complete",
            envelope.released(
                plan.run_id,
                "complete",
                plan.query,
                plan.terms,
                answer,
                sites=envelope.site_report(total, total),
                origin=self._origin(now),
            ),
            sets=sets,
        )

    def _holding_back(self) -> HoldingBack:
        return HoldingBack(self._ask, frozenset(self.plan.roster), list(self._earlier()))

    def at_deadline(self) -> Outcome:
        """The outcome when the deadline passed while sites were silent: nothing is released. They
        are named, since silence says nothing about patients."""
        plan = self.plan
        asked = len(plan.roster)
        report = envelope.site_report(asked, asked - len(self.waiting), silent=sorted(self.waiting))
        code = "SITE_UNREACHABLE"
        return Outcome(
            "insufficient",
            envelope.withheld(plan.run_id, "insufficient", code, plan.query, sites=report),
            code=code,
        )

    def _origin(self, released_at: datetime | None) -> dict[str, Any]:
        replies = {site: (each.body, each.claims) for site, each in self._answers.items()}
        return origin(self.plan, replies, released_at)

    def _refused(
        self,
        code: str,
        terms: tuple[str, ...] = (),
        sites: list[str] | None = None,
        again_from: date | None = None,
    ) -> Outcome:
        nameable = self.plan.terms.protection == "none" or code in envelope.NOT_ABOUT_PATIENTS
        answered = sum(answer.status != "refused" for answer in self._answers.values())
        report = envelope.site_report(
            len(self.plan.roster), answered, refused=(sites or []) if nameable else []
        )
        return Outcome(
            "refused",
            envelope.withheld(
                self.plan.run_id,
                "refused",
                code,
                self.plan.query,
                sites=report,
                names=terms,
                again_from=again_from if code == "BUDGET" else None,
            ),
            code=code,
        )
