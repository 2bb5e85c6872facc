"""Each hospital's own answer in the last step of a run, released or sealed by the hospital itself.

Under protection nothing is pooled beside them: a pooled number less the answers of the other
hospitals would be what the last one holds back. The steps before the last are under masks as
always; in them every hospital sees, from the signed replies of all, that all agreed.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from federation.disclosure import gate
from federation.disclosure.nesting import ReleasedSet
from federation.disclosure.outgoing import is_own_answer
from federation.methods.base import Finished, Released, Step
from federation.methods.own import first_own_step, is_own
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey
from federation.protocol.sealing import sealed_to
from federation.query.refusals import REFUSALS
from federation.runs import envelope
from federation.runs.driver import Driver, Outcome, RunPlan

CLAIM_OF: Mapping[str, str] = {"hub": "released", "sealed": "sealed"}
#: Why one hospital may have no answer of its own while the others have theirs.
OF_ONE_HOSPITAL = frozenset(
    {
        "SMALL_GROUP",
        "MODEL_TOO_RICH",
        "MODEL_UNSTABLE",
        "TOO_FINE",
        "INSTITUTION_HIDDEN",
        "INTERNAL_REFUSED",
    }
)


class OwnAnswers(Driver):
    """Drives one run with output by_site; as ``Driver`` but for its last step."""

    def __init__(
        self,
        plan: RunPlan,
        hub_key: SigningKey,
        earlier: Callable[[], Iterable[ReleasedSet]] = list,
        delivery: str | None = None,
    ) -> None:
        """``delivery``: "released" answers are expected for "hub", sealed ones for "sealed"."""
        super().__init__(plan, hub_key, earlier)
        self._claim = CLAIM_OF.get(delivery or "")

    @property
    def _last(self) -> bool:
        return self._step is not None and is_own(self._step)

    def _check(self, site: str, claims: Mapping[str, Any]) -> None:
        """As ``Driver``; and in the last step BAD_REPLY for an answer in another way than the
        study chose."""
        super()._check(site, claims)
        if claims.get("status") != "ok" or not self._last:
            return
        if self._claim is None or {"released", "sealed"} & set(claims) != {self._claim}:
            raise ProtocolError("BAD_REPLY")
        answer = claims[self._claim]
        if self._claim == "sealed":
            sealed_to(answer if isinstance(answer, str) else "")
        elif not is_own_answer(answer):
            raise ProtocolError("BAD_REPLY")

    def _refusal(self) -> Outcome | None:
        """In the last step a refusal about one hospital's patients ends nothing, unless it is
        everybody's."""
        codes = [a.claims.get("code") for a in self._answers.values() if a.status == "refused"]
        if self._last and set(codes) <= OF_ONE_HOSPITAL and len(codes) < len(self.plan.roster):
            return None
        return super()._refusal()

    def _combine(self, step: Step, now: datetime) -> Literal["step"] | Outcome:
        if is_own(step):
            return self._collect(step, now, "complete")
        return super()._combine(step, now)

    def _after_look(self) -> Step:
        return first_own_step(self._method, self._ask, model=self._agreed.model)

    def at_deadline(self) -> Outcome:
        """As ``Driver``; in the last step ``partial`` with the hospitals that answered."""
        if self._step is not None and self._last and self._answers:
            return self._collect(self._step, None, "partial")
        return super().at_deadline()

    def _collect(
        self, step: Step, now: datetime | None, status: Literal["complete", "partial"]
    ) -> Outcome:
        plan = self.plan
        silent = sorted(self.waiting)
        own = {site: self._own(site) for site in sorted(self._answers)}
        own |= {site: _none("SITE_UNREACHABLE", "insufficient") for site in silent}
        released = envelope.released(
            plan.run_id,
            status,
            plan.query,
            plan.terms,
            self._beside(step),
            sites=envelope.site_report(
                len(plan.roster), len(plan.roster) - len(silent), silent=silent
            ),
            origin=self._origin(now),
        )
        sealed_for = {"sealed_for": self._sealed_for()} if self._claim == "sealed" else {}
        return Outcome(status, {**released, "by_site": own, **sealed_for})

    def _sealed_for(self) -> dict[str, Any]:
        """The study, and the short names of the keys that its hospitals sealed to."""
        keys = {
            sealed_to(answer.claims["sealed"])
            for answer in self._answers.values()
            if answer.status == "ok"
        }
        return {"study": self.plan.query.study, "keys": sorted(keys)}

    def _beside(self, step: Step) -> Released:
        """What stands beside the hospitals' own answers: on open data the pooled part."""
        if self._ask.strict:
            return Released({})
        finished = self._method.combine(self._ask, step, {})
        if not isinstance(finished, Finished):
            raise ProtocolError("BAD_STEP")
        shown = gate.decide(self._method.tables(self._ask, finished), self.plan.terms)
        return self._method.result(self._ask, finished, shown)

    def _own(self, site: str) -> dict[str, Any]:
        claims = self._answers[site].claims
        if claims["status"] != "ok":
            code = claims.get("code")
            known = isinstance(code, str) and code in REFUSALS
            return _none(str(code) if known else "INTERNAL_REFUSED", "refused")
        if self._claim == "sealed":
            return {"sealed": claims["sealed"]}
        answer = claims["released"]
        more = {name: answer[name] for name in ("hidden", "warnings") if answer[name]}
        return {**answer["result"], **more}


def _none(code: str, status: str) -> dict[str, Any]:
    return {"status": status, "code": code, "message": envelope.sentence(code)}
